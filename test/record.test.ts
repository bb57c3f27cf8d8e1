/**
 * The record: what is written is read, native code finds what it stamps, and nothing that was damaged
 * names a holder that nobody wrote.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import t, { type Test } from 'tap';

import {
  encodeRecord,
  layout,
  maxMetaSize,
  parseRecord,
  recordHolder,
  withExpiry,
  type Json,
  type LeaseRecord,
} from '../lib/record.js';
import { packageRoot } from './helpers/peer.js';
import { anyRecord, detached, endless, seedOf, someRecord } from './helpers/records.js';
import { generator } from './fixtures/random.mjs';

/** The bytes with a right checksum, by the definition and not by the code under test. */
function summed(line: string): Buffer {
  const zeroed = Buffer.from(line.replace(/"crc":"[0-9a-f]{8}"/, '"crc":"00000000"'));
  const sum = crc32(zeroed).toString(16).padStart(8, '0');
  zeroed.write(sum, 21);
  return zeroed;
}

function mustParse(bytes: Uint8Array): LeaseRecord {
  const parsed = parseRecord(bytes);
  if (parsed.state !== 'valid') throw new Error(`not valid: ${JSON.stringify(parsed)}`);
  return parsed.record;
}

function assertCorrupt(t: Test, bytes: Uint8Array, reason: string, message: string): void {
  t.strictSame(parseRecord(bytes), { state: 'corrupt', reason }, message);
}

const good = encodeRecord(someRecord);
const line = good.toString();

await t.test('the bytes of a record, one by one', async (t) => {
  t.equal(
    line,
    '{"holdfast":1,"crc":"b1238b96","token":"00001700000000000001",' +
      '"id":"0123456789abcdef0123456789abcdef","expires":1700000030000   ,' +
      '"deadline":130000          ,"name":"deploy","kind":"attached","ttl":30000,' +
      '"bootId":"6d1f0b0c-6c1c-4b6e-8f7a-2f1d3c4b5a69","timeNamespace":"time:[4026531834]",' +
      '"acquiredAt":1700000000000,"owner":"alice@mill","pid":4242,"startedAt":1699999000120,' +
      '"host":"mill","command":"node deploy.js"}\n',
  );
  t.strictSame(good, summed(line));
  t.match(JSON.parse(line), { holdfast: 1, expires: 1_700_000_030_000, name: 'deploy' }, 'is JSON');
});

