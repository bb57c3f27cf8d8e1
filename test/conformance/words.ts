/** Conformance 13 and 14: what a store says of its leases is true, whatever they are called. */
import type { LeaseInfo } from '../../lib/index.js';
import { attemptFor, leasesOf, type Chapter } from './subject.js';

const names = [
  '..',
  '.',
  '/',
  '\\',
  'a',
  'a/b',
  'ab',
  'A',
  'a:b',
  'a_b',
  'a b',
  ' ',
  '%41',
  'con',
  '.lock',
  'a.lock',
  'a.guard',
  '\n',
  'é',
  'e\u0301',
  '🔒',
  '🔒'.repeat(100),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(300),
  `${'x'.repeat(299)}y`,
];

export const words: Chapter = async (run) => {
  await run.t.test('13. the TTL as it was granted', async (t) => {
    const site = await run.subject.site(t);
    const store = site.open();
    const { minTtl, ttlGranularity } = store.capabilities;
    for (const asked of [1, minTtl, 1234, 2500, 60_000, 86_400_000]) {
      for (const detached of [false, true]) {
        const attempt = attemptFor(`${asked} ${detached ? 'd' : 'a'}`, { ttl: asked, detached });
        const grant = await store.tryAcquire(attempt);
        if ('denied' in grant) throw new Error('it is free');
        const ttl = grant.ttl ?? NaN;
        t.ok(ttl >= asked, `asked for ${asked}, granted ${ttl}: not less`);
        t.ok(ttl < Math.max(asked, minTtl) + ttlGranularity, 'and not more than need be');
        t.equal(ttl % ttlGranularity, 0);
        const lasts = (grant.expiresAt ?? NaN) - grant.acquiredAt;
        t.ok(Math.abs(lasts - ttl) < Math.max(ttlGranularity, 1000), 'its end is as far off');
        if (asked >= 60_000) {
          const info = await store.inspect(attempt.name);
          t.equal(info?.ttl, ttl);
          t.ok((info?.leftMs ?? NaN) > ttl / 2 && (info?.leftMs ?? NaN) <= ttl);
          t.equal(await store.renew(grant), ttl, 'as much for a renewal');
          t.equal(await store.release(grant), true);
        }
        store.forget(grant);
      }
    }
    const leases = leasesOf(site);
    const endless = await leases.acquire('endless');
    if (leases.capabilities.liveness) t.equal(endless.expiresAt, null);
    else t.ok(endless.expiresAt, 'without liveness there is no lease without an end');
    await endless.release();
  });

  await run.t.test('14. odd names, and 4 KiB beside them', async (t) => {
    const site = await run.subject.site(t);
    const [leases, others] = [leasesOf(site), leasesOf(site)];
    const tokens = new Map<string, bigint>();
    const held = [];
    for (const name of names) {
      const lease = await leases.tryAcquire(name, { ttl: 60_000, meta: { name } });
      if (lease === null) throw new Error(`${name} is taken for another one`);
      held.push(lease);
      tokens.set(name, lease.token);
    }
    for (const name of names) {
      const info = await others.inspect(name);
      t.equal(info?.name, name);
      t.equal(info?.token, tokens.get(name));
      t.strictSame(info?.meta, { name });
      t.equal(await others.tryAcquire(name), null);
    }
    const listed = async (prefix?: string): Promise<string[]> => {
      const infos: LeaseInfo[] = [];
      for await (const info of others.list(prefix)) infos.push(info);
      return infos.map(({ name }) => name).sort();
    };
    t.strictSame(await listed(), [...names].sort(), 'all of them');
    for (const prefix of ['a', 'a/', 'ab', '.', '..', '/', '🔒', 'x'.repeat(256), 'nothing']) {
      const expected = names.filter((name) => name.startsWith(prefix)).sort();
      t.strictSame(await listed(prefix), expected, `those that begin with ${prefix}`);
    }
    for (const [i, lease] of held.entries()) {
      t.equal(await lease.release(), 'released');
      if (i > 0) continue;
      t.strictSame(await listed(), names.slice(1).sort(), 'one ends, the others stay');
    }
    t.strictSame(await listed(), []);
    for (const wrong of ['', 'a\0b', 7 as unknown as string]) {
      await t.rejects(leases.tryAcquire(wrong), TypeError);
      await t.rejects(leases.inspect(wrong), TypeError);
    }

    const text = 'ü'.repeat(1000);
    const meta = {
      text,
      more: 'y'.repeat(4096 - JSON.stringify({ text, more: '' }).length - 1000),
    };
    t.equal(Buffer.byteLength(JSON.stringify(meta)), 4096);
    const lease = await leases.acquire('meta', { ttl: 60_000, meta });
    t.strictSame((await others.inspect('meta'))?.meta, meta);
    t.strictSame(lease.meta, meta);
    await lease.renew();
    t.strictSame((await others.inspect('meta'))?.meta, meta, 'after a renewal, too');
    await lease.release();
    await t.rejects(
      leases.acquire('meta', { ttl: 60_000, meta: { ...meta, z: 1 } }),
      RangeError,
      'no more than that',
    );
  });
};
