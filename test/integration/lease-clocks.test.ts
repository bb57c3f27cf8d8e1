/**
 * Clocks that are wrong, or have another zero: no lease ends early for it, and none lives for ever
 * (B5). One process has the clock, another the true one, and each besieges the other's leases.
 */
import t, { type Test } from 'tap';

import {
  hasFaketime,
  hasNamespaces,
  otherNamespace,
  wallClock,
  withoutOffsets,
} from '../helpers/clocks.js';
import { full } from '../helpers/counting.js';
import { LeaseProcess, type LeaseProcessOptions, type Told } from '../helpers/lease-process.js';

interface Odd {
  options: LeaseProcessOptions;
  /** By what a reader with true clocks, or of true clocks, judges. */
  judge: 'boot' | 'observed';
}

const clocks: Record<string, Odd> = {};
if (hasFaketime) {
  clocks['an hour ahead'] = { options: wallClock('+3600s'), judge: 'boot' };
  clocks['an hour behind'] = { options: wallClock('-3600s'), judge: 'boot' };
  clocks['ten times too fast'] = { options: wallClock('+0 x10'), judge: 'boot' };
}
if (process.platform === 'linux') {
  clocks['no offsets'] = { options: withoutOffsets, judge: 'observed' };
}
if (hasNamespaces) {
  clocks['another namespace'] = { options: otherNamespace, judge: 'boot' };
  const both = { ...otherNamespace, ...withoutOffsets };
  clocks['another namespace, no offsets'] = { options: both, judge: 'observed' };
}
for (const [what, there] of [
  ['wrong wall clocks: libfaketime is not installed', hasFaketime],
  ['another time namespace: it takes root', hasNamespaces],
] as const) {
  if (!there) await t.test(what, { skip: true }, async () => undefined);
}

/** Somebody with the clock, and somebody with the true one. */
interface Pair {
  clock: string;
  odd: LeaseProcess;
  plain: LeaseProcess;
  judge: Odd['judge'];
}

async function startPairs(t: Test): Promise<Pair[]> {
  const dir = t.testdir();
  const plain = await LeaseProcess.start(t, dir);
  const pair = async ([clock, { options, judge }]: [string, Odd]): Promise<Pair> => {
    return { clock, odd: await LeaseProcess.start(t, dir, options), plain, judge };
  };
  return Promise.all(Object.entries(clocks).map(pair));
}

/** Each of the two as the holder. */
async function bothWays(
  pairs: Pair[],
  trial: (
    holder: LeaseProcess,
    other: LeaseProcess,
    name: string,
    judge: Odd['judge'],
  ) => Promise<void>,
): Promise<void> {
  await Promise.all(
    pairs.flatMap(({ clock, odd, plain, judge }) => [
      trial(odd, plain, `${clock}, of the holder`, judge),
      trial(plain, odd, `${clock}, of the other`, judge),
    ]),
  );
}

type Besieged = { tries: number } & (Told | { key: null });

const longest = 60_000;

await t.test('nobody who lives and renews is robbed', async (t) => {
  const ttl = full ? 20_000 : 4000;
  await bothWays(await startPairs(t), async (holder, other, name) => {
    const lease = await holder.acquire(name, { ttl });
    const siege = (await other.call('besiege', name, ttl * 1.3, {})) as Besieged;
    t.equal(siege.key, null, `${name}: ${siege.tries} attempts in vain`);
    t.match(await holder.call('state', lease.key), { held: true, lost: false });
    t.equal(await holder.release(lease), 'released');
  });
});

await t.test('a TTL, or a freeze, is over when it is over', async (t) => {
  const ttl = 1500;
  await bothWays(await startPairs(t), async (holder, other, name, judge) => {
    const trial = async (
      what: string,
      state: string,
      begin: (name: string) => Promise<unknown>,
    ) => {
      const it = `${name}, ${what}`;
      const before = performance.now();
      await begin(it);
      // A deadline is in whole milliseconds: in the first one it is further away than a TTL.
      await new Promise((resolve) => setTimeout(resolve, 5));
      const info = await other.inspect(it);
      if (info?.state === state) {
        t.equal(info.judge, judge, `${it}: ${state}, judge ${judge}`);
        t.ok((info.leftMs ?? Infinity) <= ttl, `${it}: ${info.leftMs} ms left`);
      }
      const { key } = (await other.call('besiege', it, longest, {})) as Besieged;
      const took = performance.now() - before;
      t.not(key, null, `${it}: not for ever`);
      t.ok(took >= ttl, `${it}: not before its end, but after ${took.toFixed(0)} ms`);
      await other.release({ key: key ?? 0 });
    };
    await Promise.all([
      trial('attached', 'held', (it) => holder.acquire(it, { ttl, renew: false })),
      trial('detached', 'held', (it) => holder.acquire(it, { ttl, detached: true })),
      trial('freeze', 'frozen', (it) => holder.call('freeze', it, { ttl })),
    ]);
  });
});

await t.test(
  'tokens rise although the wall clock was set back',
  { skip: !hasFaketime && 'libfaketime is not installed' },
  async (t) => {
    const dir = t.testdir();
    const plain = await LeaseProcess.start(t, dir);
    const behind = await LeaseProcess.start(t, dir, wallClock('-3600s'));
    let last = 0n;
    for (const each of [plain, behind, plain, behind]) {
      for (const token of (await each.call('take', 'build', 5)) as string[]) {
        t.ok(BigInt(token) > last, `${token} > ${last}`);
        last = BigInt(token);
      }
    }
  },
);
