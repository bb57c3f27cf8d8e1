/** `holdfast freeze` and `unfreeze`, and those who are in line already. */
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { callMain, type Ended } from '../helpers/cli.js';
import { Command } from '../helpers/command.js';
import { untilBlocked } from '../helpers/kernel.js';

/** A guard that waits in line, behind a holder that has gone since; and the name is frozen. */
async function frozenQueue(t: Test, ttl: string): Promise<{ root: string; waiter: Command }> {
  const root = t.testdir();
  const holder = Command.start(t, ['guard', 'job', '--', 'sh', '-c', 'echo in; cat'], { root });
  await holder.says(/^in/);
  const waiter = Command.start(t, ['guard', 'job', '--wait', '--', 'echo', 'ran'], { root });
  await untilBlocked(join(root, 'job.lock'));
  t.equal((await holdfast(root, 'freeze', 'job', '--ttl', ttl)).code, 0);
  t.match(await holder.finish(), { code: 0 });
  return { root, waiter };
}

function holdfast(root: string, ...words: string[]): Promise<Ended> {
  return callMain(words, { HOLDFAST_ROOT: root });
}

await t.test('who is in line is not let in before unfreeze, and then at once', async (t) => {
  const { root, waiter } = await frozenQueue(t, '1h');
  // Longer than anybody in line sleeps without a look.
  const late = await holdfast(root, 'lock', 'job', '--wait', '--timeout', '2500ms');
  t.match(late, { code: 2, err: /^job is frozen by .+ left\n$/ });
  t.match(await holdfast(root, 'why', 'job'), { code: 2, out: /frozen/ });
  t.equal(waiter.process.exitCode, null);
  t.equal((await holdfast(root, 'unfreeze', 'job')).code, 0);
  t.match(await waiter.finish(), { code: 0, stdout: 'ran\n', stderr: '' });
});

await t.test('nor before the freeze is over, and then by itself', async (t) => {
  const began = performance.now();
  const { root, waiter } = await frozenQueue(t, '1500ms');
  t.match(await waiter.finish(), { code: 0, stdout: 'ran\n', stderr: '' });
  t.ok(performance.now() - began >= 1500);
  t.equal((await holdfast(root, 'unfreeze', 'job')).code, 3);
});
