/** The lease is lost, or its guard is killed or stopped: the command never runs beside a successor. */
import { join } from 'node:path';
import { readFileSync, rmSync } from 'node:fs';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { programCommand } from '../helpers/cli.js';
import { Command, isRunning, runCommand, untilGone } from '../helpers/command.js';
import { full } from '../helpers/counting.js';
import { untilBlocked } from '../helpers/kernel.js';
import { mutateLibrary } from '../helpers/package-copy.js';

interface Guarding {
  guard: Command;
  pid: number;
  token: bigint;
}

/** A guard whose command has said that it runs. */
async function guarding(guard: Command): Promise<Guarding> {
  const pid = Number(await guard.says(/^in (\d+)/m));
  return { guard, pid, token: BigInt(await guard.says(/^in \d+ (\d+)/m)) };
}

const says = 'echo "in $$ $HOLDFAST_TOKEN"';

function start(t: Test, root: string, script: string, options: string[] = []): Command {
  return Command.start(t, ['guard', 'job', ...options, '--', 'sh', '-c', script], { root });
}

await t.test('a forced unlock ends the command: 5', async (t) => {
  const root = t.testdir();
  const { guard, pid } = await guarding(start(t, root, `${says}; exec sleep 1000`));
  t.match(await runCommand(t, ['unlock', 'job', '--force'], { root }), { code: 0 });
  t.match(await guard.ended, { code: 5, stderr: /^holdfast guard: the lease job is lost: .+\n$/ });
  t.notOk(isRunning(pid));
});

await t.test('KILL after a while, for all that it has started', async (t) => {
  const root = t.testdir();
  // Both ignore TERM; the second would outlive the first.
  const script = `trap '' TERM; sleep 1000 & echo "second $!"; ${says}; wait; sleep 1000`;
  const { guard, pid } = await guarding(start(t, root, script, ['--kill-after', '300ms']));
  const second = Number(await guard.says(/^second (\d+)/));
  const leases = new Leases({ dir: root });
  await leases.break('job', { force: true });
  t.match(await guard.ended, { code: 5 });
  await untilGone(pid);
  await untilGone(second);
});

await t.test(
  'what the command leaves behind is ended with it, when the lease is lost',
  async (t) => {
    const root = t.testdir();
    const script = `(trap '' TERM; echo "second $(exec sh -c 'echo $PPID')"; sleep 1000) & ${says}; wait`;
    const { guard } = await guarding(start(t, root, script, ['--kill-after', '300ms']));
    const second = Number(await guard.says(/^second (\d+)/m));
    await new Leases({ dir: root }).break('job', { force: true });
    t.match(await guard.ended, { code: 5 });
    await untilGone(second);
  },
);

await t.test('a guard in the guard, and what has left the group', async (t) => {
  const root = t.testdir();
  const script = `trap '' TERM; setsid sleep 1000 & echo "second $!"; ${says}; wait`;
  const inner = programCommand(['guard', 'inner', '--', 'sh', '-c', script]).flat();
  const words = ['guard', 'job', '--kill-after', '300ms', '--', ...inner];
  const { guard, pid } = await guarding(Command.start(t, words, { root }));
  const second = Number(await guard.says(/^second (\d+)/));
  for (const each of [pid, second]) {
    t.teardown(() => isRunning(each) && process.kill(each, 'SIGKILL'));
  }
  const leases = new Leases({ dir: root });
  await leases.break('job', { force: true });
  t.match(await guard.ended, { code: 5 });
  await untilGone(pid);
  await untilGone(second);
  t.not((await leases.inspect('inner'))?.state, 'held');
});

await t.test('lost and over at the same moment is still lost', async (t) => {
  const root = t.testdir();
  const { guard } = await guarding(start(t, root, `${says}; exec cat`));
  // Stopped, it cannot notice before its command has ended.
  guard.signal('SIGSTOP');
  await new Leases({ dir: root }).break('job', { force: true });
  guard.process.stdin.end();
  guard.signal('SIGCONT');
  t.match(await guard.ended, { code: 5, stderr: /was lost before|is lost/ });
});

