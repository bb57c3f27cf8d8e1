/** What the fields of a record and of a freeze may be. Checked when written and when read. */
import { lastMoment } from './clock.js';

/** A test for each field. */
export type Schema<T> = { readonly [K in keyof T]-?: (value: unknown) => boolean };

/** What has a deadline by three clocks; which one counts is a matter of expiry.ts. */
export interface Timed {
  /** The TTL in milliseconds; null: it does not end by time. */
  readonly ttl: number | null;
  /** The end by the wall clock, in milliseconds since 1970; null without a TTL. */
  readonly expires: number | null;
  /**
   * The end by the clock of the boot, in milliseconds: the monotonic one of an attached lease, else
   * the boot-time one. Null without a TTL, and when an injected clock decides.
   */
  readonly deadline: number | null;
  /** The boot and the time namespace in which `deadline` was read. */
  readonly bootId: string | null;
  readonly timeNamespace: string | null;
}

/** Something that is a number of milliseconds since 1970, and a `Date`. */
export const isMoment = (value: unknown): boolean => isCount(value) && Number(value) <= lastMoment;

/** A whole number from 0 to 2^53 - 1. */
export const isCount = (value: unknown): boolean =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/** A string of at most so many UTF-16 units. */
export const isText =
  (longest: number, shortest = 0) =>
  (value: unknown): boolean =>
    typeof value === 'string' && value.length <= longest && value.length >= shortest;

/** Null, or what the test says. */
export const orNull =
  (test: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || test(value);

/** The fields of {@link Timed}. */
export const timedSchema: Schema<Timed> = {
  ttl: orNull((value) => isCount(value) && value !== 0),
  expires: orNull(isMoment),
  deadline: orNull(isCount),
  bootId: orNull(isText(128, 1)),
  timeNamespace: orNull(isText(128, 1)),
};

/** The first field that does not pass, or undefined. */
export function wrongField<T extends Timed>(fields: T, schema: Schema<T>): string | undefined {
  for (const name of Object.keys(schema) as (keyof T & string)[]) {
    if (!schema[name](fields[name])) return name;
  }
  if ((fields.ttl === null) !== (fields.expires === null)) return 'expires';
  return fields.ttl === null && fields.deadline !== null ? 'deadline' : undefined;
}
