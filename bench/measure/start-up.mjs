/**
 * What it costs to begin: the import of each package, in a process that has done nothing else; and a
 * command under a lock, from its start to its end, against flock(1). Node itself is what every
 * command of Node's costs.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { inTurn, row } from '../lib/rounds.mjs';

export const title = 'start-up';

const importChild = fileURLToPath(new URL('../children/import.mjs', import.meta.url));
const bundle = new URL('../../lib/index.bundle.js', import.meta.url).href;
const command = fileURLToPath(new URL('../../lib/holdfast.bundle.cjs', import.meta.url));

export async function measure(bench) {
  const packages = bench.contenders.filter(
    ({ entry, can, name }) => name === 'holdfast' || (entry !== undefined && !can.kept),
  );
  const imports = packages.map(({ name, own, entry }) => ({
    contender: name,
    run: () => Number(output(process.execPath, [importChild, own ? bundle : entry])),
  }));

  const file = bench.file('command');
  const env = { ...process.env, HOLDFAST_ROOT: `${file}.root` };
  const node = (...args) => [process.execPath, args];
  const commands = {
    'flock(1)': ['flock', [file, 'true']],
    'Node, nothing': node('-e', '0'),
    'holdfast guard': node(command, 'guard', 'bench', '--', 'true'),
    'holdfast status': node(command, 'status'),
  };
  const starts = Object.entries(commands).map(([contender, [program, args]]) => ({
    contender,
    run() {
      const began = performance.now();
      output(program, args, env);
      return performance.now() - began;
    },
  }));

  const rounds = bench.quick ? 3 : 15;
  const unit = 'ms';
  return [
    ...(await inTurn(rounds, imports)).map((result) => row('import', unit, result)),
    ...(await inTurn(rounds, starts)).map((result) => row('a command, start to end', unit, result)),
  ];
}

function output(program, args, env = process.env) {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env });
  if (error !== undefined) throw new Error(error.code === 'ENOENT' ? 'not here' : error.message);
  if (status !== 0) throw new Error(`exit code ${status}: ${stderr.trim()}`);
  return stdout;
}
