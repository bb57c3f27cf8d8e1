/** `holdfast audit`, and what the other commands write for it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { callMain, commandEnv, programCommand, type Ended } from '../helpers/cli.js';

interface Setup {
  dir: string;
  log: string;
  run: (line: string) => Promise<Ended>;
}

function setUp(t: Test): Setup {
  const dir = join(t.testdir(), 'leases');
  const env = { HOLDFAST_ROOT: dir, HOLDFAST_OWNER: 'me' };
  const run = (line: string): Promise<Ended> => callMain(line.split(' '), env);
  return { dir, log: join(dir, 'audit.log'), run };
}

/** A line as it is written, so long ago. */
function line(agoMs: number, fields: Record<string, unknown>): string {
  const time = new Date(Date.now() - agoMs).toISOString();
  return `${JSON.stringify({ v: 1, time, event: 'release', by: 'me', pid: 7, ...fields })}\n`;
}

await t.test('what the commands do, for people', async (t) => {
  const { run } = setUp(t);
  t.match(await run('audit'), { code: 0, out: '', err: /^there is no .+audit\.log yet\n$/ });
  for (const [command, code] of [
    ['lock x --ttl 5m', 0],
    ['lock x --ttl 9m', 0],
    ['lock x --owner bob', 2],
    ['lock x --owner bob --timeout 1ms', 2],
    ['unlock x', 0],
    ['lock x', 0],
    ['unlock x --force --owner bob', 0],
    ['guard x -- true', 0],
    ['freeze x --ttl 1m', 0],
    ['lock x', 2],
    ['unfreeze x', 0],
    ['exists x', 3],
    ['why x', 0],
  ] as const) {
    t.match(await run(command), { code }, command);
  }
  const { code, out, err } = await run('audit');
  t.match({ code, err }, { code: 0, err: '' });
  const who = `\\(pid ${process.pid}\\)`;
  const expected = [
    `acquire       x  by me ${who} for 5m; token \\d+`,
    `renew         x  by me ${who} for 9m; token \\d+`,
    `deny          x  to bob ${who}: held by me`,
    `deny          x  to bob ${who}: held by me`,
    `deny          x  to bob ${who}: timeout, held by me`,
    `release       x  by me ${who}; token \\d+`,
    `acquire       x  by me ${who} until unlocked; token \\d+`,
    `break         x  of me by bob ${who}: forced; token \\d+`,
    `acquire       x  by me ${who}; token \\d+; that of me before it: broken`,
    `release       x  by me ${who}; token \\d+`,
    `freeze        x  by me ${who} for 1m`,
    `deny          x  to me ${who}: frozen`,
    `unfreeze      x  by me ${who}`,
  ];
  const lines = out.split('\n').slice(0, -1);
  t.equal(lines.length, expected.length, out);
  for (const [at, text] of expected.entries()) {
    t.match(lines[at], new RegExp(`^ *\\d[\\dms.]* ago  ${text}$`));
  }
});

await t.test('those of a name, since a time, rotated ones too', async (t) => {
  const { dir, log, run } = setUp(t);
  mkdirSync(dir);
  const hour = 3_600_000;
  writeFileSync(`${log}.2`, line(5 * hour, { name: 'a', id: '1' }));
  writeFileSync(`${log}.1`, line(3 * hour, { name: 'b', id: '2' }));
  writeFileSync(log, line(hour, { name: 'a', id: '3' }) + line(0, { name: `${'b'.repeat(9)}…` }));
  const ids = async (options: string): Promise<unknown[]> => {
    const { code, out, err } = await run(`audit --json ${options}`.trimEnd());
    t.match({ code, err }, { code: 0, err: '' });
    const lines = out.split('\n').slice(0, -1);
    return lines.map((each) => (JSON.parse(each) as { id?: string }).id ?? 'long');
  };
  t.strictSame(await ids(''), ['1', '2', '3', 'long']);
  t.strictSame(await ids('--name a'), ['1', '3']);
  t.strictSame(await ids(`--name ${'b'.repeat(600)}`), ['long'], 'the log cuts long names');
  t.strictSame(await ids('--since 2h'), ['3', 'long']);
  t.strictSame(await ids('--since 14400'), ['2', '3', 'long']);
  t.strictSame(await ids('--since 4h --name a'), ['3']);
  const at = new Date(Date.now() - 2 * hour).toISOString();
  t.strictSame(await ids(`--since ${at}`), ['3', 'long']);
  t.strictSame(await ids(`--since 2000-01-01`), ['1', '2', '3', 'long']);
  t.strictSame(await ids('--since 2999-01-01T00:00'), []);
  for (const wrong of ['yesterday', '2026-13-01', '-5', '2026-01-01T99:00']) {
    t.match(await run(`audit --since=${wrong}`), { code: 64, out: '', err: /--since must be/ });
  }
});