await t.test('the layout is where it says, whatever the fields', async (t) => {
  const field = (name: string): number => line.indexOf(`"${name}":`) + name.length + 3;
  t.equal(layout.crc, field('crc') + 1);
  t.equal(layout.token, field('token') + 1);
  t.equal(layout.id, field('id') + 1);
  t.equal(layout.expires, field('expires'));
  t.equal(layout.deadline, field('deadline'));
  t.equal(layout.headerLength, line.indexOf('"name"'));
  t.strictSame(layout.identity, { start: layout.token, end: layout.id + layout.idLength });
  t.strictSame([layout.crc, layout.token, layout.id], [21, 40, 68]);
  t.strictSame([layout.expires, layout.deadline, layout.headerLength], [112, 140, 157]);
  const header =
    /^\{"holdfast":1,"crc":"[0-9a-f]{8}","token":"\d{20}","id":"[0-9a-f]{32}","expires":(?:\d+|null) *,"deadline":(?:\d+|null) *,$/;
  fc.assert(
    fc.property(anyRecord, (record) => {
      const start = encodeRecord(record).subarray(0, layout.headerLength).toString('latin1');
      return header.test(start) && start[128] === ',' && start[156] === ',';
    }),
  );
});

await t.test('native code has the same offsets', async (t) => {
  const text = readFileSync(join(packageRoot, 'native/record.h'), 'utf8');
  const constant = (name: string): number =>
    Number(new RegExp(`\\b${name} = ([\\d']+);`).exec(text)?.[1]?.replaceAll("'", ''));
  t.equal(constant('kCrcOffset'), layout.crc);
  t.equal(constant('kCrcDigits'), layout.crcLength);
  t.equal(constant('kTokenOffset'), layout.token);
  t.equal(constant('kTokenDigits'), layout.tokenLength);
  t.equal(constant('kIdOffset'), layout.id);
  t.equal(constant('kIdDigits'), layout.idLength);
  t.equal(constant('kMaxSize'), layout.maxSize);
});

await t.test('what is written is read', async (t) => {
  t.strictSame(mustParse(good), someRecord);
  const meta: Json = { text: 'Zoë 🔒', list: [1, null, true, { a: -0.5 }] };
  const records: LeaseRecord[] = [
    endless(someRecord),
    detached(someRecord),
    endless(detached(someRecord)),
    { ...someRecord, meta },
    { ...someRecord, meta: null },
    { ...someRecord, deadline: null, bootId: null, timeNamespace: null, startedAt: null },
    { ...someRecord, token: 0n, expires: 0, deadline: 0, acquiredAt: 0 },
    { ...someRecord, token: 2n ** 64n - 1n, expires: 8.64e15, deadline: 2 ** 53 - 1 },
    { ...someRecord, name: '\ud800"\\\n\u2028', owner: '}\n{"holdfast":2' },
  ];
  for (const record of records) t.strictSame(mustParse(encodeRecord(record)), record);
  t.notOk('meta' in mustParse(good), 'no meta is no property');
  const seed = seedOf(t);
  fc.assert(
    fc.property(anyRecord, (record) => {
      assert.deepEqual(mustParse(encodeRecord(record)), record);
    }),
    { seed, numRuns: 300 },
  );
});

await t.test('the longest record is not too large', async (t) => {
  const worst: LeaseRecord = {
    ...someRecord,
    name: '\x01'.repeat(4096),
    owner: '\ud800'.repeat(1024),
    host: '\x01'.repeat(1024),
    command: '\x01'.repeat(1024),
    meta: 'x'.repeat(maxMetaSize - 2),
  };
  const bytes = encodeRecord(worst);
  t.ok(bytes.length < layout.maxSize, `${bytes.length} bytes`);
  const read = mustParse(bytes);
  t.equal(read.name, worst.name);
  t.equal(read.owner, worst.owner, 'the owner is never cut: it is compared');
  t.ok(read.command.endsWith('…'), 'what is for people is');
  t.ok(encodeRecord({ ...someRecord, command: 'x'.repeat(10_000) }).length < 1024, 'however long');
});

await t.test('a grant stamped by native code is valid', async (t) => {
  const blank = encodeRecord({ ...someRecord, token: 0n });
  const token = 1_753_000_000_000_042n;
  blank.write(token.toString().padStart(20, '0'), layout.token);
  assertCorrupt(t, blank, 'checksum', 'not before the checksum is stamped, too');
  t.strictSame(mustParse(summed(blank.toString())), { ...someRecord, token });
});

await t.test('a renewal changes the end and nothing else', async (t) => {
  const end = { expires: 1_700_000_060_000, deadline: 160_000 };
  const renewed = withExpiry(good, end);
  t.strictSame(mustParse(renewed), { ...someRecord, ...end });
  t.equal(good.toString(), line, 'the original stays');
  const { crc, crcLength, expires, deadline, numberLength } = layout;
  const fixed = (at: number): boolean =>
    [crc, expires, deadline].some(
      (start) => at >= start && at < start + (start === crc ? crcLength : numberLength),
    );
  const changed = [...good.keys()].filter((at) => good[at] !== renewed[at]);
  t.equal(renewed.length, good.length);
  t.ok(changed.length > 0 && changed.every(fixed), `${changed.length} bytes, all of fixed fields`);
});

await t.test('a renewal keeps what it does not know', async (t) => {
  const extended = summed(line.replace('"pid"', '"colour":{"a":[1,"é"]},"pid"'));
  t.strictSame(mustParse(extended), someRecord, 'and a reader does not mind it');
  const renewed = withExpiry(extended, { expires: 1, deadline: null });
  t.match(renewed.toString(), '"colour":{"a":[1,"é"]},"pid"');
  t.strictSame(mustParse(renewed), { ...someRecord, expires: 1, deadline: null });
  fc.assert(
    fc.property(anyRecord, fc.maxSafeNat(), (record, deadline) => {
      const bytes = encodeRecord(record);
      const end =
        record.ttl === null ? { expires: null, deadline: null } : { expires: 7, deadline };
      const again = withExpiry(bytes, end);
      assert.equal(again.length, bytes.length);
      assert.deepEqual(again, encodeRecord({ ...record, ...end }), 'as if it had been written so');
    }),
  );
});

await t.test('a renewal that makes no sense is refused', async (t) => {
  const end = { expires: 1, deadline: 1 };
  t.throws(() => withExpiry(Buffer.alloc(0), end), TypeError);
  t.throws(() => withExpiry(good.subarray(1), end), TypeError);
  t.throws(() => withExpiry(Buffer.from('{"holdfast":2}\n'), end), TypeError);
  for (const expires of [-1, 1.5, NaN, Infinity, 8.64e15 + 1]) {
    t.throws(() => withExpiry(good, { ...end, expires }), RangeError, `expires ${expires}`);
  }
  for (const deadline of [-1, 1.5, NaN, 2 ** 53]) {
    t.throws(() => withExpiry(good, { ...end, deadline }), RangeError, `deadline ${deadline}`);
  }
  t.throws(() => withExpiry(good, { expires: null, deadline: null }), /expires/, 'it has a TTL');
  t.throws(() => withExpiry(encodeRecord(endless(someRecord)), end), /expires/, 'it has none');
});

await t.test('what could not be read is not written', async (t) => {
  const wrong: Record<string, unknown[]> = {
    token: [-1n, 2n ** 64n, 1],
    id: ['', 'x'.repeat(32), 'A'.repeat(32), 'a'.repeat(31), 'a'.repeat(33), `${'a'.repeat(32)}\n`],
    expires: [null, -1, 0.5, NaN, Infinity, 8.64e15 + 1, '1', undefined],
    deadline: [-1, 0.5, NaN, 2 ** 53, '1', undefined],
    name: ['', 'a\0b', 'x'.repeat(4097), 7, null],
    kind: ['', 'Attached', 'freeze', undefined],
    ttl: [0, -1, 0.5, NaN, Infinity, null, '1'],
    bootId: ['', 'x'.repeat(129), 7, undefined],
    timeNamespace: ['', 'x'.repeat(129), 7, undefined],
    acquiredAt: [-1, 0.5, NaN, null, 8.64e15 + 1],
    owner: ['', 'x'.repeat(1025), null],
    pid: [-1, 0.5, null, '1'],
    startedAt: [-1, 0.5, '1', 8.64e15 + 1],
    meta: ['x'.repeat(maxMetaSize - 1)],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const record = { ...someRecord, [name]: value };
      t.throws(() => encodeRecord(record), RangeError, `${name}: ${String(value)}`);
    }
  }
  const cycle: unknown[] = [];
  cycle.push(cycle);
  for (const meta of [cycle, 1n, () => 1, Symbol('x')]) {
    t.throws(() => encodeRecord({ ...someRecord, meta: meta as Json }), TypeError);
  }
  t.throws(() => encodeRecord({ ...endless(someRecord), deadline: 1 }), /deadline/);
});

