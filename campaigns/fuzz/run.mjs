// libFuzzer on the bytes that the addon reads itself: contents.cc says what is demanded.
//
// First the same target is built with a fault in it, a record that is believed whatever its checksum
// says; unless the oracle notices that, the silence that follows would prove nothing.
//
// Usage: run.mjs [--minutes N] [--seed S]
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { campaignOptions, packageRoot, plant } from '../campaign.mjs';

const { minutes, seed } = campaignOptions(0.5);
const compiler = 'clang++-19';
const flags = [
  '-std=c++20',
  '-O2',
  '-g',
  '-fsanitize=fuzzer,address,undefined',
  '-fno-sanitize-recover=all',
];
const fault = {
  file: 'record.cc',
  from: 'if (std::memcmp(expected, bytes.data() + kCrcOffset, sizeof expected) != 0) return 0;',
};

function build(native, out) {
  const sources = ['guard.cc', 'record.cc', 'snapshot.cc'].map((name) => join(native, name));
  const target = join(packageRoot, 'campaigns/fuzz/contents.cc');
  execFileSync(compiler, [...flags, `-I${native}`, target, ...sources, '-o', out]);
}

function fuzz(program, folder, seconds) {
  const args = [
    `-seed=${seed}`,
    `-max_total_time=${seconds}`,
    '-max_len=600',
    '-len_control=0', // nothing that is short gets anywhere

    '-print_final_stats=1',
  ];
  const { status, stderr } = spawnSync(program, args, { cwd: folder, maxBuffer: 2 ** 30 });
  const text = String(stderr);
  const runs = Number(/number_of_executed_units: *(\d+)/.exec(text)?.[1] ?? 0);
  const covered = [...text.matchAll(/cov: (\d+)/g)].at(-1)?.[1];
  return { found: status !== 0, runs, covered, text };
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-fuzz-'));
try {
  const broken = join(folder, 'native');
  cpSync(join(packageRoot, 'native'), broken, { recursive: true });
  plant(join(broken, fault.file), fault.from, '');
  build(broken, join(folder, 'broken'));
  const planted = fuzz(join(folder, 'broken'), folder, 60);
  const caught = planted.found && planted.text.includes('oracle:');
  console.log(`planted fault: ${caught ? 'caught' : 'NOT caught'} after ${planted.runs} runs`);

  build(join(packageRoot, 'native'), join(folder, 'sound'));
  const { found, runs, covered, text } = fuzz(join(folder, 'sound'), folder, minutes * 60);
  if (found) console.log(text.split('\n').slice(-40).join('\n'));
  console.log(`fuzz: seed ${seed}, ${runs} runs, ${covered} edges, ${found ? 1 : 0} faults`);
  if (found || !caught || runs === 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
