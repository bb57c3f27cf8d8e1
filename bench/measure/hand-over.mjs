/**
 * Hand-over between processes: from just before release() in one until the promise of the next one
 * has resolved, with 2, 10 and 32 of them in line. All read the same clock.
 *
 * Counted are the hand-overs that were one: the lock went to another process, which had asked well
 * before it became free. The floor does the same with flock(2) in C processes, where nothing but the
 * kernel lies between unlock and grant.
 *
 * The ten tell about fairness as well: the longest wait, and how many were granted the lock in the
 * order in which they had come.
 */
import { inTurn, row } from '../lib/rounds.mjs';
import { quantileOf } from '../lib/stats.mjs';
import { teamsOf, withTeam } from '../lib/team.mjs';

export const title = 'hand-over';

const percentiles = { p50: 0.5, p90: 0.9, p99: 0.99 };
/** Asked so long before the release, a waiter was in line by then. */
const settledNs = 300_000;

export async function measure(bench) {
  const rows = [];
  for (const count of bench.quick ? [2, 10] : [2, 10, 32]) {
    const teams = teamsOf('hand-over', bench.betweenProcesses, 'hand-over', bench);
    const rounds = bench.quick ? 1 : 4;
    const runners = teams.map((team) => ({
      contender: team.contender,
      rounds,
      run: () => round(team, count, bench.quick),
    }));
    for (const result of await inTurn(rounds, runners)) {
      const figures = (name, unit, of) =>
        row(name, unit, { ...result, values: result.values.map(of) });
      const samples = result.values.flatMap(({ latencies }) => latencies).length;
      for (const [percentile, share] of Object.entries(percentiles)) {
        const name = `hand-over, ${count} processes, ${percentile}`;
        rows.push({ ...figures(name, 'us', (each) => quantileOf(each.latencies, share)), samples });
      }
      if (count !== 10) continue;
      rows.push(figures('fairness: longest wait', 'ms', ({ longest }) => longest));
      rows.push(figures('fairness: granted out of order', '%', ({ outOfOrder }) => outOfOrder));
      rows.push(figures('fairness: most grants / fewest', 'x', ({ uneven }) => uneven));
    }
  }
  return rows;
}

function round(team, count, quick) {
  const holds = 10_000; // the time ends it
  return withTeam(
    count,
    () => team.start(),
    async (ask) => {
      await ask(team.request({ holds, milliseconds: 200 }));
      const stamps = await ask(team.request({ holds, milliseconds: quick ? 300 : 1000 }));
      return compare(stamps);
    },
  );
}

/** From the stamps of all processes: latencies in microseconds, and what fairness is judged by. */
function compare(stamps) {
  const holds = stamps.flatMap((each, process) =>
    Array.from({ length: each.length / 3 }, (_, i) => {
      const [asked, granted, released] = each.slice(3 * i, 3 * i + 3);
      return { process, asked, granted, released };
    }),
  );
  holds.sort((a, b) => a.granted - b.granted);
  const latencies = [];
  let contended = 0;
  let overtakings = 0;
  for (let i = 1; i < holds.length; i++) {
    const [before, after] = [holds[i - 1], holds[i]];
    if (after.granted < before.released) throw new Error('two held it at once');
    if (after.process !== before.process && before.released - after.asked >= settledNs) {
      latencies.push((after.granted - before.released) / 1000);
    }
    // Those who were in line when it was released, but for the one that was granted it.
    const line = holds.slice(i + 1).filter(({ asked }) => before.released - asked >= settledNs);
    if (line.length === 0) continue;
    contended++;
    // Who asked within the same moment may be granted it in any order.
    if (line.some(({ asked }) => after.asked - asked >= settledNs)) overtakings++;
  }
  const grants = stamps.map((each) => each.length / 3);
  return {
    latencies,
    longest: Math.max(...holds.map(({ asked, granted }) => granted - asked)) / 1e6,
    outOfOrder: contended === 0 ? NaN : (100 * overtakings) / contended,
    uneven: Math.max(...grants) / Math.max(1, Math.min(...grants)),
  };
}
