/**
 * The benchmark: `npm run bench [-- --quick] [-- --json]`.
 *
 * It measures contenders (contenders/list.mjs) side by side with a floor, a bare C program that
 * makes the same system calls (floor.c, floor-lease.c). Each measurement is a module in measure/, runs in
 * processes of its own (children/), and yields rows: median and quartiles over many short rounds,
 * taken in turn with the floor, and the aim.
 *
 * The aims are for a machine that does nothing else. A missed aim is a word in the table; a lock
 * that let two in is an exit code of 1.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { contenders } from './contenders/list.mjs';
import { compileFloor } from './lib/floor.mjs';
import { describeMachine, describeVersions } from './lib/machine.mjs';
import { heading, table } from './lib/report.mjs';
import * as asynchronous from './measure/async.mjs';
import * as counter from './measure/counter.mjs';
import * as handOver from './measure/hand-over.mjs';
import * as leaseWake from './measure/lease-wake.mjs';
import * as lease from './measure/lease.mjs';
import * as syncBare from './measure/sync-bare.mjs';
import * as syncSidecar from './measure/sync-sidecar.mjs';

const measurements = [syncBare, syncSidecar, asynchronous, handOver, counter, lease, leaseWake];

const usage = `Usage: npm run bench -- [--quick] [--json]

  --quick  fewer and shorter rounds
  --json   the figures as JSON on standard output
  --help   this text`;

const options = readOptions();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}

const floor = compileFloor(folder);
const about = {
  machine: describeMachine(folder),
  versions: describeVersions(floor.compiler),
};
if (!options.json) console.log(`${heading(about)}\n`);
if (floor.reason !== undefined) console.error(`Measuring without the floor: ${floor.reason}\n`);

const violations = [];
const bench = {
  contenders,
  floor: floor.program ?? null,
  quick: options.quick,
  /** Makes a file to be locked, or to be counted in. */
  file(name, contents = '') {
    const path = join(folder, `${name}.data`);
    writeFileSync(path, contents);
    return path;
  },
  /** Says that a lock let two in. */
  wrong(sentence) {
    violations.push(sentence);
  },
};
const rows = [];
for (const { title, measure } of measurements) {
  progress(`measuring: ${title}`);
  rows.push(...(await measure(bench)));
}
progress('');

if (options.json)
  console.log(JSON.stringify({ ...about, quick: options.quick, rows, violations }, null, 2));
else console.log(table(rows));

for (const violation of violations) console.error(`WRONG: ${violation}`);
if (violations.length > 0) process.exitCode = 1;

/** One line that the next one replaces, for whoever watches. */
function progress(line) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

function readOptions() {
  const boolean = { type: 'boolean', default: false };
  try {
    const { values } = parseArgs({ options: { quick: boolean, json: boolean, help: boolean } });
    if (!values.help) return values;
    console.log(usage);
    process.exit(0);
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}
