/**
 * A loop of lock and release in one process, on a file that nobody else wants: what a lock costs
 * when there is no contention. A round is as many turns as fit into some milliseconds (the round
 * before tells), so that a slow contender does not take longer than a fast one.
 */
import { startContender, startFloor } from './child.mjs';
import { inTurn, row, withProcesses } from './rounds.mjs';

const fewestTimes = 20;
const firstTimes = 20;
/** V8 has compiled the loop by then, and whoever grows has grown. */
const warmUpNs = { quick: 150e6, whole: 500e6 };

/**
 * `loop` is the function of a contender's module that runs the turns; `floors` are the modes of the
 * floor that run beside it, by the name under which they are shown.
 */
export function measureLoop(name, loop, contenders, floors, { floor, file, quick }) {
  const rounds = quick ? 5 : 40;
  const roundNs = quick ? 8e6 : 25e6;

  return withProcesses(async (keep) => {
    const timed = (contender, start, requestFor) => {
      let process;
      let times = firstTimes;
      const turn = async (nextNs) => {
        const nsEach = Number(await process.ask(requestFor(times))) / times;
        times = Math.max(fewestTimes, Math.round(nextNs / nsEach));
        return nsEach / 1000;
      };
      const run = async () => {
        if (process === undefined) {
          process = await keep(start());
          await turn(quick ? warmUpNs.quick : warmUpNs.whole);
        }
        return turn(roundNs);
      };
      return { contender, run };
    };
    const runners = [];
    for (const [label, mode] of floor === null ? [] : Object.entries(floors)) {
      const start = () => startFloor(floor, mode, file(`floor-${mode}`));
      runners.push(timed(label, start, (times) => [times]));
    }
    for (const contender of contenders) {
      const start = () => startContender('loop', contender, loop, file(contender.name));
      runners.push(timed(contender.name, start, (times) => times));
    }
    return (await inTurn(rounds, runners)).map((result) => row(name, 'us', result));
  });
}
