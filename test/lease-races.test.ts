/**
 * The classic races of lock files, each forced: the rival acts after the look and before the swap.
 * The swap answers conflict, and whoever comes too late behaves. A library that does not compare is
 * caught by the same tests: the last of them blinds the swap.
 */
import { beforeSwap, conflict, Rival } from './helpers/interleave.js'; // before the library

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { Leases, type Lease, type LeaseInfo, type LeaseJson } from '../lib/index.js';
import { HandClock, isFree, mustTake, rejection } from './helpers/some-leases.js';

const other = new Rival(t);
const ttl = 1000;
const lost = { code: 'ERR_LOCK_LOST' };

interface Scene {
  leases: Leases;
  clock: HandClock;
  record: () => string;
  /** Another process, by the same clock. */
  rival: (...operations: [string, ...unknown[]][]) => unknown[];
  /** It takes the name, after what it does before. */
  usurp: (...before: [string, ...unknown[]][]) => LeaseJson;
}

function scene(t: Test): Scene {
  const clock = new HandClock();
  const dir = join(t.testdir(), 'leases');
  const leases = new Leases({ dir, clock, owner: 'alice' });
  const where = { leases: { dir, owner: 'rival' } };
  const rival: Scene['rival'] = (...operations) =>
    other.act({ ...where, clock: clock.ms }, operations);
  return {
    leases,
    clock,
    rival,
    record: () => readFileSync(join(leases.location, 'build.lock'), 'latin1'),
    usurp: (...before) =>
      rival(...before, ['tryAcquire', 'build', { ttl: 60_000 }]).pop() as LeaseJson,
  };
}

const byForce: [string, ...unknown[]] = ['break', 'build', { force: true }];

/** A lease past its TTL, of a holder that lives. */
async function overdue({ leases, clock }: Scene): Promise<Lease> {
  const lease = await mustTake(leases, 'build', { ttl, renew: false });
  clock.ms += ttl;
  return lease;
}

await t.test('two breakers: one breaks, the other finds nothing to break', async (t) => {
  const all = scene(t);
  const { leases, rival } = all;
  const lease = await overdue(all);
  let first: unknown[] = [];
  const { verdicts } = beforeSwap(t, 'remove', () => {
    first = rival(['break', 'build', { stale: true }]);
  });
  t.equal(await leases.break('build', { stale: true }), null);
  t.match(first, [{ id: lease.id, state: 'expired' }]);
  t.strictSame(verdicts, [conflict]);
  t.equal(await lease.release(), 'lost');
});

await t.test('two breakers: not what the first one has taken since', async (t) => {
  for (const how of [{ stale: true }, { force: true, token: 0n }]) {
    const all = scene(t);
    const { leases, usurp, record } = all;
    const lease = await overdue(all);
    if ('token' in how) how.token = lease.token;
    let now = '';
    beforeSwap(t, 'remove', () => {
      usurp();
      now = record();
    });
    t.equal(await leases.break('build', how), null);
    t.equal(record(), now, 'the successor’s record stands');
    t.match(await leases.inspect('build'), { state: 'held', holder: { owner: 'rival' } });
    t.equal(await lease.release(), 'lost');
  }
});

await t.test('two that take over what is stale: one is granted it', async (t) => {
  const stale: Record<string, (all: Scene) => unknown> = {
    expired: overdue,
    corrupt: async ({ leases }) => {
      await isFree(leases);
      writeFileSync(join(leases.location, 'build.lock'), 'INVALID{JSON');
    },
  };
  for (const [state, make] of Object.entries(stale)) {
    const all = scene(t);
    await make(all);
    let successor: LeaseJson | undefined;
    const { verdicts } = beforeSwap(t, 'grant', () => {
      successor = all.usurp();
    });
    t.equal(await all.leases.tryAcquire('build'), null, state);
    t.strictSame(verdicts, [conflict], state);
    t.match(await all.leases.inspect('build'), { id: successor?.id, state: 'held' });
  }
});

