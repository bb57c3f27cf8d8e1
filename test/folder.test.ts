/** The folder that a lock file needs. */
import { existsSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { makeFolder, makeFolders } from '../lib/folder.js';
import { runProgram } from './helpers/cli.js';

await t.test('all that is missing is made, and nothing else touched', async (t) => {
  const top = t.testdir({ there: {} });
  t.equal(makeFolders(join(top, 'a/b/c'), 0o700), join(top, 'a'), 'the uppermost');
  t.equal(statSync(join(top, 'a/b/c')).mode & 0o777, 0o700);
  t.equal(makeFolders(join(top, 'a/b/d'), 0o700), join(top, 'a/b/d'));
  t.equal(makeFolders(join(top, 'a/b/c'), 0o755), undefined);
  t.equal(statSync(join(top, 'a/b/c')).mode & 0o777, 0o700);
  symlinkSync('there', join(top, 'link'));
  t.equal(makeFolders(join(top, 'link'), 0o700), undefined);
  makeFolder(join(top, 'x/y/file'));
  t.ok(existsSync(join(top, 'x/y')));
});

await t.test('what stands in the way is a typed error', async (t) => {
  const top = t.testdir({ file: '' });
  symlinkSync('nowhere', join(top, 'dangling'));
  for (const [way, code] of [
    ['file/x', 'EEXIST'],
    ['file/below/x', 'ENOTDIR'],
    ['dangling/below/x', 'EEXIST|ENOENT'],
  ] as const) {
    const refused = { code: 'ERR_LOCK_SYSTEM', message: new RegExp(`(${code}) \\(mkdir\\)`) };
    t.throws(() => makeFolder(join(top, way)), refused, way);
  }
});

const proc = { skip: !existsSync('/proc/self/mounts') };

await t.test('a filesystem that makes no folders does not keep us for ever', proc, async (t) => {
  const ended = await runProgram(['lock', 'x', '--root', '/proc/no/such/folder'], {});
  t.match(ended, { code: 1, out: '', err: /ENOENT \(mkdir\)/ });
});
