/** Leases: taking one, in one process. */
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { Leases, LockError } from '../lib/index.js';
import { defaultOwner } from '../lib/owner.js';
import { FileStore } from '../lib/store/file-store.js';
import type { Attempt, Denied, Grant } from '../lib/store/store.js';
import { isFree, mustTake, rejection, someLeases } from './helpers/some-leases.js';

/** Counts what is asked of it. */
class CountingStore extends FileStore {
  attempts = 0;

  override tryAcquire(attempt: Attempt): Promise<Grant | Denied> {
    this.attempts++;
    return super.tryAcquire(attempt);
  }
}

await t.test('a folder of leases', async (t) => {
  const leases = someLeases(t, { fileMode: 0o640 });
  t.match(leases.capabilities, { kind: 'file', scope: 'host', liveness: true, fifo: true });
  t.equal(await leases.inspect('build'), null);
  const lease = await mustTake(leases);
  const { location } = leases;
  for (const suffix of ['lock', 'guard']) {
    t.equal(statSync(join(location, `build.${suffix}`)).mode & 0o777, 0o640, suffix);
  }
  t.equal(statSync(location).mode & 0o777, 0o750, 'who may read the files may search it');
  await leases[Symbol.asyncDispose]();
  lease.assertHeld();
  t.equal(await lease.release(), 'released', 'a closed store leaves leases alone');
  const named = new Leases({ dir: location, owner: 'bob' });
  t.equal((await mustTake(named, 'a')).owner, 'bob');
  t.equal((await mustTake(named, 'b', { owner: 'carol' })).owner, 'carol');
  t.equal((await mustTake(new Leases({ dir: location }), 'c')).owner, defaultOwner());
});

await t.test('tryAcquire: null while it is held, whoever asks', async (t) => {
  const leases = someLeases(t);
  const other = new Leases({ dir: leases.location, owner: 'bob' });
  const lease = await mustTake(leases);
  t.equal(await leases.tryAcquire('build'), null, 'there is no re-entry');
  t.equal(
    await other.tryAcquire('build', { owner: 'alice' }),
    null,
    'not by the same name, either',
  );
  t.ok(await isFree(other, 'another'));
  await lease.release();
  t.ok(await isFree(other));
});

await t.test('tryAcquire: retries and pauses (D4)', async (t) => {
  const dir = t.testdir();
  const store = new CountingStore({ dir });
  const leases = new Leases({ store });
  const lease = await mustTake(new Leases({ dir }));
  const start = performance.now();
  const backoff = { initial: 10, factor: 2 };
  t.equal(await leases.tryAcquire('build', { retries: 3, backoff }), null);
  // A timer may fire a fraction of a millisecond early, and there are three.
  t.ok(performance.now() - start >= 70 - 3, '10 + 20 + 40 ms');
  t.equal(store.attempts, 4);
  t.equal(await leases.tryAcquire('build'), null);
  t.equal(store.attempts, 5, 'no retries unless they are asked for');
  setTimeout(() => void lease.release(), 30);
  const late = await leases.tryAcquire('build', { retries: Infinity, backoff });
  t.ok(late?.held);
  await late?.release();
});

await t.test('tryAcquire: an abort ends the pauses', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases);
  const { signal, abort } = aborter();
  const reason = new Error('enough');
  const options = { signal, retries: Infinity, backoff: { initial: 60_000, max: 60_000 } };
  const attempt = leases.tryAcquire('build', options);
  setTimeout(() => {
    abort(reason);
  }, 10);
  t.equal(await rejection(attempt), reason);
  t.equal(
    await rejection(leases.tryAcquire('free', { signal })),
    reason,
    'aborted: even when free',
  );
  await lease.release();
});

function aborter(): { signal: AbortSignal; abort: (reason: unknown) => void } {
  const controller = new AbortController();
  const abort = controller.abort.bind(controller);
  return { signal: controller.signal, abort };
}

