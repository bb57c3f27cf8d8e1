/**
 * Rounds of one contender after the other, the floor in between: contender, floor, contender,
 * floor, … Whatever changes on the machine while it runs then changes for all of them.
 */
import { ratio, summary } from './stats.mjs';

/**
 * Runs everybody once to warm up, then `rounds` times in turn. A runner is a function that measures
 * one round and resolves to its result; `floor` is one too, or null.
 *
 * @returns for each contender `{ values, floorValues }`, the results of its rounds and of the
 * floor's rounds beside them (null without a floor)
 */
export async function inTurn(rounds, runners, floor) {
  const results = runners.map(() => ({ values: [], floorValues: floor === null ? null : [] }));
  for (let round = -1; round < rounds; round++) {
    for (const [i, run] of runners.entries()) {
      const value = await run();
      const floorValue = await floor?.();
      if (round < 0) continue;
      results[i].values.push(value);
      results[i].floorValues?.push(floorValue);
    }
  }
  return results;
}

/** Keeps the processes that `use` starts with `keep(process)`, and stops them when it is done. */
export async function withProcesses(use) {
  const kept = [];
  const keep = (process) => {
    kept.push(process);
    return process;
  };
  try {
    return await use(keep);
  } finally {
    await Promise.all(kept.map((process) => process.stop()));
  }
}

/**
 * One row of the table. `values` and `floorValues` are the rounds, in `unit`. An aim is
 * `{ ratio }`, at most so many times the floor, or `{ below }`, at most so much in the unit.
 */
export function row({ name, contender, unit, values, floorValues, aim = null }) {
  const figure = summary(values);
  const timesFloor = ratio(values, floorValues);
  const measured = aim?.ratio === undefined ? figure?.median : timesFloor;
  const limit = aim?.ratio ?? aim?.below;
  return {
    name,
    contender,
    unit,
    figure,
    floor: floorValues === null ? null : summary(floorValues),
    ratio: timesFloor,
    aim,
    met: measured == null || limit === undefined ? null : measured <= limit,
  };
}
