/** How long to pause between attempts: longer and longer, up to a limit. */

/** All of them optional. */
export interface BackoffOptions {
  /** The first pause, in milliseconds. Default 10. */
  initial?: number;
  /** Each pause is so many times the one before. Default 2; 1 keeps it as it is. */
  factor?: number;
  /** The longest pause, in milliseconds, before jitter. Default 1000, or `initial` if that is more. */
  max?: number;
  /** From 0 to 1: by how much of itself a pause may be longer, at random. Default 0. */
  jitter?: number;
}

/** Timers cannot do more: `setTimeout` of a longer time fires at once. */
const longestPause = 2 ** 31 - 1;

/**
 * The pauses in milliseconds, without end. Jitter only lengthens: a number of attempts never takes
 * less time than the pauses without it.
 *
 * @param random from 0 to 1, as `Math.random`.
 * @throws {TypeError} an option that is not a number.
 * @throws {RangeError} a negative pause, a factor below 1, a jitter outside of 0 to 1, NaN.
 *
 * @example
 * for (const pauseMs of backoff({ initial: 10, factor: 2 })) await attempt(pauseMs); // 10, 20, 40 …
 */
export function backoff(
  options: BackoffOptions = {},
  random: () => number = Math.random,
): Generator<number, never> {
  const initial = checked('initial', options.initial ?? 10, 0, longestPause);
  const factor = checked('factor', options.factor ?? 2, 1, Number.MAX_VALUE);
  const max = checked('max', options.max ?? Math.max(1000, initial), initial, longestPause);
  const jitter = checked('jitter', options.jitter ?? 0, 0, 1);
  return pauses(initial, factor, max, () => 1 + jitter * random());
}

function* pauses(
  initial: number,
  factor: number,
  max: number,
  stretch: () => number,
): Generator<number, never> {
  for (let pause = initial; ; pause = Math.min(max, pause * factor)) {
    yield Math.min(longestPause, pause * stretch());
  }
}

function checked(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`backoff.${name} must be a number`);
  if (value >= least && value <= most) return value;
  throw new RangeError(`backoff.${name} must be from ${least} to ${most}, not ${value}`);
}