await t.test('B4: a guard that is stopped past its TTL', async (t) => {
  const root = t.testdir();
  const old = await guarding(start(t, root, `${says}; exec sleep 1000`, ['--ttl', '500ms']));
  old.guard.signal('SIGSTOP');
  const next = await guarding(start(t, root, `${says}; exec cat`, ['--wait']));
  t.ok(next.token > old.token, `${next.token} > ${old.token}`);
  t.ok(isRunning(old.pid), 'the old command runs: only its token keeps it from harm');
  old.guard.signal('SIGCONT');
  t.match(await old.guard.ended, { code: 5, stderr: /the lease job is lost/ });
  t.notOk(isRunning(old.pid));
  t.match(await new Leases({ dir: root }).inspect('job'), { token: next.token }, 'as it was');
  t.match(await next.guard.finish(), { code: 0 });
});

/**
 * One guard after the other is killed, while the next one waits. The oracle is a file that only one
 * command at a time can have created (O_EXCL); the library has no part in it.
 */
async function killGuards(t: Test, rounds: number, from?: string): Promise<number> {
  const folder = t.testdir();
  const marker = join(folder, 'marker');
  const enter = `set -C; echo > '${marker}' && ${says} || echo "OVERLAP $$"`;
  const leave = `trap "rm -f '${marker}'; exit" TERM`;
  const script = `${leave}; ${enter}; while :; do sleep 0.02; done`;
  const root = join(folder, 'leases');
  const record = join(root, 'job.lock');
  const options = { root, ...(from === undefined ? {} : { from }) };
  const words = ['guard', 'job', '--wait', '--', 'sh', '-c', script];
  const begin = (): Command => Command.start(t, words, options);
  let overlaps = 0;
  const entered = async (guard: Command): Promise<number> => {
    const [word, pid] = (await guard.says(/^(?:in|OVERLAP) \d+/)).split(' ');
    if (word === 'OVERLAP') overlaps++;
    t.teardown(() => isRunning(Number(pid)) && process.kill(-Number(pid), 'SIGKILL'));
    return Number(pid);
  };
  let guard = begin();
  let pid = await entered(guard);
  for (let round = 0; round < rounds && overlaps === 0; round++) {
    const next = begin();
    await untilBlocked(record);
    guard.signal('SIGKILL');
    await guard.exited;
    // Whoever asks after the kill is refused, or the lease has died with its guard.
    const probe = await runCommand(t, ['guard', 'job', '--', 'true'], options);
    if (probe.code !== 2) overlaps++;
    if (!isRunning(pid)) throw new Error('the command ended with its guard');
    process.kill(pid, 'SIGTERM');
    pid = await entered(next);
    guard = next;
  }
  guard.signal('SIGTERM');
  await guard.ended;
  return overlaps;
}

await t.test('SIGKILL of the guard: no successor beside its command', async (t) => {
  t.equal(await killGuards(t, full ? 50 : 5), 0);
});

await t.test('a guard that passes no descriptor on is caught', async (t) => {
  const [from, to] = ['descriptor !== undefined', 'false'];
  const copy = mutateLibrary(t, [{ file: 'lib/cli/child.js', from, to }]);
  t.not(await killGuards(t, 1, copy), 0);
});

await t.test('whatever is between guard and command, the lease lives', async (t) => {
  const root = t.testdir();
  const leases = new Leases({ dir: root });
  const node = `const { spawn } = require('node:child_process');
    spawn('sh', ['-c', 'exec 3>&1 9>&1; echo "in $$"; exec sleep 1000'], { stdio: 'inherit' });`;
  const inner = programCommand(['guard', 'inner', '--', process.execPath, '-e', node]).flat();
  const outer = Command.start(t, ['guard', 'outer', '--', ...inner], { root });
  const pid = Number(await outer.says(/^in (\d+)/));
  t.teardown(() => isRunning(pid) && process.kill(pid, 'SIGKILL'));
  const second = (await leases.inspect('inner'))?.holder?.pid ?? 0;
  const parent = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[3]);
  for (const middle of [outer.pid, second, parent]) {
    process.kill(middle, 'SIGKILL');
    await untilGone(middle);
  }
  for (const name of ['inner', 'outer']) {
    t.match(await leases.inspect(name), { state: 'held' }, `${name}, by the command alone`);
  }
  process.kill(pid, 'SIGKILL');
  for (const name of ['inner', 'outer']) await leases.acquire(name, { timeout: 30_000 });
});