await t.test('a renewal comes before the break: nothing is broken', async (t) => {
  const breakers: Record<string, (leases: Leases) => Promise<unknown>> = {
    remove: (leases) => leases.break('build', { stale: true }),
    grant: (leases) => leases.tryAcquire('build'),
  };
  for (const [kind, breaker] of Object.entries(breakers)) {
    const all = scene(t);
    const lease = await overdue(all);
    const { verdicts } = beforeSwap(t, kind as 'remove' | 'grant', () => {
      lease.assertHeld(); // late, and so it renews
    });
    t.equal(await breaker(all.leases), null, kind);
    t.strictSame(verdicts, [conflict]);
    lease.assertHeld();
    t.equal(await lease.release(), 'released');
  }
});

await t.test('a sweep leaves what was renewed, or taken, since it looked', async (t) => {
  const all = scene(t);
  const lease = await overdue(all);
  beforeSwap(t, 'remove', () => {
    lease.assertHeld();
  });
  t.strictSame(await all.leases.sweep(), []);
  lease.assertHeld();
  all.clock.ms += ttl;
  let now = '';
  const { verdicts } = beforeSwap(t, 'remove', () => {
    all.usurp();
    now = all.record();
  });
  t.strictSame(await all.leases.sweep(), []);
  t.strictSame(verdicts, [conflict]);
  t.equal(all.record(), now);
  t.equal(await lease.release(), 'lost');
});

await t.test('a break comes before the renewal: the holder learns of it', async (t) => {
  for (const detached of [false, true]) {
    const all = scene(t);
    const { leases, record, usurp } = all;
    const lease = await mustTake(leases, 'build', { ttl, detached, renew: false });
    const { signal } = lease;
    let now = '';
    const { verdicts } = beforeSwap(t, detached ? 'replace' : 'renew', () => {
      usurp(byForce);
      now = record();
    });
    await t.rejects(lease.renew(), lost);
    t.strictSame(verdicts, [conflict]);
    t.match(signal.reason, lost);
    t.equal(record(), now, 'the successor’s record stands');
    t.equal(await lease.release(), 'lost');
  }
});

await t.test('a late release leaves the successor’s lease', async (t) => {
  for (const detached of [false, true]) {
    const { leases, record, usurp } = scene(t);
    const lease = await mustTake(leases, 'build', { ttl, detached, renew: false });
    let now = '';
    const { verdicts } = beforeSwap(t, 'remove', () => {
      usurp(byForce);
      now = record();
    });
    t.equal(await lease.release(), 'lost');
    t.strictSame(verdicts, [conflict]);
    t.equal(record(), now);
    t.match(lease.signal.reason, lost);
  }
});

await t.test('a break comes before the detach: nothing is detached', async (t) => {
  const { leases, record, usurp } = scene(t);
  const lease = await mustTake(leases, 'build', { ttl, renew: false });
  let now = '';
  const { verdicts } = beforeSwap(t, 'replace', () => {
    usurp(byForce);
    now = record();
  });
  await t.rejects(lease.detach(), lost);
  t.strictSame(verdicts, [conflict]);
  t.match(lease, { held: false, detached: false });
  t.equal(record(), now);
});

await t.test(
  'a holder detaches and dies before it is taken over: the detached lease stands',
  async (t) => {
    const takers: Record<string, [wanted: unknown, take: (leases: Leases) => Promise<unknown>]> = {
      grant: [null, (leases) => leases.tryAcquire('build')],
      remove: [null, (leases) => leases.break('build', { stale: true })],
      sweep: [[], (leases) => leases.sweep()],
    };
    for (const [kind, [wanted, take]] of Object.entries(takers)) {
      const doomed = new Rival(t);
      const { leases, clock } = scene(t);
      const act = (...operations: [string, ...unknown[]][]): unknown[] =>
        doomed.act({ leases: { dir: leases.location }, clock: clock.ms }, operations);
      const [taken] = act(['tryAcquire', 'build', { ttl, renew: false }]) as [LeaseJson];
      clock.ms += ttl;
      const { verdicts } = beforeSwap(t, kind === 'grant' ? kind : 'remove', () => {
        act(['detach', { ttl: 60_000 }]);
        doomed.die();
      });
      t.strictSame(await take(leases), wanted, kind);
      t.strictSame(verdicts, [conflict], kind);
      t.match(
        await leases.inspect('build'),
        { id: taken.id, state: 'held', kind: 'detached' },
        kind,
      );
    }
  },
);

