/**
 * The benchmark: `npm run bench [-- --quick] [-- --only NAME]`.
 *
 * It measures contenders (contenders/list.mjs) side by side with a floor, a bare C program that
 * makes the same system calls (floor.c, floor-lease.c). Each measurement is a module in measure/, runs in
 * processes of its own (children/), and yields rows: median and quartiles over many short rounds, in
 * which everybody takes a turn. Who fails, or does not come to an end, has the reason in place of a
 * figure.
 *
 * A whole run writes results/: the figures as JSON, charts, and docs/performance.md. The goals
 * (goals.mjs) are for a machine that does nothing else. A missed goal is a word in the table; a lock of
 * ours that failed is an exit code of 1.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { findContenders } from './contenders/list.mjs';
import { judge } from './goals.mjs';
import { compileFloor } from './lib/floor.mjs';
import { describeMachine, describeVersions } from './lib/machine.mjs';
import { goalTable, heading, rowTable } from './lib/report.mjs';
import { save } from './lib/save.mjs';
import * as contended from './measure/contended.mjs';
import * as cpu from './measure/cpu.mjs';
import * as growth from './measure/growth.mjs';
import * as handOver from './measure/hand-over.mjs';
import * as kill from './measure/kill.mjs';
import * as lease from './measure/lease.mjs';
import * as size from './measure/size.mjs';
import * as startUp from './measure/start-up.mjs';
import * as uncontended from './measure/uncontended.mjs';
import * as waiting from './measure/waiting.mjs';

const measurements = [
  uncontended,
  lease,
  contended,
  handOver,
  kill,
  cpu,
  waiting,
  startUp,
  growth,
  size,
];

const usage = `Usage: npm run bench -- [--quick] [--only NAME] [--json]

  --quick      fewer and shorter rounds; nothing is written
  --only NAME  one measurement (or several: repeat it); nothing is written
               ${measurements.map(({ title }) => title).join(', ')}
  --json       the figures as JSON on standard output
  --save       write results/ and docs/performance.md all the same
  --help       this text`;

const options = readOptions();
// They cost every Node its share of a start, and are no part of what is measured.
for (const name of ['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS']) delete process.env[name];
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}

const machine = describeMachine(folder); // first: a compiler is a load of its own
const floor = compileFloor(folder);
const contenders = await findContenders();
const about = {
  machine,
  versions: describeVersions(floor.compiler),
  contenders: contenders.map(({ name, version, can, absent }) => ({ name, version, can, absent })),
};
if (!options.json) console.log(`${heading(about)}\n`);
if (floor.reason !== undefined) console.error(`Measuring without the floor: ${floor.reason}\n`);

let files = 0;
const present = contenders.filter(({ absent }) => !absent);
const measured = present.filter(({ name }) => !/durable|renewal/.test(name));
const bench = {
  /** Everybody; everybody with one lock to offer; those whose locks are between processes. */
  all: present,
  contenders: measured,
  betweenProcesses: measured.filter(({ can }) => can.processes && !can.kept),
  floor: floor.program ?? null,
  quick: options.quick,
  /** Makes a new file to be locked, or to be counted in; null: only its path. */
  file(name, contents = '') {
    const path = join(folder, `${name.replace(/\W+/g, '-')}-${files++}.data`);
    if (contents !== null) writeFileSync(path, contents);
    return path;
  },
};

const rows = [];
const took = {};
for (const { title, measure } of measurements) {
  if (options.only !== undefined && !options.only.includes(title)) continue;
  progress(`measuring: ${title}`);
  const began = performance.now();
  const found = await measure(bench);
  took[title] = Math.round((performance.now() - began) / 1000);
  rows.push(...found.map((row) => ({ measurement: title, ...row, ...kindOf(row.contender) })));
}
progress('');

const goals = judge(rows);
const results = {
  date: new Date().toISOString(),
  ...about,
  quick: options.quick,
  took,
  rows,
  goals,
};
if (options.json) console.log(JSON.stringify(results, null, 2));
else console.log(`${rowTable(rows)}\n\n${goalTable(goals)}\n\nseconds: ${JSON.stringify(took)}`);
if (options.save || !(options.quick || options.only)) await save(results);

for (const { name, contender, own, failure } of rows) {
  if (!own || failure === null) continue;
  console.error(`WRONG: ${name}, ${contender}: ${failure}`);
  process.exitCode = 1;
}

/** What the goals and the charts have to know of a contender; the floor is none of these. */
function kindOf(name) {
  const contender = contenders.find((each) => each.name === name);
  if (contender === undefined) return {};
  const { own = false, can } = contender;
  const { excludes, processes, kept = false } = can;
  return { own, peer: !own, excludes: excludes && processes, kept };
}

/** What is going on, for whoever watches; on a terminal, the next line replaces it. */
function progress(line) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
  else if (line !== '') process.stderr.write(`${line}\n`);
}

function readOptions() {
  const boolean = { type: 'boolean', default: false };
  const only = { type: 'string', multiple: true };
  const known = { quick: boolean, json: boolean, save: boolean, help: boolean, only };
  try {
    const { values } = parseArgs({ options: known });
    const titles = measurements.map(({ title }) => title);
    const unknown = values.only?.find((name) => !titles.includes(name));
    if (unknown !== undefined) throw new Error(`There is no measurement '${unknown}'.`);
    if (!values.help) return values;
    console.log(usage);
    process.exit(0);
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}
