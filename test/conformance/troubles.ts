/** Conformance 11 and 15: a store that does not answer, and clocks that jump. */
import { LockError } from '../../lib/index.js';
import { now } from '../helpers/lease-peer.js';
import { leasesOf, shortTtl, wellOver, type Chapter } from './subject.js';

/** A machine that does other things may be late by so much. */
const slackMs = 10_000;
const hour = 3_600_000;

export const troubles: Chapter = async (run) => {
  await run.t.test('11. the store does not answer', async (t) => {
    const site = await run.subject.site(t);
    if (site.troubles.length === 0) t.fail('a store that cannot fail has not been looked at');
    for (const { what, code, withinMs, keepsLeases, begin } of site.troubles) {
      await t.test(what, async (t) => {
        const leases = leasesOf(site);
        const held = await leases.acquire(what, { ttl: 60_000 });
        const other = await leases.acquire('other', { ttl: 60_000 });
        await other.release();
        const end = await begin(['other', what]);
        try {
          const began = performance.now();
          await t.rejects(leases.tryAcquire('other'), { name: 'LockError', code });
          const took = performance.now() - began;
          t.comment(`${code} after ${took.toFixed(0)} ms`);
          t.ok(took < withinMs + slackMs, `${took.toFixed(0)} ms`);
          const waited = performance.now();
          const error = await leases.acquire('other', { timeout: 200 }).catch((e: unknown) => e);
          if (!(error instanceof LockError)) throw new Error('it was granted');
          t.ok([code, 'ERR_LOCK_TIMEOUT'].includes(error.code), `waiting: ${error.code}`);
          t.ok(performance.now() - waited < withinMs + slackMs);
        } finally {
          await end();
        }
        const after = await leases.tryAcquire('other', { ttl: 60_000 });
        t.ok(after, 'it answers again');
        t.ok((after?.token ?? 0n) > other.token);
        await after?.release();
        if (keepsLeases) {
          t.notOk(held.signal.aborted, 'no answer is no loss');
          await held.renew();
          held.assertHeld();
          t.equal(await held.release(), 'released');
        }
      });
    }
  });

  await run.t.test('15. the wall clock of a client jumps by an hour', async (t) => {
    const site = await run.subject.site(t);
    const [holder, other] = await run.three(site);
    const { capabilities } = leasesOf(site);
    const ttl = shortTtl({ capabilities });
    try {
      for (const [ours, theirs] of [
        [0, hour],
        [0, -hour],
        [hour, 0],
        [-hour, 0],
      ] as const) {
        const detached = await holder.acquire('detached', { ttl: 60_000, detached: true });
        const held = await holder.acquire('attached', { ttl: 10 * ttl });
        await holder.skew(ours);
        await other.skew(theirs);
        for (const name of ['attached', 'detached']) {
          t.equal(await other.tryAcquire(name), null, `${name}: nothing expires early`);
          t.equal((await other.inspect(name))?.state, 'held');
          t.equal(await other.break(name, { stale: true }), null);
        }
        t.strictSame(await other.sweep(), []);
        await holder.renew(held);
        await holder.assertHeld(held);
        await holder.renew(detached);
        t.equal(await other.tryAcquire('attached'), null);
        t.equal(await holder.release(held), 'released');
        t.equal(await holder.release(detached), 'released');
        // Taken after the jump, by a clock that is wrong: it ends when it should.
        for (const kind of [false, true]) {
          const began = now();
          await holder.acquire('short', { ttl, detached: kind, renew: false });
          const next = await other.acquire('short', { ttl: 60_000 });
          t.ok(next.at >= began + ttl * 1000, 'not before its TTL');
          t.ok(next.at < began + wellOver({ capabilities }, ttl) * 1000, 'and not for ever');
          await other.release(next);
        }
      }
    } finally {
      await holder.skew(0);
      await other.skew(0);
    }
  });
};
