/**
 * What a holder writes about itself, and what others make of it. The sidecar has room for so many
 * bytes of text; one that is longer would be cut, and the holder would be unknown.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import {
  defaultOwner,
  describeHolder,
  describeProcess,
  holderText,
  parseHolder,
  type HolderInfo,
  type ProcessInfo,
} from '../lib/owner.js';
import { packageRoot } from './helpers/peer.js';

const capacity = textCapacity();
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

/** The text of a sidecar, as the addon hands it over: the time of the grant, and the holder. */
function written(owner: string, info: ProcessInfo, sinceMs = 1_700_000_060_000): string {
  return `${String(sinceMs).padStart(16, '0')} ${holderText(owner, info)}`;
}

/** `kTextCapacity`, from the two numbers that it is made of. */
function textCapacity(): number {
  const header = readFileSync(join(packageRoot, 'native/sidecar.h'), 'utf8');
  const constant = (name: string): number =>
    Number(new RegExp(`${name} = (\\d+);`).exec(header)?.[1]);
  return constant('kSize') - constant('kTextOffset') - 1;
}

await t.test('what is written is read', async (t) => {
  t.strictSame(parseHolder(written('alice@mill', someProcess)), someHolder);
  t.strictSame(
    parseHolder(written('alice@mill', { ...someProcess, startedAt: undefined })),
    { ...someHolder, startedAt: null },
    'the system may not tell when a process began',
  );
  t.ok(capacity > 400 && capacity < 512, `room for ${capacity} bytes`);
  for (const owner of ['"quoted" \\ back', 'Zoë 🔒 鎖', 'two\nlines', '{"owner":"x"}']) {
    t.equal(parseHolder(written(owner, someProcess))?.owner, owner, JSON.stringify(owner));
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
    const text = holderText(field, info);
    t.ok(Buffer.byteLength(text) <= capacity, `${name}: ${Buffer.byteLength(text)} bytes`);
    t.notMatch(text, /\n/, `${name}: one line`);
    const read = parseHolder(written(field, info));
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
  t.equal(parseHolder(written(whole, someProcess))?.owner, whole);
  t.equal(parseHolder(written(`${whole}x`, someProcess))?.owner, `${whole}…`);
});

await t.test('a text that is not ours names nobody', async (t) => {
  const good = JSON.parse(holderText('alice@mill', someProcess)) as Record<string, unknown>;
  const since = '0001700000060000 ';
  const without = (key: string): string =>
    since +
    JSON.stringify(Object.fromEntries(Object.entries(good).filter(([name]) => name !== key)));
  const but = (change: object): string => since + JSON.stringify({ ...good, ...change });
  const malformed = [
    '',
    ' ',
    'null',
    '42',
    '"text"',
    '[]',
    '{}',
    '{',
    written('alice@mill', someProcess).slice(0, -1),
    `${written('alice@mill', someProcess)}}`,
    '\0'.repeat(20),
    holderText('alice@mill', someProcess),
    `yesterday ${holderText('alice@mill', someProcess)}`,
    `9999999999999999 ${holderText('alice@mill', someProcess)}`, // no Date goes that far
    since,
    `${since}null`,
    `${since}[]`,
    `${since}{}`,
    without('owner'),
    without('pid'),
    but({ owner: 7 }),
    but({ pid: '4242' }),
  ];
  for (const text of malformed) t.equal(parseHolder(text), null, JSON.stringify(text));
});

await t.test('what is only for people may be missing', async (t) => {
  const read = parseHolder('0 {"owner":"a","pid":1}');
  t.strictSame(read, {
    owner: 'a',
    pid: 1,
    startedAt: null,
    host: '',
    command: '',
    since: new Date(0),
  });
  const odd = parseHolder('0 {"owner":"a","pid":1,"startedAt":"x","host":1,"command":[]}');
  t.strictSame(odd, read, 'and of the wrong type');
});

await t.test('describeHolder', async (t) => {
  t.equal(
    describeHolder(someHolder),
    'alice@mill (pid 4242 on mill: node deploy.js) since 2023-11-14T22:14:20.000Z',
  );
  t.match(describeHolder(null), /no name/);
});

await t.test('a message from a sidecar cannot steer a terminal', async (t) => {
  const said = { owner: '\x1b[2Jboss', pid: 1, host: 'a\r\nb', command: '\x9b1m\x07' };
  const holder = parseHolder(`0 ${JSON.stringify(said)}`);
  t.equal(holder?.owner, '\x1b[2Jboss', 'as data it is what was written');
  t.notMatch(describeHolder(holder), /\p{Cc}/u);
  t.match(describeHolder(holder), /boss \(pid 1 on a/);
  const reversed = { ...someHolder, owner: 'a\u202Esyob\u202C\u2066b' };
  t.match(describeHolder(reversed), 'a�syob��b (pid', 'nor turn what follows around');
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
