/**
 * From SIGKILL of the holder to the grant of one that waits. Part of that is the kernel's: it has to
 * deliver the signal, and to take the process down. When it closes the descriptors, a pipe that the
 * holder had open comes to its end, and a C program that reads it writes down the time. What is left
 * after that is the lock's own.
 *
 * The holder is a new process each time. Who cannot tell that a holder is dead waits until what it left
 * behind is stale; that is timed once.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { startContender, startFloor } from '../lib/child.mjs';
import { inTurn, row, withProcesses } from '../lib/rounds.mjs';
import { now } from '../lib/serve.mjs';
import { quantileOf } from '../lib/stats.mjs';

export const title = 'kill';

/** The waiter has gone to sleep by then. */
const settledMs = 15;

export function measure(bench) {
  const { floor, quick } = bench;
  const limitMs = quick ? 3_000 : 15_000;
  return withProcesses(async (keep) => {
    const fifo = bench.file('pipe', null);
    const pipe = floor === null ? null : await keep(startFloor(floor, 'pipe', fifo));
    const runners = bench.betweenProcesses.map((contender) => {
      let waiter;
      const run = () =>
        withProcesses(async (keepOnce) => {
          const file = bench.file(contender.name);
          waiter ??= await keep(startContender('member', contender));
          const holder = await keepOnce(startContender('member', contender));
          // Descriptors are closed in their order: the pipe's is the one before the lock's.
          const ended = pipe?.ask([0], limitMs);
          if (pipe !== null) await holder.ask({ open: fifo });
          await holder.ask({ acquire: file });
          const granted = waiter.ask({ acquire: file }, limitMs);
          await delay(settledMs);
          const killed = Number(now());
          process.kill(holder.pid, 'SIGKILL');
          const at = await granted;
          const closed = pipe === null ? NaN : (await ended)[0];
          await waiter.ask({ release: true });
          return { total: (at - killed) / 1e6, own: (at - closed) / 1e6 };
        });
      const polls = contender.can.waits.startsWith('poll');
      return { contender: contender.name, run, ...(polls && { rounds: 1 }) };
    });
    return (await inTurn(quick ? 5 : 40, runners)).flatMap(rowsOf);
  });
}

function rowsOf(result) {
  const figures = (of) => ({ ...result, values: result.values.map(of) });
  const own = figures((each) => each.own);
  const total = figures((each) => each.total);
  const worst = { ...total, values: [quantileOf(total.values, 0.99)].filter(Number.isFinite) };
  return [
    row('SIGKILL to grant', 'ms', total),
    row('SIGKILL to grant, p99', 'ms', worst),
    row('end of descriptors to grant', 'ms', own),
  ];
}
