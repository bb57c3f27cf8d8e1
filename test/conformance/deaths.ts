/** Conformance 6 and 7: a holder that is killed, and one that is stopped and goes on later. */
import { now } from '../helpers/lease-peer.js';
import { leasesOf, shortTtl, wellOver, type Chapter } from './subject.js';

export const deaths: Chapter = async (run) => {
  await run.t.test('6. kill -9 of the holder, and somebody waits', async (t) => {
    const site = await run.subject.site(t);
    const { capabilities } = leasesOf(site);
    for (const detached of [false, true]) {
      const seen = capabilities.liveness && !detached;
      const ttl = seen ? 60_000 : shortTtl({ capabilities });
      const [waiter, , holder] = await run.three(site);
      const began = now();
      await holder.acquire('name', { ttl, detached });
      const waits = waiter.acquire('name', { ttl: 60_000 });
      await site.untilInLine('name', 1);
      await holder.end();
      const killed = now();
      const next = await waits;
      const took = (next.at - killed) / 1000;
      t.comment(`${detached ? 'detached' : 'attached'}, TTL ${ttl}: ${took.toFixed(1)} ms`);
      if (seen) t.ok(took < ttl / 2, 'long before its TTL');
      else t.ok(next.at >= began + ttl * 1000, 'not before its TTL');
      if (!seen) t.ok(took < wellOver({ capabilities }, ttl), `${took} ms`);
      t.equal(await waiter.release(next), 'released');
    }
  });

  await run.t.test('7. SIGSTOP until the TTL is over', async (t) => {
    const site = await run.subject.site(t);
    const [holder, successor] = await run.three(site);
    const ttl = shortTtl(leasesOf(site));
    for (let round = 0; round < 3; round++) {
      const held = await holder.acquire('name', { ttl });
      holder.signal('SIGSTOP');
      const next = await successor.acquire('name', { ttl: 60_000 });
      t.ok(next.token > held.token);
      // It is asked before it could have noticed by itself.
      const step = holder.assertHeld(held);
      const release = holder.release(held);
      holder.signal('SIGCONT');
      await t.rejects(step, { code: 'ERR_LOCK_LOST' }, 'it learns of it before its next step');
      t.equal(await release, 'lost', 'and releases nothing');
      await successor.assertHeld(next);
      t.equal(await successor.release(next), 'released');
    }
  });
};
