/**
 * Every spelling of one resource is one lock (scenarios E5, E8).
 *
 * "One lock" is shown by excluding: whoever holds it under one name keeps every other name out. A
 * comparison of strings alone would not notice two files with one name each.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import t, { type Test } from 'tap';

import { holderOf, lockPathFor, tryLock, type FileLock, type LockOptions } from '../lib/index.js';

type Spelling = [resource: string, options?: LockOptions];

/** A folder without links on the way to it, and this process in it. */
function workIn(t: Test, content: Record<string, string | object> = {}): string {
  const folder = realpathSync(t.testdir(content as Parameters<Test['testdir']>[0]));
  const before = process.cwd();
  process.chdir(folder);
  t.teardown(() => {
    process.chdir(before);
  });
  return folder;
}

function mustLock(...spelling: Spelling): FileLock {
  const held = tryLock(...spelling);
  if (held === null) throw new Error(`${spelling[0]} is held`);
  return held;
}

/** Each of them, while held, keeps all of them out; and all say the same path. */
function assertOneLock(t: Test, lockPath: string, spellings: Spelling[]): void {
  for (const spelling of spellings) {
    const [name] = spelling;
    t.equal(lockPathFor(...spelling), lockPath, `${name}: before`);
    const held = mustLock(...spelling);
    t.equal(held.lockPath, lockPath, `${name}: held.lockPath`);
    t.ok(lstatSync(lockPath).isFile(), `${name}: that is the file`);
    for (const other of spellings) {
      t.equal(tryLock(...other), null, `${name} excludes ${other[0]}`);
      t.equal(lockPathFor(...other), lockPath, `${other[0]}: during`);
    }
    held.assertHeld();
    held.release();
    t.equal(lockPathFor(...spelling), lockPath, `${name}: after`);
  }
}

/** Locks both at once; throws if they are one. */
function assertTwoLocks(t: Test, one: Spelling, other: Spelling, message: string): void {
  const first = mustLock(...one);
  const second = tryLock(...other);
  t.ok(second, message);
  second?.release();
  first.release();
}

await t.test('relative, ./x, .., doubled and trailing slashes', async (t) => {
  const folder = workIn(t, { sub: {} });
  const up = relative(folder, join(folder, '../..'));
  assertOneLock(t, join(folder, 'x.lock'), [
    ['x'],
    ['./x'],
    [join(folder, 'x')],
    [`${folder}/./x`],
    [`${folder}//x`],
    ['sub/../x'],
    ['sub/.././x'],
    ['not-there/../x'],
    [`${up}/${relative(join(folder, '../..'), folder)}/x`],
    ['x/'],
    ['x/.'],
    [`${folder}/x//`],
  ]);
  t.strictSame(readdirSync(folder).sort(), ['sub', 'x.lock'], 'nothing else was made');
});

await t.test('a folder named by "." and ".."', async (t) => {
  const folder = workIn(t, { sub: {} });
  const options = { directory: true };
  assertOneLock(t, `${folder}.dir.lock`, [
    ['.', options],
    ['./', options],
    ['sub/..', options],
    ['sub/../.', options],
    [folder, options],
    [`${folder}/`, options],
  ]);
  unlinkSync(`${folder}.dir.lock`);
});

await t.test('symbolic links to a file', async (t) => {
  const folder = workIn(t, { data: 'x', sub: {} });
  symlinkSync('data', 'link');
  symlinkSync('link', 'chain');
  symlinkSync(`${folder}/chain`, 'sub/far');
  symlinkSync('../data', 'sub/up');
  symlinkSync('./sub/../data', 'winding');
  assertOneLock(t, join(folder, 'data.lock'), [
    ['data'],
    ['link'],
    ['chain'],
    ['sub/far'],
    ['sub/up'],
    ['winding'],
    ['link/'],
  ]);
  t.equal(mustHave(t, 'link').resourcePath, join(folder, 'data'));
  t.notOk(existsSync('link.lock'), 'no sidecar beside the link');
});

await t.test('forty links are followed, as the kernel does; not one more', async (t) => {
  const folder = workIn(t, { link0: 'x' });
  for (let i = 1; i <= 41; i++) symlinkSync(`link${i - 1}`, `link${i}`);
  assertOneLock(t, join(folder, 'link0.lock'), [['link0'], ['link40']]);
  t.throws(() => tryLock('link41'), {
    code: 'ERR_LOCK_SYSTEM',
    path: join(folder, 'link41'),
    cause: { code: 'ELOOP' },
  });
});

