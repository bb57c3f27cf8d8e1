// Every platform that can be run on this machine, natively or under an emulator, and what came of it.
// What is tried is the package as users get it: packed, and installed without running scripts.
//
//   node test/platforms/run.mjs [--short]      --short: some of them, with small counts
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import Table from 'cli-table3';

import { repository } from './child.mjs';
import { install, pack } from './packed.mjs';

const { short } = parseArgs({ options: { short: { type: 'boolean', default: false } } }).values;

/** Rounds for each of four processes, twice (under a lock, under a lease). */
const smoke = (runtime, binary, rounds) => [
  runtime,
  binary,
  `smoke, 2 x 4 x ${rounds}`,
  ['bash', 'scripts/run-in.sh', runtime, 'test/platforms/smoke.mjs', '--rounds', String(rounds)],
];
const mixed = (rounds) => [
  'all at once',
  'linux-x64, glibc',
  `one counter, 6 x ${rounds}`,
  [process.execPath, 'test/platforms/mixed.mjs', '--rounds', String(rounds)],
];
const natively = (runtime, rounds) => smoke(runtime, 'linux-x64, glibc', rounds);

const campaign = short
  ? [
      natively('bun', 20),
      natively('deno', 20),
      smoke('node22-arm64', 'linux-arm64, glibc', 5),
      smoke('node22-win32', 'win32-x64', 5),
      mixed(100),
    ]
  : [
      ...['node20', 'node22', 'node24', 'node26', 'bun', 'deno'].map((r) => natively(r, 1000)),
      smoke('bun-musl', 'linux-x64, musl', 1000),
      ...['node20-arm64', 'node22-arm64', 'node24-arm64'].map((r) =>
        smoke(r, 'linux-arm64, glibc', 100),
      ),
      ...['node20-win32', 'node22-win32', 'renamed-win32'].map((r) => smoke(r, 'win32-x64', 100)),
      mixed(2000),
    ];

const project = mkdtempSync(join(tmpdir(), 'holdfast-platforms-'));
process.on('exit', () => rmSync(project, { recursive: true, force: true }));
const tarball = pack(project);
writeFileSync(join(project, 'package.json'), '{ "private": true }');
install(project, tarball);

const table = new Table({ head: ['runtime', 'binary', 'program', 'result', 'seconds'] });
let failed = false;
for (const [runtime, binary, what, [command, ...args]] of campaign) {
  const start = performance.now();
  const { status, stdout } = spawnSync(command, args, {
    cwd: repository,
    env: { ...process.env, HOLDFAST_PACKAGE: join(project, 'node_modules/holdfast') },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 1_800_000,
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok' : 'FAILED'} ${runtime} (${seconds} s)`);
  if (status !== 0) {
    failed = true;
    console.log(stdout);
  }
  const last = stdout.trim().split('\n').at(-1) ?? '';
  const result = /exact; (.*)/.exec(last)?.[1] ?? last;
  table.push([runtime, binary, what, status === 0 ? result : 'FAILED', seconds]);
}
console.log(table.toString());
process.exitCode = failed ? 1 : 0;