await t.test('a holder dies before its detach: the lease is dead, and is taken over', async (t) => {
  const doomed = new Rival(t);
  const { leases, clock } = scene(t);
  const where = { leases: { dir: leases.location }, clock: clock.ms };
  const [taken] = doomed.act(where, [['tryAcquire', 'build', { ttl, renew: false }]]) as [
    LeaseJson,
  ];
  clock.ms += ttl;
  const { verdicts } = beforeSwap(t, 'grant', () => {
    doomed.die();
  });
  const lease = await mustTake(leases, 'build');
  t.notOk(verdicts.includes(conflict), 'what was judged is still there');
  t.match(lease.previous, { token: BigInt(taken.token) });
  t.equal(await lease.release(), 'released');
});

await t.test('a freeze comes before the grant: it is not granted', async (t) => {
  const all = scene(t);
  await overdue(all);
  const { verdicts } = beforeSwap(t, 'grant', () => {
    all.rival(['freeze', 'build', { ttl }]);
  });
  t.equal(await all.leases.tryAcquire('build'), null);
  t.strictSame(verdicts, [conflict]);
  t.match(await all.leases.inspect('build'), { state: 'frozen', freeze: { owner: 'rival' } });
});

await t.test('an abort comes before the grant: it goes back without a trace', async (t) => {
  const all = scene(t);
  const { leases } = all;
  const { token } = await overdue(all);
  const breaks: unknown[] = [];
  const heard = (event: unknown): number => breaks.push(event);
  subscribe('holdfast:break', heard);
  t.teardown(() => unsubscribe('holdfast:break', heard));
  const controller = new AbortController();
  const reason = new Error('too late');
  beforeSwap(t, 'grant', () => {
    controller.abort(reason);
  });
  t.equal(await rejection(leases.acquire('build', { signal: controller.signal })), reason);
  t.equal(await leases.inspect('build'), null);
  t.match(
    breaks,
    [{ token, state: 'expired', by: 'alice' }],
    'the lease that was there is told of',
  );
  const next = await mustTake(leases);
  t.match(next.previous, { end: 'expired', token }, 'nobody has worked since');
  t.ok(next.token > token + 1n, 'the token of the grant is not handed out again');
  await next.release();
});

await t.test('a swap that does not compare would be caught: two are granted it', async (t) => {
  const all = scene(t);
  await overdue(all);
  beforeSwap(t, 'grant', () => all.usurp(), { unseeing: true });
  t.ok(await all.leases.tryAcquire('build'));
});

await t.test('the same: what was renewed is broken', async (t) => {
  const all = scene(t);
  const lease = await overdue(all);
  const renewal = (): void => {
    lease.assertHeld();
  };
  beforeSwap(t, 'remove', renewal, { unseeing: true });
  const broken: LeaseInfo | null = await all.leases.break('build', { stale: true });
  t.equal(broken?.id, lease.id);
  await t.rejects(lease.renew(), lost);
});

await t.test('the same: a late release ends the successor’s lease', async (t) => {
  const all = scene(t);
  const late = await mustTake(all.leases, 'build', { ttl, renew: false });
  beforeSwap(t, 'remove', () => all.usurp(byForce), { unseeing: true });
  t.equal(await late.release(), 'released');
  t.equal(await all.leases.inspect('build'), null);
});
