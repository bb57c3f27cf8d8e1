/** `holdfast status` of several names: what goes wrong with one is no reason to be silent of the others. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

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
