/**
 * What may stand at the sidecar's path, or be missing there (scenarios G): each gives a documented
 * error, nothing hangs, no descriptor is left, and the next call works.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { lock, LockError, lockSync, tryLock, type LockOptions } from '../../lib/index.js';
import { resources } from '../helpers/kernel.js';
import type { PeerError } from '../helpers/peer.js';
import { openFolder, unprivilegedPeer } from '../helpers/unprivileged.js';

/** Every way to ask gives the same answer, and leaves nothing behind. */
async function refused(
  t: Test,
  resource: string,
  expected: { code: string; path?: string; cause?: object },
  options: LockOptions = {},
): Promise<void> {
  const before = resources().descriptors;
  t.throws(() => tryLock(resource, options), expected, 'tryLock');
  t.throws(() => lockSync(resource, { ...options, timeout: 1000 }), expected, 'lockSync');
  const error: unknown = await lock(resource, options).catch((e: unknown) => e);
  t.type(error, LockError);
  t.match(error, expected, 'lock');
  t.equal(resources().descriptors, before, 'no descriptor is left');
}

await t.test('a directory', async (t) => {
  const resource = join(t.testdir({ 'data.lock': { inside: 'text' } }), 'data');
  await refused(t, resource, { code: 'ERR_LOCK_NOT_REGULAR', path: `${resource}.lock` });
  rmSync(`${resource}.lock`, { recursive: true });
  (await lock(resource)).release();
});

await t.test('a FIFO without a reader', async (t) => {
  const resource = join(t.testdir(), 'data');
  execFileSync('mkfifo', [`${resource}.lock`]);
  await refused(t, resource, { code: 'ERR_LOCK_NOT_REGULAR', path: `${resource}.lock` });
  await refused(t, `${resource}.lock`, { code: 'ERR_LOCK_NOT_REGULAR' }, { sidecar: false });
});

await t.test('a symbolic link: its target is untouched', async (t) => {
  const folder = t.testdir({ precious: 'text' });
  const resource = join(folder, 'data');
  symlinkSync('precious', `${resource}.lock`);
  await refused(t, resource, { code: 'ERR_LOCK_NOT_REGULAR' });
  t.equal(readFileSync(join(folder, 'precious'), 'utf8'), 'text');
  symlinkSync('nowhere', join(folder, 'dangling.lock'));
  await refused(t, join(folder, 'dangling'), { code: 'ERR_LOCK_NOT_REGULAR' });
  t.notOk(existsSync(join(folder, 'nowhere')), 'nothing was created through the link');
});

await t.test('a socket, a device', async (t) => {
  const resource = join(openFolder(t), 'data');
  const server = createServer().listen(`${resource}.lock`);
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  await refused(t, resource, { code: 'ERR_LOCK_NOT_REGULAR' });
  await refused(t, '/dev/null', { code: 'ERR_LOCK_NOT_REGULAR' }, { sidecar: false });
});

await t.test('a missing folder is made for a sidecar, not for a resource', async (t) => {
  const resource = join(t.testdir(), 'a', 'b', 'data');
  await refused(t, resource, { code: 'ERR_LOCK_NOT_FOUND', path: resource }, { sidecar: false });
  const held = await lock(resource);
  t.equal(held.resourcePath, resource);
  held.release();
  t.notOk(existsSync(resource), 'the resource itself is never made');
});

await t.test('a file where a folder should be', async (t) => {
  const resource = join(t.testdir({ file: 'text' }), 'file', 'data');
  await refused(t, resource, { code: 'ERR_LOCK_SYSTEM', cause: { code: /ENOTDIR|EEXIST/ } });
});

await t.test('a name that is too long', async (t) => {
  const resource = join(t.testdir(), 'x'.repeat(300));
  await refused(t, resource, { code: 'ERR_LOCK_SYSTEM', cause: { code: 'ENAMETOOLONG' } });
  const deep = join(t.testdir(), `${'y'.repeat(200)}/`.repeat(30), 'data');
  await refused(t, deep, { code: 'ERR_LOCK_SYSTEM', cause: { code: 'ENAMETOOLONG' } });
});

await t.test('an unreadable sidecar, a read-only folder: for another user', async (t) => {
  const folder = openFolder(t);
  const peer = await unprivilegedPeer(t);
  const told = async (resource: string, cause: object): Promise<void> => {
    for (const ask of ['lock', 'tryLock']) {
      const error = (await peer.call(ask, resource).catch((e: unknown) => e)) as PeerError;
      t.match(error, { name: 'LockError', code: 'ERR_LOCK_SYSTEM', cause }, ask);
      t.match(error.message, resource, 'the message names the path');
    }
  };

  const unreadable = join(folder, 'unreadable');
  writeFileSync(`${unreadable}.lock`, '');
  chmodSync(`${unreadable}.lock`, 0);
  await told(unreadable, { code: 'EACCES', syscall: 'open' });

  const closed = join(folder, 'closed');
  mkdirSync(closed);
  chmodSync(closed, 0o555);
  await told(join(closed, 'data'), { code: 'EACCES', syscall: 'open' });
  await told(join(closed, 'sub', 'data'), { code: 'EACCES' });
  chmodSync(closed, 0o777);
  const granted = await peer.tryLock(join(closed, 'data'));
  t.ok(granted, 'the next call works');
});

await t.test('a read-only resource can be locked without a sidecar', async (t) => {
  const resource = join(openFolder(t), 'data');
  writeFileSync(resource, 'text');
  chmodSync(resource, 0o444);
  const peer = await unprivilegedPeer(t);
  const granted = await peer.lock(resource, { sidecar: false });
  t.equal(tryLock(resource, { sidecar: false }), null);
  await peer.release(granted.id);
  tryLock(resource, { sidecar: false })?.release();
  t.equal(readFileSync(resource, 'utf8'), 'text');
  tryLock(process.execPath, { sidecar: false })?.release(); // a program that runs, ETXTBSY
});

await t.test('another user of the same sidecar; the mode is what was asked for', async (t) => {
  const folder = openFolder(t);
  const peer = await unprivilegedPeer(t);
  const umask = process.umask(0o077);
  t.teardown(() => process.umask(umask));
  const shared = join(folder, 'shared');
  const held = tryLock(shared, { fileMode: 0o666 });
  t.equal(statSync(`${shared}.lock`).mode & 0o777, 0o666);
  t.equal(await peer.tryLock(shared), null, 'held, not refused');
  held?.release();
  t.ok(await peer.tryLock(shared));
  tryLock(join(folder, 'private'))?.release();
  t.equal(statSync(join(folder, 'private.lock')).mode & 0o777, 0o600, 'left to the umask');
});

await t.test('no descriptors are left: EMFILE', async (t) => {
  const folder = t.testdir();
  const { stdout, status } = runLimited(folder);
  t.equal(status, 0);
  t.match(stdout, /^ERR_LOCK_SYSTEM EMFILE open\nworks again\n$/);
});

function runLimited(folder: string): { stdout: string; status: number } {
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { tryLock } from ${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)};
    tryLock('${folder}/warm').release();
    const open = [];
    try { for (;;) open.push(openSync('/dev/null')); } catch {}
    try { tryLock('${folder}/data'); } catch (e) { console.log(e.code, e.cause.code, e.cause.syscall); }
    for (const fd of open) closeSync(fd);
    tryLock('${folder}/data').release();
    console.log('works again');`;
  const stdout = execFileSync(
    'bash',
    ['-c', `ulimit -n 64; exec "$0" --input-type=module -e "$1"`, process.execPath, script],
    { encoding: 'utf8' },
  );
  return { stdout, status: 0 };
}
