/** Durations as people write and read them. */

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const form = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Ten years, in milliseconds. Whoever wants a longer lease wants one without a TTL. */
export const longestDuration = 3652 * unitMs.d;

/**
 * A duration in whole milliseconds (the nearest). A number is milliseconds; a string is a number and
 * a unit, `ms`, `s`, `m`, `h` or `d`, in lower case and without blanks. `what` names it in errors;
 * `least`, in milliseconds, is 1 unless 0 makes sense, too.
 *
 * @throws {TypeError} neither a number nor such a string; a string without a unit is ambiguous.
 * @throws {RangeError} NaN, less than `least`, or more than ten years.
 *
 * @example
 * duration('1.5m'); // 90000
 */
export function duration(value: unknown, what = 'ttl', least: 0 | 1 = 1): number {
  const ms = Math.round(milliseconds(value, what));
  if (ms >= least && ms <= longestDuration) return ms + 0; // + 0: no negative zero
  const range = least === 0 ? 'from 0 ms to ten years' : 'more than 0 ms and at most ten years';
  throw new RangeError(`${what} must be ${range}, not ${String(value)}`);
}

function milliseconds(value: unknown, what: string): number {
  if (typeof value === 'number') return value;
  const match = typeof value === 'string' ? form.exec(value) : null;
  if (match === null) {
    throw new TypeError(`${what} must be milliseconds, or a string such as '250ms', '30s', '1.5m'`);
  }
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
}

/**
 * Milliseconds for people: the two largest units that say something, rounded. What is below zero is
 * over: `0ms`.
 *
 * @example
 * formatDuration(192_000); // '3m12s'
 */
export function formatDuration(ms: number): string {
  if (Number.isNaN(ms)) return '?';
  if (ms === Infinity) return 'for ever';
  const whole = (unit: number): number => Math.round(ms / unit);
  // Rounded first and judged then: 59.9 s is 1m, not 60s.
  if (whole(1) < 1000) return `${Math.max(0, whole(1))}ms`;
  if (whole(100) < 100) return `${whole(100) / 10}s`;
  if (whole(unitMs.s) < 3600) return pair(whole(unitMs.s), 60, 'm', 's');
  if (whole(unitMs.m) < 1440) return pair(whole(unitMs.m), 60, 'h', 'm');
  return pair(whole(unitMs.h), 24, 'd', 'h');
}

function pair(count: number, base: number, large: string, small: string): string {
  const rest = count % base;
  const head = count < base ? '' : `${Math.floor(count / base)}${large}`;
  return rest === 0 && head !== '' ? head : `${head}${rest}${small}`;
}
