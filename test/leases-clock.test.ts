/** Fail-over by an injected clock (scenario D): no test sleeps for a TTL. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { Leases } from '../lib/index.js';
import { full } from './helpers/counting.js';
import { LeasePeer, now } from './helpers/lease-peer.js';
import { HandClock, isFree, mustTake, someLeases } from './helpers/some-leases.js';

/** Two instances that share nothing but the folder and the clock. */
function pair(t: Test): { a: Leases; b: Leases; clock: HandClock } {
  const clock = new HandClock();
  const a = someLeases(t, { clock });
  return { a, b: new Leases({ dir: a.location, clock, owner: 'bob' }), clock };
}

await t.test('D1: a second attempt within the TTL gets nothing', async (t) => {
  const { a, b, clock } = pair(t);
  for (const detached of [false, true]) {
    const lease = await mustTake(a, 'build', { ttl: 100, detached, renew: false });
    t.equal(await b.tryAcquire('build'), null);
    clock.ms += 99;
    t.equal(await b.tryAcquire('build'), null, 'to the last millisecond');
    t.match(await b.inspect('build'), { state: 'held', leftMs: 1, judge: 'injected' });
    t.equal(await lease.release(), 'released');
  }
});

await t.test('D2: what is over is swept by any instance, and can be taken again', async (t) => {
  const { a, b, clock } = pair(t);
  for (const detached of [false, true]) {
    const lease = await mustTake(a, 'build', { ttl: 100, detached, renew: false });
    clock.ms += 150;
    t.match(await b.sweep(), [{ name: 'build', state: 'expired', id: lease.id }]);
    t.notOk(existsSync(join(a.location, 'build.lock')));
    const again = await mustTake(b);
    t.ok(again.token > lease.token);
    t.match(again.previous, { end: 'expired', token: lease.token, owner: 'alice' });
    t.equal(await lease.release(), 'lost');
    again.assertHeld();
    await again.release();
  }
});

await t.test('D3: a crash without a release', async (t) => {
  const { b, clock } = pair(t);
  const where = { leases: { dir: b.location, owner: 'victim' }, clock: clock.ms };
  const peer = await LeasePeer.start(t, where);
  const attached = await peer.acquire('attached', { ttl: 100 });
  const detached = await peer.acquire('detached', { ttl: 100, detached: true });
  await peer.end();
  const next = await mustTake(b, 'attached');
  t.match(next.previous, { end: 'crashed', owner: 'victim', token: attached.token }, 'at once');
  t.equal(await b.tryAcquire('detached'), null, 'it outlives its process');
  clock.ms += 99;
  t.equal(await b.tryAcquire('detached'), null);
  clock.ms += 1;
  const late = await mustTake(b, 'detached');
  t.match(late.previous, { end: 'expired', owner: 'victim', token: detached.token });
});

await t.test('D5: nobody releases another one’s attached lease, whatever he knows', async (t) => {
  const { a, b } = pair(t);
  const lease = await mustTake(a, 'build', { ttl: '1m' });
  const record = readFileSync(join(a.location, 'build.lock'));
  const refused = { code: 'ERR_LOCK_NOT_OWNER' };
  await t.rejects(b.adopt('build', lease), refused);
  await t.rejects(b.adopt('build', lease.toJSON()), refused);
  await t.rejects(new Leases({ dir: a.location, owner: 'alice' }).adopt('build', lease), refused);
  t.strictSame(readFileSync(join(a.location, 'build.lock')), record, 'not a byte has changed');
  lease.assertHeld();
  t.equal(await lease.release(), 'released');
});

await t.test('the clock goes back: nobody gains by it', async (t) => {
  const { a, b, clock } = pair(t);
  const lease = await mustTake(a, 'build', { ttl: 1000, renew: false });
  clock.ms -= 3_600_000;
  t.equal(await b.tryAcquire('build'), null);
  lease.assertHeld();
  await lease.renew();
  clock.ms += 999;
  t.equal(await b.tryAcquire('build'), null);
  clock.ms += 1;
  const next = await mustTake(b);
  t.ok(next.token > lease.token, 'tokens do not follow the clock');
});

