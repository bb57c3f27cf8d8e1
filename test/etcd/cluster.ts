/** Conformance 12: three machines, and one or two of them are lost. */
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { EtcdStore } from '../../lib/store/etcd/etcd-store.js';
import { full } from '../helpers/counting.js';
import { LeasePeer, now } from '../helpers/lease-peer.js';
import { Etcd, withoutEtcd } from '../helpers/etcd.js';
import { regressions } from '../helpers/witness.js';

t.setTimeout(900_000);
let prefixes = 0;
const code = 'ERR_LOCK_STORE_UNAVAILABLE';
/**
 * Of a lease that outlives an election. An election takes 1 to 7 s here, for two candidates may divide the votes
 * again and again; and somebody cut off who comes back causes another. Of 15 s there are 9 left when a
 * renewal is due: what etcd does not answer for longer than that is over, as it has to be.
 */
const ttl = 15_000;

/** Leases in this cluster, through some of its nodes. */
function opener(etcd: Etcd): { prefix: string; open: (...nodes: number[]) => Leases } {
  const prefix = `cluster${++prefixes}`;
  return {
    prefix,
    open: (...nodes) => {
      const { endpoints: all } = etcd;
      const endpoints = nodes.length === 0 ? all : nodes.map((node) => all[node] ?? '');
      return new Leases({ store: new EtcdStore({ endpoints, prefix, timeout: 5000 }) });
    },
  };
}

async function suite(etcd: Etcd): Promise<void> {
  await t.test('12. the leader is killed while a lease is held, and another queued', async (t) => {
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      const { prefix, open } = opener(etcd);
      const [holder, waiter] = [open(), open()];
      const held = await holder.acquire('name', { ttl });
      let granted: number | undefined;
      const waits = waiter.acquire('name', { ttl }).then((lease) => {
        granted = now();
        return lease;
      });
      await etcd.untilCount(`${prefix}/line/name/`, 2);
      const leader = await etcd.leader();
      if (signal === 'SIGKILL') await etcd.kill(leader);
      else await etcd.signal(leader, signal);
      // Longer than the lease would last if it were not renewed.
      const end = now() + (ttl + 3000) * 1000;
      while (now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        if (now() < end) held.assertHeld();
      }
      t.equal(granted, undefined, 'nobody else was granted it');
      await held.renew();
      const released = now();
      t.equal(await held.release(), 'released');
      const next = await waits;
      t.ok(next.token > held.token);
      t.comment(`${signal}: handed over in ${((granted ?? NaN) - released) / 1000} ms`);
      if (signal === 'SIGKILL') await etcd.run(leader);
      else await etcd.signal(leader, 'SIGCONT');
      await etcd.rejoin(leader);
      next.assertHeld();
      await next.renew();
      t.equal(await next.release(), 'released');
      await t.resolves(open(leader).acquire('name'), 'the one that was gone serves again');
    }
  });

  await t.test('12. a minority is isolated, the leader or another', (t) => isolated(etcd, t));

  await t.test('12. two of three are dead', async (t) => {
    const { open } = opener(etcd);
    const leases = open();
    const held = await leases.acquire('name', { ttl: 60_000 });
    const short = await leases.acquire('short', { ttl: 4000 });
    const lost = new Promise((resolve) => short.signal.addEventListener('abort', resolve));
    const dead = [0, 1];
    await Promise.all(dead.map((node) => etcd.kill(node)));
    const began = now();
    await t.rejects(leases.tryAcquire('other'), { code });
    await t.rejects(held.renew(), { code }, 'no answer, which is no loss');
    t.notOk(held.signal.aborted);
    held.assertHeld();
    const took = (now() - began) / 1000;
    t.ok(took < 100_000, `${took} ms for two deadlines`);
    await lost;
    t.throws(
      () => short.assertHeld(),
      { code: 'ERR_LOCK_LOST' },
      'its own deadline is the end of it',
    );
    await Promise.all(dead.map((node) => etcd.run(node)));
    await held.renew();
    t.equal(await held.release(), 'released', 'who had time left goes on');
    const next = await leases.acquire('name');
    t.ok(next.token > held.token);
    await next.release();
    await (await leases.acquire('short', { ttl: 4000 })).release();
  });

  await t.test('12. under load, while one after the other is lost', (t) => load(etcd, t));
}

