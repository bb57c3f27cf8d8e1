/** `holdfast guard NAME -- CMD`: how it ends, what the command is told, what is left behind. */
import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { join, relative } from 'node:path';
import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { untilBlocked } from '../helpers/kernel.js';
import { commandEnv, programCommand } from '../helpers/cli.js';
import { Command, isRunning, runCommand, untilGone } from '../helpers/command.js';

/** A guard whose command is under way, and is a cat when all is said. */
async function guarding(
  t: Test,
  root: string,
  options: string[] = [],
): Promise<{ guard: Command; pid: number }> {
  const script = 'ulimit -c 0; echo "in $$"; exec cat';
  const words = ['guard', 'job', ...options, '--', 'sh', '-c', script];
  const guard = Command.start(t, words, { root });
  const pid = Number(await guard.says(/^in (\d+)/));
  // A shell on its way to another program may swallow a signal; cat does not.
  guard.process.stdin.write('hello\n');
  await guard.says(/hello/);
  return { guard, pid };
}

await t.test('the exit code is the command’s', async (t) => {
  const root = t.testdir();
  for (const code of [0, 1, 2, 42, 255]) {
    const ended = await runCommand(t, ['guard', 'job', '--', 'sh', '-c', `exit ${code}`], { root });
    t.match(ended, { code, stdout: '', stderr: '' });
  }
  t.equal(await new Leases({ dir: root }).inspect('job'), null);
});

await t.test('128 and the number, when a signal ends the command', async (t) => {
  const root = t.testdir();
  for (const name of ['SIGKILL', 'SIGTERM', 'SIGSEGV', 'SIGUSR1', 'SIGPIPE'] as const) {
    const number = constants.signals[name];
    const script = `ulimit -c 0; kill -${number} $$`;
    const { code } = await runCommand(t, ['guard', 'job', '--', 'sh', '-c', script], { root });
    t.equal(code, 128 + number, name);
  }
});

await t.test('a signal is passed on; then command and lease are gone', async (t) => {
  const root = t.testdir();
  const leases = new Leases({ dir: root });
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
    const { guard, pid } = await guarding(t, root);
    t.match(await leases.inspect('job'), { state: 'held', holder: { pid: guard.pid } });
    guard.signal(name);
    t.match(await guard.ended, { code: 128 + constants.signals[name], signal: null, stderr: '' });
    t.notOk(isRunning(pid), `${name}: the command is gone`);
    t.equal(await leases.inspect('job'), null, `${name}: so is the lease`);
  }
});

await t.test('a command that handles the signal has the last word', async (t) => {
  const root = t.testdir();
  const script = 'trap "exit 7" TERM; echo "in $$"; while :; do sleep 0.05; done';
  const guard = Command.start(t, ['guard', 'job', '--', 'sh', '-c', script], { root });
  await guard.says(/^in/);
  guard.signal('SIGTERM');
  t.match(await guard.ended, { code: 7 });
});

await t.test('the signal reaches what the command has started, too', async (t) => {
  const root = t.testdir();
  const script = 'sleep 1000 & echo "in $!"; wait';
  const guard = Command.start(t, ['guard', 'job', '--', 'sh', '-c', script], { root });
  const pid = Number(await guard.says(/^in (\d+)/));
  guard.signal('SIGTERM');
  t.match(await guard.ended, { code: 143 });
  await untilGone(pid);
});

await t.test('127 and 126, as shells have it; no lease stays behind', async (t) => {
  const root = t.testdir({ data: 'text' });
  const run = (...command: string[]) =>
    runCommand(t, ['guard', 'job', '--', ...command], { root: join(root, 'leases') });
  t.match(await run('no-such-command'), { code: 127, stderr: /no-such-command: not found/ });
  t.match(await run(''), { code: 127 });
  t.match(await run(join(root, 'data')), { code: 126, stderr: /data: permission denied/ });
  t.match(await run(root), { code: 126 });
  t.equal(await new Leases({ dir: join(root, 'leases') }).inspect('job'), null);
});

await t.test('the command is told what protects it', async (t) => {
  const root = t.testdir();
  const script = 'echo "$HOLDFAST_NAME|$HOLDFAST_TOKEN|$HOLDFAST_ID|$HOLDFAST_DIR"; cat';
  const name = 'a name/with odd: things';
  const guard = Command.start(t, ['guard', '--', 'sh', '-c', script].toSpliced(1, 0, name), {
    root,
  });
  const told = await guard.says(/^(.+)\n/);
  const info = await new Leases({ dir: root }).inspect(name);
  t.equal(told, [name, String(info?.token), info?.id, root].join('|'));
  t.match(await guard.finish(), { code: 0 });
});

