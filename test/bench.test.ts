/** The benchmark runs, and the page about it says what was measured. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

import { childEnv, packageRoot } from './helpers/peer.js';

function bench(program: string, ...args: string[]): SpawnSyncReturns<string> {
  const path = join(packageRoot, 'bench', program);
  return spawnSync(process.execPath, [path, ...args], { encoding: 'utf8', env: childEnv() });
}

interface Row {
  readonly name: string;
  readonly contender: string;
  readonly figure: { readonly median: number } | null;
}

await t.test('a short run of one measurement', async (t) => {
  const { status, stdout, stderr } = bench('run.mjs', '--quick', '--json', '--only', 'lease');
  t.equal(status, 0, stderr);
  const { rows, machine } = JSON.parse(stdout) as { rows: Row[]; machine: { cores: number } };
  t.ok(machine.cores > 0);
  for (const name of ['lease, attached', 'lease, durable', 'lease, renewal']) {
    const ours = rows.find((row) => row.name === name && row.contender.startsWith('holdfast'));
    t.ok((ours?.figure?.median ?? 0) > 0, name);
  }
});

await t.test('docs/performance.md and the charts are those of the results', async (t) => {
  const { status, stderr } = bench('docs.mjs', '--check');
  t.equal(status, 0, stderr);
});

await t.test('a measurement that does not exist', async (t) => {
  const { status, stderr } = bench('run.mjs', '--only', 'nonsense');
  t.equal(status, 2);
  t.match(stderr, /There is no measurement 'nonsense'[^]*Usage:/);
});
