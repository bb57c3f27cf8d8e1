/** The freeze of a name: what is written is read, and nothing else. */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';

import { encodeFreeze, parseFreeze, type FreezeRecord } from '../lib/freeze.js';
import { encodeRecord, parseRecord } from '../lib/record.js';
import { seedOf, someFreeze, someRecord } from './helpers/records.js';

const good = encodeFreeze(someFreeze);

await t.test('the bytes of a freeze', async (t) => {
  t.match(
    good.toString(),
    /^\{"holdfast":1,"crc":"[0-9a-f]{8}","kind":"freeze","name":"deploy",.*\}\n$/,
  );
  t.match(JSON.parse(good.toString()), { ...someFreeze });
});

await t.test('what is written is read', async (t) => {
  const freezes: FreezeRecord[] = [
    someFreeze,
    { ...someFreeze, deadline: null, bootId: null, timeNamespace: null },
    { ...someFreeze, name: '\ud800/🔒"\n', owner: 'x'.repeat(1024), ttl: 1, since: 0, expires: 0 },
  ];
  for (const freeze of freezes) {
    t.strictSame(parseFreeze(encodeFreeze(freeze)), { state: 'valid', freeze });
  }
});

await t.test('what could not be read is not written', async (t) => {
  const wrong: Record<string, unknown[]> = {
    name: ['', 'a\0b', 'x'.repeat(4097), undefined],
    owner: ['', 'x'.repeat(1025), null],
    since: [-1, 0.5, NaN, null, 8.64e15 + 1],
    ttl: [null, 0, -1, 0.5, Infinity, '1'], // a freeze always ends
    expires: [null, -1, NaN],
    deadline: [-1, NaN, undefined],
    bootId: ['', 7],
    timeNamespace: ['', 7],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const freeze = { ...someFreeze, [name]: value };
      t.throws(() => encodeFreeze(freeze), RangeError, `${name}: ${String(value)}`);
    }
  }
});

await t.test('a lease is no freeze, and a freeze no lease', async (t) => {
  t.strictSame(parseFreeze(encodeRecord(someRecord)), { state: 'corrupt', reason: 'schema' });
  t.strictSame(parseRecord(good), { state: 'corrupt', reason: 'schema' });
  const zeroed = good
    .toString()
    .replace('"freeze"', '"detached"')
    .replace(/[0-9a-f]{8}/, '00000000');
  const sum = crc32(zeroed).toString(16).padStart(8, '0');
  const other = Buffer.from(zeroed.replace('00000000', sum));
  t.strictSame(parseFreeze(other), { state: 'corrupt', reason: 'schema' }, 'whatever it has else');
});

await t.test('damaged, newer, a sidecar', async (t) => {
  t.strictSame(parseFreeze(Buffer.alloc(0)), { state: 'corrupt', reason: 'empty' });
  t.strictSame(parseFreeze(Buffer.from('{"holdfast":2}')), { state: 'newer', version: 2 });
  t.strictSame(parseFreeze(Buffer.from('holdfast1-R')), { state: 'sidecar' });
  const seed = seedOf(t);
  const accident = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(accident, ([at, mask]) => {
      const bytes = Buffer.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ mask;
      return (
        parseFreeze(bytes).state !== 'valid' && parseFreeze(good.subarray(0, at)).state !== 'valid'
      );
    }),
    { seed, numRuns: 2000 },
  );
});
