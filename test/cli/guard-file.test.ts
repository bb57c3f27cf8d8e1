/** `holdfast guard --file PATH -- CMD`: flock(1) for every platform, and one with flock(1). */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { Command, isRunning, runCommand } from '../helpers/command.js';
import { untilBlocked } from '../helpers/kernel.js';

execFileSync('flock', ['--version']); // a machine without it fails here, and says why

const flockCode = (...args: string[]): number | null => spawnSync('flock', args).status;

/** A guard whose command is under way. */
async function guarding(t: Test, root: string, ...options: string[]): Promise<Command> {
  const words = ['guard', ...options, '--', 'sh', '-c', 'echo "in $$"; exec cat'];
  const guard = Command.start(t, words, { root });
  await guard.says(/^in/);
  return guard;
}

/** flock(1) with a command under way; what it resolves to ends it. */
async function flocking(...args: string[]): Promise<() => Promise<unknown>> {
  const child = spawn('flock', [...args, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write('locked\n');
  await once(child.stdout, 'data');
  return () => {
    child.stdin.end();
    return once(child, 'exit');
  };
}

await t.test('it keeps flock(1) out', async (t) => {
  const root = t.testdir({ data: 'text' });
  const file = join(root, 'data');
  const guard = await guarding(t, root, '--file', file);
  t.equal(flockCode('-n', file, 'true'), 1);
  t.equal(flockCode('-n', '-s', file, 'true'), 1);
  t.match(await guard.finish(), { code: 0 });
  t.equal(flockCode('-n', file, 'true'), 0);
  t.equal(readFileSync(file, 'utf8'), 'text', 'it was not touched');

  const sharing = await guarding(t, root, '-s', '--file', file);
  t.equal(flockCode('-n', '-s', file, 'true'), 0);
  t.equal(flockCode('-n', file, 'true'), 1);
  await sharing.finish();
});

await t.test('flock(1) keeps it out', async (t) => {
  const root = t.testdir({ data: '' });
  const file = join(root, 'data');
  const run = (...options: string[]) =>
    runCommand(t, ['guard', '--file', file, ...options, '--', 'echo', 'ran'], { root });
  const end = await flocking(file);
  const refused = { stdout: '', stderr: `${file} is locked by somebody else\n` };
  t.match(await run('-n'), { ...refused, code: 2 });
  t.match(await run('--no-wait', '-E', '9'), { ...refused, code: 9 });
  t.match(await run('-n', '--conflict-exit-code=0'), { ...refused, code: 0 });
  t.match(await run('-w', '0.2'), { ...refused, code: 2 });
  t.match(await run('--timeout', '200ms', '-E', '255'), { ...refused, code: 255 });
  const { code, stdout } = await run('-n', '--json');
  t.equal(code, 2);
  t.match(JSON.parse(stdout), { ok: false, file });
  t.match(await run('-n', '-s'), { code: 2 });

  const waiter = Command.start(t, ['guard', '--file', file, '--', 'echo', 'ran'], { root });
  await untilBlocked(file);
  await end();
  t.match(await waiter.ended, { code: 0, stdout: 'ran\n' }, 'it waits, unless told otherwise');

  const endShared = await flocking('-s', file);
  t.match(await run('-n', '-s'), { code: 0 });
  t.match(await run('-n'), { code: 2 });
  await endShared();
});

await t.test('a file that is missing is made, as flock(1) does', async (t) => {
  const root = t.testdir({ folder: {} });
  const run = (file: string) =>
    runCommand(t, ['guard', '--file', file, '-n', '--', 'sh', '-c', 'exit 3'], { root });
  t.match(await run(join(root, 'new')), { code: 3 });
  t.equal(readFileSync(join(root, 'new'), 'utf8'), '');
  t.notOk(existsSync(join(root, 'new.lock')), 'no sidecar');
  symlinkSync('target', join(root, 'link'));
  t.match(await run(join(root, 'link')), { code: 3 });
  t.ok(existsSync(join(root, 'target')));
  t.match(await run(join(root, 'none', 'new')), { code: 1, stderr: /ENOENT/ });
  t.match(await run(join(root, 'folder')), { code: 1, stderr: /not a regular file/ });
});

await t.test('a file that cannot be made', async (t) => {
  const root = t.testdir();
  const file = join(root, 'none/data');
  const words = ['guard', '--file', file, '--json', '--', 'true'];
  const { code, stdout, stderr } = await runCommand(t, words, { root });
  t.match({ code, stderr }, { code: 1, stderr: '' });
  t.match(JSON.parse(stdout), {
    code: 'ERR_LOCK_SYSTEM',
    message: `cannot create ${file}: ENOENT (open)`,
    path: file,
    cause: { code: 'ENOENT', syscall: 'open' },
  });
});

await t.test('SIGKILL of the guard: it is locked until the command is gone', async (t) => {
  const root = t.testdir();
  const file = join(root, 'data');
  const script = 'echo "in $$"; exec sleep 1000';
  const guard = Command.start(t, ['guard', '--file', file, '--', 'sh', '-c', script], { root });
  const pid = Number(await guard.says(/^in (\d+)/));
  t.teardown(() => isRunning(pid) && process.kill(pid, 'SIGKILL'));
  guard.signal('SIGKILL');
  await guard.exited;
  t.equal(flockCode('-n', file, 'true'), 1);
  process.kill(pid, 'SIGKILL');
  t.equal(flockCode('-w', '30', file, 'true'), 0);
});

await t.test('what the command leaves in the background does not keep it', async (t) => {
  const root = t.testdir();
  const file = join(root, 'data');
  const script = 'sleep 1000 > /dev/null 2>&1 & echo $!';
  const ended = await runCommand(t, ['guard', '--file', file, '--', 'sh', '-c', script], { root });
  t.teardown(() => process.kill(Number(ended.stdout), 'SIGKILL'));
  t.match(ended, { code: 0 });
  t.ok(isRunning(Number(ended.stdout)));
  t.equal(flockCode('-n', file, 'true'), 0);
});

await t.test('Ctrl-C in a wait: 130', async (t) => {
  const root = t.testdir({ data: '' });
  const file = join(root, 'data');
  const end = await flocking(file);
  const waiter = Command.start(t, ['guard', '--file', file, '--', 'echo', 'ran'], { root });
  await untilBlocked(file);
  waiter.signal('SIGINT');
  t.match(await waiter.ended, { code: 130, stdout: '' });
  await end();
});
