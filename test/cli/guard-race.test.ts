/** A3: many processes at once ask for one name. One gets it, and the others are told who. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { Command } from '../helpers/command.js';
import { full } from '../helpers/counting.js';
import { packageRoot } from '../helpers/peer.js';

const barrier = pathToFileURL(join(packageRoot, 'test/fixtures/fifo-barrier.mjs')).href;

async function race(t: Test, root: string, round: number, count: number): Promise<void> {
  const folder = join(root, `barrier-${round}`);
  mkdirSync(folder);
  execFileSync('mkfifo', [join(folder, 'go')]);
  await using go = await open(join(folder, 'go'), 'r+'); // with a reader, so that it does not wait for one
  const script = 'echo "in $HOLDFAST_TOKEN"; exec cat';
  const guards = Array.from({ length: count }, (_, i) => {
    const json = i % 2 === 0 ? ['--json'] : [];
    const words = ['guard', 'race', '--owner', `p${i}`, ...json, '--', 'sh', '-c', script];
    const options = { root: join(root, 'leases'), env: { BARRIER: folder } };
    return Command.start(t, words, { ...options, execArgv: [`--import=${barrier}`] });
  });
  while (readdirSync(folder).length <= count) await new Promise((r) => setTimeout(r, 5));
  await go.write('!'.repeat(count));

  // Whoever is in stays in until everybody has been answered.
  const answers = await Promise.all(
    guards.map((guard) => Promise.race([guard.says(/^in \d+/).catch(() => ''), guard.ended])),
  );
  const winners = answers.flatMap((answer, i) => (typeof answer === 'string' ? [i] : []));
  t.equal(winners.length, 1, `round ${round}: one of ${count}`);
  const [winner = 0] = winners;
  const owner = `p${winner}`;
  const pid = guards[winner]?.pid;
  const info = await new Leases({ dir: join(root, 'leases') }).inspect('race');
  t.match(info, { state: 'held', holder: { owner, pid } }, 'the record names it');
  t.equal(answers[winner], `in ${info?.token ?? 0}`);
  for (const [i, guard] of guards.entries()) {
    const { code, stdout, stderr } = await guard.finish();
    if (i === winner) t.equal(code, 0);
    else if (i % 2 === 0) t.match(JSON.parse(stdout), { ok: false, owner, pid });
    else t.ok(stderr.startsWith(`race is held by ${owner} (pid ${pid ?? 0}: `), stderr);
    if (i !== winner) t.equal(code, 2);
  }
}

for (const [count, rounds] of [
  [10, full ? 10 : 3],
  [32, full ? 10 : 1],
] as const) {
  await t.test(`${count} guards, ${rounds} rounds`, async (t) => {
    const root = t.testdir();
    for (let round = 0; round < rounds; round++) await race(t, root, round, count);
  });
}