await t.test('acquire: errors name the holder', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases, 'build', { ttl: '1m' });
  const holder = { owner: 'alice', pid: process.pid, since: lease.acquiredAt };
  const held = await rejection(leases.acquire('build', { timeout: 0 }));
  t.ok(held instanceof LockError);
  t.match(held, { code: 'ERR_LOCK_HELD', holder, message: /held by alice/ });
  const timedOut = await rejection(leases.acquire('build', { timeout: 20 }));
  t.match(timedOut, { code: 'ERR_LOCK_TIMEOUT', holder, message: /20 ms.*held by alice/ });
  await leases.freeze('build', { ttl: '1m' });
  t.match(await rejection(leases.acquire('build', { timeout: 0 })), { code: 'ERR_LOCK_HELD' });
  await lease.release();
  const frozen = await rejection(leases.acquire('build', { timeout: 0 }));
  t.match(frozen, { code: 'ERR_LOCK_FROZEN', message: /frozen by alice/ });
  t.match(await rejection(leases.acquire('build', { timeout: 20 })), {
    code: 'ERR_LOCK_TIMEOUT',
    message: /frozen by alice/,
  });
});

const modes = { skip: process.platform === 'win32' && 'no modes there' };
await t.test(
  'a folder is for those for whom the files are, whatever the umask',
  modes,
  async (t) => {
    const root = t.testdir();
    const before = process.umask(0o027);
    t.teardown(() => process.umask(before));
    for (const [fileMode, folder] of [
      [undefined, 0o700],
      [0o660, 0o770],
      [0o644, 0o755],
    ] as const) {
      const dir = join(root, 'above', folder.toString(8));
      const leases = new Leases({ dir, ...(fileMode === undefined ? {} : { fileMode }) });
      await (await leases.acquire('build')).release();
      t.equal(statSync(dir).mode & 0o777, folder);
    }
    // A folder of a group: on Linux, what is made in it is of that group as well, by this bit (mkdir(2)).
    chmodSync(root, 0o2770);
    const dir = join(root, 'of a group');
    await (await new Leases({ dir, fileMode: 0o660 }).acquire('build')).release();
    t.equal(statSync(dir).mode & 0o7777, process.platform === 'linux' ? 0o2770 : 0o770);
  },
);

await t.test('a store without liveness: 30 s and renewals, unless told otherwise', async (t) => {
  class Blind extends FileStore {
    override readonly capabilities = Object.freeze({
      ...new FileStore({ dir: '.' }).capabilities,
      liveness: false,
    });
  }
  const leases = new Leases({ store: new Blind({ dir: t.testdir() }) });
  const lease = await mustTake(leases);
  t.equal(lease.ttl, 30_000);
  await lease.release();
});

await t.test('with: what fn returns, and released however it ends', async (t) => {
  const leases = someLeases(t);
  const answer = await leases.with('build', async (lease) => {
    t.equal(await leases.tryAcquire('build'), null);
    return lease.token;
  });
  t.type(answer, 'bigint');
  t.equal(await leases.with('build', { ttl: '30s', owner: 'bob' }, ({ owner }) => owner), 'bob');
  const thrown = new Error('of the body');
  const failing = leases.with('build', () => {
    throw thrown;
  });
  t.equal(await rejection(failing), thrown);
  t.ok(await isFree(leases));
  const held = await mustTake(leases);
  const options = { timeout: 0 };
  const inVain = leases.with('build', options, () => t.fail('not called'));
  t.match(await rejection(inVain), { code: 'ERR_LOCK_HELD' });
  await held.release();
});

await t.test('with: lost during the body', async (t) => {
  const leases = someLeases(t);
  const well = leases.with('build', () => leases.break('build', { force: true }));
  t.match(
    await rejection(well),
    { code: 'ERR_LOCK_LOST' },
    'what fn returned is not to be trusted',
  );
  const thrown = new Error('of the body');
  const badly = leases.with('build', async () => {
    await leases.break('build', { force: true });
    throw thrown;
  });
  t.equal(await rejection(badly), thrown, 'its own error is the better one');
});

await t.test('with: neither error hides the other', async (t) => {
  const failure = new LockError('ERR_LOCK_SYSTEM', 'of the release');
  class Stuck extends FileStore {
    override release(): Promise<boolean> {
      return Promise.reject(failure);
    }
  }
  const leases = new Leases({ store: new Stuck({ dir: t.testdir() }) });
  const thrown = new Error('of the body');
  const both = await rejection(
    leases.with('build', () => {
      throw thrown;
    }),
  );
  if (both instanceof AggregateError) t.strictSame(both.errors, [thrown, failure]);
  else t.match(both, { error: failure, suppressed: thrown });
  t.equal(await rejection(leases.with('another', () => 1)), failure);
});
