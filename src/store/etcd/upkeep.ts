/** What anybody may do to a name, without holding it. */
import type { LeaseInfo } from '../../lease-info.js';
import { wallClock } from '../../now.js';
import { freezeBytes } from '../grant.js';
import type { Break, Owner } from '../store.js';
import { modifiedIs, put, unlessOver, type Client } from './client.js';
import { describe } from './describe.js';
import { encodeEntry, isBroken } from './entry.js';
import type { Ground } from './ground.js';

/** For so long, in ms, a note outlives its break: whoever got no answer may ask again. */
const noteTtl = 60_000;

/**
 * Takes the lease away from whoever has it: marks its key, so that one of those who break it at once is
 * the one and it cannot be moved any more, and ends the lease of etcd that it lives by. With the mark a
 * note is made. By the key it could not be told later who did it: it is gone in a moment, for whoever
 * finds a mark ends that lease as well, as the other may have died since.
 */
export async function breakLease(
  ground: Ground,
  name: string,
  { token, stale = false }: Break,
): Promise<LeaseInfo | undefined> {
  if (stale) return undefined; // what is over is gone
  const { client, halfBroken } = ground;
  let half = halfBroken.get(name);
  halfBroken.delete(name);
  let meant = token;
  try {
    for (;;) {
      const found = await ground.look(name);
      const { head } = found;
      const entry = head && (await ground.entry(head));
      const whose = meant ?? entry?.token ?? half?.token;
      if (half !== undefined && half.token === whose && (await isThere(client, half.note))) {
        await client.revoke(half.lease);
        return half.info;
      }
      if (head === undefined || entry === undefined || entry.word === 'waiting') return undefined;
      if (token !== undefined && entry.token !== token) return undefined;
      const info = await describe(ground, name, found);
      if (isBroken(head)) {
        await client.revoke(head.lease); // whoever it was may have died since
        return undefined;
      }
      const { id } = await client.grant(noteTtl);
      meant = entry.token;
      half = { note: `${ground.root}broken/${id}`, token: meant, info, lease: head.lease };
      const mark = put(head.key, encodeEntry(`broken ${id}`, entry.bytes), head.lease);
      const unchanged = [modifiedIs(head.key, head.modified)];
      await client.transact(unchanged, [mark, put(half.note, '', id)]).catch(unlessOver);
    }
  } catch (error) {
    if (half !== undefined) halfBroken.set(name, half);
    throw error;
  }
}

const isThere = async (client: Client, key: string): Promise<boolean> =>
  !(await client.transact([modifiedIs(key, '0')], [])).succeeded;

/** Nobody new is granted the name for so long. */
export async function freeze(ground: Ground, name: string, ttl: number, by: Owner): Promise<void> {
  for (;;) {
    const term = await ground.client.grant(ttl);
    const bytes = freezeBytes(name, term.ttl, by, wallClock());
    // Another freeze that stood there is replaced; its lease ends by itself, with nothing in it.
    const write = put(ground.freeze(name), bytes, term.id);
    if (await ground.client.transact([], [write]).catch(unlessOver)) return;
    // Its time was over before it was of use: this process stood still.
  }
}

/** False: it was not frozen. */
export async function unfreeze(ground: Ground, name: string): Promise<boolean> {
  const { frozen } = await ground.look(name);
  if (frozen !== undefined) await ground.client.revoke(frozen.lease);
  return frozen !== undefined;
}