await t.test('B3: guard and command are killed, and the next one is let in', async (t) => {
  const root = t.testdir();
  const script = `${says}; exec cat`;
  const delays: number[] = [];
  let now = await guarding(start(t, root, script, ['--ttl', '1h']));
  for (let round = 0; round < (full ? 20 : 3); round++) {
    const next = start(t, root, script, ['--ttl', '1h', '--wait']);
    await untilBlocked(join(root, 'job.lock'));
    const killed = performance.now();
    now.guard.signal('SIGKILL');
    process.kill(now.pid, 'SIGKILL');
    now = await guarding(next);
    delays.push(performance.now() - killed);
  }
  const sorted = delays.sort((a, b) => a - b);
  t.comment(`SIGKILL to the next command, ms: ${sorted.map((ms) => ms.toFixed(0)).join(' ')}`);
  t.match(await now.guard.finish(), { code: 0 });
});

/** A contender tries to break the lease, and to have it, for longer than its TTL. */
async function contend(t: Test, root: string): Promise<void> {
  const { guard, token } = await guarding(start(t, root, `${says}; exec cat`, ['--ttl', '2s']));
  const leases = new Leases({ dir: root });
  const id = (await leases.inspect('job'))?.id;
  const end = performance.now() + 3500;
  while (performance.now() < end) {
    const unlocked = await runCommand(t, ['unlock', 'job', '--break-stale'], { root });
    const locked = await runCommand(t, ['lock', 'job', '--ttl', '1s'], { root });
    if (unlocked.code !== 2 || locked.code !== 2) t.fail('it was broken', { unlocked, locked });
    t.match(await leases.inspect('job'), { id, token });
  }
  t.match(await guard.finish(), { code: 0, stderr: '' });
}

await t.test('B1: nobody breaks the lease of a guard that renews', async (t) => {
  const folder = t.testdir();
  let rounds = full ? 100 : 1;
  const lane = async (name: number): Promise<void> => {
    while (rounds-- > 0) await contend(t, join(folder, `lane ${name}`));
  };
  await Promise.all([0, 1, 2, 3].map(lane));
});

await t.test('B2: a guard that does not renew: taken after the TTL, and not before', async (t) => {
  const from = mutateLibrary(t, [
    {
      file: 'lib/lease-keeper.js',
      from: 'this.#renews = renews && ',
      to: 'this.#renews = false && ',
    },
  ]);
  const root = t.testdir();
  const words = ['guard', 'job', '--ttl', '3s', '--', 'sh', '-c', `${says}; exec sleep 1000`];
  const leases = new Leases({ dir: root });
  const old = await guarding(Command.start(t, words, { root, from }));
  const since = (await leases.inspect('job'))?.holder?.since.getTime() ?? NaN;
  const waiting = ['lock', 'job', '--ttl', '1h', '--wait', '--json'];
  const next = await runCommand(t, waiting, { root });
  t.match(next, { code: 0 });
  const info = await leases.inspect('job');
  t.ok((info?.holder?.since.getTime() ?? NaN) - since > 2995, 'not before the TTL, by two clocks');
  const { token } = JSON.parse(next.stdout) as { token: string };
  t.ok(BigInt(token) > old.token, `${token} > ${old.token}`);
  t.match(await old.guard.ended, { code: 5, stderr: /the lease job is lost/ });
  t.notOk(isRunning(old.pid));
  t.match(await leases.inspect('job'), { id: info?.id, token: BigInt(token) }, 'as it was');
});

await t.test('the folder is removed under it: lost, and the command ends', async (t) => {
  const root = join(t.testdir(), 'leases');
  const { guard, pid } = await guarding(start(t, root, `${says}; exec sleep 1000`));
  rmSync(root, { recursive: true });
  t.match(await guard.ended, { code: 5 });
  t.notOk(isRunning(pid));
});
