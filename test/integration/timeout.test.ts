/** The end of a wait that got no lock: by its limit or by its signal, and nothing stays behind. */
import { getEventListeners } from 'node:events';
import { join } from 'node:path';
import t from 'tap';

import { lock, LockError, lockSync } from '../../lib/index.js';
import { full } from '../helpers/counting.js';
import { resources, settledResources, untilBlocked } from '../helpers/kernel.js';
import { Peer } from '../helpers/peer.js';

const rounds = full ? 1000 : 300;

await t.test('a time-out names the holder, and never comes before the limit', async (t) => {
  const resource = join(t.testdir(), 'data');
  const holder = await Peer.start(t);
  await holder.lock(resource, { owner: 'alice' });
  for (const timeout of [1, 20, 50.5, 200]) {
    for (const wait of [
      () => lock(resource, { timeout }),
      async () => Promise.resolve(lockSync(resource, { timeout })),
    ]) {
      const start = performance.now();
      const error = (await wait().catch((e: unknown) => e)) as LockError;
      t.ok(performance.now() - start >= timeout, `${timeout} ms`);
      t.type(error, LockError);
      t.match(error, { code: 'ERR_LOCK_TIMEOUT', path: `${resource}.lock` });
      t.match(error.holder, { owner: 'alice', pid: holder.pid, command: /peer\.mjs/ });
      t.ok(error.holder?.since instanceof Date);
      t.match(error.message, /alice \(pid \d+ on .*peer\.mjs\) since \d{4}-/);
    }
  }
});

await t.test('no waiting: one attempt, then held', async (t) => {
  const resource = join(t.testdir(), 'data');
  const holder = await Peer.start(t);
  await holder.lock(resource, { owner: 'alice' });
  await t.rejects(lock(resource, { timeout: 0 }), {
    code: 'ERR_LOCK_HELD',
    holder: { owner: 'alice' },
  });
  t.throws(() => lockSync(resource, { timeout: 0 }), { code: 'ERR_LOCK_HELD' });
});

await t.test('one limit for queue and kernel', async (t) => {
  const resource = join(t.testdir(), 'data');
  const holder = await Peer.start(t);
  const { id } = await holder.lock(resource);
  const head = lock(resource);
  // This one spends its limit behind the head; reaching the kernel late gives it no second limit.
  const start = performance.now();
  const second = lock(resource, { timeout: 300 });
  const outcome = second.then(
    () => 'granted',
    (error: unknown) => (error as LockError).code,
  );
  await untilBlocked(`${resource}.lock`);
  await holder.release(id);
  const held = await head; // the second one is in the kernel's queue now
  t.equal(await outcome, 'ERR_LOCK_TIMEOUT');
  const took = performance.now() - start;
  t.ok(took >= 300, 'not early');
  t.comment(`one limit of 300 ms ended after ${took.toFixed(0)} ms`);
  held.release();
});

await t.test('lockSync against a holder or waiter of its own thread', async (t) => {
  const resource = join(
    t.testdir({ alias: t.fixture('symlink', 'real'), real: {} }),
    'real',
    'data',
  );
  const held = await lock(resource);
  const start = performance.now();
  t.throws(() => lockSync(resource, { timeout: 60_000 }), { code: 'ERR_LOCK_HELD' });
  t.throws(() => lockSync(resource.replace('/real/', '/alias/'), { timeout: 60_000 }), {
    code: 'ERR_LOCK_HELD',
  });
  t.ok(performance.now() - start < 60_000, 'at once, for it could never succeed');
  held.release();
  const own = lockSync(resource, { timeout: 60_000, shared: true });
  lockSync(resource, { timeout: 60_000, shared: true }).release();
  own.release();

  const holder = await Peer.start(t);
  const { id } = await holder.lock(resource);
  const waiting = lock(resource);
  t.throws(() => lockSync(resource, { timeout: 60_000 }), { code: 'ERR_LOCK_HELD' }, 'a waiter');
  await holder.release(id);
  (await waiting).release();
});

