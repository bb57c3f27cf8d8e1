/** A holder dies: the kernel frees its lock at once, and the next holder is told (C2, E7). */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

import { lock, lockPathFor, tryLock } from '../../lib/index.js';
import { untilBlocked } from '../helpers/kernel.js';
import { Peer } from '../helpers/peer.js';

await t.test('SIGKILL of the holder lets a waiter of another process in', async (t) => {
  const resource = join(t.testdir(), 'data');
  const waiter = await Peer.start(t);
  const delays: number[] = [];
  for (let round = 0; round < 10; round++) {
    const holder = await Peer.start(t);
    await holder.lock(resource, { owner: `round ${round}` });
    const wait = waiter.lock(resource);
    await untilBlocked(`${resource}.lock`);
    const killed = performance.now();
    holder.signal('SIGKILL');
    const { id, previous } = await wait;
    delays.push(performance.now() - killed);
    t.match(previous, { owner: `round ${round}`, pid: holder.pid, command: /peer/ });
    await waiter.release(id);
  }
  const sorted = delays.sort((a, b) => a - b);
  t.comment(
    `SIGKILL to grant, ms: median ${sorted[5]?.toFixed(1)}, worst ${sorted[9]?.toFixed(1)}`,
  );
  t.equal(tryLock(resource)?.previous, null, 'a released lock leaves no name behind');
});

await t.test('a dead shared holder leaves no name; the exclusive one before it does', async (t) => {
  const resource = join(t.testdir(), 'data');
  const [exclusive, shared] = await Peer.startAll(t, 2);
  await exclusive?.lock(resource, { owner: 'exclusive' });
  await exclusive?.end();
  const told = await shared?.lock(resource, { shared: true });
  t.match(told?.previous, { owner: 'exclusive' }, 'shared holders are told');
  await shared?.end();
  const held = await lock(resource);
  t.match(held.previous, { owner: 'exclusive' });
  held.release();
  const next = await lock(resource);
  t.equal(next.previous, null);
  next.release();
});

await t.test('the notice of a crash survives a wait that was given up', async (t) => {
  const resource = join(t.testdir(), 'data');
  const [victim, waiter] = await Peer.startAll(t, 2);
  await victim?.lock(resource, { owner: 'victim' });
  const wait = waiter?.call('lockThenAbort', resource);
  await untilBlocked(`${resource}.lock`);
  await victim?.end();
  await wait;
  t.match((await waiter?.lock(resource, { timeout: 10_000 }))?.previous, { owner: 'victim' });
});

await t.test('a lock that was never delivered leaves no notice', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  const waiter = await Peer.start(t);
  void waiter.call('lockThenAbort', resource).catch(() => undefined);
  await untilBlocked(held.lockPath);
  held.release();
  await waiter.end();
  t.equal((await lock(resource, { timeout: 10_000 })).previous, null);
});

await t.test('a spawned child does not inherit the lock', async (t) => {
  const resource = join(t.testdir(), 'data');
  const parent = await Peer.start(t);
  await parent.lock(resource);
  const child = (await parent.call('spawnSleeper')) as number;
  t.teardown(() => process.kill(child, 'SIGKILL'));
  const files = await openFiles(child);
  t.ok(files.length > 0, 'the child lives and its descriptors can be seen');
  t.notOk(files.includes(lockPathFor(resource)));
  parent.signal('SIGKILL');
  await parent.exited;
  const held = await lock(resource, { timeout: 10_000 });
  t.doesNotThrow(() => process.kill(child, 0), 'the child is still there');
  held.release();
});

async function openFiles(pid: number): Promise<string[]> {
  const { stdout } = await promisify(execFile)('find', [
    `/proc/${pid}/fd`,
    '-type',
    'l',
    '-printf',
    '%l\n',
  ]);
  return stdout.split('\n').filter((line) => line !== '');
}