await t.test('a clock that is none is told apart', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  for (const ms of [NaN, -1, Infinity, 9e15]) {
    clock.ms = ms;
    await t.rejects(leases.tryAcquire('build', { ttl: 1 }), RangeError, String(ms));
  }
  clock.ms = 0;
  const lease = await mustTake(leases, 'build', { ttl: 1, renew: false });
  clock.ms = 1;
  t.ok(await isFree(leases));
  t.equal(await lease.release(), 'lost');
});

/** With the wall clock that everybody has, and no injected one. */
await t.test('B5: the wall clock jumps an hour, either way', async (t) => {
  const leases = someLeases(t);
  const real = Date.now;
  t.teardown(() => {
    Date.now = real;
  });
  for (const jump of [3_600_000, -3_600_000]) {
    for (const detached of [false, true]) {
      const ttl = 200;
      const name = `${detached ? 'detached' : 'attached'}${jump}`;
      Date.now = real;
      const before = performance.now();
      await mustTake(leases, name, { ttl, detached, renew: false });
      Date.now = () => real() + jump;
      const looked = await leases.break(name, { stale: true });
      if (performance.now() - before < ttl) t.equal(looked, null, 'not broken');
      const next = await leases.acquire(name, { timeout: 30_000 });
      t.ok(performance.now() - before >= ttl, 'not early');
      await next.release();
    }
  }
});

await t.test('D7: really at once: exactly one, whether it is free or over', async (t) => {
  const crews = full ? [5, 32] : [5];
  for (const size of crews) {
    const dir = join(t.testdir(), 'leases');
    const clock = 1_700_000_000_000;
    const peers = await LeasePeer.startAll(t, size, { leases: { dir }, clock });
    const wrong: string[] = [];
    const tokens: bigint[] = [];
    for (let round = 0; round < 100; round++) {
      // Every other time it is there already: the one before has kept it past its TTL.
      const options = { ttl: 1000, renew: false, at: now() + 3000 };
      const all = await Promise.all(peers.map((peer) => peer.tryAcquire('build', options)));
      const winners = all.flatMap((held, i) => (held === null ? [] : [{ held, peer: peers[i] }]));
      const [winner] = winners;
      if (winners.length !== 1) wrong.push(`round ${round}: ${winners.length}`);
      if (winner === undefined) break;
      tokens.push(winner.held.token);
      const end = winner.held.previous?.end;
      const expected = round % 2 === 1 ? 'expired' : round === 0 ? undefined : 'released';
      if (end !== expected) wrong.push(`round ${round}: the one before ${String(end)}`);
      if (round % 2 === 0) await Promise.all(peers.map((peer) => peer.tick(1000)));
      else await winner.peer?.release(winner.held);
    }
    t.strictSame(wrong, [], `${size} processes`);
    t.strictSame(
      [...new Set(tokens)].sort((a, b) => Number(a - b)),
      tokens,
      'tokens rise',
    );
    await Promise.all(peers.map((peer) => peer.end()));
  }
});

await t.test('D8: names that look alike are not the same', async (t) => {
  const leases = someLeases(t);
  const names = [
    ...['a:b', 'a/b', 'a_b', 'a\\b', 'a b', 'a%2fb', 'a%b', 'A:B', 'a', 'A', '.', '..', '...'],
    ...['con', 'CON', 'con.txt', '%63on', ' ', '\n', '~', 'a.', 'a.lock', 'a.guard'],
    ...['\u00e9', 'e\u0301', 'straße', 'strasse', 'ſ', 's', 'İ', 'i', '日本', '🔒', '\ud83d'],
    ...['x'.repeat(300), 'x'.repeat(301), `${'x'.repeat(299)}y`, 'é'.repeat(300)],
  ];
  const held = await Promise.all(names.map((name) => mustTake(leases, name)));
  for (const name of names) t.equal(await leases.tryAcquire(name), null, JSON.stringify(name));
  const listed: string[] = [];
  for await (const info of leases.list()) listed.push(info.name);
  t.strictSame(listed.sort(), [...names].sort());
  for (const [i, name] of names.entries()) {
    t.match(await leases.inspect(name), { name, id: held[i]?.id });
    t.equal(await held[i]?.release(), 'released');
  }
});
