/** A command that has a terminal keeps it. script(1), of util-linux, is the terminal. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { commandEnv, programCommand } from '../helpers/cli.js';
import { isRunning, untilGone } from '../helpers/command.js';

const linux = process.platform === 'linux';
if (linux) execFileSync('script', ['--version']); // a machine without it fails here, and says why

interface Terminal {
  type: (keys: string) => void;
  shows: (pattern: RegExp) => Promise<RegExpExecArray>;
  exit: Promise<number | null>;
}

/** A terminal in which a shell script runs; $guard begins a guard of the name `job`. */
function terminal(t: Test, root: string, script: string): Terminal {
  const file = join(root, 'script.sh');
  writeFileSync(file, script);
  // exec: a shell that waits in between, as dash does, would itself die of a Ctrl-C.
  const child = spawn('script', ['-qec', `exec sh '${file}'`, '/dev/null'], {
    env: commandEnv({
      HOLDFAST_ROOT: join(root, 'leases'),
      SHELL: '/bin/sh', // whatever shell whoever runs the tests has, or none
      guard: programCommand(['guard', 'job']).flat().join(' '),
    }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const exit = once(child, 'exit', { signal: AbortSignal.timeout(60_000) });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  return {
    type: (keys) => child.stdin.write(keys),
    async shows(pattern) {
      const deadline = performance.now() + 60_000;
      for (;;) {
        const match = pattern.exec(shown);
        if (match !== null) return match;
        if (performance.now() > deadline) throw new Error(`never shown: ${String(pattern)}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    exit: exit.then(([code]: unknown[]) => code as number | null),
  };
}

/** Says how often it has been interrupted, until a line is typed. */
const counter = `sh -c 'n=0; trap "n=\\$((n+1)); echo interrupted \\$n" INT
  echo "in $$"; until read line; do :; done; echo "$n times, $line"; exit 6'`;

await t.test('Ctrl-C reaches the command once, and it may go on', { skip: !linux }, async (t) => {
  const root = t.testdir();
  const { type, shows, exit } = terminal(t, root, `exec $guard -- ${counter}`);
  await shows(/^in \d+/m);
  type('\x03');
  await shows(/interrupted 1/);
  type('\x03');
  await shows(/interrupted 2/);
  type('enough\n');
  await shows(/2 times, enough/);
  t.equal(await exit, 6);
  t.equal(await new Leases({ dir: join(root, 'leases') }).inspect('job'), null);
});

await t.test('Ctrl-C ends a command that does not mind it', { skip: !linux }, async (t) => {
  const root = t.testdir();
  const { type, shows, exit } = terminal(t, root, 'exec $guard -- sh -c "echo in; exec cat"');
  await shows(/^in/m);
  type('hello\n');
  await shows(/hello[^]+hello/); // as it was typed, and from cat
  type('\x03');
  t.equal(await exit, 130);
  t.equal(await new Leases({ dir: join(root, 'leases') }).inspect('job'), null);
});

await t.test(
  'the command is in the foreground: it may read and ask',
  { skip: !linux },
  async (t) => {
    const root = t.testdir();
    const script = `exec $guard -- sh -c 'test -t 0 && printf "name? " > /dev/tty && read name < /dev/tty
    ps -o stat= -p $$ | grep -q + && echo "hello $name"'`;
    const { type, shows, exit } = terminal(t, root, script);
    await shows(/name\? /);
    type('world\n');
    await shows(/hello world/);
    t.equal(await exit, 0);
  },
);

await t.test('TERM to the guard goes to the command', { skip: !linux }, async (t) => {
  const root = t.testdir();
  const script = `$guard -- sh -c 'trap "echo term; exit 9" TERM; echo "in $PPID"
    while :; do sleep 0.05; done'; echo "ended $?"`;
  const { shows, exit } = terminal(t, root, script);
  const [, guard] = await shows(/^in (\d+)/m);
  process.kill(Number(guard), 'SIGTERM');
  await shows(/term\s+ended 9/);
  await exit;
});

/** A signal takes its time. */
async function untilStopped(...pids: string[]): Promise<void> {
  const deadline = performance.now() + 60_000;
  const isStopped = (pid: string): boolean =>
    readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') T ');
  while (!pids.every(isStopped)) {
    if (performance.now() > deadline) throw new Error(`not stopped: ${pids.join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A command in `line`, stopped by Ctrl-Z; what is shown after that and fg, when `typed` was. */
async function stopped(
  t: Test,
  line: string,
  then: (leases: Leases, root: string) => Promise<unknown>,
  ...typed: string[]
): Promise<string> {
  const root = t.testdir();
  const script = `set -m
    ${line.replace('$root', root)}
    echo "stopped $?"
    read go
    fg > /dev/null
    echo "ended $?"`;
  const { type, shows, exit } = terminal(t, root, script);
  const [, command = '', guard = ''] = await shows(/^in (\d+) (\d+)/m);
  type('\x1a');
  await shows(/stopped 148/);
  await untilStopped(command, guard);
  await then(new Leases({ dir: join(root, 'leases') }), root);
  for (const keys of ['go\n', ...typed]) type(keys);
  const [text] = await shows(/stopped[^]+ended \d+/);
  await exit;
  return text.replace(/\s+/g, ' ');
}

// It starts nobody: a shell that waits for a vfork(2) is stopped, but does not show it.
const piped = `echo x | $guard -- sh -c 'echo "in $$ $PPID"; until test -e $root/go; do :; done; echo on; exit 4'`;

await t.test('Ctrl-Z stops a command whose input is a pipe', { skip: !linux }, async (t) => {
  const text = await stopped(t, piped, async (leases, root) => {
    writeFileSync(join(root, 'go'), '');
    t.match(await leases.inspect('job'), { state: 'held' });
  });
  t.equal(text, 'stopped 148 go on ended 4');
});

await t.test('and if the lease is lost meanwhile, it ends there', { skip: !linux }, async (t) => {
  const text = await stopped(t, piped, (leases, root) => {
    writeFileSync(join(root, 'go'), '');
    return leases.break('job', { force: true });
  });
  t.match(text, /^stopped 148 go holdfast guard: the lease job is lost: [^:]+ ended 5$/);
});

await t.test('the lease is lost: all that it started ends', { skip: !linux }, async (t) => {
  const root = t.testdir();
  // Started by a child that goes on, by one that is gone, with an environment of its own, and as what
  // minds no TERM; the last one ends with the command anyway.
  const started = `sleep 1000 & echo "one $!."
    sh -c 'sleep 1000 & echo "two $!."'
    env -i sleep 1000 & echo "three $!."
    sh -c 'trap "" TERM; setsid sleep 1000 & echo "four $!."'
    echo "in"; exec cat`;
  writeFileSync(join(root, 'started.sh'), started);
  const script = `$guard --kill-after 300ms -- sh '${join(root, 'started.sh')}'; echo "ended $?"`;
  const { shows, exit } = terminal(t, root, script);
  await shows(/^in/m);
  const pids: number[] = [];
  for (const word of ['one', 'two', 'three', 'four']) {
    const [, pid] = await shows(new RegExp(`^${word} (\\d+)\\.`, 'm'));
    pids.push(Number(pid));
    t.teardown(() => isRunning(Number(pid)) && process.kill(Number(pid), 'SIGKILL'));
  }
  await new Leases({ dir: join(root, 'leases') }).break('job', { force: true });
  await shows(/ended 5/);
  await exit;
  for (const pid of pids) await untilGone(pid);
});

await t.test('Ctrl-Z stops both, and fg goes on', { skip: !linux }, async (t) => {
  const line = `$guard -- sh -c 'echo "in $$ $PPID"; read line; echo "got $line"; exit 4'`;
  const held = async (leases: Leases): Promise<void> =>
    void t.match(await leases.inspect('job'), { state: 'held' });
  t.match(await stopped(t, line, held, 'again\n'), /got again ended 4$/);
});
