/**
 * Clocks, as types: time is handed in, never taken. Which clock decides what is the matter of
 * staleness.ts and expiry.ts.
 */

/**
 * A wall clock. Injected into `Leases` it decides every TTL, which is what tests want.
 *
 * @example
 * let now = 0;
 * const leases = new Leases({ dir, clock: { now: () => now } });
 */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
}

/** The wall clock of the system. It may jump, either way. */
export const systemClock: Clock = Object.freeze({ now: () => Date.now() });

/** The last moment that a `Date` can hold, in milliseconds since 1970. */
export const lastMoment = 8.64e15;

/**
 * The time by a clock that may be anybody's, in whole milliseconds since 1970.
 *
 * @throws {RangeError} when it is not a time from 1970 to the last moment of `Date`.
 */
export function wallTime(clock: Clock): number {
  const now: unknown = clock.now();
  if (typeof now === 'number' && now >= 0 && now <= lastMoment) return Math.floor(now);
  throw new RangeError(`clock.now() must be milliseconds since 1970, not ${String(now)}`);
}

/** The clocks of the running system, read at one moment. Its numbers start at an unknown zero. */
export interface BootClock {
  /** CLOCK_MONOTONIC in ms: does not count while the machine sleeps. Attached leases. */
  readonly monotonicMs: number;
  /** CLOCK_BOOTTIME in ms: counts while the machine sleeps. Detached leases and freezes. */
  readonly boottimeMs: number;
  /** Which boot this is; two readings of one boot can be compared. Null: the system does not tell. */
  readonly bootId: string | null;
  /**
   * The time namespace, time_namespaces(7): each has zeros of its own. Null where there are none;
   * `host` where its offsets are known and have been taken off, so that all agree.
   */
  readonly timeNamespace: string | null;
}
