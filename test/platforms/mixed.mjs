// Different runtimes contend for one lock at once: each has its own copy of the library in memory, and
// all of them have the same lock. The number that they add to must be exact, and nobody may ever find
// another one inside.
//
//   node test/platforms/mixed.mjs [--rounds N] [RUNTIME...]      as scripts/run-in.sh knows them
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { repository } from './child.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '500' } },
});
const everyone = ['node20', 'node22', 'node24', 'node26', 'bun', 'deno'];
const runtimes = positionals.length > 0 ? positionals : everyone;
const rounds = Number(options.rounds);

const folder = mkdtempSync(join(tmpdir(), 'holdfast-mixed-'));
const file = join(folder, 'counter');
writeFileSync(file, '0');

const script = join(repository, 'scripts/run-in.sh');
const program = join(repository, 'test/platforms/contend.mjs');
const contenders = runtimes.map((runtime) => {
  const child = spawn('bash', [script, runtime, program, file, String(rounds)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // a group of its own, to be ended as a whole
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const says = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${runtime} ended without an answer`);
    return value;
  };
  return { runtime, child, says, exited: once(child, 'exit') };
});

/** It may be gone although `exit` was not told yet. */
function endGroup(leader) {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

try {
  for (const { runtime, says } of contenders) assert.equal(await says(), 'ready', runtime);
  for (const { child } of contenders) child.stdin.end('go\n');
  const written = await Promise.all(contenders.map(async ({ says }) => JSON.parse(await says())));
  const expected = runtimes.length * rounds;
  assert.equal(Number(readFileSync(file, 'utf8')), expected);
  assert.equal(new Set(written.flat()).size, expected, 'no value was written twice');

  // How often the lock went from one of them to another: they did contend.
  const order = written.flatMap((values, index) => values.map((value) => [value, index]));
  order.sort(([a], [b]) => a - b);
  const changes = order.filter(([, who], at) => at > 0 && order[at - 1][1] !== who).length;
  assert.ok(changes >= runtimes.length - 1);
  console.log(
    `${runtimes.join(', ')}: ${runtimes.length} x ${rounds} = ${expected}, exact; ` +
      `the lock changed runtimes ${changes} times`,
  );
} finally {
  for (const { child, exited } of contenders) {
    if (child.exitCode === null && child.signalCode === null) endGroup(child.pid);
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
}
