/** What ends with a thread or a process, what keeps one alive, and what garbage collection may not end. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';

import { lock, tryLock } from '../../lib/index.js';
import { full } from '../helpers/counting.js';
import { resources, settledResources, untilBlocked } from '../helpers/kernel.js';
import { childEnv, Peer } from '../helpers/peer.js';

const env = childEnv();
const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

function start(t: Test, what: string, resource: string): ChildProcess {
  const child = fork(fixture('pending.mjs'), [what, resource], { env, execArgv: [] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

await t.test('worker.terminate() with a lock held and a wait pending, many times', async (t) => {
  const folder = t.testdir();
  const paths = { held: join(folder, 'held'), awaited: join(folder, 'awaited') };
  const mine = await lock(paths.awaited);
  const before = resources();
  for (let round = 0; round < (full ? 100 : 25); round++) {
    const worker = new Worker(fixture('doomed-worker.mjs'), {
      workerData: paths,
      env,
      execArgv: [],
    });
    await once(worker, 'message');
    if (tryLock(paths.held) !== null) t.fail('the worker holds nothing');
    await worker.terminate();
    const held = tryLock(paths.held);
    if (held === null) {
      t.fail(`round ${round}: still held after terminate()`);
      return;
    }
    if (held.previous?.owner !== 'worker') t.fail('the worker never released; that is to be told');
    held.release();
  }
  const after = await settledResources(before);
  t.ok(after.threads <= before.threads, `threads: ${before.threads}, then ${after.threads}`);
  t.ok(after.descriptors <= before.descriptors, `${before.descriptors}, then ${after.descriptors}`);
  mine.release();
  (await lock(paths.awaited, { timeout: 10_000 })).release();
});

await t.test('workers terminated in the midst of their work', async (t) => {
  const busy = join(t.testdir(), 'data');
  for (let round = 0; round < (full ? 20 : 8); round++) {
    const workers = [1, 2, 3, 4].map(
      () => new Worker(fixture('doomed-worker.mjs'), { workerData: { busy }, env, execArgv: [] }),
    );
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
    await Promise.all(workers.map((worker) => worker.terminate()));
    (await lock(busy, { timeout: 10_000 })).release();
  }
});

await t.test(
  'the signal of waiters is handled when the worker that loaded the library is gone',
  { skip: process.platform === 'win32' ? 'Windows has no signals' : false },
  async (t) => {
    const folder = t.testdir();
    const awaited = join(folder, 'awaited');
    const mine = await lock(awaited);
    const child = fork(fixture('worker-only.mjs'), [join(folder, 'held'), awaited], {
      env,
      execArgv: [],
    });
    t.teardown(() => child.kill('SIGKILL'));
    child.once('spawn', () => {
      child.disconnect(); // which would keep it alive
    });
    t.strictSame(await once(child, 'exit'), [0, null]);
    mine.release();
  },
);

await t.test('worker.terminate() ends a lockSync that would take an hour', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  const peer = await Peer.start(t, { thread: true });
  void peer.lockSync(resource, { timeout: 3_600_000 }).catch(() => undefined);
  await untilBlocked(held.lockPath);
  await peer.end(); // tap's own limit is what fails here
  held.release();
  (await lock(resource, { timeout: 10_000 })).release();
});

await t.test('a pending wait keeps the process alive, and SIGTERM ends it', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  const child = start(t, 'wait', resource);
  await once(child, 'message');
  await untilBlocked(held.lockPath);
  t.equal(child.exitCode, null);
  child.kill('SIGTERM');
  t.strictSame(await once(child, 'exit'), [null, 'SIGTERM']);
  held.release();
});

await t.test('a pending wait is granted in the end', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  const child = start(t, 'wait', resource);
  await untilBlocked(held.lockPath);
  held.release();
  t.strictSame(await once(child, 'exit'), [7, null]);
});

await t.test(
  'a wait for a guard that is given up is answered, with nothing else to do',
  async (t) => {
    const child = start(t, 'giveUp', t.testdir());
    t.strictSame(await once(child, 'exit'), [9, null]);
  },
);

await t.test('a held lock does not keep the process alive', async (t) => {
  const child = start(t, 'hold', join(t.testdir(), 'data'));
  t.strictSame(await once(child, 'exit'), [0, null]);
});

await t.test('process.exit() with a lock held and a wait pending', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  const child = start(t, 'exit', resource);
  t.strictSame(await once(child, 'exit'), [3, null]);
  t.equal(tryLock(`${resource}-own`)?.previous?.pid, child.pid, 'it never released');
  held.release();
});

await t.test('a held lock that nobody refers to survives garbage collection', async (t) => {
  const child = start(t, 'forget', join(t.testdir(), 'data'));
  t.strictSame((await once(child, 'message'))[0], 'still held');
});