/** Holders on both sides of a partition, and one on each side who wants what the other holds. */
async function isolated(etcd: Etcd, t: Test): Promise<void> {
  const sides = ['the leader', 'another'] as const;
  for (const who of Array.from({ length: full ? 8 : 1 }, () => sides).flat()) {
    const { open } = opener(etcd);
    const leader = await etcd.leader();
    const alone = who === 'the leader' ? leader : (leader + 1) % 3;
    const majority = [0, 1, 2].filter((node) => node !== alone);
    const [inside, outside] = [open(alone), open(...majority)];
    const [theirs, ours] = [
      await inside.acquire('theirs', { ttl: 6000 }),
      await outside.acquire('ours', { ttl }),
    ];
    // Some begin to ask the one, some the other; and at any moment some are about to renew.
    const others = await Promise.all(
      Array.from({ length: 16 }, async (_, i) => {
        await new Promise((resolve) => setTimeout(resolve, (i * ttl) / 48));
        const store = open(...(i % 2 === 0 ? majority : majority.toReversed()));
        return store.acquire(`other ${i}`, { ttl });
      }),
    );
    let stopped = Infinity;
    theirs.signal.addEventListener('abort', () => (stopped = now()));
    etcd.isolate(alone);
    try {
      const began = now();
      await t.rejects(inside.tryAcquire('ours', { ttl: 6000 }), { code }, 'no grant in a minority');
      t.comment(`${who}: ${code} after ${((now() - began) / 1000).toFixed(0)} ms`);
      const next = await outside.acquire('theirs', { ttl });
      const granted = now();
      t.ok(stopped < granted, `it stopped ${(granted - stopped) / 1000} ms before the next grant`);
      t.ok(next.token > theirs.token);
      ours.assertHeld();
      await ours.renew();
      t.equal(await next.release(), 'released');
      // Longer than any lease lasts that is not renewed.
      while (now() < began + (ttl + 3000) * 1000) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        for (const lease of others) lease.assertHeld();
      }
    } finally {
      await etcd.rejoin(alone);
    }
    for (const lease of [ours, ...others]) {
      t.equal(await lease.release(), 'released', 'the holder of a live majority keeps its lease');
    }
    t.equal(await theirs.release(), 'lost');
    const after = await inside.acquire('ours', { timeout: 30_000 });
    t.ok(after.token > ours.token, 'and all is well again');
    await after.release();
  }
}

async function load(etcd: Etcd, t: Test): Promise<void> {
  const { prefix } = opener(etcd);
  const options = { endpoints: etcd.endpoints, prefix, timeout: 10_000 };
  const store = { module: 'store/etcd/etcd-store.js', name: 'EtcdStore', options };
  const peers = await LeasePeer.startAll(t, 4, { store });
  const end = now() + 20_000_000;
  const works = peers.map((peer) => peer.hammer('name', end, { wait: true, ttl: 10_000 }));
  const trouble = (async () => {
    for (const act of [
      async (node: number) => (await etcd.kill(node), etcd.run(node)),
      async (node: number) => {
        etcd.isolate(node);
        await new Promise((resolve) => setTimeout(resolve, 3000));
        await etcd.rejoin(node);
      },
    ]) {
      await act(await etcd.leader());
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
  })();
  const grants = (await Promise.all(works)).flat();
  await trouble;
  grants.sort((a, b) => a.at - b.at);
  t.comment(`${grants.length} grants`);
  t.ok(grants.length > 50);
  t.equal(new Set(grants.map(({ token }) => token)).size, grants.length, 'no token twice');
  t.equal(regressions(grants.map(({ token }) => token)), 0, 'they rise in the order of the grants');
}

if (withoutEtcd !== false) t.plan(0, withoutEtcd);
else await suite(await Etcd.start(t, { nodes: 3 }));
