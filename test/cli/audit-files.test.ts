/** The audit log as its readers find it: rotated, cut short, removed and torn while they look. */
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { AuditFiles } from '../../lib/cli/audit-files.js';
import { RotatingFile } from '../../lib/rotating-file.js';

interface Setup {
  path: string;
  files: AuditFiles;
  /** What is new. */
  read: () => string[];
  /** What is left when nothing comes any more. */
  end: () => string[];
}

function setUp(t: Test): Setup {
  const path = join(t.testdir(), 'audit.log');
  const files = new AuditFiles(path);
  t.teardown(() => {
    files.close();
  });
  const texts = (lines: Iterable<{ text: string }>): string[] => [...lines].map((l) => l.text);
  return { path, files, read: () => texts(files.read()), end: () => texts(files.end()) };
}

await t.test('the oldest first, whatever gaps there are', (t) => {
  const { path, files, read } = setUp(t);
  t.strictSame(read(), []);
  t.notOk(files.found);
  for (const n of ['', '.1', '.2', '.10', '.99999999']) writeFileSync(path + n, `line${n}\n`);
  for (const n of ['.rotation', '.x', '.1.gz', '.0', '.01', 's.3']) writeFileSync(path + n, 'no\n');
  t.strictSame(read(), ['line.99999999', 'line.10', 'line.2', 'line.1', 'line']);
  t.strictSame(read(), []);
  t.ok(files.found);
  t.end();
});

await t.test('whatever the writer rotates between two looks, each line comes once', (t) => {
  const { path, read } = setUp(t);
  const log = new RotatingFile(path, { maxBytes: 50, keep: 100, fileMode: 0o600 }, (error) => {
    throw error;
  });
  let written = 0;
  let seen = 0;
  for (const count of [1, 2, 1, 7, 30, 1, 0, 3, 12]) {
    for (let i = 0; i < count; i++) log.append(`line ${written++}\n`);
    for (const line of read()) t.equal(line, `line ${seen++}`);
    t.equal(seen, written);
  }
  log.close();
  t.end();
});

await t.test('a line that was written into the file just put aside', (t) => {
  const { path, read } = setUp(t);
  writeFileSync(path, 'a\n');
  t.strictSame(read(), ['a']);
  renameSync(path, `${path}.1`);
  t.strictSame(read(), [], 'there is no other yet');
  writeFileSync(path, 'c\n');
  appendFileSync(`${path}.1`, 'b\n');
  t.strictSame(read(), ['b', 'c']);
  appendFileSync(`${path}.1`, 'late\n');
  t.strictSame(read(), ['late']);
  t.end();
});

await t.test('cut short, and begun again: shorter, as long, and longer than before', (t) => {
  const { path, read } = setUp(t);
  writeFileSync(path, 'line 1\nline 2\n');
  t.strictSame(read(), ['line 1', 'line 2']);
  truncateSync(path);
  t.strictSame(read(), []);
  appendFileSync(path, 'line 3\n');
  t.strictSame(read(), ['line 3']);
  truncateSync(path);
  appendFileSync(path, 'line 4\n');
  t.strictSame(read(), ['line 4'], 'as long');
  truncateSync(path);
  appendFileSync(path, 'line 5\nline 6\n');
  t.strictSame(read(), ['line 5', 'line 6'], 'longer');
  unlinkSync(path);
  t.strictSame(read(), []);
  writeFileSync(path, 'line 7\n');
  t.strictSame(read(), ['line 7'], 'removed, and made anew');
  t.end();
});

await t.test('lines that are long, torn or split', (t) => {
  const { path, read, end } = setUp(t);
  const long = '…'.repeat(20_000);
  writeFileSync(path, `${long}\nbegin`);
  t.strictSame(read(), [long]);
  t.strictSame(read(), []);
  appendFileSync(path, 'ning\n\ntorn');
  t.strictSame(read(), ['beginning', '']);
  writeFileSync(`${path}.new`, 'x'.repeat(200_000));
  renameSync(path, `${path}.1`);
  renameSync(`${path}.new`, path);
  const pieces = [...read(), ...end()];
  t.equal(pieces.filter((piece) => piece !== 'torn').join('').length, 200_000);
  t.ok(
    pieces.every((piece) => piece.length < 140_000),
    'in pieces, not all in memory',
  );
  t.equal(pieces.filter((piece) => piece === 'torn').length, 1);
  t.end();
});

await t.test('what is no file, and a folder that is none', (t) => {
  const { path, read } = setUp(t);
  mkdirSync(path);
  t.throws(read, { code: 'ERR_LOCK_NOT_REGULAR', path });
  writeFileSync(`${path}.1`, '');
  const below = new AuditFiles(join(`${path}.1`, 'audit.log'));
  t.throws(() => [...below.read()], { code: 'ERR_LOCK_SYSTEM', cause: { code: 'ENOTDIR' } });
  t.end();
});
