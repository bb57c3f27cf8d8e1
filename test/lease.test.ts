/** A lease, from its grant to its end, within one process. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { LockError, Leases, tryLock, type Lease } from '../lib/index.js';
import { fileName } from '../lib/names.js';
import { parseRecord, type LeaseRecord } from '../lib/record.js';
import {
  HandClock,
  isFree,
  mustTake,
  rejection,
  someLeases,
  until,
} from './helpers/some-leases.js';

const lost = { name: 'LockError', code: 'ERR_LOCK_LOST' };

function onDisk(leases: Leases, name = 'build'): LeaseRecord {
  const parsed = parseRecord(readFileSync(join(leases.location, `${fileName(name)}.lock`)));
  if (parsed.state !== 'valid') throw new Error(`the record is ${parsed.state}`);
  return parsed.record;
}

/** Everything that a lease that is over refuses to do. */
async function assertOver(t: Test, lease: Lease): Promise<void> {
  t.equal(lease.held, false);
  t.throws(() => {
    lease.assertHeld();
  }, lost);
  await t.rejects(lease.renew(), lost);
  await t.rejects(lease.detach({ ttl: '1m' }), lost);
}

await t.test('what it says of itself is what the record says', async (t) => {
  const leases = someLeases(t);
  const before = Date.now();
  const lease = await mustTake(leases, 'Build/EU', { ttl: '30s', meta: { job: 7 } });
  t.match(lease, { name: 'Build/EU', owner: 'alice', detached: false, ttl: 30_000, held: true });
  t.match(lease.id, /^[0-9a-f]{32}$/);
  t.strictSame(lease.meta, { job: 7 });
  t.ok(lease.acquiredAt.getTime() >= before && lease.acquiredAt.getTime() <= Date.now());
  t.equal(lease.expiresAt?.getTime(), lease.acquiredAt.getTime() + 30_000);
  const { id, token, acquiredAt, expires, pid, kind, meta } = onDisk(leases, 'Build/EU');
  t.strictSame([id, token, pid, kind], [lease.id, lease.token, process.pid, 'attached']);
  t.strictSame([acquiredAt, expires], [lease.acquiredAt.getTime(), lease.expiresAt?.getTime()]);
  t.strictSame(meta, { job: 7 });
  t.strictSame(JSON.parse(JSON.stringify(lease)), {
    name: 'Build/EU',
    id: lease.id,
    token: String(lease.token),
    owner: 'alice',
    detached: false,
    ttl: 30_000,
    acquiredAt: lease.acquiredAt.toISOString(),
    expiresAt: lease.expiresAt?.toISOString(),
  });
  await lease.release();
});

await t.test('without a TTL there is no end to be foreseen', async (t) => {
  const lease = await mustTake(someLeases(t));
  t.strictSame([lease.ttl, lease.expiresAt, lease.meta], [null, null, undefined]);
  t.match(lease.toJSON(), { ttl: null, expiresAt: null });
  t.equal(await lease.renew(), null, 'a renewal makes sure that it is held');
  lease.assertHeld();
  await lease.release();
});

await t.test('release: once, whoever asks how often; the next token is higher', async (t) => {
  const leases = someLeases(t);
  const first = await mustTake(leases);
  t.strictSame(await Promise.all([first.release(), first.release()]), ['released', 'released']);
  t.notOk(existsSync(join(leases.location, 'build.lock')));
  t.equal(first.signal.aborted, false, 'given back is not lost');
  await assertOver(t, first);
  t.equal(first.signal.aborted, false);
  const second = await mustTake(leases);
  t.ok(second.token > first.token);
  t.not(second.id, first.id);
  t.equal(await first.release(), 'released', 'the same answer as before');
  second.assertHeld();
  t.equal(onDisk(leases).id, second.id, 'the late release touched nothing');
  await second.release();
});

await t.test('await using releases, also when it is lost already', async (t) => {
  const leases = someLeases(t);
  {
    await using lease = await leases.acquire('build');
    t.equal(await leases.tryAcquire('build'), null);
    t.ok(lease.held);
  }
  t.ok(await isFree(leases));
  {
    await using lease = await leases.acquire('build');
    await leases.break('build', { force: true });
    t.ok(lease.held, 'nobody has looked');
  }
  t.ok(await isFree(leases));
});

await t.test('previous: how the one before ended', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  const other = new Leases({ dir: leases.location, clock, owner: 'bob' });
  const first = await mustTake(leases);
  t.equal(first.previous, null, 'none before');
  clock.ms += 5;
  await first.release();
  const { pid } = process;
  const second = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  const at = new Date(clock.ms);
  const { token } = first;
  t.strictSame(second.previous, { end: 'released', token, owner: 'alice', pid, at, by: null });
  clock.ms += 1000;
  const third = await mustTake(other);
  t.match(third.previous, { end: 'expired', token: second.token, owner: 'alice', by: null });
  t.equal(await second.release(), 'lost');
  await leases.break('build', { force: true });
  const fourth = await mustTake(leases);
  t.match(fourth.previous, { end: 'broken', token: third.token, owner: 'bob', by: 'alice' });
  t.equal(await third.release(), 'lost');
  await fourth.release();
});

