/**
 * What waiting does to the rest of the process: how long fs.stat takes while it has 0, 1, 4, 64 and 1000
 * waits pending, for one file or for a file each, and, in a process that does nothing else, how much
 * memory and how many threads a wait costs. A contender that waits in libuv's pool stops every fs call
 * of its process with four.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { startContender } from '../lib/child.mjs';
import { inTurn, row, withProcesses } from '../lib/rounds.mjs';
import { quantileOf } from '../lib/stats.mjs';

export const title = 'waiting';

/** A thousand leases in folders of their own are thousands of syncs. */
const holdLimitMs = 60_000;
const allSteps = [0, 1, 4, 64, 1000];

export async function measure(bench) {
  const rows = [];
  for (const files of ['one file', 'a file each']) {
    const steps = bench.quick ? [0, 4, 64] : allSteps;
    const runners = bench.betweenProcesses.map((contender) => ({
      contender: contender.name,
      run: () => round(contender, files === 'one file', steps, bench),
    }));
    const rounds = bench.quick ? 1 : 3;
    const results = await inTurn(
      rounds,
      runners.map((runner) => ({ ...runner, rounds })),
    );
    for (const result of results) rows.push(...rowsOf(result, files, steps));
  }
  return rows;
}

function round(contender, shared, steps, { file, quick }) {
  const most = steps.at(-1);
  const files = Array.from({ length: shared ? 1 : most }, (_, i) => file(`${contender.name}.${i}`));
  const some = (from, to) =>
    Array.from({ length: to - from }, (_, i) => files[shared ? 0 : from + i]);
  return withProcesses(async (keep) => {
    const start = () => keep(startContender('member', contender));
    const holder = await start();
    await holder.ask({ hold: files }, holdLimitMs);
    const latencies = await latenciesOf(await start(), some, steps, quick ? 100 : 300);
    return { latencies, ...(await costOf(await start(), some, most)) };
  });
}

/** By the number of waits. After a stat that does not come back, no more are tried. */
async function latenciesOf(waiter, some, steps, milliseconds) {
  await waiter.ask({ stat: 200 }); // warm
  const latencies = {};
  let pending = 0;
  for (const step of steps) {
    await waiter.ask({ wait: some(pending, step) });
    pending = step;
    const all = await waiter.ask({ stat: milliseconds });
    latencies[step] = all === null ? null : quantileOf(all, 0.5);
    if (all === null) return latencies;
  }
  return latencies;
}

/** Of one wait more. The first one has loaded whatever a wait needs. */
async function costOf(waiter, some, most) {
  await waiter.ask({ wait: some(0, 1) });
  await delay(200);
  const before = await waiter.ask({ usage: true });
  await waiter.ask({ wait: some(1, most) });
  await delay(500);
  const after = await waiter.ask({ usage: true });
  return {
    memory: (after.resident - before.resident) / 1024 / (most - 1),
    threads: (after.threads - before.threads) / (most - 1),
  };
}

function rowsOf(result, files, steps) {
  const figures = (name, unit, of) => {
    const values = result.values.map(of);
    const lost = values.some((value) => value === null);
    const failure = result.failure ?? (lost ? 'does not come back' : null);
    return row(name, unit, { ...result, values: lost ? [] : values, failure });
  };
  const most = steps.at(-1);
  const stats = steps.map((step) =>
    figures(
      `fs.stat, ${step} waits for ${files}`,
      'us',
      ({ latencies }) => latencies[step] ?? null,
    ),
  );
  return [
    ...stats,
    figures(`memory of a wait, ${most} for ${files}`, 'KiB', ({ memory }) => memory),
    figures(`threads of a wait, ${most} for ${files}`, '', ({ threads }) => threads),
  ];
}
