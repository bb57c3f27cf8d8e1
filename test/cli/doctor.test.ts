/** The doctor finds what is wrong, says what to do, and leaves no trace. */
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { quoted } from '../../lib/cli/shell.js';
import { Leases } from '../../lib/index.js';
import { runProgram, type Ended } from '../helpers/cli.js';
import { copyPackage } from '../helpers/package-copy.js';

interface Report {
  ok: boolean;
  checks: { check: string; state: string; text: string; remedy?: string }[];
}

const report = ({ out }: Ended): Report => JSON.parse(out) as Report;
const finding = (ended: Ended, name: string): Report['checks'][number] | undefined =>
  report(ended).checks.find(({ check }) => check === name);

await t.test('all is well, and a folder that was not there is not there again', async (t) => {
  const top = t.testdir();
  const ended = await runProgram(['doctor'], { HOLDFAST_ROOT: join(top, 'a/b') });
  t.match(ended, { code: 0, err: '' });
  const names = [
    'version',
    'filesystem',
    'permissions',
    'exclusion',
    'fsync',
    'clocks',
    'leftovers',
  ];
  const told = [...ended.out.matchAll(/^(?:ok|warn|fail) +(\w+) {2}/gm)].map((match) => match[1]);
  t.strictSame(told, names);
  t.match(ended.out, /^ok +exclusion +one of two processes is refused; .* free after /m);
  t.notMatch(ended.out, /^fail/m);
  t.strictSame(readdirSync(top), []);
});

await t.test('what was left behind, and who may write', async (t) => {
  const dir = join(t.testdir(), 'leases');
  const leases = new Leases({ dir });
  await leases.acquire('old', { detached: true, ttl: 1 });
  await leases.acquire('good', { detached: true, ttl: '1h' });
  writeFileSync(join(dir, 'torn.new'), '');
  chmodSync(dir, 0o777);
  const before = readdirSync(dir);
  const first = await runProgram(['doctor', '--json'], { HOLDFAST_ROOT: dir });
  t.equal(first.code, 0, 'warnings are no failure');
  t.match(finding(first, 'leftovers'), { state: 'warn', remedy: 'holdfast status --prune' });
  t.match(finding(first, 'leftovers')?.text, /1 stale: old; 1 half written/);
  t.match(finding(first, 'permissions'), { state: 'warn', remedy: /^chmod o-w / });
  t.strictSame(readdirSync(dir), before, 'nothing was removed, nothing was left');

  chmodSync(dir, 0o770);
  const shared = await runProgram(['doctor', '--json'], { HOLDFAST_ROOT: dir });
  t.match(finding(shared, 'permissions'), {
    state: 'ok',
    text: /0770, writable, for its group as well/,
  });

  const named = await runProgram(['doctor', '--json', '--root', dir], {});
  t.match(finding(named, 'leftovers'), { remedy: `holdfast status --prune --root ${quoted(dir)}` });

  chmodSync(dir, 0o700);
  await runProgram(['status', '--prune'], { HOLDFAST_ROOT: dir });
  const second = await runProgram(['doctor', '--json'], { HOLDFAST_ROOT: dir });
  t.ok(report(second).checks.every(({ state }) => state === 'ok'));

  mkdirSync(join(dir, 'trap.lock'));
  const third = await runProgram(['doctor', '--json'], { HOLDFAST_ROOT: dir });
  t.match(finding(third, 'leftovers'), { state: 'warn', text: /trap \(not a regular file\)/ });
});

await t.test('a lock that does not exclude is found', async (t) => {
  const root = copyPackage(t);
  // The verdict of a package in which everything may be taken.
  writeFileSync(
    join(root, 'lib/doctor-child.bundle.js'),
    `process.send('1'); setInterval(() => undefined, 1000);`,
  );
  const ended = await runProgram(['doctor', '--json'], { HOLDFAST_ROOT: t.testdir() }, { root });
  t.equal(ended.code, 1);
  t.match(finding(ended, 'exclusion'), { state: 'fail', text: /two processes held one lease/ });
  t.match(report(ended), { ok: false, exitCode: 1, message: 'failed: exclusion' });
});

await t.test('a folder that cannot be used', async (t) => {
  const file = join(t.testdir({ file: '' }), 'file');
  const ended = await runProgram(['doctor'], { HOLDFAST_ROOT: file });
  t.match(ended, {
    code: 1,
    out: /^fail +folder +E\w+: .*\n +make it a folder that you may write to/,
  });
  rmSync(file);
});
