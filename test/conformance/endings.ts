/** Conformance 2 to 5: however a lease ends, its token is behind, and its holder is told. */
import type { Test } from 'tap';

import type { LeaseStore } from '../../lib/index.js';
import type { Held, LeasePeer } from '../helpers/lease-peer.js';
import { regressions } from '../helpers/witness.js';
import { attemptFor, leasesOf, shortTtl, type Chapter, type Run, type Site } from './subject.js';

export const endings: Chapter = async (run) => {
  const { t } = run;
  await t.test('2. tokens rise, however the lease before ended', (t) => tokens(run, t));

  await t.test('3. only with the grant itself', async (t) => {
    const site = await run.subject.site(t);
    const [mine, theirs] = [site.open(), site.open()];
    const first = await granted(mine, 'name');
    t.equal(await mine.release(first), true);
    t.equal(await mine.release(first), false, 'a second release');
    const second = await granted(theirs, 'name');
    t.equal(await mine.release(first), false, 'a late release');
    await t.rejects(mine.renew(first), { code: 'ERR_LOCK_LOST' }, 'a late renewal');
    const standing = await theirs.inspect('name');
    t.equal(standing?.token, second.token, 'nothing was touched');
    t.equal(standing?.state, 'held');
    t.equal(await theirs.renew(second), second.ttl);
    t.equal(await theirs.release(second), true);
    t.equal(await theirs.release(second), false);
    t.equal(await theirs.inspect('name'), undefined);
  });

  await t.test('4. after the TTL', async (t) => {
    const site = await run.subject.site(t);
    const [late, other] = await run.three(site);
    const leases = leasesOf(site);
    const ttl = shortTtl(leases);
    for (const detached of [false, true]) {
      const how = detached ? 'detached' : 'attached';
      const idle = await late.acquire('idle', { ttl, detached, renew: false });
      await untilOver(site, 'idle');
      if (leases.capabilities.revives) {
        await late.renew(idle);
        await late.assertHeld(idle);
        t.equal((await leases.inspect('idle'))?.token, idle.token, `${how}: revived, same token`);
        t.equal(await other.tryAcquire('idle', { ttl }), null);
        t.equal(await late.release(idle), 'released');
      } else {
        await t.rejects(late.renew(idle), { code: 'ERR_LOCK_LOST' }, `${how}: not revived`);
        t.equal(await late.release(idle), 'lost');
      }

      const taken = await late.acquire('taken', { ttl, detached, renew: false });
      const successor = await other.acquire('taken', { ttl: 60_000 });
      t.ok(successor.token > taken.token);
      await t.rejects(late.renew(taken), { code: 'ERR_LOCK_LOST' }, `${how}: refused`);
      t.equal(await late.release(taken), 'lost');
      await other.assertHeld(successor);
      t.equal((await leases.inspect('taken'))?.token, successor.token);
      t.equal(await other.release(successor), 'released');
    }
  });

  await t.test('5. a break', (t) => breaks(run, t));
};

async function tokens(run: Run, t: Test): Promise<void> {
  const site = await run.subject.site(t);
  const [a, b, doomed] = await run.three(site);
  const ttl = shortTtl(leasesOf(site));
  const seen: bigint[] = [];
  const note = <L extends { token: bigint }>(lease: L): L => {
    seen.push(lease.token);
    return lease;
  };
  await a.release(note(await a.acquire('name')));
  await a.release(note(await a.acquire('name'))); // at once, and by the same
  note(await a.acquire('name', { ttl, renew: false }));
  note(await b.acquire('name')); // after it expired
  await a.break('name', { force: true });
  const detached = note(await a.acquire('name', { ttl: 60_000, detached: true }));
  const adopted = await b.adopt('name', detached);
  t.equal(adopted.token, detached.token, 'adopted with its token');
  await b.release(adopted);
  note(await a.acquire('name', { ttl, detached: true }));
  await untilOver(site, 'name');
  await b.sweep();
  note(await doomed.acquire('name', { ttl }));
  await doomed.end();
  const crashed = note(await b.acquire('name'));
  await b.release(crashed);
  await site.restart?.();
  // A client that has known none of the others.
  const leases = leasesOf(site);
  const last = note(await leases.acquire('name'));
  await last.release();
  await leases[Symbol.asyncDispose]();
  note(await leasesOf(site).acquire('name'));
  t.equal(regressions(seen), 0, seen.join(' < '));
}

async function breaks(run: Run, t: Test): Promise<void> {
  const site = await run.subject.site(t);
  const [victim, ...others] = await run.peers(site, 6);
  if (victim === undefined) throw new Error('somebody has to be broken');
  const rounds = 5;
  for (let round = 0; round < rounds; round++) {
    const detached = round % 2 === 1;
    const held: Held = await victim.acquire('name', { ttl: 60_000, detached });
    t.equal(await others[0]?.break('name', { token: held.token + 1n }), null, 'another token');
    t.equal(await others[0]?.break('name', { stale: true }), null, 'it is not stale');
    await victim.renew(held);
    const broken = await Promise.all(
      others.map((peer) => peer.break('name', { token: held.token })),
    );
    const done = broken.filter((info) => info !== null);
    t.equal(done.length, 1, 'one of those who break it at once');
    t.equal(done[0]?.token, held.token);
    await t.rejects(victim.renew(held), { code: 'ERR_LOCK_LOST' });
    t.equal((await victim.lost(held)).code, 'ERR_LOCK_LOST');
    t.equal(await victim.release(held), 'lost');
  }
  t.equal(await victim.break('name', { force: true }), null, 'nothing to break');

  const [first, second, breaker] = await run.three(site);
  const [last] = others.slice(-1);
  if (last === undefined) throw new Error('somebody has to be broken');
  const held = await last.acquire('queue', { ttl: 60_000 });
  const turn = async (peer: LeasePeer): Promise<bigint> => {
    const own = await peer.acquire('queue', { ttl: 60_000 });
    await peer.release(own);
    return own.token;
  };
  const turns = [turn(first)];
  await site.untilInLine('queue', 1);
  turns.push(turn(second));
  await site.untilInLine('queue', 2);
  t.ok(await breaker.break('queue', { token: held.token }));
  turns.push(turn(breaker));
  const order = [held.token, ...(await Promise.all(turns))];
  t.equal(regressions(order), 0, 'who breaks a lease overtakes nobody who waits for it');
}

async function granted(store: LeaseStore, name: string): ReturnType<LeaseStore['acquire']> {
  const outcome = await store.tryAcquire(attemptFor(name));
  if ('denied' in outcome) throw new Error(`${name} is held`);
  return outcome;
}

/** Until anybody may take it, and nobody has. */
async function untilOver(site: Site, name: string): Promise<void> {
  const leases = leasesOf(site);
  for (;;) {
    const info = await leases.inspect(name);
    if (info?.state !== 'held') return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
