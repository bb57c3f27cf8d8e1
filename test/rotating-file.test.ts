/** The file under the audit log: whole lines, put aside in time, by any number of writers. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { tryLock } from '../lib/index.js';
import { RotatingFile } from '../lib/rotating-file.js';

const failures: unknown[] = [];

function open(t: Test, path: string, maxBytes = 20, keep = 3, fileMode = 0o600): RotatingFile {
  const file = new RotatingFile(path, { maxBytes, keep, fileMode }, (error) => {
    failures.push(error);
  });
  t.teardown(() => {
    file.close();
  });
  return file;
}

/** What is there, by the end of the name; the sidecar is not of interest. */
function contents(path: string): Record<string, string> {
  const folder = join(path, '..');
  const names = readdirSync(folder).filter((name) => name !== 'log.rotation');
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

t.beforeEach(() => {
  failures.length = 0;
});

await t.test('a file is put aside before it grows too large, and the oldest goes', (t) => {
  const path = join(t.testdir(), 'log');
  const file = open(t, path);
  for (let i = 0; i < 9; i++) file.append(`line ${i}...\n`); // 10 bytes: two in each
  t.strictSame(contents(path), {
    log: 'line 8...\n',
    'log.1': 'line 6...\nline 7...\n',
    'log.2': 'line 4...\nline 5...\n',
    'log.3': 'line 2...\nline 3...\n',
  });
  t.strictSame(failures, []);
  t.end();
});

await t.test('a line that is longer than a file has one to itself', (t) => {
  const path = join(t.testdir(), 'log');
  const file = open(t, path);
  const long = `${'x'.repeat(50)}\n`;
  for (const line of [long, 'a\n', 'b\n', long]) file.append(line);
  t.strictSame(contents(path), { log: long, 'log.1': 'a\nb\n', 'log.2': long });
  t.end();
});

await t.test('behind a gap nothing is moved', (t) => {
  const path = join(t.testdir(), 'log');
  writeFileSync(path, 'x'.repeat(20));
  writeFileSync(`${path}.2`, 'two');
  writeFileSync(`${path}.3`, 'three');
  open(t, path).append('new\n');
  const rest = { 'log.2': 'two', 'log.3': 'three' };
  t.strictSame(contents(path), { log: 'new\n', 'log.1': 'x'.repeat(20), ...rest });
  t.end();
});

await t.test('the other writer follows', (t) => {
  const path = join(t.testdir(), 'log');
  const [one, two] = [open(t, path), open(t, path)];
  one.append('one 1....\n');
  two.append('two 1....\n');
  one.append('one 2....\n'); // rotates
  two.append('two 2....\n');
  t.strictSame(contents(path), {
    log: 'one 2....\ntwo 2....\n',
    'log.1': 'one 1....\ntwo 1....\n',
  });
  t.end();
});

await t.test('while somebody else rotates, one goes on writing', (t) => {
  const path = join(t.testdir(), 'log');
  const file = open(t, path);
  const rotating = tryLock(path, { lockPath: `${path}.rotation` });
  for (let i = 0; i < 4; i++) file.append(`line ${i}...\n`);
  t.strictSame(Object.keys(contents(path)), ['log']);
  rotating?.release();
  file.append('line 4...\n');
  t.equal(contents(path)['log'], 'line 4...\n');
  t.end();
});

await t.test('removed or moved by hand: the next line is in a new file', (t) => {
  const path = join(t.testdir(), 'log');
  const file = open(t, path, Infinity);
  file.append('1\n');
  unlinkSync(path);
  file.append('2\n');
  renameSync(path, `${path}.old`);
  file.append('3\n');
  t.strictSame(contents(path), { log: '3\n', 'log.old': '2\n' });
  t.end();
});

await t.test('a rotation that fails is reported once, and writing goes on', (t) => {
  const path = join(t.testdir(), 'log');
  const file = open(t, path);
  mkdirSync(`${path}.rotation`);
  for (let i = 0; i < 5; i++) file.append(`line ${i}...\n`);
  t.equal(readFileSync(path, 'utf8').length, 50);
  t.match(failures, [{ code: 'ERR_LOCK_NOT_REGULAR' }]);
  t.equal(failures.length, 1);
  t.end();
});

await t.test('half a line that a full disk left does not spoil the next one', (t) => {
  const path = join(t.testdir(), 'log');
  const file = open(t, path, Infinity);
  mkdirSync(path);
  t.throws(
    () => {
      file.append('lost\n');
    },
    { code: 'EISDIR' },
  );
  rmdirSync(path);
  writeFileSync(path, 'whole\nhal');
  file.append('next\n');
  file.append('another\n');
  t.equal(readFileSync(path, 'utf8'), 'whole\nhal\nnext\nanother\n');
  t.end();
});

await t.test('a FIFO that nobody reads is an error, not a hang', (t) => {
  const path = join(t.testdir(), 'log');
  execFileSync('mkfifo', [path]);
  t.throws(
    () => {
      open(t, path).append('line\n');
    },
    { code: 'ENXIO' },
  );
  t.end();
});

await t.test('the mode is what was asked for', (t) => {
  const umask = process.umask(0o077);
  t.teardown(() => process.umask(umask));
  const path = join(t.testdir(), 'log');
  const file = open(t, path, 20, 3, 0o640);
  for (let i = 0; i < 3; i++) file.append(`line ${i}...\n`);
  for (const each of [path, `${path}.1`, `${path}.rotation`]) {
    t.equal(statSync(each).mode & 0o777, 0o640, each);
  }
  t.end();
});