await t.test('lockSync waits for a holder in another process', async (t) => {
  const resource = join(t.testdir(), 'data');
  const holder = await Peer.start(t);
  const { id } = await holder.lock(resource);
  const waiter = await Peer.start(t);
  const wait = waiter.lockSync(resource, { timeout: 60_000 });
  await untilBlocked(`${resource}.lock`);
  await holder.release(id);
  t.ok((await wait).id);
});

await t.test('an abort rejects at once with the reason', async (t) => {
  const resource = join(t.testdir(), 'data');
  const holder = await Peer.start(t);
  const { id } = await holder.lock(resource);
  const reason = new Error('changed my mind');
  const controller = new AbortController();
  const waits = [1, 2, 3].map(() => lock(resource, { signal: controller.signal }));
  await untilBlocked(`${resource}.lock`);
  controller.abort(reason);
  for (const wait of waits) await t.rejects(wait, reason);
  await holder.release(id);
  const aborted = AbortSignal.abort(reason);
  await t.rejects(lock(resource, { signal: aborted }), reason, 'even when it is free');
  const after = new AbortController();
  const held = await lock(resource, { signal: after.signal });
  after.abort();
  t.doesNotThrow(() => {
    held.assertHeld();
  }, 'no effect after the grant');
  held.release();
});

await t.test(
  `neither leaves a thread, descriptor or listener behind: ${rounds} times`,
  async (t) => {
    const resource = join(t.testdir(), 'data');
    const holder = await Peer.start(t);
    const { id } = await holder.lock(resource);
    const before = resources();
    const controller = new AbortController();
    for (let round = 0; round < rounds; round++) {
      await t.rejects(lock(resource, { timeout: 1, signal: controller.signal }));
      const own = new AbortController();
      const wait = lock(resource, { signal: own.signal });
      own.abort();
      await t.rejects(wait);
      if (getEventListeners(own.signal, 'abort').length !== 0) t.fail('a listener is left');
    }
    t.equal(getEventListeners(controller.signal, 'abort').length, 0, 'no listener');
    const after = await settledResources(before);
    t.ok(after.threads <= before.threads, `threads: ${before.threads}, then ${after.threads}`);
    t.ok(
      after.descriptors <= before.descriptors,
      `${before.descriptors}, then ${after.descriptors}`,
    );
    await holder.release(id);
    (await lock(resource, { timeout: 10_000 })).release();
  },
);

await t.test('a grant and an abort that meet: the lock is had or free, never lost', async (t) => {
  const resource = join(t.testdir(), 'data');
  const holder = await Peer.start(t);
  let granted = 0;
  for (let round = 0; round < rounds; round++) {
    const { id } = await holder.lock(resource, { timeout: 10_000 });
    const controller = new AbortController();
    const wait = lock(resource, { signal: controller.signal }).then(
      (held) => {
        granted++;
        held.release();
      },
      () => undefined,
    );
    const released = holder.release(id);
    // Anywhere between before the hand-over and after it.
    const spins = Math.floor(Math.random() * 20);
    for (let spin = 0; spin < spins; spin++) await new Promise(setImmediate);
    controller.abort();
    await Promise.all([wait, released]);
  }
  t.comment(`${granted} of ${rounds} were granted before the abort`);
  (await lock(resource, { timeout: 10_000 })).release();
});

await t.test('waits on one signal: none of them is granted after the abort', async (t) => {
  const resource = join(t.testdir(), 'data');
  let granted = 0;
  for (let round = 0; round < rounds; round++) {
    const held = await lock(resource, { timeout: 10_000 });
    const controller = new AbortController();
    // Ours comes first: the lock is free by the time the waits hear of the abort.
    controller.signal.addEventListener('abort', () => {
      held.release();
    });
    const waits = [1, 2, 3, 4].map(() => lock(resource, { signal: controller.signal }));
    if (round % 2 === 0) await new Promise(setImmediate);
    controller.abort();
    for (const { status } of await Promise.allSettled(waits)) if (status === 'fulfilled') granted++;
  }
  t.equal(granted, 0);
});