await t.test('a dangling link is its target, before and after the target comes', async (t) => {
  const folder = workIn(t);
  symlinkSync('later', 'link');
  const lockPath = join(folder, 'later.lock');
  assertOneLock(t, lockPath, [['link'], ['later']]);
  const held = mustLock('link');
  writeFileSync('later', 'x');
  t.equal(tryLock('later'), null);
  t.equal(held.lockPath, lockPath);
  held.assertHeld();
  held.release();
  assertOneLock(t, lockPath, [['link'], ['later']]);
});

await t.test('a loop of links', async (t) => {
  const folder = workIn(t, { sub: {} });
  symlinkSync('b', 'a');
  symlinkSync('a', 'b');
  symlinkSync('self', 'self');
  // These two climb out of each other; resolving them must end as well.
  symlinkSync('y/..', 'x');
  symlinkSync('x/..', 'y');
  const loop = { name: 'LockError', code: 'ERR_LOCK_SYSTEM', cause: { code: 'ELOOP' } };
  for (const name of ['a', 'self', 'x', 'a/../data', 'self/../data', 'x/../data']) {
    t.throws(() => tryLock(name), loop, name);
    t.throws(() => lockPathFor(name), loop, `lockPathFor ${name}`);
    t.throws(() => holderOf(name), loop, `holderOf ${name}`);
  }
  t.throws(() => tryLock('a'), { ...loop, path: join(folder, 'a') }, 'names what was named');
  const within = { code: 'ERR_LOCK_SYSTEM', cause: { code: 'ELOOP' } };
  t.throws(() => tryLock('a/data'), within, 'as a parent');
  t.throws(() => tryLock('a', { sidecar: false }), within, 'without a sidecar');
  t.strictSame(readdirSync(folder).sort(), ['a', 'b', 'self', 'sub', 'x', 'y']);
});

await t.test('a linked folder', async (t) => {
  const folder = workIn(t, { real: { deep: {} } });
  symlinkSync('real', 'link');
  symlinkSync('link', 'link2');
  assertOneLock(t, join(folder, 'real/x.lock'), [
    ['real/x'],
    ['link/x'],
    ['link2/x'],
    ['link/./x'],
    ['link/deep/../x'],
  ]);
  assertOneLock(t, join(folder, 'real.dir.lock'), [
    ['real', { directory: true }],
    ['link', { directory: true }],
    ['link2/', { directory: true }],
    ['link/.', { directory: true }],
    ['real/deep/..', { directory: true }],
  ]);
});

await t.test('".." behind a link is what the kernel makes of it', async (t) => {
  const folder = workIn(t, { a: { inner: {} }, b: {} });
  symlinkSync('../a/inner', 'b/link');
  // cat is asked, so that this test does not share an opinion with the library.
  writeFileSync('a/x', 'the right one');
  writeFileSync('b/x', 'the wrong one');
  t.equal(execFileSync('cat', ['b/link/../x'], { encoding: 'utf8' }), 'the right one');
  assertOneLock(t, join(folder, 'a/x.lock'), [['b/link/../x'], ['a/x'], ['b/link/../../a/x']]);
  assertOneLock(t, join(folder, 'a.dir.lock'), [
    ['b/link/..', { directory: true }],
    ['a', { directory: true }],
  ]);
  assertTwoLocks(t, ['b/link/../x'], ['b/x'], 'not the one that the words suggest');
});

await t.test('".." behind a folder that does not exist yet', async (t) => {
  const folder = workIn(t, { a: { inner: {} }, b: {} });
  symlinkSync('../a/inner', 'b/link');
  const spelling = 'b/link/new/../../x';
  const held = mustLock(spelling);
  t.equal(held.lockPath, join(folder, 'a/x.lock'));
  mkdirSync('a/inner/new');
  t.equal(lockPathFor(spelling), held.lockPath, 'the same when it has come');
  t.equal(tryLock(spelling), null);
  held.release();
  symlinkSync('nowhere', 'dangling');
  t.throws(() => tryLock('dangling/../x'), { code: 'ERR_LOCK_SYSTEM', cause: { code: 'ENOENT' } });
  t.notOk(existsSync('x.lock'), 'and is not guessed where nobody can know');
});

