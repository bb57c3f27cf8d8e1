/** Waiting for a lease, in one process: limits, aborts, and that nothing is left of a wait. */
import { getEventListeners } from 'node:events';
import { join } from 'node:path';
import t from 'tap';

import { Leases } from '../lib/index.js';
import { resources, settledResources, untilBlocked } from './helpers/kernel.js';
import { isFree, mustTake, rejection, someLeases, until } from './helpers/some-leases.js';

/** Those that keep the program alive. */
const timers = (): number =>
  process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length;

await t.test('a wait ends with the release, whatever the limit', async (t) => {
  const leases = someLeases(t);
  for (const timeout of [undefined, Infinity, 2 ** 40, 60_000]) {
    const lease = await mustTake(leases);
    const wait = leases.acquire('build', timeout === undefined ? {} : { timeout });
    await untilBlocked(join(leases.location, 'build.lock'));
    await lease.release();
    const granted = await wait;
    t.ok(granted.token > lease.token, String(timeout));
    t.match(granted.previous, { end: 'released', token: lease.token });
    await granted.release();
  }
});

await t.test('a limit is never cut short, and is one for queue and kernel', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases);
  const start = performance.now();
  // The first is the head of the line, the others stand in it.
  const waits = [50, 50, 50].map(async (timeout) => {
    const error = await rejection(leases.acquire('build', { timeout }));
    return { error, took: performance.now() - start };
  });
  for (const { error, took } of await Promise.all(waits)) {
    t.match(error, { code: 'ERR_LOCK_TIMEOUT', holder: { owner: 'alice' } });
    t.ok(took >= 50, `${took} ms`);
  }
  lease.assertHeld();
  await lease.release();
  t.ok(await isFree(leases), 'nothing of the waits was granted');
});

await t.test('timeout: 0 waits for nothing, not even behind those who wait', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases);
  await t.rejects(leases.acquire('build', { timeout: 0 }), { code: 'ERR_LOCK_HELD' });
  const wait = leases.acquire('build');
  await untilBlocked(join(leases.location, 'build.lock'));
  await t.rejects(leases.acquire('build', { timeout: 0 }), { code: 'ERR_LOCK_HELD' });
  await lease.release();
  await (await wait).release();
  await (await leases.acquire('build', { timeout: 0 })).release();
});

await t.test('an abort ends a wait; an earlier one ends it before it begins', async (t) => {
  const leases = someLeases(t);
  const reason = new Error('enough');
  const options = { signal: AbortSignal.abort(reason) };
  t.equal(await rejection(leases.acquire('build', options)), reason, 'even when it is free');
  t.equal(await rejection(leases.tryAcquire('build', options)), reason);
  t.equal(await rejection(leases.acquire('build', { ...options, timeout: 0 })), reason);
  t.equal(await rejection(leases.with('build', options, () => t.fail('not called'))), reason);
  t.equal(await leases.inspect('build'), null);
  const lease = await mustTake(leases);
  const controller = new AbortController();
  const wait = leases.acquire('build', { signal: controller.signal });
  await untilBlocked(join(leases.location, 'build.lock'));
  controller.abort(reason);
  t.equal(await rejection(wait), reason);
  await lease.release();
  t.ok(await isFree(leases));
});

await t.test('an abort after the grant has no effect', async (t) => {
  const leases = someLeases(t);
  const controller = new AbortController();
  const lease = await leases.acquire('build', { signal: controller.signal });
  controller.abort();
  lease.assertHeld();
  t.equal(lease.signal.aborted, false);
  t.equal(await lease.release(), 'released');
});

await t.test('64 waits, one AbortSignal: one listener, no warnings', async (t) => {
  const leases = someLeases(t);
  const warnings: Error[] = [];
  const warned = (warning: Error): number => warnings.push(warning);
  process.on('warning', warned);
  t.teardown(() => process.off('warning', warned));
  const lease = await mustTake(leases);
  const { signal, abort } = aborter();
  const reason = new Error('all of you');
  const waits = Array.from({ length: 64 }, () => rejection(leases.acquire('build', { signal })));
  await untilBlocked(join(leases.location, 'build.lock'));
  t.equal(getEventListeners(signal, 'abort').length, 1);
  abort(reason);
  t.ok((await Promise.all(waits)).every((error) => error === reason));
  t.equal(getEventListeners(signal, 'abort').length, 0);
  await new Promise(setImmediate);
  t.strictSame(warnings, []);
  await lease.release();
  t.ok(await isFree(leases));
});

function aborter(): { signal: AbortSignal; abort: (reason: unknown) => void } {
  const controller = new AbortController();
  const abort = controller.abort.bind(controller);
  return { signal: controller.signal, abort };
}

await t.test('waiters of one process are granted in the order in which they came', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases);
  const order: number[] = [];
  const waits = Array.from({ length: 16 }, async (_, i) => {
    const granted = await leases.acquire('build');
    order.push(i);
    await granted.release();
  });
  await untilBlocked(join(leases.location, 'build.lock'));
  await lease.release();
  await Promise.all(waits);
  t.strictSame(
    order,
    Array.from({ length: 16 }, (_, i) => i),
  );
});

await t.test('nothing is left of 200 waits that ended without a grant', async (t) => {
  const calm = timers();
  const leases = someLeases(t);
  const names = ['attached', 'detached', 'frozen'];
  const holders = [
    await mustTake(leases, 'attached'),
    await mustTake(leases, 'detached', { detached: true, ttl: '5m' }),
  ];
  await leases.freeze('frozen', { ttl: '5m' });
  const vain = async (i: number): Promise<void> => {
    const name = names[i % 3] ?? '';
    const { signal, abort } = aborter();
    const wait = leases.acquire(name, i % 2 === 0 ? { timeout: 1 + (i % 7) } : { signal });
    if (i % 2 === 1) setTimeout(abort, i % 7);
    if ((await rejection(wait)) === undefined) t.fail('granted');
  };
  // Once, for what is made once and kept.
  await Promise.all([0, 1, 2, 3, 4, 5].map(vain));
  const before = resources();
  for (let i = 0; i < 200; i += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, j) => vain(i + j)));
  }
  const after = await settledResources(before);
  t.ok(after.threads <= before.threads, `threads: ${before.threads}, then ${after.threads}`);
  t.ok(after.descriptors <= before.descriptors, `${before.descriptors}, then ${after.descriptors}`);
  await until(() => timers() <= calm, 'no timers are left');
  for (const lease of holders) t.equal(await lease.release(), 'released');
  await leases.unfreeze('frozen');
  for (const name of names) t.ok(await isFree(leases, name));
});

await t.test('200 leases, taken and given back, leave nothing open', async (t) => {
  const leases = someLeases(t);
  const cycle = (i: number): Promise<void> =>
    leases.with(`name${i % 7}`, { ttl: 10_000 }, () => undefined);
  await cycle(0);
  const before = resources();
  for (let i = 0; i < 200; i++) await cycle(i);
  const after = await settledResources(before);
  t.ok(after.threads <= before.threads, `threads: ${before.threads}, then ${after.threads}`);
  t.ok(after.descriptors <= before.descriptors, `${before.descriptors}, then ${after.descriptors}`);
  const lease = await mustTake(new Leases({ dir: leases.location }), 'name0');
  await leases.break('name0', { force: true });
  t.equal(await lease.release(), 'lost');
  const last = await settledResources(before);
  t.ok(last.descriptors <= before.descriptors, 'nor does a lost one');
});
