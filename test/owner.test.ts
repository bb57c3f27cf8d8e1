/**
 * What a holder writes about itself, and what others make of it. The sidecar has room for 499 bytes
 * of text (kTextCapacity in native/sidecar.h); a text that is longer would be cut, and the holder
 * would be unknown.
 */
import { hostname } from 'node:os';
import t from 'tap';

import {
  defaultOwner,
  describeHolder,
  describeProcess,
  holderText,
  holderTextPrefix,
  parseHolder,
  type HolderInfo,
  type ProcessInfo,
} from '../src/owner.js';

const capacity = 499;
/** A surrogate without its other half. */
const halved = /\p{Surrogate}/u;

const someProcess: ProcessInfo = {
  pid: 4242,
  startedAt: 1_700_000_000_120,
  host: 'mill',
  command: 'node deploy.js',
};
const someHolder: HolderInfo = {
  owner: 'alice@mill',
  pid: 4242,
  startedAt: new Date(1_700_000_000_120),
  host: 'mill',
  command: 'node deploy.js',
  since: new Date(1_700_000_060_000),
};

function write(owner: string, info: ProcessInfo, sinceMs = 1_700_000_060_000): string {
  return holderText(holderTextPrefix(owner, info), sinceMs);
}

await t.test('what is written is read', async (t) => {
  t.strictSame(parseHolder(write('alice@mill', someProcess)), someHolder);
  t.strictSame(
    parseHolder(write('alice@mill', { ...someProcess, startedAt: undefined })),
    { ...someHolder, startedAt: null },
    'the system may not tell when a process began',
  );
  for (const owner of ['"quoted" \\ back', 'Zoë 🔒 鎖', 'two\nlines', '{"owner":"x"}']) {
    t.equal(parseHolder(write(owner, someProcess))?.owner, owner, JSON.stringify(owner));
  }
});

await t.test('the text fits the sidecar, whatever the fields hold', async (t) => {
  const long = (piece: string): string => piece.repeat(Math.ceil(10_000 / piece.length));
  const fields = {
    letters: long('x'),
    'control characters, six bytes each': long('\x01'),
    quotes: long('"'),
    backslashes: long('\\'),
    'two bytes each': long('é'),
    'three bytes each': long('鎖'),
    'emoji, two units each': long('🔒'),
    'emoji, shifted by one': 'x' + long('🔒'),
    'lone high surrogates': long('\ud83d'),
    'lone low surrogates': long('\udd12'),
    'line separators': long('\u2028'),
    'a mixture': long('a\x00🔒\ud800"é'),
  };
  for (const [name, field] of Object.entries(fields)) {
    const info: ProcessInfo = {
      pid: 2 ** 31 - 1,
      startedAt: 1_700_000_000_123.4568, // ticks of a clock need not be whole milliseconds
      host: field,
      command: field,
    };
    const text = write(field, info, 8.64e15); // the last moment a Date can name
    t.ok(Buffer.byteLength(text) <= capacity, `${name}: ${Buffer.byteLength(text)} bytes`);
    t.notMatch(text, /\n/, `${name}: one line`);
    const read = parseHolder(text);
    if (read === null) {
      t.fail(`${name}: cannot be read`);
      continue;
    }
    t.ok(read.owner.endsWith('…'), `${name}: what is cut says so`);
    const kept = read.owner.slice(0, -1);
    t.ok(kept.length > 0 && field.startsWith(kept), `${name}: the beginning is kept`);
    t.equal(halved.test(kept), halved.test(field), `${name}: no character is cut in half`);
    t.equal(read.pid, info.pid, name);
  }
});

await t.test('a field is cut only when it must be', async (t) => {
  const whole = 'x'.repeat(120);
  t.equal(parseHolder(write(whole, someProcess))?.owner, whole);
  t.equal(parseHolder(write(`${whole}x`, someProcess))?.owner, `${whole}…`);
});

await t.test('a text that is not ours names nobody', async (t) => {
  const good = JSON.parse(write('alice@mill', someProcess)) as Record<string, unknown>;
  const without = (key: string): string =>
    JSON.stringify(Object.fromEntries(Object.entries(good).filter(([name]) => name !== key)));
  const malformed = [
    '',
    ' ',
    'null',
    '42',
    '"text"',
    '[]',
    '{}',
    '{',
    write('alice@mill', someProcess).slice(0, -1),
    `${write('alice@mill', someProcess)}}`,
    '\0'.repeat(20),
    without('owner'),
    without('pid'),
    without('since'),
    JSON.stringify({ ...good, owner: 7 }),
    JSON.stringify({ ...good, pid: '4242' }),
    JSON.stringify({ ...good, since: 'yesterday' }),
    JSON.stringify({ ...good, since: null }),
  ];
  for (const text of malformed) t.equal(parseHolder(text), null, JSON.stringify(text));
});

await t.test('what is only for people may be missing', async (t) => {
  const read = parseHolder('{"owner":"a","pid":1,"since":0}');
  t.strictSame(read, {
    owner: 'a',
    pid: 1,
    startedAt: null,
    host: '',
    command: '',
    since: new Date(0),
  });
  const odd = parseHolder('{"owner":"a","pid":1,"since":0,"startedAt":"x","host":1,"command":[]}');
  t.strictSame(odd, read, 'and of the wrong type');
});

await t.test('describeHolder', async (t) => {
  t.equal(
    describeHolder(someHolder),
    'alice@mill (pid 4242 on mill: node deploy.js) since 2023-11-14T22:14:20.000Z',
  );
  t.match(describeHolder(null), /no name/);
  // A date out of range cannot be written as ISO text: the message must not become a RangeError.
  const never = parseHolder('{"owner":"a","pid":1,"since":1e300}');
  t.match(describeHolder(never), /^a \(pid 1 on : \) since an unknown time$/);
});

await t.test('a message from a sidecar cannot steer a terminal', async (t) => {
  const text = JSON.stringify({
    owner: '\x1b[2Jboss',
    pid: 1,
    host: 'a\r\nb',
    command: '\x9b1m\x07',
    since: 0,
  });
  const holder = parseHolder(text);
  t.equal(holder?.owner, '\x1b[2Jboss', 'as data it is what was written');
  t.notMatch(describeHolder(holder), /\p{Cc}/u);
  t.match(describeHolder(holder), /boss \(pid 1 on a/);
});

await t.test('describeProcess', async (t) => {
  const { argv } = process;
  t.teardown(() => {
    process.argv = argv;
  });
  const command = (...words: string[]): string => {
    process.argv = [process.execPath, ...words];
    return describeProcess(1).command;
  };
  t.equal(command(`${process.cwd()}/bin/run.js`, '--password=x'), 'node bin/run.js');
  t.equal(command('/elsewhere/run.js'), 'node /elsewhere/run.js');
  t.equal(command(), 'node', 'node -e and the REPL have no script');
  t.match(describeProcess(1), { pid: process.pid, host: hostname(), startedAt: 1 });
});

await t.test('the owner where none was named', async (t) => {
  t.match(defaultOwner(), new RegExp(`^.+@${hostname()}$`));
});
