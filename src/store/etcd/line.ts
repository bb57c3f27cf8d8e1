/**
 * Waiting for a lease in the line of its name.
 *
 * A place in the line is a key that lives as long as a short lease of etcd, which is kept alive while
 * its owner waits: one who dies holds up the others for seconds, however long a TTL was asked for. Who
 * has nobody before him moves his key, in one transaction, to a lease with the TTL that was asked for:
 * that is the grant. The key stays, and so does its revision, the token: it is fixed where the line is
 * joined, and nobody is overtaken.
 *
 * Each waits for the key right before his own to go away, so a release wakes one.
 */
import { onAbort } from '../../abort.js';
import { Bell } from '../../bell.js';
import type { Attempt } from '../store.js';
import { now } from './client.js';
import type { Placed } from './entry.js';
import type { Ground } from './ground.js';

/** For so long a place outlives who has it; in ms. A shorter one is lost when a machine is busy. */
export const placeTtl = 10_000;

/** Undefined: the place was lost, for it was not kept alive in time. */
export async function waitInLine(
  ground: Ground,
  attempt: Attempt,
  place: Placed,
  signal: AbortSignal,
): Promise<Placed | undefined> {
  const { id, ttl } = place.term;
  const bell = new Bell();
  const unlisten = onAbort(signal, bell.ring);
  /** The key that has to go away first, as it is listened for; and what is heard of it. */
  let obstacle: string | undefined;
  let [gone, hinted] = [false, false];
  let deafen: (() => void) | undefined;
  const look = (): ReturnType<Ground['look']> => ground.look(attempt.name, place, { signal });
  let [nextSign, nextLook] = [now() + ttl / 3, now() + ttl];
  try {
    for (let view = await look(); view.own !== undefined;) {
      // Most often it was the holder that went. If not, the attempt tells who is next.
      const stands = gone ? undefined : (view.before ?? view.frozen)?.key;
      if (stands === undefined) {
        gone = false;
        const outcome = await ground.put(attempt, 'held', signal, place);
        if ('term' in outcome) return outcome;
        view = outcome;
      } else if (stands !== obstacle) {
        deafen?.();
        obstacle = stands;
        deafen = ground.watch.listen(stands, (isGone) => {
          gone ||= isGone;
          hinted = true;
          bell.ring();
        });
        view = await look(); // it may have gone before it was listened for
      } else {
        await bell.wait(Math.max(0, nextSign - now()));
        signal.throwIfAborted();
        if (now() >= nextSign) {
          nextSign = now() + ttl / 3;
          if ((await ground.client.keepAlive(id, { signal })).ttl === 0) return undefined;
        }
        if (!hinted && now() < nextLook) continue;
        hinted = false;
        nextLook = now() + ttl;
        if (!gone) view = await look();
      }
    }
    return undefined;
  } finally {
    unlisten();
    deafen?.();
  }
}
