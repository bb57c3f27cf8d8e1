/** What waiting does to the rest of the program, and to other processes. */
import { lookup } from 'node:dns/promises';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { lock } from '../../lib/index.js';
import { fairShare, grantsBesideHog, staysAway } from '../helpers/fairness.js';
import { resources, settledResources, untilBlocked } from '../helpers/kernel.js';
import { Peer } from '../helpers/peer.js';

await t.test('64 pending waits leave the pool free', async (t) => {
  const folder = t.testdir();
  const resources_ = Array.from({ length: 64 }, (_, i) => join(folder, `data${i}`));
  const holder = await Peer.start(t);
  for (const resource of resources_) await holder.lock(resource);
  const before = resources();
  const controller = new AbortController();
  const waits = resources_.map((resource) => lock(resource, { signal: controller.signal }));
  const outcomes = Promise.allSettled(waits);
  for (const resource of resources_) await untilBlocked(`${resource}.lock`);
  // Four waiters in libuv's pool would keep these from ever answering.
  for (let i = 0; i < 10; i++) {
    await stat(folder);
    await lookup('localhost');
  }
  controller.abort();
  for (const { status } of await outcomes) t.equal(status, 'rejected');
  t.ok((await settledResources(before)).threads <= before.threads + 4, 'but for libuv itself');
});

await t.test('64 waits on one signal give no warning', async (t) => {
  const resource = join(t.testdir(), 'data');
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  const holder = await Peer.start(t);
  await holder.lock(resource);
  const controller = new AbortController();
  const waits = Array.from({ length: 64 }, () => lock(resource, { signal: controller.signal }));
  await untilBlocked(`${resource}.lock`);
  controller.abort();
  await Promise.allSettled(waits);
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  t.strictSame(warnings, []);
});

await t.test('waiters of one process are served in order', async (t) => {
  const resource = join(t.testdir(), 'data');
  const holder = await Peer.start(t);
  const { id } = await holder.lock(resource);
  const order: number[] = [];
  const waits = Array.from({ length: 20 }, async (_, i) => {
    const held = await lock(resource);
    order.push(i);
    held.release();
  });
  await untilBlocked(`${resource}.lock`);
  await holder.release(id);
  await Promise.all(waits);
  t.strictSame(
    order,
    [...order].sort((a, b) => a - b),
  );
});

await t.test('waiters of several processes are served in order of arrival', async (t) => {
  const resource = join(t.testdir(), 'data');
  const peers = await Peer.startAll(t, 8);
  for (let round = 0; round < 3; round++) {
    const held = await lock(resource);
    const order: number[] = [];
    const waits: Promise<void>[] = [];
    for (const [i, peer] of peers.entries()) {
      waits.push(
        peer.lock(resource).then(async ({ id }) => {
          order.push(i);
          await peer.release(id);
        }),
      );
      await untilBlocked(held.lockPath, i + 1);
    }
    held.release();
    await Promise.all(waits);
    t.strictSame(order, [0, 1, 2, 3, 4, 5, 6, 7]);
  }
});

await t.test('a loop of release and acquire does not starve a waiter elsewhere', async (t) => {
  const { grants, worst } = await grantsBesideHog(t, join(t.testdir(), 'data'));
  t.comment(`${grants} grants beside 1000 of a loop, worst wait ${worst.toFixed(1)} ms`);
  t.ok(grants >= fairShare, `${grants} grants`);
  t.ok(staysAway(t, join(t.testdir(), 'other')), 'the loop stays away while somebody waits');
});

await t.test('when the head gives up, the next one is served', async (t) => {
  for (const how of ['timeout', 'abort']) {
    const resource = join(t.testdir(), how);
    const holder = await Peer.start(t);
    const { id } = await holder.lock(resource);
    const controller = new AbortController();
    const head = lock(
      resource,
      how === 'timeout' ? { timeout: 50 } : { signal: controller.signal },
    );
    const next = lock(resource, { timeout: 30_000 });
    await untilBlocked(`${resource}.lock`);
    controller.abort();
    await t.rejects(head, how);
    await holder.release(id);
    (await next).release();
  }
});