await t.test('lines that are none, and those of later versions', async (t) => {
  const { dir, log, run } = setUp(t);
  mkdirSync(dir);
  const bad = ['{"v":1,"ti', 'null', '{"event":"release"}', '{"event":7,"time":"2026-01-01"}'];
  const evil = { name: '\u001b[2J', by: '\u001b[2J', v: 2, event: 'transfer\u001b[2J' };
  const lines = [...bad.map((text) => `${text}\n`), '\n', line(0, evil), line(0, { name: 'x' })];
  writeFileSync(log, `${lines.join('')}${bad[0] ?? ''}`);
  const { code, out, err } = await run('audit');
  t.equal(code, 0);
  t.match(out, /^ *0ms|\d+ms ago {2}transfer\uFFFD\[2J {2}\uFFFD\[2J {2}by .*\n.* release .*\n$/);
  t.notMatch(out + err, /\u001b/);
  const told = err.split('\n').slice(0, -1);
  t.equal(told.length, 5, err);
  t.equal(told[0], `holdfast audit: cannot read a line (${log}, byte 0): ${bad[0] ?? ''}`);
  const asJson = await run('audit --json --name x');
  t.match(asJson, { code: 0, err: '' });
  const objects = asJson.out
    .split('\n')
    .slice(0, -1)
    .map((text) => JSON.parse(text) as unknown);
  t.match(objects, [
    { event: 'damaged', path: log, offset: 0, text: bad[0] },
    ...bad.slice(1).map((text) => ({ event: 'damaged', text })),
    { event: 'release', name: 'x' },
    { event: 'damaged' },
  ]);
  t.equal(objects.length, 6);
});

await t.test('a log that is none', async (t) => {
  const { log, run } = setUp(t);
  mkdirSync(log, { recursive: true });
  t.match(await run('audit'), { code: 1, out: '', err: /audit\.log: not a regular file\n$/ });
  t.match(await run('audit --json'), { code: 1, err: '', out: /"code":"ERR_LOCK_NOT_REGULAR"/ });
  const warning = (name: string): RegExp =>
    new RegExp(`^holdfast ${name}: the audit log is incomplete: EISDIR[^\n]+\n$`);
  t.match(await run('lock x'), { code: 0, out: /^locked x/, err: warning('lock') });
  t.match(await run('lock x --json'), { code: 0, out: /^{"ok":true/, err: warning('lock') });
  t.match(await run('guard y --ttl 1m -- true'), { code: 0, out: '', err: warning('guard') });
  t.match(await run('unlock x'), { code: 0, err: warning('unlock') });
  t.match(await run('exists x'), { code: 3, err: '' }, 'which has nothing to write');
});

await t.test('the end of a guard, and of one that lost', async (t) => {
  const { dir, log, run } = setUp(t);
  const leases = new Leases({ dir });
  const guarding = run('guard x -- sleep 1000');
  // A look may never leave this turn of the event loop, and the guard needs others.
  while ((await leases.inspect('x')) === null) await nextTurn();
  const broken = await leases.break('x', { force: true });
  t.match(await guarding, { code: 5 });
  const events = readFileSync(log, 'utf8').split('\n').slice(0, -1);
  const own = events.map((text) => JSON.parse(text) as { event: string; id: string });
  // Broken in the very moment of the grant, it may be the later one of the two that is written first.
  const grants = own.filter(({ event }) => event === 'acquire');
  t.strictSame(
    grants.map(({ id }) => id),
    [broken?.id],
  );
  t.match(
    own.find(({ event }) => event === 'lost'),
    { id: broken?.id, name: 'x', why: undefined },
  );
  t.equal(own.filter(({ event }) => event === 'break').length, 1);
  t.notOk(
    own.some(({ event }) => event === 'release'),
    'one end',
  );
});

await t.test('--tail: the last ten, and on across rotation and truncation', async (t) => {
  const { dir, log } = setUp(t);
  mkdirSync(dir);
  const numbered = (n: number): string => line(0, { name: `n${n}` });
  const first = Array.from({ length: 15 }, (_, n) => numbered(n));
  writeFileSync(log, first.join(''));
  const child = spawn(...programCommand(['audit', '--tail']), {
    env: commandEnv({ HOLDFAST_ROOT: dir }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const names = (): string[] => [...out.matchAll(/ {2}(n\d+) {2}/g)].map(([, name = '']) => name);
  const until = async (count: number): Promise<void> => {
    while (names().length < count) {
      await once(child.stdout, 'data', { signal: AbortSignal.timeout(60_000) });
    }
  };
  await until(10);
  appendFileSync(log, numbered(15));
  await until(11);
  renameSync(log, `${log}.1`);
  appendFileSync(`${log}.1`, numbered(16));
  writeFileSync(log, numbered(17));
  await until(13);
  truncateSync(log);
  appendFileSync(log, numbered(18));
  await until(14);
  t.strictSame(
    names(),
    Array.from({ length: 14 }, (_, n) => `n${n + 5}`),
  );
  t.match(out, /^\d\d:\d\d:\d\d {2}release {7}n5 {2}by me \(pid 7\)\n/);
  child.kill('SIGINT');
  t.strictSame(await once(child, 'close'), [130, null]);
});

await t.test('a folder without a log, until there is one', async (t) => {
  const { dir, log } = setUp(t);
  const child = spawn(...programCommand(['audit', '-f', '--json']), {
    env: commandEnv({ HOLDFAST_ROOT: dir }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const said = once(child.stdout, 'data', { signal: AbortSignal.timeout(60_000) });
  const lease = await new Leases({ dir }).acquire('x');
  t.notOk(existsSync(log), 'a program writes no log unless it is told to');
  await lease.release();
  writeFileSync(log, line(0, { name: 'x' }));
  t.match(JSON.parse(String((await said)[0])), { name: 'x' });
  child.kill('SIGTERM');
  t.strictSame(await once(child, 'close'), [143, null]);
});
