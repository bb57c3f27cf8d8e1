/**
 * How long it takes until a process that waits for a lease is granted it: from just before release()
 * in another one, or from just before SIGKILL is sent to that. All processes read the same clock.
 *
 * The holder that is killed is a new process each time. There is no floor: waiting for a lease is more
 * than one system call, and what the kernel alone takes is in the rows of the hand-over.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { startContender } from '../lib/child.mjs';
import { row, withProcesses } from '../lib/rounds.mjs';
import { now } from '../lib/serve.mjs';
import { quantile } from '../lib/stats.mjs';

export const title = 'lease: wake-up';

/** The waiter has gone to sleep by then. */
const settledMs = 10;

export async function measure({ contenders, file, wrong, quick }) {
  const rows = [];
  for (const contender of contenders) {
    const lease = file(`${contender.name}.wake`);
    const start = () => startContender('lease-wake', contender, lease);
    const releases = await afterRelease(start, quick ? 50 : 300, wrong);
    rows.push(...rowsOf('release', contender, releases));
    const kills = await afterKill(start, quick ? 10 : 60, wrong);
    rows.push(...rowsOf('SIGKILL', contender, kills, { below: 5000 }));
  }
  return rows;
}

/** Two processes hold it in turn. */
function afterRelease(start, times, wrong) {
  return withProcesses(async (keep) => {
    let [holder, waiter] = (await Promise.all([start(), start()])).map(keep);
    await holder.ask('acquire');
    const latencies = [];
    for (let i = 0; i < times; i++) {
      const granted = waiter.ask('acquire');
      await delay(settledMs);
      const released = await holder.ask('release');
      latencies.push(between(released, await granted, wrong));
      [holder, waiter] = [waiter, holder];
    }
    return latencies.slice(1); // the first one has never waited before
  });
}

function afterKill(start, times, wrong) {
  return withProcesses(async (keep) => {
    const waiter = keep(await start());
    const latencies = [];
    for (let i = 0; i <= times; i++) {
      const holder = keep(await start());
      const pid = await holder.ask('pid');
      await holder.ask('acquire');
      const granted = waiter.ask('acquire');
      await delay(settledMs);
      const killed = Number(now());
      process.kill(pid, 'SIGKILL');
      latencies.push(between(killed, await granted, wrong));
      await waiter.ask('release');
      await holder.stop();
    }
    return latencies.slice(1);
  });
}

function between(freed, granted, wrong) {
  if (granted < freed) wrong('a lease was granted while somebody held it');
  return (granted - freed) / 1000;
}

/** The spread of the median is that of single wake-ups. */
function rowsOf(after, { name: contender }, latencies, aim) {
  const worst = quantile(
    [...latencies].sort((a, b) => a - b),
    0.99,
  );
  const name = `${title} after ${after}`;
  const common = { contender, unit: 'us', floorValues: null };
  return [
    row({ ...common, name: `${name}, p50`, values: latencies, ...(aim && { aim }) }),
    row({ ...common, name: `${name}, p99`, values: [worst] }),
  ].map((each) => ({ ...each, samples: latencies.length }));
}
