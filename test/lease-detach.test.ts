/** Detached leases: made so, become so, adopted. */
import t from 'tap';

import { Leases } from '../lib/index.js';
import { HandClock, isFree, mustTake, someLeases } from './helpers/some-leases.js';

await t.test('detach: the same lease, without its process', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases, 'build', { meta: ['kept'] });
  const { id, token, acquiredAt } = lease;
  await lease.detach({ ttl: '5m' });
  t.match(lease, { id, token, acquiredAt, detached: true, ttl: 300_000, held: true });
  t.strictSame(lease.meta, ['kept']);
  t.ok((lease.expiresAt?.getTime() ?? 0) >= Date.now() + 200_000);
  t.match(await leases.inspect('build'), { id, token, kind: 'detached', state: 'held' });
  lease.assertHeld();
  await lease.renew();
  await lease[Symbol.asyncDispose]();
  t.equal(lease.held, true, 'the end of its scope is not its end');
  t.equal(await leases.tryAcquire('build'), null);
  t.equal(await lease.release(), 'released', 'a release still is');
  await lease[Symbol.asyncDispose]();
  t.ok(await isFree(leases));
});

await t.test('detach needs a ttl, its own or another', async (t) => {
  const leases = someLeases(t);
  const endless = await mustTake(leases, 'endless');
  await t.rejects(endless.detach(), /needs a ttl/);
  await t.rejects(endless.detach({ ttl: 0 }), RangeError);
  t.match(endless, { held: true, detached: false }, 'nothing has changed');
  endless.assertHeld();
  await endless.release();
  const ending = await mustTake(leases, 'ending', { ttl: 30_000 });
  await ending.detach();
  t.match(ending, { detached: true, ttl: 30_000 });
  await ending.detach({ ttl: 60_000 });
  t.match(ending, { detached: true, ttl: 60_000 }, 'again, with another');
  await ending.release();
});

await t.test('detached from the first moment: dispose releases it', async (t) => {
  const leases = someLeases(t);
  {
    await using lease = await leases.acquire('build', { detached: true, ttl: '5m' });
    t.match(lease, { detached: true, held: true });
    t.equal(await leases.tryAcquire('build'), null);
  }
  t.ok(await isFree(leases));
});

await t.test('with: what fn detached stays', async (t) => {
  const leases = someLeases(t);
  const lease = await leases.with('build', async (lease) => {
    await lease.detach({ ttl: '5m' });
    return lease;
  });
  t.equal(await leases.tryAcquire('build'), null);
  t.equal(await lease.release(), 'released');
});

await t.test('a detached lease does not renew itself', async (t) => {
  const leases = someLeases(t);
  const before = performance.now();
  const lease = await mustTake(leases, 'build', { ttl: 60 });
  await lease.detach();
  const successor = await leases.acquire('build');
  t.ok(performance.now() - before >= 60);
  t.equal(await lease.release(), 'lost');
  t.equal(successor.previous?.end, 'expired');
  await successor.release();
});

await t.test('adopt: by what toJSON said', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  const elsewhere = new Leases({ dir: leases.location, clock, owner: 'bob' });
  const lease = await mustTake(leases, 'build', { detached: true, ttl: 1000, meta: { job: 1 } });
  clock.ms += 600;
  const told = JSON.parse(JSON.stringify(lease)) as { id: string; token: string };
  const { id, token } = lease;
  const same = { id, token, owner: 'alice', detached: true, ttl: 1000, meta: { job: 1 } };
  const adopted = await elsewhere.adopt('build', told);
  t.match(adopted, { ...same, held: true, previous: null });
  t.strictSame(adopted.expiresAt, lease.expiresAt, 'adopting renews nothing');
  t.match(await elsewhere.adopt('build', { id, token }), same, 'a bigint as well');
  clock.ms += 399;
  adopted.assertHeld();
  clock.ms += 1;
  t.throws(
    () => {
      adopted.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  t.strictSame(await adopted.renew(), new Date(clock.ms + 1000));
  await adopted[Symbol.asyncDispose]();
  t.equal(await lease.release(), 'lost', 'its scope ended, and it was released');
  t.ok(await isFree(leases));
});

await t.test('adopt: not what is attached, nor what is somebody else’s', async (t) => {
  const leases = someLeases(t);
  const none = { id: '0'.repeat(32), token: 1n };
  await t.rejects(leases.adopt('build', none), { code: 'ERR_LOCK_NOT_FOUND' });
  const attached = await mustTake(leases);
  const refused = { code: 'ERR_LOCK_NOT_OWNER', holder: { owner: 'alice', pid: process.pid } };
  await t.rejects(leases.adopt('build', attached), refused);
  await t.rejects(leases.adopt('build', attached), { message: /attached/ });
  await attached.detach({ ttl: '1m' });
  const { id, token } = attached;
  await t.rejects(leases.adopt('build', { id, token: token + 1n }), refused);
  await t.rejects(leases.adopt('build', { id: none.id, token }), refused);
  await attached.release();
  await t.rejects(leases.adopt('build', { id, token }), { code: 'ERR_LOCK_NOT_FOUND' });
});

await t.test(
  'a detached lease past its TTL: assertHeld throws, a renewal revives it',
  async (t) => {
    const clock = new HandClock();
    const leases = someLeases(t, { clock });
    const lease = await mustTake(leases, 'build', { ttl: 1000, detached: true });
    lease.assertHeld();
    clock.ms += 1000;
    t.throws(
      () => {
        lease.assertHeld();
      },
      { code: 'ERR_LOCK_LOST' },
    );
    t.equal(lease.held, true, 'over, and not yet lost');
    await lease.renew();
    lease.assertHeld();
    clock.ms += 1000;
    const successor = await mustTake(leases);
    await t.rejects(lease.renew(), { code: 'ERR_LOCK_LOST' });
    t.equal(lease.held, false);
    await successor.release();
  },
);
