/** Conformance 1 and 16: one holder at a time, and many who want it cost no more than one. */
import { EventEmitter, once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

import { Leases, type Lease, type LeaseStore } from '../../lib/index.js';
import { full, overlaps } from '../helpers/counting.js';
import { regressions } from '../helpers/witness.js';
import type { Chapter, Run } from './subject.js';

export const exclusion: Chapter = async (run) => {
  const rounds = full ? run.subject.rounds : 25;

  await run.t.test(`1. 8 processes add one ${rounds} times each`, async (t) => {
    const site = await run.subject.site(t);
    const peers = await run.peers(site, 8);
    const file = join(t.testdir(), 'counter');
    writeFileSync(file, '0');
    const counted = [];
    for (let done = 0; done < rounds; done += 25) {
      // By 25, for each of them may wait for the medium, and an answer has a deadline.
      const options = { byte: 1, ttl: 60_000 };
      const counts = peers.map((peer) => peer.count('counter', file, 25, options));
      counted.push(...(await Promise.all(counts)));
    }
    const expected = 8 * rounds;
    t.equal(Number(readFileSync(file, 'utf8')), expected);
    t.equal(new Set(counted.flatMap(({ values }) => values)).size, expected, 'no value twice');
    t.equal(overlaps(counted.flatMap(({ intervals }) => intervals)), 0, 'no overlap');
    const met = counted.reduce((sum, each) => sum + each.met, 0);
    t.equal(met, 0, 'the witness has seen nobody meet another');
    t.equal(run.witness.tokens(1).length, expected);
    t.equal(regressions(run.witness.tokens(1)), 0, 'tokens rise in the order of the grants');
  });

  await run.t.test('16. 1000 leases are held and 200 wait for one', (t) => crowd(run, t));
};

/** A store whose calls are counted. */
function counting(store: LeaseStore): { store: LeaseStore; calls: () => number } {
  let calls = 0;
  const counted = new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        // These look at what is held here; they ask nothing of anybody.
        if (key !== 'look' && key !== 'forget') calls++;
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { store: counted, calls: () => calls };
}

async function crowd(run: Run, t: Test): Promise<void> {
  const site = await run.subject.site(t);
  const [holder] = await run.three(site);
  const { store, calls } = counting(site.open());
  const leases = new Leases({ store });
  const ttl = 600_000; // or a slow machine renews some of them meanwhile
  const held: Lease[] = [];
  while (held.length < 1000) {
    // Side by side, for each of them waits for the medium.
    const some = Array.from({ length: 50 }, (_, i) => `many/${held.length + i}`);
    held.push(...(await Promise.all(some.map((name) => leases.acquire(name, { ttl })))));
  }
  const hot = await holder.acquire('hot', { ttl });

  const order: number[] = [];
  const granted = new EventEmitter();
  const stop = new AbortController();
  const waits = Array.from({ length: 200 }, async (_, i) => {
    const lease = await leases.acquire('hot', { ttl, signal: stop.signal });
    order.push(i);
    granted.emit('lease', lease);
  });
  for (const wait of waits) wait.catch(() => undefined);
  const nextLease = async (): Promise<Lease> => ((await once(granted, 'lease')) as [Lease])[0];
  await site.untilInLine('hot', 1);

  let next = nextLease();
  await holder.release(hot);
  let lease = await next;
  await new Promise(setImmediate);
  t.strictSame(order.length, 1, 'a release is one grant');

  // Each release wakes one and not all, or these would be some 15 000 requests.
  const before = { calls: calls(), requests: site.requests() };
  for (let i = 0; i < 100; i++) {
    next = nextLease();
    await lease.release();
    lease = await next;
    await new Promise(setImmediate);
  }
  t.equal(order.length, 101, 'one grant for a release');
  const spent = { calls: calls() - before.calls, requests: site.requests() - before.requests };
  t.comment(`100 releases: ${spent.calls} calls of the store, ${spent.requests} requests`);
  t.ok(spent.calls <= 200, `${spent.calls} calls of the store`);
  t.ok(spent.requests <= 2000, `${spent.requests} requests`);
  if (store.capabilities.fifo) t.strictSame(order, [...order.keys()], 'in order');

  stop.abort();
  const outcomes = await Promise.allSettled(waits);
  t.equal(outcomes.filter(({ status }) => status === 'rejected').length, 99, 'the rest gave up');
  t.equal(await lease.release(), 'released');
  t.ok(await holder.tryAcquire('hot', { ttl }), 'and nothing is left of them');

  const infos = [];
  for await (const info of leases.list('many/')) infos.push(info.state);
  t.strictSame(infos, Array<string>(1000).fill('held'));
  const ends = await Promise.all(held.map((each) => each.release()));
  t.strictSame(ends, Array<string>(1000).fill('released'));
}
