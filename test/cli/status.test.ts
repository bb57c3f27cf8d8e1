/** `holdfast status` of several names: what goes wrong with one is no reason to be silent of the others. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import t from 'tap';

import { main } from '../../lib/cli/main.js';
import { callMain } from '../helpers/cli.js';

const dir = t.testdir();
const env = { HOLDFAST_ROOT: dir };
for (const name of ['a', 'c']) await callMain(['lock', name, '--owner', 'me'], env);
mkdirSync(join(dir, 'b.lock'));
const why = `${join(dir, 'b.lock')}: not a regular file`;

await t.test('in words', async (t) => {
  const { code, out, err } = await callMain(['status', 'a', 'none', 'b', 'c'], env);
  t.equal(code, 1);
  t.match(out, /^name .*\na +detached .*\nc +detached .*\n$/);
  t.equal(err, `nobody holds none\nholdfast status: ${why}\n`);
  t.match(await callMain(['status', 'b'], env), { code: 1, out: '' });
});

await t.test('long names are cut between characters', async (t) => {
  const env = { HOLDFAST_ROOT: t.testdir() };
  await callMain(['lock', '🔒'.repeat(41)], env);
  await callMain(['lock', '🔒'.repeat(40)], env);
  const { out } = await callMain(['status'], env);
  t.match(out, new RegExp(`^${'🔒'.repeat(39)}… `, 'm'));
  t.match(out, new RegExp(`^${'🔒'.repeat(40)} `, 'm'));
});

await t.test('as JSON', async (t) => {
  const { code, out, err } = await callMain(['status', 'a', 'none', 'b', 'c', '--json'], env);
  t.equal(code, 1);
  t.equal(err, '');
  t.match(JSON.parse(out), {
    ok: false,
    leases: [{ name: 'a' }, { name: 'c' }],
    missing: ['none'],
    failures: [{ name: 'b', exitCode: 1, code: 'ERR_LOCK_NOT_REGULAR', message: why }],
  });
});

await t.test('colours are for terminals, unless they are not wanted', async (t) => {
  const { TERM, NO_COLOR } = process.env;
  t.teardown(() => {
    Object.assign(process.env, { TERM, NO_COLOR });
    if (TERM === undefined) delete process.env['TERM'];
    if (NO_COLOR === undefined) delete process.env['NO_COLOR'];
  });
  for (const [isTTY, terminal, unwanted, coloured] of [
    [true, 'xterm', '', true],
    [true, 'xterm', '1', false],
    [true, 'dumb', '', false],
    [false, 'xterm', '', false],
  ] as const) {
    Object.assign(process.env, { TERM: terminal, NO_COLOR: unwanted });
    let text = '';
    const write = (chunk: Buffer, _: BufferEncoding, done: () => void): void => {
      text += chunk.toString();
      done();
    };
    const output = Object.assign(new Writable({ write }), { isTTY });
    t.equal(await main(['status', 'a'], { output, errors: process.stderr, env }), 0);
    t.equal(text.includes('\x1b[32mdetached\x1b[39m'), coloured, 'green is what is held');
    t.equal(text.includes('\x1b'), coloured);
  }
});

/** Of one picture, what a terminal of so many rows was given; then Ctrl-C. */
async function watched(dir: string, rows: number): Promise<string> {
  let text = '';
  const write = (chunk: Buffer, _: BufferEncoding, done: () => void): void => {
    text += chunk.toString();
    if (text !== '') process.emit('SIGINT', 'SIGINT');
    done();
  };
  const output = Object.assign(new Writable({ write }), { isTTY: true, rows });
  const env = { HOLDFAST_ROOT: dir };
  const code = await main(['status', '--watch'], { output, errors: process.stderr, env });
  return code === 130 ? text : `ended with ${code}`;
}

await t.test('--watch shows as much as the terminal has room for', async (t) => {
  process.env['TERM'] = 'xterm';
  process.env['NO_COLOR'] = '1';
  const dir = t.testdir();
  for (let n = 0; n < 9; n++) await callMain(['lock', `lease${n}`], { HOLDFAST_ROOT: dir });
  for (const [rows, names, rest] of [
    [11, 9, ''],
    [10, 7, '… and 2 more'],
    [4, 1, '… and 8 more'],
    [1, 0, '… and 9 more'],
  ] as const) {
    const text = await watched(dir, rows);
    t.equal(text.split('\n').length, Math.max(rows, 3), `of ${rows} rows the last is the cursor’s`);
    t.equal(text.match(/^lease\d/gm)?.length ?? 0, names);
    t.ok(text.includes(rest), rest);
  }
});

await t.test('--watch tells a pipe what is new, not that time goes by', async (t) => {
  const dir = t.testdir();
  const env = { HOLDFAST_ROOT: dir };
  await callMain(['lock', 'first', '--ttl', '1h'], env);
  const pictures: { leases: { name: string }[] }[] = [];
  const output = new Writable({
    write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
      if (chunk.length > 0) pictures.push(JSON.parse(chunk.toString()) as (typeof pictures)[0]);
      if (pictures.length === 2) process.emit('SIGINT', 'SIGINT');
      done();
    },
  });
  const watching = main(['status', '--watch', '--json'], { output, errors: process.stderr, env });
  await new Promise((resolve) => setTimeout(resolve, 2500)); // two looks in which nothing is new
  await callMain(['lock', 'second'], env);
  t.equal(await watching, 130);
  const names = pictures.map(({ leases }) => leases.map(({ name }) => name));
  t.strictSame(names, [['first'], ['first', 'second']]);
});
