/**
 * Leases of other users (scenario D6): what may not be read is held by somebody, and what everybody
 * may read and write works for everybody.
 */
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { ask, type Answers } from '../helpers/lease-answers.js';
import { LeasePeer } from '../helpers/lease-peer.js';
import { copyPackage } from '../helpers/package-copy.js';
import { isFree, mustTake } from '../helpers/some-leases.js';
import { openFolder } from '../helpers/unprivileged.js';

const isRoot = process.getuid?.() === 0;
const nobody = 65534;

const copy = isRoot ? { root: copyPackage(t), uid: nobody } : {};

/** Somebody else, if we may become that; else we lose the permissions ourselves. */
function stranger(t: Test, dir: string): Promise<LeasePeer> {
  const where = { leases: { dir, owner: 'stranger' } };
  return LeasePeer.start(t, where, copy);
}

const unreadable: Answers = {
  tryAcquire: 'ERR_LOCK_SYSTEM',
  wait: 'ERR_LOCK_SYSTEM',
  inspect: 'ERR_LOCK_SYSTEM',
  list: 'held (unreadable file)',
  stale: 'ERR_LOCK_SYSTEM',
  force: 'ERR_LOCK_SYSTEM',
  sweep: 'left alone',
};

for (const suffix of ['lock', 'guard', 'freeze']) {
  await t.test(`a ${suffix} that may not be read`, async (t) => {
    const dir = openFolder(t);
    const leases = new Leases({ dir, fileMode: 0o666 });
    const lease = await mustTake(leases);
    await leases.freeze('build', { ttl: '1m' });
    const path = join(dir, `build.${suffix}`);
    chmodSync(path, 0);
    const peer = await stranger(t, dir);
    t.strictSame(await ask(peer, () => undefined, join(dir, 'build.lock')), unreadable);
    await t.rejects(peer.tryAcquire('build'), { cause: { code: 'EACCES' } });
    writeFileSync(join(dir, 'another.lock'), 'damaged');
    chmodSync(join(dir, 'another.lock'), 0o666);
    t.match(await peer.sweep(), [{ name: 'another' }], 'the others are swept all the same');
    t.ok(existsSync(path));
    chmodSync(path, 0o666);
    lease.assertHeld();
    t.equal(await lease.release(), 'released');
  });
}

await t.test('a folder that may not be searched does not look free', async (t) => {
  const dir = join(openFolder(t), 'leases');
  const leases = new Leases({ dir });
  const lease = await mustTake(leases);
  chmodSync(dir, 0);
  const peer = await stranger(t, dir);
  const closed = { list: 'ERR_LOCK_SYSTEM', sweep: 'ERR_LOCK_SYSTEM' };
  const answers = await ask(peer, () => undefined, join(dir, 'build.lock'));
  t.strictSame(answers, { ...unreadable, ...closed });
  await t.rejects(peer.inspect('build'), { cause: { code: 'EACCES' } });
  await t.rejects(peer.acquire('build', { timeout: 30_000 }), { cause: { code: 'EACCES' } });
  chmodSync(dir, 0o700);
  t.equal(await lease.release(), 'released');
});

await t.test('leases of one user are closed to others by default', async (t) => {
  const dir = openFolder(t);
  const leases = new Leases({ dir });
  const lease = await mustTake(leases);
  const peer = await stranger(t, dir);
  if (isRoot) {
    t.strictSame(await ask(peer, () => undefined, join(dir, 'build.lock')), unreadable);
  } else t.equal(await peer.tryAcquire('build'), null);
  lease.assertHeld();
  t.equal(await lease.release(), 'released');
});

await t.test('with fileMode they are for all', async (t) => {
  const dir = openFolder(t);
  const leases = new Leases({ dir, owner: 'us', fileMode: 0o666 });
  const peer = await stranger(t, dir);
  const lease = await mustTake(leases);
  t.match(await peer.inspect('build'), { state: 'held', holder: { owner: 'us' } });
  t.equal(await peer.tryAcquire('build'), null);
  t.equal(await peer.break('build', { stale: true }), null);
  t.strictSame(await peer.sweep(), []);
  const wait = peer.acquire('build', { timeout: 30_000 });
  await lease.release();
  const held = await wait;
  t.ok(held.token > lease.token);
  t.equal(await leases.tryAcquire('build'), null);
  await peer.release(held);
  const victim = await mustTake(leases);
  t.match(await peer.break('build', { force: true }), { holder: { owner: 'us' } });
  t.equal(await victim.release(), 'lost');
  t.ok(await isFree(leases));
  writeFileSync(join(dir, 'build.lock'), 'INVALID{JSON');
  chmodSync(join(dir, 'build.lock'), 0o666);
  t.match(await peer.sweep(), [{ name: 'build', state: 'corrupt' }]);
});
