/** What anybody may do to leases: inspect, list, break, sweep, freeze. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { Leases, tryLock, type LeaseInfo } from '../lib/index.js';
import { HandClock, isFree, mustTake, rejection, someLeases } from './helpers/some-leases.js';

async function namesOf(leases: Leases, prefix?: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of leases.list(prefix)) names.push(name);
  return names;
}

await t.test('inspect', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  t.equal(await leases.inspect('build'), null);
  t.notOk(existsSync(leases.location), 'looking creates nothing');
  const lease = await mustTake(leases, 'build', { ttl: 1000, renew: false, meta: { a: [1] } });
  clock.ms += 400;
  const { id, token } = lease;
  const known = { name: 'build', id, token, kind: 'attached', ttl: 1000, meta: { a: [1] } };
  const holder = { owner: 'alice', pid: process.pid, since: lease.acquiredAt };
  t.match(await leases.inspect('build'), {
    ...known,
    holder,
    state: 'held',
    why: 'holder alive',
    leftMs: 600,
    judge: 'injected',
    until: new Date(clock.ms + 600),
    freeze: null,
    corruption: null,
  });
  clock.ms += 601;
  t.match(await leases.inspect('build'), {
    ...known,
    state: 'expired',
    why: 'ttl over',
    leftMs: -1,
  });
  await lease.release();
  t.equal(await leases.inspect('build'), null);
});

await t.test('list: names with a prefix, and nothing that is no lease', async (t) => {
  const leases = someLeases(t);
  t.strictSame(await namesOf(leases), [], 'no folder, no leases');
  const odd = [
    '..',
    'a',
    'a/b',
    'ab',
    'A',
    '🔒',
    `long-${'x'.repeat(300)}`,
    'con',
    'x'.repeat(4096),
  ];
  const held = await Promise.all(odd.map((name) => mustTake(leases, name)));
  tryLock(join(leases.location, 'resource'));
  writeFileSync(join(leases.location, 'notes.txt'), '');
  writeFileSync(join(leases.location, 'NOT-OURS.lock'), '');
  mkdirSync(join(leases.location, 'folder'));
  const sorted = (names: string[]): string[] => [...names].sort();
  t.strictSame(sorted(await namesOf(leases)), sorted(odd));
  t.strictSame(sorted(await namesOf(leases, 'a')), ['a', 'a/b', 'ab']);
  t.strictSame(sorted(await namesOf(leases, 'a/')), ['a/b']);
  t.strictSame(await namesOf(leases, 'long-xxx'), [`long-${'x'.repeat(300)}`]);
  await leases.freeze('frozen', { ttl: '1m' });
  t.strictSame(await namesOf(leases, 'f'), ['frozen'], 'a freeze alone is something to see');
  for (const lease of held) t.equal(await lease.release(), 'released');
});

await t.test('break: stale only, by force, by token', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  const bob = new Leases({ dir: leases.location, clock, owner: 'bob' });
  t.equal(await bob.break('build', { force: true }), null, 'there is none');
  t.notOk(existsSync(leases.location));
  const lease = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  const { id, token } = lease;
  t.equal(await bob.break('build', { stale: true }), null, 'its holder lives');
  t.equal(await bob.break('build', { token: token + 1n }), null, 'another one');
  t.equal(await bob.break('build', { token: token + 1n, stale: true }), null);
  t.equal(await bob.break('build', { token, stale: true }), null, 'this one, but it is not stale');
  lease.assertHeld();
  t.match(await bob.break('build', { token: String(token) }), { id, token, state: 'held' });
  t.throws(
    () => {
      lease.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  t.equal(await bob.inspect('build'), null, 'broken is free, not taken');

  const second = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  t.match(await bob.break('build', { force: true }), { id: second.id, state: 'held' });
  t.equal(await second.release(), 'lost');

  const third = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  clock.ms += 1000;
  t.match(await bob.break('build', { stale: true }), { id: third.id, state: 'expired' });
  t.equal(await third.release(), 'lost');

  const fourth = await mustTake(leases, 'build', { ttl: 1000, detached: true });
  t.equal(await bob.break('build', { stale: true }), null);
  t.match(await bob.break('build', { force: true, token: fourth.token }), { state: 'held' });
  await t.rejects(fourth.renew(), { code: 'ERR_LOCK_LOST' });
  const tokens = [token, second.token, third.token, fourth.token, (await mustTake(bob)).token];
  t.strictSame(
    [...tokens].sort((a, b) => Number(a - b)),
    tokens,
    'tokens rise',
  );
});

await t.test('break: never the sidecar of a file lock', async (t) => {
  const leases = someLeases(t);
  const held = tryLock(join(leases.location, 'data'));
  t.match(await leases.inspect('data'), { state: 'held', why: 'sidecar' });
  t.equal(await leases.tryAcquire('data'), null);
  t.equal(await leases.break('data', { stale: true }), null);
  await t.rejects(leases.break('data', { force: true }), { code: 'ERR_LOCK_HELD' });
  t.strictSame(await leases.sweep(), []);
  held?.assertHeld();
  held?.release();
});

await t.test(
  'sweep: a folder in place of a left-over does not keep it from the others',
  async (t) => {
    const leases = someLeases(t);
    mkdirSync(join(leases.location, 'blocked.new'), { recursive: true });
    writeFileSync(join(leases.location, 'zombie.lock'), '');
    t.match(await leases.sweep(), [{ name: 'zombie', state: 'corrupt' }]);
    t.ok(existsSync(join(leases.location, 'blocked.new')));
  },
);

await t.test('sweep: what is stale and what is left over, nothing else', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  t.strictSame(await leases.sweep(), []);
  const [expired, live] = [
    await mustTake(leases, 'expired', { ttl: 1000, renew: false }),
    await mustTake(leases, 'live', { ttl: 10_000, renew: false }),
  ];
  await leases.freeze('thawed', { ttl: 1000 });
  await leases.freeze('frozen', { ttl: 10_000 });
  const file = (name: string): string => join(leases.location, name);
  writeFileSync(file('damaged.lock'), 'not a record');
  writeFileSync(file('live.new'), 'of somebody who died');
  clock.ms += 1000;
  const swept = (await leases.sweep()).map(({ name, state }: LeaseInfo) => `${name} ${state}`);
  t.strictSame(swept.sort(), ['damaged corrupt', 'expired expired']);
  for (const gone of ['expired.lock', 'damaged.lock', 'thawed.freeze', 'live.new']) {
    t.notOk(existsSync(file(gone)), gone);
  }
  for (const left of ['live.lock', 'frozen.freeze', 'expired.guard']) {
    t.ok(existsSync(file(left)), left);
  }
  live.assertHeld();
  t.equal(await expired.release(), 'lost');
  t.equal(await live.release(), 'released');
});

await t.test('a stale lease below a freeze is swept, and still nobody gets in', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  await mustTake(leases, 'build', { ttl: 1000, renew: false });
  await leases.freeze('build', { ttl: 60_000 });
  clock.ms += 1000;
  t.match(await leases.inspect('build'), { state: 'frozen', holder: { owner: 'alice' } });
  t.equal((await leases.sweep()).length, 1);
  t.equal(await leases.tryAcquire('build'), null);
});

await t.test('freeze: nobody new; whoever holds it goes on', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  const bob = new Leases({ dir: leases.location, clock, owner: 'bob' });
  const lease = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  await bob.freeze('build', { ttl: '10s' });
  const freeze = { owner: 'bob', since: new Date(clock.ms), leftMs: 10_000 };
  t.match(await leases.inspect('build'), { state: 'held', freeze });
  await lease.renew();
  lease.assertHeld();
  t.equal(await lease.release(), 'released');
  t.match(await leases.inspect('build'), { state: 'frozen', why: 'freeze', freeze, holder: null });
  t.equal(await bob.tryAcquire('build'), null, 'not even who froze it');
  t.match(await rejection(bob.acquire('build', { timeout: 0 })), { code: 'ERR_LOCK_FROZEN' });
  t.equal(await bob.unfreeze('build'), true);
  t.equal(await bob.unfreeze('build'), false);
  // What has run out beneath a freeze keeps nobody out.
  await mustTake(leases, 'over', { ttl: '1s', renew: false });
  clock.ms += 1001;
  await bob.freeze('over', { ttl: '10s' });
  for (const timeout of [0, 20]) {
    const code = timeout === 0 ? 'ERR_LOCK_FROZEN' : 'ERR_LOCK_TIMEOUT';
    t.match(await rejection(bob.acquire('over', { timeout })), { code, holder: null });
  }
  t.equal(await bob.unfreeze('never used'), false);
  t.ok(await isFree(leases));
  await bob.freeze('build', { ttl: '10s' });
  await bob.freeze('build', { ttl: '1s' });
  clock.ms += 999;
  t.equal(await leases.tryAcquire('build'), null);
  clock.ms += 1;
  t.ok(await isFree(leases), 'one freeze takes the place of another, and ends');
  await bob.freeze('build', { ttl: '1s' });
  clock.ms += 1000;
  t.equal(await bob.unfreeze('build'), false, 'it was over');
});
