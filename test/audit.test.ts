/** The audit log in one process: what is written for what happens, and what failures come to. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';

import { auditTo, Leases, tryLock, type Audit, type AuditOptions } from '../lib/index.js';
import './helpers/unwatched.js';

interface Line {
  event: string;
  kind: string;
  name: string;
  id: string;
  [field: string]: unknown;
}

interface Setup {
  audit: Audit;
  ann: Leases;
  bob: Leases;
  clock: { ms: number; now(): number };
}

function setUp(t: Test, options?: AuditOptions): Setup {
  const folder = t.testdir();
  const clock = { ms: 1_700_000_000_000, now: () => clock.ms };
  const dir = join(folder, 'leases');
  const audit = auditTo(join(folder, 'audit.log'), options);
  t.teardown(() => {
    audit.close();
  });
  const by = (owner: string): Leases => new Leases({ dir, clock, owner });
  return { audit, ann: by('ann'), bob: by('bob'), clock };
}

function linesOf({ path }: Audit): Line[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

const told = (audit: Audit): string[] => linesOf(audit).map(({ event }) => event);

await t.test('a lease from grant to release', async (t) => {
  const { audit, ann, bob } = setUp(t);
  const lease = await ann.acquire('build', { ttl: '1m', meta: { job: 7 } });
  t.equal(await bob.tryAcquire('build'), null);
  await lease.renew();
  await lease.detach({ ttl: '5m' });
  const adopted = await bob.adopt('build', { id: lease.id, token: lease.token });
  await adopted.renew();
  await adopted.release();
  t.equal(await lease.release(), 'lost', 'somebody released it for us');
  const lines = linesOf(audit);
  const { id } = lease;
  const token = String(lease.token);
  const common = { name: 'build', id, token, owner: 'ann', pid: process.pid };
  t.match(lines, [
    { event: 'acquire', ...common, ttl: 60_000, detached: false, previous: null, meta: { job: 7 } },
    { event: 'deny', by: 'bob', token: null, why: 'held', holder: { owner: 'ann', id, token } },
    { event: 'renew', ...common, detached: false },
    { event: 'detach', ...common, detached: true, ttl: 300_000 },
    { event: 'renew', ...common, detached: true },
    { event: 'release', ...common },
    { event: 'lost', ...common },
  ]);
  t.equal(lines.length, 7);
  t.equal(audit.written, 7);
  for (const { time, location } of lines) {
    t.ok(Math.abs(Date.now() - Date.parse(String(time))) < 60_000);
    t.equal(location, ann.location);
  }
});

await t.test('a stale lease that somebody takes: the break, then the grant', async (t) => {
  const { audit, ann, bob, clock } = setUp(t);
  const first = await ann.acquire('build', { ttl: 100, renew: false });
  clock.ms += 150;
  const second = await bob.acquire('build');
  t.equal(await first.release(), 'lost');
  await second.release();
  t.match(linesOf(audit).slice(1), [
    { event: 'break', id: first.id, owner: 'ann', by: 'bob', why: 'expired' },
    { event: 'acquire', id: second.id, previous: { end: 'expired', token: String(first.token) } },
    { event: 'lost', id: first.id },
    { event: 'release', id: second.id },
  ]);
});

await t.test('break, sweep and freeze', async (t) => {
  const { audit, ann, bob, clock } = setUp(t);
  const forced = await ann.acquire('forced');
  await bob.break('forced', { force: true });
  t.equal(await forced.release(), 'lost');
  const stale = await ann.acquire('stale', { detached: true, ttl: 100 });
  clock.ms += 150;
  await bob.sweep();
  await ann.freeze('frozen', { ttl: '1m' });
  await t.rejects(bob.acquire('frozen', { timeout: 0 }), { code: 'ERR_LOCK_FROZEN' });
  await bob.unfreeze('frozen');
  t.equal(await bob.unfreeze('frozen'), false, 'which is no event');
  t.match(linesOf(audit), [
    { event: 'acquire', id: forced.id },
    { event: 'break', id: forced.id, why: 'forced', owner: 'ann', by: 'bob' },
    { event: 'lost', id: forced.id },
    { event: 'acquire', id: stale.id, detached: true },
    { event: 'break', id: stale.id, why: 'expired', by: 'bob' },
    { event: 'freeze', name: 'frozen', by: 'ann', ttl: 60_000 },
    { event: 'deny', name: 'frozen', by: 'bob', why: 'frozen', holder: null },
    { event: 'unfreeze', name: 'frozen', by: 'bob' },
  ]);
  t.equal(audit.written, 8);
});

await t.test('waits that end without a grant are denials', async (t) => {
  const { audit, ann, bob } = setUp(t);
  const lease = await ann.acquire('build');
  const { id } = lease;
  await t.rejects(bob.acquire('build', { timeout: 5 }), { code: 'ERR_LOCK_TIMEOUT' });
  await t.rejects(bob.acquire('build', { signal: AbortSignal.timeout(5) }));
  t.match(linesOf(audit).slice(1), [
    { event: 'deny', why: 'timeout', code: 'ERR_LOCK_TIMEOUT', holder: { id } },
    { event: 'deny', why: 'aborted', code: 'TimeoutError', holder: { id } },
  ]);
  // Its folder goes with this test; the next one would be told that it is lost.
  await lease.release();
});

await t.test('file locks only if asked for, and not the one of a rotation', async (t) => {
  const without = setUp(t);
  tryLock(join(t.testdirName, 'data'))?.release();
  await (await without.ann.acquire('build')).release();
  t.strictSame(told(without.audit), ['acquire', 'release']);
  without.audit.close();

  const { audit, ann } = setUp(t, { fileLocks: true, maxBytes: 1, keep: 9 });
  const resource = join(t.testdirName, 'data');
  const held = tryLock(resource);
  t.equal(tryLock(resource), null);
  unlinkSync(`${resource}.lock`);
  t.throws(() => held?.assertHeld());
  held?.release();
  await (await ann.acquire('build')).release();
  const nth = (n: number): Line[] => linesOf({ ...audit, path: `${audit.path}.${n}` });
  t.match([5, 4, 3, 2, 1].flatMap(nth), [
    { event: 'acquire', kind: 'file', resource },
    { event: 'deny', kind: 'file', resource, why: 'held' },
    { event: 'lost', kind: 'file', resource },
    { event: 'release', kind: 'file', resource },
    { event: 'acquire', kind: 'lease' },
  ]);
  t.equal(audit.written, 6, 'the rotations have not told of themselves');
});

await t.test('close ends it; another one begins', async (t) => {
  const { audit, ann } = setUp(t);
  await (await ann.acquire('build')).release();
  audit.close();
  audit[Symbol.dispose]();
  await (await ann.acquire('build')).release();
  t.equal(audit.written, 2);
  const url = pathToFileURL(audit.path);
  const again = auditTo(url);
  t.equal(again.path, audit.path);
  await (await ann.acquire('build')).release();
  again.close();
  t.equal(linesOf(audit).length, 4);
});

await t.test('what cannot be written is counted, reported once, and locks go on', async (t) => {
  const errors: unknown[] = [];
  const { audit, ann } = setUp(t, { onError: (error) => errors.push(error) });
  mkdirSync(audit.path);
  for (let i = 0; i < 3; i++) await (await ann.acquire('build')).release();
  await new Promise(setImmediate);
  t.equal(audit.failed, 6);
  t.match(errors, [{ code: 'EISDIR' }]);
  t.equal(errors.length, 1);
});

await t.test('a full disk and a missing folder are warnings', async (t) => {
  const { ann } = setUp(t);
  for (const path of ['/dev/full', join(t.testdirName, 'no', 'audit.log')]) {
    const audit = auditTo(path);
    const warned = once(process, 'warning') as Promise<[Error & { code?: string }]>;
    const lease = await ann.acquire('build');
    t.equal(await lease.release(), 'released');
    const [warning] = await warned;
    t.match(warning, { name: 'AuditWarning', code: 'HOLDFAST_AUDIT' });
    t.match(warning.message, path === '/dev/full' ? /\/dev\/full .*ENOSPC/ : /ENOENT/);
    t.equal(audit.failed, 2);
    audit.close();
  }
});

await t.test('options that make no sense', (t) => {
  const wrong = (path: unknown, options?: unknown) => () =>
    auditTo(path as string, options as AuditOptions);
  for (const path of ['', 7, undefined, 'a\0b']) t.throws(wrong(path), TypeError);
  for (const options of [
    null,
    { maxBytes: '1' },
    { keep: '1' },
    { fileLocks: 1 },
    { fileMode: '600' },
    { onError: true },
  ]) {
    t.throws(wrong('log', options), TypeError, JSON.stringify(options));
  }
  for (const options of [{ maxBytes: 0 }, { keep: 0 }, { keep: 1.5 }, { fileMode: 0o1000 }]) {
    t.throws(wrong('log', options), RangeError, JSON.stringify(options));
  }
  t.end();
});

await t.test('a log in the folder of the leases gets in the way of none', async (t) => {
  const dir = t.testdir();
  const leases = new Leases({ dir });
  const audit = auditTo(join(dir, 'audit.log'), { maxBytes: 1 });
  for (let i = 0; i < 3; i++) await (await leases.acquire('build')).release();
  audit.close();
  t.ok(existsSync(join(dir, 'audit.log.5')), 'it was rotated');
  const lease = await leases.tryAcquire('audit.log');
  t.ok(lease, 'what it is rotated under is no record');
  await lease?.release();
});
