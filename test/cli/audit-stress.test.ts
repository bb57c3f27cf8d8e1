/**
 * Many commands of several processes on a few names: the audit log has one beginning and one end of
 * each lease, agrees with what the commands answered, and loses no line to a rotation.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

import { callMain, commandEnv, type Ended, type Environment } from '../helpers/cli.js';
import { full } from '../helpers/counting.js';

const loop = fileURLToPath(new URL('../fixtures/command-loop.mjs', import.meta.url));
const processes = 4;
const rounds = full ? 250 : 25;

/** The size at which a command puts the log aside. */
const maxBytes = 10_000_000;

const commands = [
  'lock NAME',
  'guard NAME -- true',
  'lock NAME --ttl 1ms',
  'lock NAME --ttl 1h --timeout 20ms',
  'unlock NAME',
  'guard NAME --ttl 2s --timeout 20ms -- true',
  'unlock NAME --break-stale',
  'unlock NAME --force',
  'freeze NAME --ttl 2ms',
  'unlock --all',
  'unfreeze NAME',
  'status --prune',
  'guard OWN -- true',
];

interface Done extends Ended {
  readonly words: string[];
}

/** What a process did. The seed makes its choices. */
async function work(t: Test, env: Environment, seed: number): Promise<Done[]> {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, loop], {
    env: commandEnv({ ...env, HOLDFAST_OWNER: `owner ${seed}` }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const todo = Array.from({ length: rounds }, (_, i) => {
    const command = commands[(i * 5 + seed) % commands.length] ?? '';
    return command
      .split(' ')
      .map((word) => word.replace('NAME', `name ${i % 3}`).replace('OWN', `own ${seed}`));
  });
  child.stdin.end(todo.map((words) => `${JSON.stringify(words)}\n`).join(''));
  const done: Done[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    done.push({ ...(JSON.parse(line) as Ended), words: todo[done.length] ?? [] });
  }
  t.equal(done.length, rounds, 'all commands came to an end');
  return done;
}

/** What the log should hold, by what the commands answered. */
function happened({ words: [command = ''], code, out }: Done): string[] {
  if (command === 'guard') return code === 0 ? ['acquire', 'release'] : [];
  if (command === 'lock') return code === 0 ? [out.startsWith('locked') ? 'acquire' : 'renew'] : [];
  if (command === 'unlock')
    return out.split('\n').flatMap((l) => (l.startsWith('unlocked') ? ['release'] : []));
  return command.endsWith('freeze') && code === 0 ? [command] : [];
}

interface Line {
  event: string;
  id: string | null;
  name: string;
  owner: string | null;
  by: string;
  why?: string;
}

/** All lines, of all files; what is no line is an error. */
function readLog(dir: string): Line[] {
  const names = readdirSync(dir).filter((name) => /^audit\.log(\.\d+)?$/.test(name));
  return names.flatMap((name) =>
    readFileSync(join(dir, name), 'utf8')
      .split('\n')
      .filter((text) => text.trim() !== '')
      .map((text) => JSON.parse(text) as Line),
  );
}

await t.test(`${processes * rounds} commands of ${processes} processes`, async (t) => {
  const dir = join(t.testdir(), 'leases');
  const env = { HOLDFAST_ROOT: dir };
  mkdirSync(dir, { mode: 0o700 });
  // Nearly full, so that it is rotated on the way.
  writeFileSync(join(dir, 'audit.log'), `${' '.repeat(maxBytes - processes * rounds * 30)}\n`);
  const seeds = Array.from({ length: processes }, (_, seed) => seed);
  const done = (await Promise.all(seeds.map((seed) => work(t, env, seed)))).flat();
  for (const { words, code, out, err } of done) {
    // A guard may lose its lease to a forced unlock: 5.
    if (![0, 2, 3, 4, 5].includes(code ?? -1)) t.fail(words.join(' '), { code, out, err });
    if (err.includes('audit log')) t.fail(err);
  }
  for (const n of [0, 1, 2]) await callMain(['unlock', `name ${n}`, '--force'], env);
  t.strictSame(
    readdirSync(dir).filter((name) => name.endsWith('.lock')),
    [],
    'nobody holds anything',
  );

  const lines = readLog(dir);
  const of = (...events: string[]): (string | null)[] =>
    lines.filter(({ event }) => events.includes(event)).map(({ id }) => id);
  const told = done.flatMap(happened);
  // Whoever lost its lease had been granted it, too.
  const lost = done.filter(({ words: [command], code }) => command === 'guard' && code === 5);
  told.push(...lost.map(() => 'acquire'));
  for (const event of ['acquire', 'renew', 'release', 'freeze', 'unfreeze']) {
    const count = told.filter((each) => each === event).length;
    t.equal(of(event).length, count, `${event}: as often as the commands said`);
  }
  const grants = of('acquire');
  // How many it is depends on who comes when; of its own name each process has one in any case.
  t.ok(grants.length >= processes, `${grants.length} leases, ${lines.length} lines`);
  t.equal(new Set(grants).size, grants.length, 'one beginning of each lease');
  const ends = new Map<string | null, number>();
  for (const id of of('release', 'break')) ends.set(id, (ends.get(id) ?? 0) + 1);
  const wrong = grants.filter((id) => ends.get(id) !== 1);
  t.strictSame(
    lines.filter(({ id }) => wrong.includes(id)),
    [],
    'and one end',
  );
  // A grant that comes at the very end of a wait is given back unsaid. Who breaks it by force before
  // that has ended something that nobody began.
  const late = lines.filter(({ event, id }) => event === 'break' && !grants.includes(id));
  const given = lines.filter(({ event, why }) => event === 'deny' && why === 'timeout');
  for (const { name, owner, why } of late) {
    t.equal(why, 'forced');
    t.ok(given.some((denial) => denial.name === name && denial.by === owner));
  }
  t.equal(ends.size, grants.length + late.length, `${late.length} were given back`);
  t.comment(`${of('break').length} of them were broken`);
  t.ok(readdirSync(dir).includes('audit.log.1'), 'it was rotated');
});
