/**
 * A child that inherits the descriptor of a lock keeps it held when its parent is killed
 * (docs/adr/0014-liveness-descriptor.md). One that does not, does not.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';

import { Leases, lock, tryLock } from '../../lib/index.js';
import { childEnv, packageRoot } from '../helpers/peer.js';

const windows = process.platform === 'win32';

/** A process that takes something, starts `cat` with it or without, and is killed. */
async function orphan(t: Test, take: string, passed: boolean): Promise<number> {
  const library = pathToFileURL(join(packageRoot, 'lib/index.js')).href;
  const script = `
    import { spawn } from 'node:child_process';
    import { Leases, lock } from ${JSON.stringify(library)};
    const held = await ${take};
    const descriptor = ${passed ? 'held.descriptor' : "'ignore'"};
    const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] });
    console.log(child.pid);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: childEnv(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = (await once(parent.stdout, 'data')) as [Buffer];
  const child = Number(String(text));
  t.teardown(() => {
    kill(child);
  });
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  return child;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

await t.test('a lease lives as long as the child', { skip: windows }, async (t) => {
  const dir = t.testdir();
  const leases = new Leases({ dir });
  const take = (name: string): string =>
    `new Leases({ dir: ${JSON.stringify(dir)} }).acquire('${name}')`;
  await orphan(t, take('without'), false);
  t.match(await leases.inspect('without'), { state: 'dead' });
  const child = await orphan(t, take('with'), true);
  t.match(await leases.inspect('with'), { state: 'held' });
  t.equal(await leases.tryAcquire('with'), null);
  const wait = leases.acquire('with', { timeout: 30_000 });
  kill(child);
  t.match((await wait).previous, { end: 'crashed' });
});

await t.test(
  'with a TTL it is over after that, for nobody renews',
  { skip: windows },
  async (t) => {
    const dir = t.testdir();
    const take = `new Leases({ dir: ${JSON.stringify(dir)} }).acquire('ttl', { ttl: 300 })`;
    const child = await orphan(t, take, true);
    const lease = await new Leases({ dir }).acquire('ttl', { timeout: 30_000 });
    t.match(lease.previous, { end: 'expired' });
    t.doesNotThrow(() => process.kill(child, 0), 'the child is still there');
  },
);

await t.test('a file lock is held as long as the child lives', { skip: windows }, async (t) => {
  const resource = join(t.testdir(), 'data');
  const take = `lock(${JSON.stringify(resource)})`;
  await orphan(t, take, false);
  tryLock(resource)?.release();
  const child = await orphan(t, take, true);
  t.equal(tryLock(resource), null);
  const wait = lock(resource, { timeout: 30_000 });
  kill(child);
  (await wait).release();
});

await t.test('a release frees it, whoever has it open', { skip: windows }, async (t) => {
  const dir = t.testdir();
  const resource = join(dir, 'data');
  const lease = await new Leases({ dir }).acquire('name');
  const held = await lock(resource);
  const { descriptor: first = -1 } = lease;
  const { descriptor: second = -1 } = held;
  const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', first, second] });
  t.teardown(() => child.kill('SIGKILL'));
  if (process.platform === 'linux') {
    t.equal(readlinkSync(`/proc/${child.pid ?? 0}/fd/3`), join(dir, 'name.lock'));
    t.equal(readlinkSync(`/proc/${child.pid ?? 0}/fd/4`), held.lockPath);
  }
  held.release();
  t.equal(await lease.release(), 'released');
  t.ok(tryLock(resource));
  t.ok(await new Leases({ dir }).tryAcquire('name'));
});

await t.test('there is none of what is not held, is detached, or on Windows', async (t) => {
  const dir = t.testdir();
  const leases = new Leases({ dir });
  const lease = await leases.acquire('attached', { ttl: 60_000 });
  const held = await lock(join(dir, 'data'));
  t.type(lease.descriptor, windows ? 'undefined' : 'number');
  t.type(held.descriptor, windows ? 'undefined' : 'number');
  held.release();
  await lease.detach();
  t.equal(held.descriptor, undefined);
  t.equal(lease.descriptor, undefined);
  await lease.release();
  t.equal(lease.descriptor, undefined);
  const broken = await leases.acquire('broken');
  await leases.break('broken', { force: true });
  t.throws(() => {
    broken.assertHeld();
  });
  t.equal(broken.descriptor, undefined);
});

await t.test(
  'a renewal that waits for its guard does not hide it',
  { skip: windows },
  async (t) => {
    const leases = new Leases({ dir: t.testdir() });
    const lease = await leases.acquire('build', { ttl: '1m' });
    const { descriptor } = lease;
    const guard = tryLock(join(leases.location, 'build.guard'), { sidecar: false });
    const renewal = lease.renew();
    await new Promise(setImmediate);
    t.type(descriptor, 'number');
    t.equal(lease.descriptor, descriptor);
    guard?.release();
    await renewal;
    t.equal(lease.descriptor, descriptor);
    await lease.release();
    t.equal(lease.descriptor, undefined);
  },
);
