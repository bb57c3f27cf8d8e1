/** Records and freezes for tests of what is pure: a plain one, and any. */
import fc from 'fast-check';

import type { FreezeRecord } from '../../lib/freeze.js';
import type { Json, LeaseRecord } from '../../lib/record.js';

export const someRecord: LeaseRecord = {
  token: 1_700_000_000_000_001n,
  id: '0123456789abcdef0123456789abcdef',
  expires: 1_700_000_030_000,
  deadline: 130_000,
  name: 'deploy',
  kind: 'attached',
  ttl: 30_000,
  bootId: '6d1f0b0c-6c1c-4b6e-8f7a-2f1d3c4b5a69',
  timeNamespace: 'time:[4026531834]',
  acquiredAt: 1_700_000_000_000,
  owner: 'alice@mill',
  pid: 4242,
  startedAt: 1_699_999_000_120,
  host: 'mill',
  command: 'node deploy.js',
};

export const someFreeze: FreezeRecord = {
  name: 'deploy',
  owner: 'bob@mill',
  since: 1_700_000_000_000,
  ttl: 60_000,
  expires: 1_700_000_060_000,
  deadline: 160_000,
  bootId: '6d1f0b0c-6c1c-4b6e-8f7a-2f1d3c4b5a69',
  timeNamespace: 'time:[4026531834]',
};

/** The same record without a TTL. */
export function endless(record: LeaseRecord): LeaseRecord {
  return { ...record, ttl: null, expires: null, deadline: null };
}

export function detached(record: LeaseRecord): LeaseRecord {
  return { ...record, kind: 'detached' };
}

/** Any string, lone surrogates, control characters and all. */
export function anyText(maxLength: number, minLength = 0): fc.Arbitrary<string> {
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0x7f }),
    fc.integer({ min: 0xd7f0, max: 0xe010 }),
    fc.integer({ min: 0, max: 0xffff }),
  );
  return fc
    .array(unit, { minLength, maxLength })
    .map((units) => units.map((code) => String.fromCharCode(code)).join(''));
}

const moment = fc.integer({ min: 0, max: 8.64e15 });
const count = fc.maxSafeNat();
/** What people read is cut when long; these fields are short enough to stay. */
const short = fc.string({ maxLength: 15 });
const orNull = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(some);
const hex = fc.integer({ min: 0, max: 15 }).map((digit) => digit.toString(16));

const json = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)) as Json)
  .filter((value) => {
    const text = JSON.stringify(value);
    return !text.includes('__proto__') && Buffer.byteLength(text) <= 4096;
  });

const ends = fc.oneof(
  fc.constant({ ttl: null, expires: null, deadline: null }),
  fc.record({ ttl: fc.integer({ min: 1 }), expires: moment, deadline: orNull(count) }),
);

const whole = fc.record({
  token: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  id: fc.array(hex, { minLength: 32, maxLength: 32 }).map((digits) => digits.join('')),
  name: anyText(300, 1).map((name) => name.replaceAll('\0', '0')),
  kind: fc.constantFrom('attached' as const, 'detached' as const),
  bootId: orNull(fc.uuid()),
  timeNamespace: orNull(fc.string({ minLength: 1, maxLength: 32 })),
  acquiredAt: moment,
  owner: anyText(100, 1),
  pid: count,
  startedAt: orNull(moment),
  host: short,
  command: short,
});

/** Any record that can be written. */
export const anyRecord: fc.Arbitrary<LeaseRecord> = fc
  .tuple(whole, ends, fc.option(json, { nil: undefined }))
  .map(([fields, end, meta]) => ({ ...fields, ...end, ...(meta === undefined ? {} : { meta }) }));

/** The seed of a test, from `HOLDFAST_SEED` or new; say it, so that a failure can be repeated. */
export function seedOf(t: { comment(text: string): void }): number {
  const seed = Number(process.env['HOLDFAST_SEED'] ?? Date.now() % 2 ** 31);
  t.comment(`HOLDFAST_SEED=${seed}`);
  return seed;
}
