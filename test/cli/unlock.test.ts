/** `holdfast unlock` of several: what goes wrong with one is no reason to be silent of the others. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { callMain } from '../helpers/cli.js';

const dir = t.testdir();
const env = { HOLDFAST_ROOT: dir };

t.beforeEach(async () => {
  for (const name of ['a', 'c']) await callMain(['lock', name, '--owner', 'me'], env);
});
mkdirSync(join(dir, 'b.lock'));

await t.test('in words', async (t) => {
  t.strictSame(await callMain(['unlock', 'a', 'b', 'c', '--owner', 'me'], env), {
    code: 1,
    out: 'unlocked a\nunlocked c\n',
    err: `holdfast unlock: ${join(dir, 'b.lock')}: not a regular file\n`,
  });
  t.match(await callMain(['exists', 'c'], env), { code: 3 });
});

await t.test('the worst is the exit code', async (t) => {
  t.match(await callMain(['unlock', 'none', 'b', 'a', '--owner', 'me'], env), { code: 1 });
  t.match(await callMain(['unlock', 'none', 'c', '--owner', 'you'], env), { code: 4 });
});

await t.test('as JSON', async (t) => {
  const { code, out } = await callMain(['unlock', 'a', 'b', 'c', '--owner', 'me', '--json'], env);
  t.equal(code, 1);
  t.match(JSON.parse(out), {
    ok: false,
    results: [
      { name: 'a', ok: true },
      { name: 'b', ok: false, exitCode: 1, message: /b\.lock: not a regular file$/, lease: null },
      { name: 'c', ok: true },
    ],
  });
});
