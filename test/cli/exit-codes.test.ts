/**
 * Every command in every situation: what it ends with, and what it says where. Each row is played
 * twice, for people and with `--json`, which must agree and is one object on stdout, nothing else.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { callMain, type Ended } from '../helpers/cli.js';
import { rows, type Row } from '../helpers/exit-rows.js';
import { me, prepare, type Situation } from '../helpers/situations.js';

function environment(dir: string): Record<string, string> {
  return { HOLDFAST_ROOT: dir, HOLDFAST_OWNER: me };
}

function assertSaid(t: Test, { code, out, err }: Ended, expected: Row): void {
  const [words, expectedCode, expectedOut, expectedErr] = expected;
  t.equal(code, expectedCode, `${words}: ${out}${err}`);
  if (expectedOut === '') t.equal(out, '', 'nothing on stdout');
  else t.match(out, expectedOut);
  if (expectedErr === '') t.equal(err, '', 'nothing on stderr');
  else t.match(err, expectedErr);
}

function assertJson(t: Test, words: string, { code, out, err }: Ended, expected: number): void {
  t.equal(code, expected, `${words} --json: the same code`);
  t.equal(err, '', '--json: nothing on stderr');
  if (words.startsWith('guard') && code === 0) return; // stdout was its command's
  t.match(out, /^[^\n]+\n$/, '--json: one line');
  const said: unknown = JSON.parse(out);
  if (expected === 0) t.match(said, { ok: true }, `${words} --json`);
  else t.match(said, { ok: false, exitCode: expected, message: /./ }, `${words} --json`);
}

for (const [situation, each] of Object.entries(rows) as [Situation, Row[]][]) {
  await t.test(situation, async (t) => {
    const folder = t.testdir();
    let count = 0;
    for (const row of each) {
      const [line, code] = row;
      for (const json of [false, true]) {
        const dir = join(folder, String(++count));
        await prepare(t, situation, dir);
        const words = line.split(' ');
        if (!json) assertSaid(t, await callMain(words, environment(dir)), row);
        else {
          const ended = await callMain(words.toSpliced(1, 0, '--json'), environment(dir));
          assertJson(t, line, ended, code);
        }
        const left = existsSync(dir) ? readdirSync(dir).filter((n) => n.endsWith('.new')) : [];
        t.strictSame(left, [], 'no left-over');
      }
    }
  });
}

await t.test('a guard that stays locked: told after its patience, nothing changed', async (t) => {
  const folder = t.testdir();
  const commands = [
    'lock x',
    'lock x --timeout 1s',
    'unlock x',
    'unlock x --force',
    'why x',
    'exists x',
  ];
  await Promise.all(
    commands.map(async (line, at) => {
      const dir = join(folder, String(at));
      await prepare(t, 'stuck guard', dir);
      const before = readdirSync(dir).sort();
      const ended = await callMain(line.split(' '), environment(dir));
      assertSaid(t, ended, [line, 2, '', /x\.guard stays locked|timed out after 1000 ms/]);
      const left = readdirSync(dir).filter((name) => name !== 'audit.log');
      t.strictSame(left.sort(), before);
    }),
  );
});
