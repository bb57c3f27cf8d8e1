/** Renewal under contention, with real processes and real clocks (scenario B). */
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { full } from '../helpers/counting.js';
import { untilBlocked } from '../helpers/kernel.js';
import { LeasePeer, now } from '../helpers/lease-peer.js';
import { mustTake, pause, someLeases, until } from '../helpers/some-leases.js';

const lost = 'ERR_LOCK_LOST';

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

function peers(t: Test, count: number, dir: string): Promise<LeasePeer[]> {
  return LeasePeer.startAll(t, count, { leases: { dir, owner: 'peer' } });
}

/** Tries to break and to take it every 100 ms, for as long as the holder has it. */
async function contend(contender: LeasePeer, name: string, ms: number): Promise<string[]> {
  const seen: string[] = [];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    if ((await contender.break(name, { stale: true })) !== null) seen.push('broken');
    if ((await contender.tryAcquire(name)) !== null) seen.push('taken');
    seen.push((await contender.inspect(name))?.id ?? 'nobody');
    await pause(100);
  }
  return [...new Set(seen)];
}

await t.test('B1: a holder that renews is never broken', async (t) => {
  const runs = full ? 100 : 4;
  const atOnce = 4;
  const dir = join(t.testdir(), 'leases');
  const all = await peers(t, 2 * atOnce, dir);
  for (let run = 0; run < runs; run += atOnce) {
    await Promise.all(
      Array.from({ length: atOnce }, async (_, i) => {
        const [holder, contender] = [all[2 * i], all[2 * i + 1]];
        if (holder === undefined || contender === undefined) return;
        const name = `run${run + i}`;
        const held = await holder.acquire(name, { ttl: 2000 });
        t.strictSame(await contend(contender, name, 3000), [held.id], name);
        await holder.assertHeld(held);
        t.equal(await holder.release(held), 'released');
      }),
    );
  }
});

await t.test('B2: without renewal it is taken after the TTL, and not before', async (t) => {
  const [holder, contender] = await peers(t, 2, join(t.testdir(), 'leases'));
  if (holder === undefined || contender === undefined) return;
  const before = now();
  const held = await holder.acquire('build', { ttl: 600, renew: false });
  const loss = holder.lost(held);
  const next = await contender.acquire('build');
  t.ok(next.at - before >= 600_000, 'not before');
  t.ok(next.token > held.token);
  t.match(next.previous, { end: 'expired', token: held.token });
  t.match(await loss, { code: lost });
  t.equal(await holder.release(held), 'lost');
  await contender.assertHeld(next);
});

await t.test('B3: SIGKILL of the holder: the one who waits has it at once', async (t) => {
  const dir = join(t.testdir(), 'leases');
  const [contender] = await peers(t, 1, dir);
  const victims = await peers(t, 5, dir);
  const took: number[] = [];
  for (const victim of victims) {
    const held = await victim.acquire('build', { ttl: '10m' });
    const wait = contender?.acquire('build');
    await untilBlocked(join(dir, 'build.lock'));
    const killed = now();
    victim.signal('SIGKILL');
    const next = await wait;
    took.push(((next?.at ?? Infinity) - killed) / 1000);
    t.match(next?.previous, { end: 'crashed', token: held.token });
    if (next !== undefined) await contender?.release(next);
  }
  t.comment(`from SIGKILL to the grant: median ${median(took).toFixed(2)} ms`);
  t.ok(median(took) < 5000, 'long before the TTL');
});

await t.test('B3: SIGKILL of the holder: whoever only tries has it at once', async (t) => {
  const dir = join(t.testdir(), 'leases');
  const [victim] = await peers(t, 1, dir);
  await victim?.acquire('build', { ttl: '10m' });
  await victim?.end();
  const lease = await mustTake(new Leases({ dir }));
  t.match(lease.previous, { end: 'crashed', owner: 'peer' });
});

await t.test(
  'a live holder without a TTL is broken: it notices, and a sleeper wakes',
  async (t) => {
    const leases = someLeases(t);
    const [victim, waiter] = await peers(t, 2, leases.location);
    if (victim === undefined || waiter === undefined) return;
    const held = await victim.acquire('build');
    const loss = victim.lost(held);
    const wait = waiter.acquire('build');
    await untilBlocked(join(leases.location, 'build.lock'));
    // The breaker takes it, before the waiter has looked again.
    const at = now();
    t.match(await leases.break('build', { force: true }), { state: 'held', id: held.id });
    const mine = await leases.tryAcquire('build');
    const { code, at: noticed } = await loss;
    t.equal(code, lost);
    t.comment(`the victim noticed after ${((noticed - at) / 1000).toFixed(0)} ms`);
    t.ok(noticed - at < 20_000_000, 'within 2 s on a machine with nothing else to do');
    t.equal(await victim.release(held), 'lost');
    mine?.assertHeld();
    await mine?.release();
    const next = await wait;
    t.ok(next.token > held.token);
    t.equal(await waiter.release(next), 'released');
  },
);

await t.test('B4: SIGSTOP past the TTL, SIGCONT', async (t) => {
  const dir = join(t.testdir(), 'leases');
  const [holder, contender] = await peers(t, 2, dir);
  if (holder === undefined || contender === undefined) return;
  const held = await holder.acquire('build', { ttl: 500 });
  holder.signal('SIGSTOP');
  const next = await contender.acquire('build', { ttl: '1m' });
  t.ok(next.token > held.token);
  t.match(next.previous, { end: 'expired', token: held.token });
  holder.signal('SIGCONT');
  await t.rejects(holder.assertHeld(held), { code: lost }, 'its next guarded step');
  t.match(await holder.lost(held), { code: lost });
  t.equal(await holder.release(held), 'lost');
  await t.rejects(holder.renew(held), { code: lost });
  await contender.assertHeld(next);
  t.match(await contender.inspect('build'), { id: next.id, state: 'held' });
  t.equal(await contender.release(next), 'released');
});

await t.test('B4: stopped past the TTL while nobody wants it: it goes on', async (t) => {
  const [holder] = await peers(t, 1, join(t.testdir(), 'leases'));
  const held = await holder?.acquire('build', { ttl: 200 });
  if (holder === undefined || held === undefined) return;
  holder.signal('SIGSTOP');
  await pause(300);
  holder.signal('SIGCONT');
  await holder.assertHeld(held);
  t.match(await holder.inspect('build'), { id: held.id, token: held.token, state: 'held' });
  t.equal(await holder.release(held), 'released');
});

await t.test('B5: a TTL of 250 ms is kept, and kept to', async (t) => {
  const dir = join(t.testdir(), 'leases');
  const [holder, contender] = await peers(t, 2, dir);
  if (holder === undefined || contender === undefined) return;
  const before = now();
  const held = await holder.acquire('build', { ttl: 250, renew: false });
  t.match(held, { ttl: 250 });
  t.equal(held.expiresAt?.getTime(), held.acquiredAt.getTime() + 250);
  const next = await contender.acquire('build', { ttl: 250 });
  t.ok(next.at - before >= 250_000, 'not before');
  t.comment(`taken after ${((next.at - before) / 1000).toFixed(1)} ms`);
  const { expiresAt } = next;
  await until(
    async () => ((await contender.state(next)).expiresAt ?? 0) > (expiresAt ?? 0),
    'a renewal of a lease with so short a TTL',
  );
  await contender.assertHeld(next);
  t.equal(await contender.release(next), 'released');
});