await t.test('damage, by kind', async (t) => {
  assertCorrupt(t, Buffer.alloc(0), 'empty', 'no bytes');
  assertCorrupt(t, Buffer.alloc(1 << 20), 'too large', '1 MiB of zeros');
  assertCorrupt(t, Buffer.alloc(layout.maxSize + 1, good), 'too large', 'one byte too many');
  assertCorrupt(t, Buffer.alloc(512), 'not a record', 'zeros, as after a power cut');
  for (const text of ['INVALID{JSON', '{}', '{}\n', 'null\n', '[1]', '\n', '{"holdfast":0}\n']) {
    assertCorrupt(t, Buffer.from(text), 'not a record', JSON.stringify(text));
  }
  for (let length = 1; length < good.length; length++) {
    const parsed = parseRecord(good.subarray(0, length));
    if (parsed.state !== 'corrupt' || parsed.reason !== 'truncated') t.fail(`${length} bytes`);
  }
  assertCorrupt(t, Buffer.concat([good, good]), 'truncated', 'two lines');
  assertCorrupt(t, Buffer.from(line.replace('alice', 'mallo')), 'checksum', 'another owner');
  assertCorrupt(t, Buffer.from(line.replace(/"crc":"../, '"crc":"zz')), 'checksum', 'no hex');
  assertCorrupt(t, summed(line.replace('alice', '"')), 'schema', 'summed, but no JSON');
  const latin1 = Buffer.from(line.replace('alice', '\xe9\xe9'), 'latin1');
  assertCorrupt(t, resum(latin1), 'schema', 'summed, but not UTF-8');
});

/** The same for bytes that are no text. */
function resum(bytes: Buffer): Buffer {
  bytes.write('00000000', layout.crc);
  bytes.write(crc32(bytes).toString(16).padStart(8, '0'), layout.crc);
  return bytes;
}

await t.test('a wrong schema under a right checksum', async (t) => {
  const changes: [what: string, from: RegExp, to: string][] = [
    ['a second id', /"name"/, `"id":"${'f'.repeat(32)}","name"`],
    ['a second token', /"name"/, '"token":"00000000000000000007","name"'],
    ['a second end', /"name"/, '"expires":1,"name"'],
    ['a short token', /"token":"0+/, '"token":"'],
    ['a token that is no number', /"token":"\d{20}/, `"token":"0x${'0'.repeat(18)}`],
    ['a token beyond 64 bits', /"token":"\d{20}/, `"token":"${'9'.repeat(20)}`],
    ['an id in upper case', /abcdef/g, 'ABCDEF'],
    ['an end without blanks', /("expires":\d+) +/, '$1'],
    ['blanks before the number', /"expires":(\d+)( +)/, '"expires":$2$1'],
    ['an end that is text', /"expires":.{16}/, '"expires":"12345678901234"'],
    ['a TTL without an end', /"expires":.{16}/, '"expires":null            '],
    ['no TTL with an end', /"ttl":30000/, '"ttl":null'],
    ['no TTL at all', /"ttl":30000,/, ''],
    ['another order', /("name":"deploy",)("kind")/, '"deadline":130000,$1$2'],
    ['no name', /"name":"deploy",/, ''],
    ['an empty name', /"name":"deploy"/, '"name":""'],
    ['a kind of its own', /attached/, 'attacked'],
    ['an owner that is a list', /"alice@mill"/, '["alice@mill"]'],
    ['a pid that is text', /4242/, '"4242"'],
    ['a date that no Date holds', /"acquiredAt":\d+/, '"acquiredAt":9007199254740991'],
    ['meta beyond 4 KiB', /"pid"/, `"meta":"${'x'.repeat(5000)}","pid"`],
    [
      'meta nested as deep as it goes',
      /"pid"/,
      `"meta":${'['.repeat(3e4)}${']'.repeat(3e4)},"pid"`,
    ],
  ];
  const harmless = new Set(['another order']);
  for (const [what, from, to] of changes) {
    const bytes = summed(line.replace(from, to));
    t.not(bytes.toString(), line, what);
    if (harmless.has(what)) t.strictSame(mustParse(bytes), someRecord, what);
    else assertCorrupt(t, bytes, 'schema', what);
  }
});

await t.test('a record of a newer version, whatever else is in it', async (t) => {
  for (const text of [
    '{"holdfast":2,"anything":{}}\n',
    '{"holdfast":2',
    '{"holdfast":17,\0\0',
    ' {\n  "holdfast" : 3 }',
    line.replace('"holdfast":1', '"holdfast":2'),
    `{"holdfast":2,"x":"${'x'.repeat(layout.maxSize)}"}`,
  ]) {
    const parsed = parseRecord(Buffer.from(text));
    t.equal(parsed.state, 'newer', JSON.stringify(text.slice(0, 30)));
  }
  t.strictSame(parseRecord(Buffer.from('{"holdfast":42}')), { state: 'newer', version: 42 });
  for (const text of ['{"holdfast":1}', '{"holdfast":0', '{"holdfast":-2', '{"holdfast":"2"}']) {
    t.equal(parseRecord(Buffer.from(text)).state, 'corrupt', text);
  }
});

await t.test('the sidecar of a file lock in its place', async (t) => {
  for (const text of ['holdfast1', 'holdfast1-H 0001700000000000\n{"owner":"x"}']) {
    t.strictSame(parseRecord(Buffer.from(text)), { state: 'sidecar' }, text);
  }
  t.equal(parseRecord(Buffer.from('holdfast')).state, 'corrupt');
});

await t.test('a record cannot touch a prototype', async (t) => {
  const evil = '{"polluted":1}';
  const bytes = summed(
    line
      .replace('"pid"', `"__proto__":${evil},"constructor":{"prototype":${evil}},"pid"`)
      .replace('"host"', `"meta":{"a":1,"__proto__":${evil},"\\u005f_proto__":2},"host"`),
  );
  const record = mustParse(bytes);
  t.strictSame(record, { ...someRecord, meta: { a: 1 } }, 'left out, however it is spelled');
  t.equal(Object.getPrototypeOf(record), Object.prototype);
  t.equal(Object.getPrototypeOf(record.meta), Object.prototype);
  t.notOk('polluted' in {});
  const escaped = summed(line.replace('"host"', '"meta":{"a":1,"\\u005f_proto__":2},"host"'));
  t.strictSame(mustParse(escaped), { ...someRecord, meta: { a: 1 } }, 'nor is it plain anywhere');
});

await t.test('the holder, for people', async (t) => {
  t.strictSame(recordHolder(someRecord), {
    owner: 'alice@mill',
    pid: 4242,
    startedAt: new Date(1_699_999_000_120),
    host: 'mill',
    command: 'node deploy.js',
    since: new Date(1_700_000_000_000),
  });
  t.equal(recordHolder({ ...someRecord, startedAt: null }).startedAt, null);
});

await t.test('any bytes at all', async (t) => {
  const seed = seedOf(t);
  const starts = ['', '{"holdfast":1', '{"holdfast":1,"crc":"', line.slice(0, 157), 'holdfast'];
  const bytes = fc
    .tuple(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 400 }))
    .map(([start, tail]) => Buffer.concat([Buffer.from(start), tail]));
  fc.assert(
    fc.property(bytes, (some) => parseRecord(some).state !== 'valid'),
    { seed, numRuns: 5000 },
  );
  const view = new Uint8Array(Buffer.concat([Buffer.from('xyz'), good])).subarray(3);
  t.strictSame(mustParse(view), someRecord, 'a view into a larger buffer, not a Buffer');
});

await t.test('10 000 accidents: none makes a holder that nobody wrote', async (t) => {
  const random = generator(seedOf(t));
  const below = (limit: number): number => Math.floor(random() * limit);
  const other = encodeRecord({ ...someRecord, token: 7n, id: 'f'.repeat(32), owner: 'eve@mill' });
  const renewed = withExpiry(good, { expires: 1_700_000_040_000, deadline: 140_000 });
  const accidents: Record<string, (bytes: Buffer) => Buffer> = {
    'a bit flipped': (bytes) => {
      const at = below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
      return bytes;
    },
    'some bytes at random': (bytes) => {
      for (let left = 1 + below(8); left > 0; left--) bytes[below(bytes.length)] = below(256);
      return bytes;
    },
    'a digit for a digit': (bytes) => {
      const digits = [...bytes.keys()].filter((at) =>
        /\d/.test(String.fromCharCode(bytes[at] ?? 0)),
      );
      bytes[digits[below(digits.length)] ?? 0] = 0x30 + below(10);
      return bytes;
    },
    'cut off': (bytes) => bytes.subarray(0, below(bytes.length)),
    'a tail of zeros': (bytes) => bytes.fill(0, below(bytes.length)),
    'bytes lost': (bytes) => {
      const at = below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(40))]);
    },
    'bytes too many': (bytes) => {
      const at = below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(below(at + 1))]);
    },
    'another record over its beginning': (bytes) => {
      other.copy(bytes, 0, 0, below(other.length));
      return bytes;
    },
    'another record over its end': (bytes) => {
      const at = below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(at)]);
    },
    'a torn renewal': (bytes) => {
      renewed.copy(bytes, 0, 0, below(renewed.length));
      return bytes;
    },
    'two bytes swapped': (bytes) => {
      const [one, two] = [below(bytes.length), below(bytes.length)];
      [bytes[one], bytes[two]] = [bytes[two] ?? 0, bytes[one] ?? 0];
      return bytes;
    },
  };
  const names = Object.keys(accidents);
  const counts = { valid: 0, corrupt: 0, newer: 0, sidecar: 0 };
  const wrong: string[] = [];
  for (let round = 0; round < 10_000; round++) {
    const name = names[round % names.length] ?? '';
    const bytes = accidents[name]?.(Buffer.from(good)) ?? good;
    const parsed = parseRecord(bytes);
    counts[parsed.state]++;
    if (parsed.state !== 'valid') continue;
    // Some do nothing (a digit for the same digit), or all (a renewal torn behind its last change).
    const whole = [good, renewed, other].some((record) => record.equals(bytes));
    const { token, id, owner } = parsed.record;
    const original = bytes.equals(other) || (token === someRecord.token && id === someRecord.id);
    if (!whole || !original || (owner !== someRecord.owner && !bytes.equals(other))) {
      wrong.push(`${name}, round ${round}: ${bytes.toString()}`);
    }
  }
  t.strictSame(wrong, []);
  t.comment(JSON.stringify(counts));
  t.ok(counts.corrupt > 8500, 'nearly all are found out');
  t.equal(counts.sidecar, 0);
});
