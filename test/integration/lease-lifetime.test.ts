/** What ends with a thread or a process, and what keeps one alive, of leases; as lifetime.test.ts. */
import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { resources, settledResources, untilBlocked } from '../helpers/kernel.js';
import { LeasePeer } from '../helpers/lease-peer.js';
import { childEnv, packageRoot } from '../helpers/peer.js';
import { mustTake, someLeases } from '../helpers/some-leases.js';

const run = promisify(execFile);
const fixture = fileURLToPath(new URL('../fixtures/pending-lease.mjs', import.meta.url));

function start(t: Test, what: string, { location }: Leases): ChildProcess {
  const child = fork(fixture, [what, location], { env: childEnv(), execArgv: [] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

await t.test('a pending wait keeps the process alive, and is granted in the end', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases);
  const child = start(t, 'wait', leases);
  const exit = once(child, 'exit');
  await once(child, 'message');
  await untilBlocked(join(leases.location, 'build.lock'));
  t.equal(child.exitCode, null);
  await lease.release();
  t.strictSame(await exit, [7, null]);
  t.equal((await mustTake(leases)).previous?.end, 'crashed', 'it left without a release');
});

await t.test('leases that are held do not keep the process alive', async (t) => {
  const leases = someLeases(t);
  const child = start(t, 'hold', leases);
  t.strictSame(await once(child, 'exit'), [0, null]);
  t.equal((await mustTake(leases, 'endless')).previous?.end, 'crashed');
  t.equal((await mustTake(leases, 'renewed')).previous?.pid, child.pid);
  t.match(await leases.inspect('detached'), { state: 'held', kind: 'detached' });
});

await t.test('process.exit() with leases held, a renewal due and a wait pending', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases);
  const child = start(t, 'exit', leases);
  t.strictSame(await once(child, 'exit'), [3, null]);
  t.equal((await mustTake(leases, 'own')).previous?.pid, child.pid);
  lease.assertHeld();
  t.equal(await lease.release(), 'released');
  await (await leases.acquire('build', { timeout: 30_000 })).release();
});

await t.test(
  'a lease that nobody refers to survives garbage collection, and is renewed',
  async (t) => {
    const child = start(t, 'forget', someLeases(t));
    t.strictSame((await once(child, 'message'))[0], 'still held');
  },
);

await t.test('the end of a worker ends its leases and its waits', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases);
  const where = { leases: { dir: leases.location } };
  // Once, for what is made once and kept.
  await (await LeasePeer.start(t, where, { thread: true })).end();
  const before = resources();
  for (let round = 0; round < 10; round++) {
    const worker = await LeasePeer.start(t, where, { thread: true });
    const held = await worker.acquire('own', { ttl: '10m' });
    t.equal(await leases.tryAcquire('own'), null);
    void worker.acquire('build').catch(() => undefined);
    await untilBlocked(join(leases.location, 'build.lock'));
    await worker.end();
    const next = await mustTake(leases, 'own');
    t.match(next.previous, { end: 'crashed', token: held.token });
    await next.release();
  }
  const after = await settledResources(before);
  t.ok(after.threads <= before.threads, `threads: ${before.threads}, then ${after.threads}`);
  t.ok(after.descriptors <= before.descriptors, `${before.descriptors}, then ${after.descriptors}`);
  t.equal(await lease.release(), 'released');
});

await t.test('a wait that no signal could interrupt looks now and then', async (t) => {
  const leases = someLeases(t);
  await mustTake(leases);
  // A program may ignore them all, and so may who started it: a disposition survives exec(2).
  const ignoring = 'for ((i = 34; i < 65; i++)); do trap "" $i; done; exec "$0" "$@"';
  const library = pathToFileURL(join(packageRoot, 'lib/')).href;
  const script = `
    const { FileStore } = await import('${library}store/file-store.js');
    const by = { owner: 'x', pid: 1, host: 'y', command: 'z' };
    const id = '0'.repeat(32);
    const attempt = { id, name: 'build', ttl: null, detached: false, durable: false, by };
    let looks = 0;
    const signal = AbortSignal.timeout(2500);
    await new FileStore({ dir: process.argv[1] })
      .acquire(attempt, { signal, denied: () => void looks++ })
      .catch((error) => console.log(error.name, looks));`;
  const args = ['--input-type=module', '-e', script, leases.location];
  const env = childEnv();
  const { stdout } = await run('bash', ['-c', ignoring, process.execPath, ...args], { env });
  const [name, looks] = stdout.trim().split(' ');
  t.equal(name, 'TimeoutError');
  t.ok(Number(looks) > 1 && Number(looks) < 40, `${looks} looks in 2.5 s`);
});
