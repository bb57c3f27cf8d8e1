/**
 * The demo, run as its users run it: the compiled program in a process of its own, its output in a
 * pipe. Small races are enough here; the locked one must keep everything at any size.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import t, { type Test } from 'tap';

import type { DemoFigures } from '../../lib/cli/demo-acts.js';

const program = fileURLToPath(new URL('../../lib/cli/demo.js', import.meta.url));
const limitMs = 20_000;
const small = ['--processes', '4', '--entries', '25'];

interface Ended {
  code: number | null;
  out: string;
  err: string;
  /** What is left in its temporary folder. */
  left: string[];
}

async function demo(t: Test, args: string[], interrupt?: NodeJS.Signals): Promise<Ended> {
  const temporary = t.testdir();
  const env = { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary };
  const child = spawn(process.execPath, [program, ...args], { env, timeout: limitMs });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    // The first race is told when it is over: now the second one runs.
    if (interrupt !== undefined && out.includes('kept')) child.kill(interrupt);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  return { code, out, err, left: readdirSync(temporary) };
}

void t.test('in a pipe it is plain text, and it leaves nothing behind', async (t) => {
  const { code, out, err, left } = await demo(t, small);
  t.equal(code, 0);
  t.equal(err, '');
  t.same(left, []);
  t.notMatch(out, /[\0-\x09\x0b-\x1f\x7f]/, 'no control characters but line ends');
  t.match(out, /with lock +█+ +100 of 100 kept/);
  t.match(out, /│ kept +│ +\d+ │ +100 │/);
  t.match(out, /LockError ERR_LOCK_TIMEOUT/);
  t.match(out, /error\.holder\.owner +nightly-report/);
  t.match(out, /✔ with lock +every update was kept/);
  const wide = out.split('\n').filter((line) => line.length > 80 && !line.includes('report.json'));
  t.same(wide, [], 'at most 80 columns; only the path of the temporary folder may need more');
});

void t.test('--json prints the figures, and without a lock they are bad', async (t) => {
  const { code, out, left } = await demo(t, [...small, '--json']);
  t.equal(code, 0);
  t.same(left, []);
  t.match(out, /^[^\n]+\n$/, 'one line, as of every command');
  t.match(JSON.parse(out), { ok: true });
  const { withoutLock, withLock, timeout } = JSON.parse(out) as DemoFigures;
  t.match(withLock, { locked: true, expected: 100, kept: 100, lost: 0, halfWritten: 0 });
  t.match(withoutLock, { locked: false, expected: 100, longestWaitMs: null });
  t.equal(withoutLock.kept + withoutLock.lost, 100);
  t.ok(withoutLock.lost > 0, `${withoutLock.lost} lost`);
  t.match(timeout, { code: 'ERR_LOCK_TIMEOUT', holder: { owner: 'nightly-report' } });
  t.match(timeout.holder?.command, /demo-child\.bundle\.js$/);
  t.ok(timeout.waitedMs >= 490, 'the waiter was patient'); // timers may be a little early
});

void t.test('a signal ends it, and it still cleans up', async (t) => {
  const { code, out, left } = await demo(t, ['--processes', '2', '--entries', '400'], 'SIGINT');
  t.equal(code, 130);
  t.same(left, []);
  t.notMatch(out, 'every update was kept');
});

void t.test('wrong usage is 64, and says so on stderr', async (t) => {
  for (const args of [['--no-such-flag'], ['--entries', 'many'], ['--processes', '1'], ['extra']]) {
    const { code, out, err, left } = await demo(t, args);
    t.equal(code, 64, args.join(' '));
    t.equal(out, '');
    t.match(err, /^holdfast demo: .+\nTry: holdfast demo --help\n$/);
    t.same(left, []);
  }
});

void t.test('--help', async (t) => {
  const { code, out } = await demo(t, ['--help']);
  t.equal(code, 0);
  t.match(out, /^Usage: holdfast demo/);
});
