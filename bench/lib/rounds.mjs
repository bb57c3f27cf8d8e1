/**
 * Rounds in turn: everybody measures one round, then everybody the next. Whatever changes on the
 * machine while it runs then changes for all of them.
 *
 * A runner is `{ contender, run }`. The floors are runners as well, so that a ratio to them is one of
 * rounds that lie close together. Who fails once is out: the reason takes the place of the figure.
 */
import { summary } from './stats.mjs';

/**
 * Runs everybody once to warm up, then `rounds` times in turn. `run` resolves to what is kept of a
 * round; a runner may have `rounds` of its own, and then no warm-up: it needs none, or has its own.
 *
 * @returns of each runner `{ contender, values, failure }`
 */
export async function inTurn(rounds, runners) {
  const results = runners.map(({ contender }) => ({ contender, values: [], failure: null }));
  for (let round = -1; round < rounds; round++) {
    for (const [i, { run, rounds: own }] of runners.entries()) {
      const result = results[i];
      const skipped = own !== undefined && (round < 0 || round >= own);
      if (skipped || result.failure !== null) continue;
      try {
        const value = await run();
        if (round >= 0) result.values.push(value);
      } catch (error) {
        result.failure = reasonOf(error);
      }
    }
  }
  return results;
}

/** In a few words: what the system said is enough of an error of the system. */
function reasonOf({ message }) {
  const [line] = message.replace(/^(Error: )+/, '').split('\n');
  return line.replace(/^(E[A-Z]+): .*/, 'fails with $1');
}

/**
 * Keeps the processes that `use` starts with `keep(process)`, or a promise of one, and stops them when
 * it is done.
 */
export async function withProcesses(use) {
  const kept = [];
  const keep = (starting) => {
    const started = Promise.resolve(starting);
    kept.push(started);
    return started;
  };
  try {
    return await use(keep);
  } finally {
    // One that failed to start does not keep those that are still starting from being stopped.
    const settled = await Promise.allSettled(kept);
    await Promise.all(settled.map(({ value }) => value?.stop()));
  }
}

/**
 * One row: the figure of one contender in one measurement, from its rounds in `unit`. Less is better.
 * `about` is whatever else is known.
 */
export function row(name, unit, { contender, values, failure }, about = {}) {
  return {
    name,
    contender,
    unit,
    figure: failure === null ? summary(values) : null,
    failure,
    ...about,
    values: values.map((value) => Number(value.toPrecision(4))),
  };
}
