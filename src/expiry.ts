/**
 * How much of a TTL is left, and by whose clock.
 *
 * The deadline in a record is a reading of a clock whose zero is known to one boot and one time
 * namespace. In the same boot and namespace it is compared as it is; now.ts takes the offsets off, so
 * that namespaces differ only where they cannot be known (ADR 11). An injected clock knows only
 * `expires`. After another boot the wall clock is all that is left.
 *
 * Where none of these applies, and as a limit to all but the injected clock: whoever has seen the
 * same record unchanged for a whole TTL, by its own monotonic clock, has seen it go unrenewed. That
 * needs no agreement on any clock, so no jump of one makes a lease end early or live for ever.
 */
import type { BootClock } from './clock.js';
import type { Timed } from './fields.js';

/** All clocks, read at one moment. */
export interface Now extends BootClock {
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  /** `wallMs` is that of an injected clock: it decides every TTL, and the boot is ignored. */
  readonly injected: boolean;
}

/**
 * The clock that decided; `observed` is the fall-back, one's own watching for a whole TTL; `store`: that
 * of a store on other machines.
 */
export type Judge = 'injected' | 'boot' | 'wall' | 'observed' | 'store';

/** What is left of a TTL in milliseconds, zero or less when it is over; null: it has none. */
export interface Left {
  readonly leftMs: number | null;
  readonly judge: Judge | null;
}

/** Whether a record was written in the boot that runs now. An injected clock does not ask. */
export function bootOf({ bootId }: Timed, now: Now): 'same' | 'other' | 'unknown' {
  if (now.injected || bootId === null || now.bootId === null) return 'unknown';
  return bootId === now.bootId ? 'same' : 'other';
}

/**
 * What is left. `clock` is the one that `deadline` was read from: monotonic for what died with its
 * boot. `seenSinceMs`: since when this very record has been seen, by the monotonic clock of now.
 */
export function timeLeft(
  timed: Timed,
  clock: 'monotonicMs' | 'boottimeMs',
  now: Now,
  seenSinceMs: number | undefined,
): Left {
  const { ttl, expires } = timed;
  if (ttl === null || expires === null) return { leftMs: null, judge: null };
  if (now.injected) return { leftMs: expires - now.wallMs, judge: 'injected' };
  const watched = Math.max(0, now.monotonicMs - (seenSinceMs ?? now.monotonicMs));
  const observed = { leftMs: ttl - watched, judge: 'observed' } as const;
  const read = byClock(timed, clock, now);
  // Deadlines are rounded up to whole milliseconds: a fraction more is no disagreement.
  if (read === undefined || read.leftMs >= observed.leftMs + 1) return observed;
  return { ...read, leftMs: Math.min(read.leftMs, observed.leftMs) };
}

function byClock(
  timed: Timed,
  clock: 'monotonicMs' | 'boottimeMs',
  now: Now,
): { leftMs: number; judge: Judge } | undefined {
  const { deadline, expires } = timed;
  const boot = bootOf(timed, now);
  if (boot === 'other' && clock === 'boottimeMs' && expires !== null) {
    return { leftMs: expires - now.wallMs, judge: 'wall' };
  }
  if (boot !== 'same' || deadline === null) return undefined;
  if (timed.timeNamespace !== now.timeNamespace) return undefined;
  return { leftMs: deadline - now[clock], judge: 'boot' };
}
