/**
 * Processes that add to one counter, twenty times each, every time under the lock: how long all of
 * them take, and whether the count is right. Who loses an increment is not timed.
 *
 * The floor blocks in flock(2) and does not yield to anybody. A C process that is running takes
 * the lock many times before a woken one gets there; a lock that lets waiters go first cannot be
 * as fast, and the ratio is the price of that.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { inTurn, row } from '../lib/rounds.mjs';
import { now } from '../lib/serve.mjs';
import { teamsOf, withTeam } from '../lib/team.mjs';

export const title = 'contended';

const counts = [2, 4, 10, 32];
const times = 20;
/** Everybody has the request by then. */
const headStartNs = 20_000_000;
const zero = '0'.repeat(16);

export async function measure(bench) {
  const rows = [];
  for (const count of bench.quick ? [2, 10] : counts) {
    const name = `counter, ${count} x ${times}`;
    const counter = bench.file('counter', zero);
    const teams = teamsOf('counter', bench.betweenProcesses, 'counter', bench, counter);
    const rounds = bench.quick ? 1 : count > 10 ? 4 : 8;
    const runners = teams.map((team) => ({
      contender: team.contender,
      rounds,
      run: () => round(team, count, counter, bench),
    }));
    const results = await inTurn(rounds, runners);
    rows.push(...results.map((result) => row(name, 'ms', result)));
  }
  return rows;
}

/** They do it twice, and the first time warms them up. */
function round(team, count, counter, { quick }) {
  const limitMs = quick ? 4_000 : 12_000;
  return withTeam(
    count,
    () => team.start(),
    async (ask) => {
      let milliseconds;
      for (let i = 0; i < 2; i++) {
        writeFileSync(counter, zero);
        const start = Number(now()) + headStartNs;
        const spans = await ask(team.request({ times, start }), limitMs);
        const counted = Number(readFileSync(counter, 'latin1'));
        const expected = count * times;
        if (counted !== expected) throw new Error(`lost ${expected - counted} of ${expected}`);
        const began = Math.min(...spans.map((span) => span[0]));
        const ended = Math.max(...spans.map((span) => span[1]));
        milliseconds = (ended - began) / 1e6;
      }
      return milliseconds;
    },
  );
}
