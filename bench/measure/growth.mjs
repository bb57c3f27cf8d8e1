/**
 * Does it grow? A folder with 10 to 100 000 names that are held: what it costs to take one more, to
 * list them, and to sweep. And 2 to 100 processes that want one name: how many grants a second there are
 * between them.
 *
 * The names are detached leases, which need no process. Their files are written here, as the library
 * would write them, without the syncs: those take minutes, and are measured elsewhere.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Leases } from '../../lib/index.bundle.js';
import { encodeRecord, parseRecord } from '../../lib/record.js';
import { startContender } from '../lib/child.mjs';
import { inTurn, row } from '../lib/rounds.mjs';
import { now } from '../lib/serve.mjs';
import { withTeam } from '../lib/team.mjs';

export const title = 'growth';

const contender = 'holdfast lease';

export async function measure(bench) {
  const rows = [];
  for (const count of bench.quick ? [10, 1_000] : [10, 1_000, 100_000]) {
    rows.push(...(await withNames(count, bench)));
  }
  const [lease] = bench.all.filter(({ name }) => name === contender);
  for (const count of bench.quick ? [2, 10] : [2, 10, 50, 100]) {
    const run = () => grantsPerSecond(lease, count, bench);
    const [result] = await inTurn(bench.quick ? 1 : 2, [{ contender, run, rounds: 2 }]);
    rows.push(row(`${count} processes, one name`, 'grants/s', result));
  }
  return rows;
}

async function withNames(count, { file, quick }) {
  const dir = `${file(`names-${count}`)}.leases`;
  const leases = new Leases({ dir });
  await fill(leases, dir, count);

  const loopOf = (times, turn) => async () => {
    const began = performance.now();
    for (let i = 0; i < times; i++) await turn();
    return ((performance.now() - began) * 1000) / times;
  };
  const pair = async () => (await leases.acquire('one-more')).release();
  const passes = count >= 100_000 ? 1 : quick ? 3 : 10;
  const runs = [
    [`acquire + release beside ${count} names`, 'us', loopOf(500, pair), quick ? 5 : 20],
    [`list ${count} names, each`, 'us', loopOf(1, () => listAll(leases, count)), passes, count],
    [`sweep ${count} names, each`, 'us', loopOf(1, () => leases.sweep()), passes, count],
  ];
  const rows = [];
  for (const [name, unit, run, rounds, divisor = 1] of runs) {
    const [result] = await inTurn(rounds, [{ contender, run, ...(rounds === 1 && { rounds }) }]);
    result.values = result.values.map((value) => value / divisor);
    rows.push(row(name, unit, result));
  }
  rmSync(dir, { recursive: true, force: true });
  return rows;
}

async function listAll(leases, count) {
  let listed = 0;
  for await (const { name } of leases.list()) listed += Number(name.startsWith('name-'));
  if (listed !== count) throw new Error(`${listed} of ${count} are listed`);
}

/** One lease is taken; the others are copies of its files, under names of their own. */
async function fill(leases, dir, count) {
  mkdirSync(dir, { recursive: true });
  await leases.acquire('name-0', { detached: true, ttl: '1d' });
  const guard = readFileSync(join(dir, 'name-0.guard'));
  const { state, record } = parseRecord(readFileSync(join(dir, 'name-0.lock')));
  if (state !== 'valid') throw new Error(`the record that was written is ${state}`);
  for (let i = 1; i < count; i++) {
    const name = `name-${i}`;
    writeFileSync(join(dir, `${name}.guard`), guard, { mode: 0o600 });
    writeFileSync(join(dir, `${name}.lock`), encodeRecord({ ...record, name }), { mode: 0o600 });
  }
}

function grantsPerSecond(lease, count, { file, quick }) {
  const counter = file('growth', '0'.repeat(16));
  const milliseconds = quick ? 200 : 1_000;
  const path = file('growth-lease');
  const start = () => startContender('counter', lease, path, counter);
  return withTeam(count, start, async (ask) => {
    const began = Number(now()) + 100e6;
    const spans = await ask({ times: Infinity, start: began, milliseconds });
    const counted = Number(readFileSync(counter, 'latin1'));
    const grants = spans.reduce((sum, [, , times]) => sum + times, 0);
    if (counted !== grants) throw new Error(`lost ${grants - counted} of ${grants}`);
    const ended = Math.max(...spans.map((span) => span[1]));
    return (grants * 1e9) / (ended - began);
  });
}
