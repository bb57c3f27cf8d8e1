/**
 * A loop of lock and release in one process, on a file that nobody else wants: what a lock costs
 * when there is no contention. A round is as many turns as fit into some milliseconds (the round
 * before tells), so that a slow contender does not take longer than a fast one.
 */
import { startContender, startFloor } from './child.mjs';
import { inTurn, row, withProcesses } from './rounds.mjs';

const fewestTimes = 50;

/**
 * `loop` is the function of the contender's module that runs the turns, `form` is 'bare' (the file
 * itself is locked) or 'sidecar' (a file beside it), or of a lease; it is the mode of the floor, too.
 * `firstTimes` is for the first round, of which nothing is known.
 */
export function measureLoop(
  { name, loop, form, aim, firstTimes = 2000 },
  { contenders, floor, file, quick },
) {
  const rounds = quick ? 7 : 40;
  const roundNs = quick ? 15e6 : 40e6;

  const timed = (process, requestFor) => {
    let times = firstTimes;
    return async () => {
      const nsEach = Number(await process.ask(requestFor(times))) / times;
      times = Math.max(fewestTimes, Math.round(roundNs / nsEach));
      return nsEach / 1000;
    };
  };

  return withProcesses(async (keep) => {
    const runners = [];
    for (const contender of contenders) {
      const child = await startContender('loop', contender, loop, form, file(contender.name));
      runners.push(timed(keep(child), (times) => times));
    }
    const floorRunner =
      floor && timed(keep(startFloor(floor, form, file('floor'))), (times) => [times]);
    const results = await inTurn(rounds, runners, floorRunner);
    return results.map((result, i) =>
      row({ name, contender: contenders[i].name, unit: 'us', aim, ...result }),
    );
  });
}