await t.test('before, at and after the creation of the resource and its folders', async (t) => {
  const folder = workIn(t);
  const lockPath = join(folder, 'new/deep/x.lock');
  t.equal(lockPathFor('new/deep/x'), lockPath);
  t.notOk(existsSync('new'), 'asking creates nothing');
  const held = mustLock('new/deep/x');
  t.equal(held.lockPath, lockPath);
  t.equal(held.resourcePath, join(folder, 'new/deep/x'));
  t.notOk(existsSync('new/deep/x'), 'the resource is not created');
  writeFileSync('new/deep/x', 'x');
  t.equal(tryLock('new/deep/x'), null);
  t.equal(lockPathFor('new/deep/x'), lockPath);
  held.release();
  unlinkSync('new/deep/x');
  assertOneLock(t, lockPath, [['new/deep/x'], ['new/../new/deep/x']]);
});

await t.test('in a folder that is reached through a link and does not exist yet', async (t) => {
  const folder = workIn(t, { real: {} });
  symlinkSync('real', 'link');
  const lockPath = join(folder, 'real/new/x.lock');
  t.equal(lockPathFor('link/new/x'), lockPath, 'before');
  assertOneLock(t, lockPath, [['link/new/x'], ['real/new/x']]);
});

await t.test('file and folder locks on one path are two', async (t) => {
  workIn(t, { out: {} });
  assertTwoLocks(t, ['out'], ['out', { directory: true }], 'a folder');
  t.ok(existsSync('out.lock') && existsSync('out.dir.lock'));
  // The option decides, never the disk: else the lock would change when the folder comes.
  assertTwoLocks(t, ['none'], ['none', { directory: true }], 'nothing there');
});

await t.test('a later chdir changes nothing for what is held', async (t) => {
  const folder = workIn(t, { sub: {} });
  const held = mustLock('x');
  const bare = (writeFileSync('y', ''), mustLock('y', { sidecar: false }));
  process.chdir('sub');
  t.equal(held.lockPath, join(folder, 'x.lock'));
  t.equal(held.resourcePath, join(folder, 'x'));
  t.equal(bare.lockPath, join(folder, 'y'));
  held.assertHeld();
  bare.assertHeld();
  t.equal(tryLock('../x'), null);
  mustLock('x').release();
  t.ok(existsSync('x.lock'), 'the same word now means another file');
  held.release();
  bare.release();
  mustLock('../x').release();
});

await t.test('names that are not ASCII, are long, or look like something else', async (t) => {
  const folder = workIn(t);
  const longest = 'n'.repeat(255 - '.lock'.length);
  for (const name of ['données', '鎖', '🔒', 'a b', '-x', '.hidden', '...', '~', 'a\\b', longest]) {
    assertOneLock(t, join(folder, `${name}.lock`), [[name], [`./${name}`], [join(folder, name)]]);
  }
  assertTwoLocks(t, ['Données'], ['données'], 'case matters here');
  assertTwoLocks(t, ['e\u0301'], ['\u00e9'], 'so does composition');
  // Beyond the buffer on the stack that most paths fit into, and with two bytes at its end.
  const deep = join(...Array.from({ length: 12 }, (_, i) => `${'é'.repeat(60)}${i}`), 'x');
  t.ok(Buffer.byteLength(deep) > 1024);
  assertOneLock(t, join(folder, `${deep}.lock`), [[deep]]);
});

await t.test('a name, or a path, that is too long', async (t) => {
  workIn(t);
  const tooLong = { code: 'ERR_LOCK_SYSTEM', cause: { code: 'ENAMETOOLONG' } };
  t.throws(() => tryLock('n'.repeat(251)), tooLong, 'with its suffix');
  t.throws(() => tryLock('n'.repeat(256)), tooLong);
  t.throws(() => tryLock('n/'.repeat(2050)), tooLong, 'over PATH_MAX');
});

await t.test('every length around the end of the buffer', async (t) => {
  // 1024 bytes on the stack, more in the heap (Utf8 in native/values.h).
  const folder = workIn(t);
  const roomIn = (parent: string): number => 1018 - Buffer.byteLength(`${parent}/.lock`);
  let parent = folder;
  while (roomIn(parent) > 230) parent = join(parent, 'p'.repeat(200));
  mkdirSync(parent, { recursive: true });
  const rest = roomIn(parent);
  for (let extra = 0; extra < 12; extra++) {
    for (const end of ['n', 'é', '鎖', '🔒']) {
      const file = join(parent, 'n'.repeat(rest + extra) + end);
      mustLock(file).release();
      t.ok(existsSync(`${file}.lock`), `${Buffer.byteLength(file) + 5} bytes`);
      unlinkSync(`${file}.lock`);
    }
  }
});

