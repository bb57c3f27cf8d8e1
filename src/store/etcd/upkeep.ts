/** What anybody may do to a name, without holding it. */
import type { LeaseInfo } from '../../lease-info.js';
import { wallClock } from '../../now.js';
import { freezeBytes } from '../grant.js';
import type { Break, Owner } from '../store.js';
import { modifiedIs, put, unlessOver } from './client.js';
import { describe } from './describe.js';
import { encodeEntry, isBroken } from './entry.js';
import type { Ground } from './ground.js';

/** Takes the lease away from whoever has it. */
export async function breakLease(
  ground: Ground,
  name: string,
  { token, stale = false }: Break,
): Promise<LeaseInfo | undefined> {
  if (stale) return undefined; // what is over is gone
  const word = `broken ${crypto.randomUUID()}`;
  for (;;) {
    const found = await ground.look(name);
    const { head } = found;
    if (head === undefined) return undefined;
    const { word: stands, bytes, token: has } = await ground.entry(head);
    if (stands === 'waiting' || has !== (token ?? has)) return undefined;
    const info = await describe(ground, name, found);
    if (isBroken(head)) {
      // By us, and the answer was lost; or by somebody who may have died since.
      await ground.client.revoke(head.lease);
      return stands === word ? info : undefined;
    }
    // With this mark one of those who break it at once is the one; and it cannot be moved any more.
    const mark = put(head.key, encodeEntry(word, bytes), head.lease);
    const unchanged = [modifiedIs(head.key, head.modified)];
    const marked = await ground.client.transact(unchanged, [mark]).catch(unlessOver);
    if (marked?.succeeded !== true) continue;
    await ground.client.revoke(head.lease);
    return info;
  }
}

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