await t.test('the command finds the folder that was named, from wherever it is', async (t) => {
  const root = t.testdir({ other: {} });
  const leases = join(root, 'leases');
  const [node = '', program = ''] = programCommand([]).flat();
  const script = `cd '${join(root, 'other')}' && '${node}' '${program}' exists job`;
  const words = ['guard', 'job', '--root', relative('', leases), '--', 'sh', '-c', script];
  for (const env of [{}, { HOLDFAST_STORE: 'etcd://192.0.2.1:1/nowhere' }]) {
    t.match(await runCommand(t, words, { root: join(root, 'other'), env }), { code: 0 });
  }
});

await t.test('flags stand anywhere before --, and none behind it are ours', async (t) => {
  const root = t.testdir();
  const words = ['guard', '--ttl', '1m', 'job', '--owner=me', '--', 'echo', '--json', '--', '-w'];
  t.match(await runCommand(t, words, { root }), { code: 0, stdout: '--json -- -w\n' });
});

await t.test('few descriptors are enough', { skip: process.platform !== 'linux' }, async (t) => {
  const root = t.testdir();
  const held = `ls -l /proc/self/fd | grep -c '${join(root, 'job.lock')}'`;
  const [node = '', ...words] = programCommand(['guard', 'job', '--', 'sh', '-c', held]).flat();
  for (const limit of [60, 90, 101]) {
    const ended = spawnSync('sh', ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, node, ...words], {
      encoding: 'utf8',
      env: commandEnv({ HOLDFAST_ROOT: root }),
    });
    t.match(ended, { status: 0, stdout: '1\n', stderr: '' }, `${limit}: and it is inherited`);
  }
});

await t.test('wrong usage is 64, and takes nothing', async (t) => {
  const root = t.testdir();
  const cases = [
    ['job'],
    ['job', '--'],
    ['--', 'true'],
    ['job', 'other', '--', 'true'],
    ['job', '--no-such', '--', 'true'],
    ['job', '--ttl', 'soon', '--', 'true'],
    ['job', '--meta', '{', '--', 'true'],
    ['job', '-s', '--', 'true'],
    ['job', '-E', '3', '--', 'true'],
    ['--file', join(root, 'f'), 'job', '--', 'true'],
    ['--file', join(root, 'f'), '--ttl', '5', '--', 'true'],
    ['--file', join(root, 'f'), '-E', '256', '--', 'true'],
  ];
  for (const words of cases) {
    const { code, stderr } = await runCommand(t, ['guard', ...words], { root });
    t.equal(code, 64, words.join(' '));
    t.match(stderr, /^holdfast guard: .+\nTry: holdfast guard --help\n$/);
  }
});

await t.test('who is refused is told who holds it: 2', async (t) => {
  const root = t.testdir();
  const { guard } = await guarding(t, root, ['--owner', 'alice']);
  const again = ['guard', 'job', '--', 'true'];
  const line = new RegExp(
    `^job is held by alice \\(pid ${guard.pid}: holdfast guard -- sh\\) for .+; token \\d+\\n$`,
  );
  t.match(await runCommand(t, again, { root }), { code: 2, stdout: '', stderr: line });
  const started = performance.now();
  const late = await runCommand(t, again.toSpliced(2, 0, '--timeout', '300ms'), { root });
  t.match(late, { code: 2, stderr: line });
  t.ok(performance.now() - started >= 300);
  // Not even its owner: a guard has nothing to renew.
  const same = await runCommand(t, again.toSpliced(2, 0, '--owner', 'alice', '--json'), { root });
  t.match(same, { code: 2, stderr: '' });
  t.match(JSON.parse(same.stdout), { ok: false, name: 'job', owner: 'alice', pid: guard.pid });
  await guard.finish();
  const leases = new Leases({ dir: root });
  await leases.freeze('job', { ttl: '1m' });
  t.match(await runCommand(t, again, { root }), {
    code: 2,
    stderr: /^job is frozen by .+ left\n$/,
  });
});

await t.test('Ctrl-C in a wait: 130, and nothing is left behind', async (t) => {
  const root = t.testdir();
  const { guard } = await guarding(t, root);
  const waiter = Command.start(t, ['guard', 'job', '--wait', '--', 'echo', 'ran'], { root });
  await untilBlocked(join(root, 'job.lock'));
  waiter.signal('SIGINT');
  t.match(await waiter.ended, { code: 130, stdout: '', stderr: '' });
  await guard.finish();
  t.ok(await new Leases({ dir: root }).tryAcquire('job'));
});

await t.test('stdio is the command’s own: a slow reader gets every byte', (t) => {
  const root = t.testdir();
  writeFileSync(join(root, 'big'), Buffer.alloc(4 << 20, 'x'));
  const guard = programCommand(['guard', 'job', '--']).flat().join(' ');
  const script = `${guard} cat < '${join(root, 'big')}' | (sleep 0.2; wc -c)`;
  const { stdout } = spawnSync('sh', ['-c', script], {
    encoding: 'utf8',
    env: commandEnv({ HOLDFAST_ROOT: join(root, 'leases') }),
  });
  t.equal(Number(stdout), 4 << 20);
  t.end();
});
