/**
 * How the lease before ended, for whoever comes next. The one who ends a lease leaves it as a note
 * beside the counter; of a lease that was taken while it was stale, its record tells. Pure.
 */
import { shorten } from './owner.js';
import type { LeaseRecord } from './record.js';
import type { State } from './staleness.js';

/** Released by its holder; its holder died; its TTL passed; taken away. */
export type LeaseEnd = 'released' | 'crashed' | 'expired' | 'broken';

/** The lease before this one. What it protected may be half done, unless it was released. */
export interface PreviousLease {
  readonly end: LeaseEnd;
  readonly token: bigint | null;
  readonly owner: string | null;
  readonly pid: number | null;
  /** When it was released or broken, or found to be over. */
  readonly at: Date;
  /** Who ended it, if not its holder. */
  readonly by: string | null;
}

/** The end of a lease that is in this state. */
export function endOf(state: State): LeaseEnd {
  if (state === 'expired') return 'expired';
  return state === 'dead' || state === 'corrupt' ? 'crashed' : 'broken';
}

/** The previous lease, from its record if it can be read. */
export function previousLease(
  end: LeaseEnd,
  record: LeaseRecord | null,
  at: number,
  by: string | null,
): PreviousLease {
  const { token = null, owner = null, pid = null } = record ?? {};
  return { end, token, owner, pid, at: new Date(at), by };
}

/** The note. It fits the 415 bytes that there are, for names are cut. */
export function encodePrevious({ end, token, owner, pid, at, by }: PreviousLease): string {
  return JSON.stringify({
    end,
    token: token === null ? null : String(token),
    owner: owner && shorten(owner),
    pid,
    at: at.getTime(),
    by: by && shorten(by),
  });
}

/** What native code leaves as a note with every grant (native/guard.h). */
const taken = '-';

/**
 * What a note says; null when it is empty, or none of ours. `now`: for a lease of which nothing is left
 * but that it was granted: its record vanished, and it may have been in the midst of its work.
 */
export function parsePrevious(note: string, now: number): PreviousLease | null {
  if (note === '') return null;
  if (note === taken) return previousLease('crashed', null, now, null);
  try {
    const { end, token, owner, pid, at, by } = JSON.parse(note) as Record<string, unknown>;
    const when = new Date(Number(at));
    if (!isEnd(end) || Number.isNaN(when.getTime())) return null;
    return {
      end,
      token: typeof token === 'string' ? BigInt(token) : null,
      owner: typeof owner === 'string' ? owner : null,
      pid: typeof pid === 'number' ? pid : null,
      at: when,
      by: typeof by === 'string' ? by : null,
    };
  } catch {
    return null;
  }
}

function isEnd(value: unknown): value is LeaseEnd {
  return value === 'released' || value === 'crashed' || value === 'expired' || value === 'broken';
}
