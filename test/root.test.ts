/** Where the leases are: one folder for all that work on the same checkout. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';

import { findRoot } from '../lib/root.js';
import { runProgram } from './helpers/cli.js';

/** Without a folder above it but the root, where nobody keeps leases. */
const nowhere = resolve('/holdfast-no-such-folder/a');

/** Outside of any checkout; a `.git` above would be found. */
function emptyFolder(t: Test): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-root-')));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

function git(folder: string, ...words: string[]): void {
  const name = ['-c', 'user.name=test', '-c', 'user.email=test@example.org'];
  execFileSync('git', ['-C', folder, ...name, ...words], { stdio: 'pipe' });
}

await t.test('the variables come first, and an empty one is none', async (t) => {
  const from = nowhere;
  t.equal(findRoot(from, { HOLDFAST_ROOT: '/a', LOKT_ROOT: '/b' }), '/a');
  t.equal(findRoot(from, { LOKT_ROOT: '/b' }), '/b');
  t.equal(findRoot(from, { HOLDFAST_ROOT: 'below' }), join(from, 'below'), 'from where one is');
  t.equal(findRoot(from, { HOLDFAST_ROOT: '' }), join(from, '.holdfast'));
  t.equal(findRoot(from, { HOLDFAST_ROOT: '', LOKT_ROOT: '/b' }), '/b');
});

await t.test('without git: the nearest .holdfast upwards, or one is made here', async (t) => {
  const top = emptyFolder(t);
  const below = join(top, 'a/b');
  t.equal(findRoot(nowhere, {}), join(nowhere, '.holdfast'));
  mkdirSync(below, { recursive: true });
  mkdirSync(join(top, '.holdfast'));
  t.equal(findRoot(below, {}), join(top, '.holdfast'));
  writeFileSync(join(top, 'a/.holdfast'), 'no folder');
  t.equal(findRoot(below, {}), join(top, '.holdfast'), 'a file of that name is none');
  mkdirSync(join(below, '.holdfast'));
  t.equal(findRoot(below, {}), join(below, '.holdfast'));
});

await t.test('a repository, its folders and its worktrees share one', async (t) => {
  const top = emptyFolder(t);
  const [main, tree, other] = ['main', 'tree', 'other'].map((name) => join(top, name));
  if (main === undefined || tree === undefined || other === undefined) throw new Error('no path');
  mkdirSync(join(main, 'src/deep'), { recursive: true });
  git(main, 'init', '-q');
  const shared = join(main, '.git/holdfast');
  t.equal(findRoot(main, {}), shared);
  t.equal(findRoot(join(main, 'src/deep'), {}), shared, 'from a folder below');
  git(main, 'commit', '-q', '--allow-empty', '-m', 'begin');
  for (const folder of [tree, other]) git(main, 'worktree', 'add', '-q', '--detach', folder);
  mkdirSync(join(tree, 'src'));
  t.equal(findRoot(tree, {}), shared);
  t.equal(findRoot(join(tree, 'src'), {}), shared);
  mkdirSync(join(tree, '.holdfast'));
  t.equal(findRoot(tree, {}), shared, 'git comes before .holdfast');

  const alice = await runProgram(['lock', 'x', '--owner', 'alice'], {}, { cwd: tree });
  t.equal(alice.code, 0);
  const bob = await runProgram(['lock', 'x', '--owner', 'bob'], {}, { cwd: other });
  t.match(bob, { code: 2, err: /^x is held by alice / });
  t.match(await runProgram(['exists', 'x'], {}, { cwd: main }), { code: 0 });
});

await t.test('a submodule is a repository of its own', async (t) => {
  const top = emptyFolder(t);
  const [outer, inner] = [join(top, 'outer'), join(top, 'inner')];
  for (const folder of [outer, inner]) {
    mkdirSync(folder);
    git(folder, 'init', '-q');
    git(folder, 'commit', '-q', '--allow-empty', '-m', 'begin');
  }
  git(outer, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner, 'sub');
  t.equal(findRoot(join(outer, 'sub'), {}), join(outer, '.git/modules/sub/holdfast'));
});

await t.test('a repository without a checkout is that of its worktrees', async (t) => {
  const top = emptyFolder(t);
  const [seed, bare, tree] = [join(top, 'seed'), join(top, 'bare.git'), join(top, 'tree')];
  mkdirSync(seed);
  git(seed, 'init', '-q');
  git(seed, 'commit', '-q', '--allow-empty', '-m', 'begin');
  git(top, 'clone', '-q', '--bare', seed, bare);
  git(bare, 'worktree', 'add', '-q', '--detach', tree);
  for (const from of [tree, bare, join(bare, 'hooks'), join(bare, 'worktrees/tree')]) {
    t.equal(findRoot(from, {}), join(bare, 'holdfast'), from);
  }
  t.equal(findRoot(join(seed, '.git/hooks'), {}), join(seed, '.git/holdfast'));
});

await t.test('what only looks like a repository is passed by', async (t) => {
  const top = emptyFolder(t);
  const from = join(top, 'a');
  mkdirSync(from);
  mkdirSync(join(top, '.holdfast'));
  for (const text of ['', 'gitdir: nowhere\n', 'something else\n']) {
    writeFileSync(join(from, '.git'), text);
    t.equal(findRoot(from, {}), join(top, '.holdfast'));
  }
});
