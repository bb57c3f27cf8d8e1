/**
 * What ten processes burn while they wait for a lock that an eleventh has: of one core, together. Ten
 * processes that wait for nothing are the floor.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { startContender } from '../lib/child.mjs';
import { inTurn, row, withProcesses } from '../lib/rounds.mjs';
import { withTeam } from '../lib/team.mjs';

export const title = 'cpu';

const waiters = 10;

export async function measure(bench) {
  const milliseconds = bench.quick ? 500 : 5_000;
  const [any] = bench.contenders;
  const runners = bench.betweenProcesses.map((contender) => ({
    contender: contender.name,
    run: () => round(contender, bench.file(contender.name), milliseconds),
  }));
  runners.unshift({ contender: 'idle processes', run: () => round(any, null, milliseconds) });
  const results = await inTurn(
    1,
    runners.map((runner) => ({ ...runner, rounds: 1 })),
  );
  return results.map((result) => row(`CPU of ${waiters} waiting processes`, '% of a core', result));
}

function round(contender, file, milliseconds) {
  const start = () => startContender('member', contender);
  return withProcesses(async (keep) => {
    const holder = await keep(start());
    if (file !== null) await holder.ask({ acquire: file });
    return withTeam(waiters, start, async (ask) => {
      await ask({ wait: file === null ? [] : [file] });
      await delay(500); // they have started, and have gone to sleep
      const before = await ask({ cpu: true });
      const began = performance.now();
      await delay(milliseconds);
      const after = await ask({ cpu: true });
      const micros = after.reduce((sum, each, i) => sum + each - before[i], 0);
      return micros / 10 / (performance.now() - began);
    });
  });
}
