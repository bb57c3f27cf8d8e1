/**
 * Ten processes add to one counter, twenty times each, every time under the lock: how long all of
 * them take, and whether the count is right. A wrong count is the one thing that makes the
 * benchmark fail.
 *
 * The floor blocks in flock(2) and does not yield to anybody. A C process that is running takes
 * the lock many times before a woken one gets there; a lock that lets waiters go first cannot be
 * as fast, and the ratio is the price of that.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { startContender, startFloor } from '../lib/child.mjs';
import { inTurn, row, withProcesses } from '../lib/rounds.mjs';
import { now } from '../lib/serve.mjs';

export const title = 'counter, 10 processes x 20';

const processCount = 10;
const times = 20;
/** Everybody has the request by then. */
const headStartNs = 20_000_000;
const zero = '0'.repeat(16);

export function measure({ contenders, floor, file, wrong, quick }) {
  const rounds = quick ? 5 : 30;

  return withProcesses(async (keep) => {
    const team = (label, counter, processes, requestFor) => {
      processes.forEach(keep);
      return async () => {
        writeFileSync(counter, zero);
        const request = requestFor(Number(now()) + headStartNs);
        const spans = await Promise.all(processes.map((process) => process.ask(request)));
        const count = Number(readFileSync(counter, 'latin1'));
        const expected = processCount * times;
        if (count !== expected) wrong(`${label}: counted ${count}, not ${expected}`);
        const began = Math.min(...spans.map((span) => span[0]));
        const ended = Math.max(...spans.map((span) => span[1]));
        return (ended - began) / 1e6;
      };
    };
    const runners = [];
    for (const contender of contenders) {
      const { name } = contender;
      const counter = file(`${name}.counter`, zero);
      const starting = all(() => startContender('counter', contender, file(name), counter));
      const requestFor = (start) => ({ times, start });
      runners.push(team(name, counter, await Promise.all(starting), requestFor));
    }
    let floorRunner = null;
    if (floor !== null) {
      const counter = file('floor.counter', zero);
      const processes = all(() => startFloor(floor, 'counter', file('floor'), counter));
      floorRunner = team('floor', counter, processes, (start) => [times, start]);
    }
    const results = await inTurn(rounds, runners, floorRunner);
    return results.map((result, i) =>
      row({ name: title, contender: contenders[i].name, unit: 'ms', ...result }),
    );
  });
}

const all = (start) => Array.from({ length: processCount }, start);
