/** What the diagnostics channels tell of leases, where an auditor needs to know more than "it was". */
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { Leases, type LeaseEvent } from '../lib/index.js';
import './helpers/unwatched.js';

interface Told {
  channel: string | symbol;
  event: LeaseEvent;
}

const acquire = tracingChannel('holdfast:acquire');

/** Listens to one channel until the end of the test. */
function listen(t: Test, name: string | symbol): Told[] {
  const told: Told[] = [];
  const heard = (message: unknown): void => {
    told.push({ channel: name, event: { ...(message as LeaseEvent) } });
  };
  subscribe(name, heard);
  t.teardown(() => unsubscribe(name, heard));
  return told;
}

/** A clock that is set by hand. */
function leasesAt(t: Test): {
  leases: Leases;
  clock: { ms: number; now(): number };
} {
  const clock = { ms: 1_700_000_000_000, now: () => clock.ms };
  return {
    leases: new Leases({ dir: join(t.testdir(), 'leases'), clock }),
    clock,
  };
}

await t.test('a denial names the lease that was in the way', async (t) => {
  const { leases } = leasesAt(t);
  const { id, token } = await leases.acquire('build', {
    owner: 'ann',
    renew: false,
  });
  const told = listen(t, acquire.asyncEnd.name);
  t.equal(await leases.tryAcquire('build', { owner: 'bob' }), null);
  const holding = {
    holder: 'ann',
    holderId: id,
    holderToken: token,
    frozen: false,
  };
  t.match(told.pop(), { event: { by: 'bob', ...holding } });
  await t.rejects(leases.acquire('build', { timeout: 0 }), {
    code: 'ERR_LOCK_HELD',
  });
  t.match(told.pop(), { event: holding });
  await t.rejects(leases.acquire('build', { timeout: 5 }), {
    code: 'ERR_LOCK_TIMEOUT',
  });
  t.match(told.pop(), { event: holding });
});

await t.test('a denial by a freeze says so, and names nobody', async (t) => {
  const { leases } = leasesAt(t);
  await leases.freeze('build', { ttl: '1m' });
  const told = listen(t, acquire.asyncEnd.name);
  t.equal(await leases.tryAcquire('build'), null);
  t.match(told.pop(), {
    event: { frozen: true, holder: null, holderId: null },
  });
});

await t.test('what was stale under a freeze is broken for what it was', async (t) => {
  const { leases, clock } = leasesAt(t);
  const told = listen(t, 'holdfast:break');
  for (const take of ['break', 'sweep'] as const) {
    await leases.acquire('build', { detached: true, ttl: 1000 });
    await leases.freeze('build', { ttl: '1h' });
    clock.ms += 2000;
    const broken =
      take === 'break'
        ? await leases.break('build', { stale: true })
        : (await leases.sweep()).find(({ name }) => name === 'build');
    t.match(broken, {
      state: 'expired',
      why: 'ttl over',
      leftMs: -1000,
      freeze: { leftMs: 3_598_000 },
    });
    t.match(told.pop(), { event: { state: 'expired' } }, take);
    t.match(await leases.inspect('build'), { state: 'frozen' }, 'the freeze stays');
    await leases.unfreeze('build');
  }
});

await t.test('a renewal that detaches says so; others do not', async (t) => {
  const { leases } = leasesAt(t);
  const lease = await leases.acquire('build', { ttl: '1m' });
  const told = listen(t, 'holdfast:renew');
  await lease.renew();
  await lease.detach();
  await lease.renew();
  t.strictSame(
    told.map(({ event: { detached, detaching } }) => [detached, detaching]),
    [
      [false, undefined],
      [true, true],
      [true, undefined],
    ],
  );
  await lease.release();
});

await t.test('a renewal by assertHeld is one', async (t) => {
  const { leases, clock } = leasesAt(t);
  const lease = await leases.acquire('build', { ttl: 1000, renew: false });
  const told = listen(t, 'holdfast:renew');
  lease.assertHeld();
  t.equal(told.length, 0, 'it only looked');
  clock.ms += 2000;
  lease.assertHeld();
  t.equal(told.length, 1);
  await lease.release();
});

await t.test('a renewal that fails is told of once; a loss is told of as a loss', async (t) => {
  const { leases } = leasesAt(t);
  const lease = await leases.acquire('build', { ttl: '1m', renew: false });
  const told = listen(t, 'holdfast:renew');
  const lost = listen(t, 'holdfast:lost');
  const guard = join(leases.location, 'build.guard');
  unlinkSync(guard);
  mkdirSync(guard);
  await t.rejects(lease.renew(), { code: 'ERR_LOCK_NOT_REGULAR' });
  t.match(told, [{ event: { error: { code: 'ERR_LOCK_NOT_REGULAR' } } }]);
  rmdirSync(guard);
  unlinkSync(join(leases.location, 'build.lock'));
  await t.rejects(lease.renew(), { code: 'ERR_LOCK_LOST' });
  t.equal(told.length, 1);
  t.equal(lost.length, 1);
});