await t.test('lockPath: another place for the sidecar', async (t) => {
  const folder = workIn(t, { locks: {} });
  symlinkSync('locks', 'elsewhere');
  assertOneLock(t, join(folder, 'locks/one'), [
    ['a', { lockPath: 'locks/one' }],
    ['b', { lockPath: './locks/one' }],
    ['c', { lockPath: 'elsewhere/one' }],
    ['d', { lockPath: join(folder, 'locks/one'), directory: true }],
  ]);
  const held = mustLock('a', { lockPath: 'locks/one' });
  t.equal(held.resourcePath, join(folder, 'a'));
  held.release();
  assertTwoLocks(t, ['a', { lockPath: 'locks/one' }], ['a'], 'the usual place is another lock');
  mustLock('a', { lockPath: 'new/folder/one' }).release();
  t.ok(existsSync('new/folder/one'), 'its folder is made');
  // Whoever may write there could point the link at any file of the holder's.
  writeFileSync('victim', '');
  symlinkSync('victim', 'locks/link');
  t.throws(() => tryLock('a', { lockPath: 'locks/link' }), { code: 'ERR_LOCK_NOT_REGULAR' });
});

await t.test('sidecar: false locks what the path leads to', async (t) => {
  const folder = workIn(t, { data: 'x', sub: {} });
  symlinkSync('data', 'link');
  symlinkSync('../link', 'sub/chain');
  const options = { sidecar: false };
  assertOneLock(t, join(folder, 'data'), [
    ['data', options],
    ['link', options],
    ['sub/chain', options],
    ['sub/../data', options],
  ]);
  const held = mustHave(t, 'link', options);
  t.equal(held.resourcePath, join(folder, 'data'));
  t.equal(lockPathFor('missing', options), join(folder, 'missing'));
  t.throws(() => tryLock('missing', options), { code: 'ERR_LOCK_NOT_FOUND' });
  t.throws(() => tryLock('sub', options), { code: 'ERR_LOCK_NOT_REGULAR' });
  // Pointed elsewhere, the link means another file: who relies on the path has lost the lock.
  unlinkSync('link');
  writeFileSync('other', '');
  symlinkSync('other', 'link');
  t.throws(() => held.assertHeld(), { code: 'ERR_LOCK_LOST' });
  t.strictSame(
    readdirSync(folder).filter((name) => name.endsWith('.lock')),
    [],
  );
});

await t.test('the answer is asked for, not remembered', async (t) => {
  const folder = workIn(t, { one: {}, two: {} });
  symlinkSync('one', 'current');
  const held = mustLock('current/x');
  t.equal(held.lockPath, join(folder, 'one/x.lock'));
  unlinkSync('current');
  symlinkSync('two', 'current');
  t.equal(lockPathFor('current/x'), join(folder, 'two/x.lock'), 'no cache');
  t.throws(() => held.assertHeld(), { code: 'ERR_LOCK_LOST' });
  mustLock('current/x').release();
  t.ok(existsSync('two/x.lock'));
});

await t.test('a folder that was moved takes the lock with it', async (t) => {
  const folder = workIn(t, { sub: {} });
  const held = mustLock('sub/x');
  renameSync('sub', 'moved');
  t.throws(() => held.assertHeld(), { code: 'ERR_LOCK_LOST' });
  t.equal(tryLock('moved/x'), null, 'whoever finds it there is kept out');
  t.equal(held.lockPath, join(folder, 'sub/x.lock'), 'a string even now');
  held.release();
  rmSync('moved', { recursive: true });
});

await t.test('the root', async (t) => {
  t.equal(lockPathFor('/etc', { directory: true }), '/etc.dir.lock');
  t.equal(lockPathFor('/x'), '/x.lock');
  t.equal(dirname(lockPathFor('/a/../../../x')), '/');
  t.equal(basename(lockPathFor('/..', { directory: true })), '.dir.lock');
});

/** Held until the end of the test. */
function mustHave(t: Test, ...spelling: Spelling): FileLock {
  const held = mustLock(...spelling);
  t.teardown(() => {
    held.release();
  });
  return held;
}

void t.test('a working directory that is gone is a typed error', (t) => {
  const folder = join(t.testdir(), 'gone');
  mkdirSync(folder);
  const before = process.cwd();
  process.chdir(folder);
  rmSync(folder, { recursive: true });
  try {
    t.throws(() => lockPathFor('data'), { code: 'ERR_LOCK_SYSTEM', cause: { code: 'ENOENT' } });
    t.equal(lockPathFor('/data'), '/data.lock', 'an absolute path does not need it');
  } finally {
    process.chdir(before);
  }
  t.end();
});