await t.test('a break is noticed by whoever asks', async (t) => {
  const asking: Record<string, (lease: Lease) => unknown> = {
    assertHeld: (lease) => {
      t.throws(() => {
        lease.assertHeld();
      }, lost);
    },
    renew: (lease) => t.rejects(lease.renew(), lost),
    detach: (lease) => t.rejects(lease.detach({ ttl: 1000 }), lost),
    release: async (lease) => {
      t.equal(await lease.release(), 'lost');
    },
  };
  const leases = someLeases(t);
  for (const [how, ask] of Object.entries(asking)) {
    for (const ttl of [undefined, '1m']) {
      const lease = await mustTake(leases, how, ttl === undefined ? {} : { ttl });
      const { signal } = lease;
      t.equal(lease.signal, signal, 'one signal');
      await leases.break(how, { force: true });
      t.equal(signal.aborted, false, 'nobody has looked');
      const successor = await mustTake(leases, how);
      await ask(lease);
      t.equal(signal.aborted, true, how);
      t.ok(signal.reason instanceof LockError);
      t.match(signal.reason, lost);
      await assertOver(t, lease);
      t.equal(await lease.release(), 'lost');
      t.equal(await lease.release(), 'lost');
      successor.assertHeld();
      t.equal(onDisk(leases, how).id, successor.id);
      await successor.release();
    }
  }
});

await t.test('a loss is noticed when nobody asks, and told to who comes later', async (t) => {
  const leases = someLeases(t);
  const disturbances: ((name: string) => unknown)[] = [
    (name) => leases.break(name, { force: true }),
    (name) => {
      rmSync(join(leases.location, `${name}.lock`)); // by an outsider
    },
  ];
  for (const [i, disturb] of disturbances.entries()) {
    const lease = await mustTake(leases, `name${i}`);
    await disturb(`name${i}`);
    await until(() => !lease.held, 'the look once a second');
    t.match(lease.signal.reason, lost, 'a signal that is asked for only now');
    t.ok(lease.signal.aborted);
    t.equal(await lease.release(), 'lost');
  }
});

await t.test('it is renewed by itself, at a third of its TTL', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases, 'build', { ttl: 300 });
  const { id, token } = lease;
  const first = onDisk(leases).expires ?? 0;
  await until(() => (onDisk(leases).expires ?? 0) > first + 300, 'more than one renewal');
  t.ok((lease.expiresAt?.getTime() ?? 0) > first + 300);
  t.strictSame([onDisk(leases).id, onDisk(leases).token], [id, token]);
  lease.assertHeld();
  t.equal(await lease.release(), 'released');
});

await t.test('renew: false: it ends with its TTL, and not before', async (t) => {
  const leases = someLeases(t);
  const before = performance.now();
  const lease = await mustTake(leases, 'build', { ttl: 200, renew: false });
  const { signal } = lease;
  const successor = await leases.acquire('build');
  t.ok(performance.now() - before >= 200, 'not before');
  t.ok(successor.token > lease.token);
  await until(() => signal.aborted, 'the look once a second');
  t.equal(await lease.release(), 'lost');
  await successor.release();
});

await t.test('renew: the TTL begins anew; two at once are one', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  const lease = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  clock.ms += 600;
  const [one, two] = await Promise.all([lease.renew(), lease.renew()]);
  t.strictSame(one, new Date(clock.ms + 1000));
  t.strictSame(two, one);
  t.equal(onDisk(leases).expires, clock.ms + 1000);
  t.strictSame(lease.expiresAt, one);
  clock.ms += 5000;
  t.strictSame(await lease.renew(), new Date(clock.ms + 1000), 'late, and nobody had taken it');
  await lease.release();
});

await t.test('assertHeld past the TTL renews, or throws', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  const lease = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  clock.ms += 999;
  lease.assertHeld();
  t.equal(onDisk(leases).expires, clock.ms + 1, 'in time: a look and no more');
  clock.ms += 1;
  lease.assertHeld();
  t.equal(onDisk(leases).expires, clock.ms + 1000, 'late: renewed, on this thread');
  t.equal(await leases.tryAcquire('build'), null);
  clock.ms += 1000;
  const successor = await mustTake(leases);
  t.throws(() => {
    lease.assertHeld();
  }, lost);
  t.match(lease.signal.reason, lost);
  successor.assertHeld();
  await successor.release();
});

await t.test('assertHeld during a renewal does not call held what is gone', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases, 'build', { ttl: '1m' });
  const guard = tryLock(join(leases.location, 'build.guard'), { sidecar: false });
  const renewal = rejection(lease.renew());
  await new Promise(setImmediate);
  lease.assertHeld();
  rmSync(join(leases.location, 'build.lock'));
  t.throws(
    () => {
      lease.assertHeld();
    },
    { code: 'ERR_LOCK_BUSY' },
  );
  guard?.release();
  t.match(await renewal, lost);
  t.match(lease.signal.reason, lost);
});
