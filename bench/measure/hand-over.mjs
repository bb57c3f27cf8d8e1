/**
 * Hand-over between two processes: from just before release() in one until the promise of the
 * other, which was blocked in the kernel, has resolved. Both read the same clock.
 *
 * Counted are the hand-overs that were one: the lock went to the other process, which had asked
 * well before it became free. The floor does the same with flock(2) in two C processes, where
 * nothing but the kernel lies between unlock and grant.
 */
import { startContender, startFloor } from '../lib/child.mjs';
import { inTurn, row, withProcesses } from '../lib/rounds.mjs';
import { quantile } from '../lib/stats.mjs';

export const title = 'hand-over';

const percentiles = { p50: 0.5, p90: 0.9, p99: 0.99 };
const aims = { p50: { below: 45 } };
/** Asked so long before the release, the waiter was blocked by then. */
const settledNs = 300_000;

export function measure({ contenders, floor, file, wrong, quick }) {
  const rounds = quick ? 3 : 9;
  const holds = quick ? 100 : 180; // of each process, in a round
  const milliseconds = holds * 20; // a round ends then, however many there were

  return withProcesses(async (keep) => {
    const between = (label, processes, request) => {
      processes.forEach(keep);
      return async () => {
        const stamps = await Promise.all(processes.map((process) => process.ask(request)));
        const { latencies, overlaps } = compare(stamps);
        if (overlaps > 0) wrong(`${label}: two processes held the lock at once`);
        return latencies;
      };
    };
    const runners = [];
    for (const contender of contenders) {
      const start = () => startContender('hand-over', contender, file(contender.name));
      const both = await Promise.all([start(), start()]);
      runners.push(between(contender.name, both, { holds, milliseconds }));
    }
    const startOne = () => startFloor(floor, 'hand-over', file('floor'));
    const floorRunner = floor && between('floor', [startOne(), startOne()], [holds, milliseconds]);
    const results = await inTurn(rounds, runners, floorRunner);
    return results.flatMap(({ values, floorValues }, i) =>
      Object.entries(percentiles).map(([percentile, share]) => ({
        ...row({
          name: `${title}, ${percentile}`,
          contender: contenders[i].name,
          unit: 'us',
          values: perRound(values, share),
          floorValues: floorValues && perRound(floorValues, share),
          aim: aims[percentile],
        }),
        samples: values.flat().length,
      })),
    );
  });
}

const perRound = (rounds, share) =>
  rounds.map((latencies) => (latencies.length > 0 ? quantile(latencies, share) : NaN));

/** From the stamps of both processes: the latencies in microseconds, sorted. */
function compare(stamps) {
  const holds = stamps.flatMap((each, process) =>
    Array.from({ length: each.length / 3 }, (_, i) => {
      const [asked, granted, released] = each.slice(3 * i, 3 * i + 3);
      return { process, asked, granted, released };
    }),
  );
  holds.sort((a, b) => a.granted - b.granted);
  const latencies = [];
  let overlaps = 0;
  for (let i = 1; i < holds.length; i++) {
    const [before, after] = [holds[i - 1], holds[i]];
    if (after.granted < before.released) overlaps++;
    const waited = before.released - after.asked >= settledNs;
    if (before.process !== after.process && waited) {
      latencies.push((after.granted - before.released) / 1000);
    }
  }
  return { latencies: latencies.sort((a, b) => a - b), overlaps };
}
