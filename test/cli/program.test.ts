/** The program as its users run it: what only a process of its own, a pipe and a disk can show. */
import { spawn, spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';

import { Leases, tryLock } from '../../lib/index.js';
import { callMain, commandEnv, programCommand, runProgram } from '../helpers/cli.js';
import { copyPackage } from '../helpers/package-copy.js';
import { openFolder } from '../helpers/unprivileged.js';

await t.test('from one process to the next', async (t) => {
  const env = { HOLDFAST_ROOT: join(t.testdir(), 'leases') };
  const locked = await runProgram(['lock', 'x', '--owner', 'a', '--json'], env);
  t.equal(locked.code, 0);
  const { token } = JSON.parse(locked.out) as { token: string };
  t.match(await runProgram(['exists', 'x'], env), { code: 0, out: '', err: '' });
  const denied = await runProgram(['lock', 'x', '--owner', 'b'], env);
  t.match(denied, { code: 2, out: '' });
  t.match(denied.err, new RegExp(`^x is held by a \\(pid \\d+: holdfast lock\\) .+ ${token}\n$`));
  t.match(await runProgram(['unlock', 'x', '--owner', 'b'], env), { code: 4, out: '' });
  t.match(await runProgram(['unlock', 'x', '--owner', 'a'], env), { code: 0, err: '' });
  t.match(await runProgram(['exists', 'x'], env), { code: 3 });
  t.match(await runProgram(['version'], env), { code: 0, out: /^\d+\.\d+\.\d+\n$/ });
  t.match(await runProgram(['lock', 'x', '--bogus'], env), { code: 64, out: '' });
});

await t.test('folders and files that are not ours', async (t) => {
  const nobody = 65534;
  const asRoot = process.getuid?.() === 0;
  const powerless = asRoot ? { root: copyPackage(t), uid: nobody, gid: nobody } : {};
  const folder = openFolder(t);
  const run = (dir: string, ...words: string[]) =>
    runProgram([...words, '--root', join(folder, dir)], {}, powerless);

  mkdirSync(join(folder, 'read-only'));
  chmodSync(join(folder, 'read-only'), 0o555);
  const refused = await run('read-only', 'lock', 'x');
  t.match(refused, { code: 1, out: '' });
  t.match(refused.err, /^holdfast lock: .*x\.guard.*EACCES/);
  t.match(await run('read-only', 'freeze', 'x', '--ttl', '1m', '--json'), {
    code: 1,
    out: /"code":"ERR_LOCK_SYSTEM"/,
    err: '',
  });
  t.match(await run('read-only', 'exists', 'x'), { code: 3 });
  t.match(await run('read-only/below', 'lock', 'x'), { code: 1, err: /EACCES \(mkdir\)/ });
  t.strictSame(readdirSync(join(folder, 'read-only')), [], 'nothing is left');
  chmodSync(join(folder, 'read-only'), 0o755);

  mkdirSync(join(folder, 'unreadable'));
  chmodSync(join(folder, 'unreadable'), 0o777);
  writeFileSync(join(folder, 'unreadable/x.lock'), 'secret');
  chmodSync(join(folder, 'unreadable/x.lock'), 0);
  for (const command of ['lock', 'unlock', 'exists', 'why']) {
    t.match(await run('unreadable', command, 'x'), { code: 1, out: '', err: /x\.lock.*EACCES/ });
  }

  // Whether anybody holds it is not to be seen from outside: no reason to say that nobody does.
  mkdirSync(join(folder, 'closed'));
  t.match(await runProgram(['lock', 'x', '--root', join(folder, 'closed')], {}), { code: 0 });
  chmodSync(join(folder, 'closed'), asRoot ? 0o700 : 0);
  for (const command of ['exists', 'why', 'unlock', 'unfreeze']) {
    t.match(await run('closed', command, 'x'), { code: 1, out: '', err: /EACCES/ });
  }
  chmodSync(join(folder, 'closed'), 0o755);

  writeFileSync(join(folder, 'file'), '');
  for (const command of ['lock', 'exists', 'why', 'unlock', 'unfreeze']) {
    for (const dir of ['file', 'file/below']) {
      t.match(await run(dir, command, 'x'), { code: 1, out: '', err: /ENOTDIR|EEXIST/ });
    }
  }
});

await t.test('a working directory that was removed', async (t) => {
  const gone = t.testdir({ leases: {}, folder: {} });
  const [node = '', ...words] = programCommand(['exists', 'x', '--json']).flat();
  const script = `cd '${gone}/folder'; rmdir '${gone}/folder'; exec "$0" "$@"`;
  const run = (HOLDFAST_ROOT: string) =>
    spawnSync('sh', ['-c', script, node, ...words], {
      encoding: 'utf8',
      env: commandEnv({ HOLDFAST_ROOT }),
    });
  t.match(run(`${gone}/leases`), { status: 3, stderr: '' }, 'is not needed');
  mkdirSync(`${gone}/folder`);
  const { status, stdout } = run('leases');
  t.equal(status, 1);
  t.match(JSON.parse(stdout), { code: 'ERR_LOCK_SYSTEM', message: /working directory is gone/ });
});

await t.test('a reader that has gone ends it quietly', async (t) => {
  const env = commandEnv({ HOLDFAST_ROOT: t.testdir() });
  for (const words of [['status'], ['help'], ['exists', 'x', '--json'], ['status', '--watch']]) {
    const child = spawn(...programCommand(words), {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.stdout.destroy();
    const [code] = (await once(child, 'close')) as [number];
    t.equal(code, 141, words.join(' '));
    t.equal(err, '');
  }
});

await t.test(
  'what cannot be written is an error',
  { skip: !existsSync('/dev/full') },
  async (t) => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(...programCommand(['help']), {
      env: commandEnv({}),
      stdio: ['ignore', full, 'pipe'],
    });
    let err = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
    t.strictSame(await once(child, 'close'), [1, null]);
    t.match(err, /^holdfast help: cannot write: .*ENOSPC/);
  },
);

await t.test('a signal ends a wait, and nothing is left behind', async (t) => {
  const dir = t.testdir();
  const leases = new Leases({ dir });
  const lease = await leases.acquire('x');
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    const waiting = runProgram(
      ['lock', 'x', '--wait'],
      { HOLDFAST_ROOT: dir },
      {
        started: (child) => {
          const hit = async (): Promise<void> => {
            while (!isLocked(join(dir, 'x.queue'))) await delay(20); // then it is in the queue
            child.kill(signal);
          };
          void hit();
        },
      },
    );
    t.same(await waiting, { code, out: '', err: '' }, signal);
  }
  const next = leases.acquire('x', { timeout: 60_000 });
  await lease.release();
  t.equal(await (await next).release(), 'released', 'nobody stands in the queue');
  t.strictSame(readdirSync(dir).sort(), ['audit.log', 'x.guard', 'x.queue']);
});

/** By somebody who waits; the look itself is over at once. */
function isLocked(queue: string): boolean {
  if (!existsSync(queue)) return false;
  const mine = tryLock(queue, { sidecar: false, shared: true });
  mine?.release();
  return mine === null;
}

await t.test('a lease that nobody is told of is given back', async (t) => {
  const env = { HOLDFAST_ROOT: t.testdir() };
  const granted = 'tracing:holdfast:acquire:asyncEnd';
  const interrupt = (): void => void process.emit('SIGTERM', 'SIGTERM');
  subscribe(granted, interrupt);
  t.match(await callMain(['lock', 'x'], env), { code: 143, out: '' });
  unsubscribe(granted, interrupt);
  t.match(await callMain(['exists', 'x'], env), { code: 3 });

  const child = spawn(...programCommand(['lock', 'x']), {
    env: commandEnv(env),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout.destroy();
  t.strictSame(await once(child, 'exit'), [141, null]);
  t.match(await callMain(['exists', 'x'], env), { code: 3 });
});
