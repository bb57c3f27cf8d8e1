/**
 * Fencing tokens rise with every grant of a name, whatever happened in between: release, expiry, a
 * break, SIGKILL at each step, the loss of the whole folder.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { full } from '../helpers/counting.js';
import { forgetBoot, readCounter, writeCounter } from '../helpers/guard-file.js';
import { killers } from '../helpers/lease-killers.js';
import { Ended, LeaseProcess, type Told } from '../helpers/lease-process.js';
import { packageRoot } from '../helpers/peer.js';
import { hasStrace } from '../helpers/strace.js';

/** All tokens of one name, in the order of their grants. */
class Tokens {
  last = 0n;
  #t: Test;

  constructor(t: Test) {
    this.#t = t;
  }

  /** @param after what came before this grant, for the message */
  rose(told: Told | string, after: string): void {
    const token = BigInt(typeof told === 'string' ? told : told.token);
    this.#t.ok(token > this.last, `after ${after}: ${token} > ${this.last}`);
    this.last = token > this.last ? token : this.last;
  }
}

await t.test('across release, expiry, break, death and takeover', async (t) => {
  const dir = t.testdir();
  const [one, other] = await Promise.all([LeaseProcess.start(t, dir), LeaseProcess.start(t, dir)]);
  const tokens = new Tokens(t);
  for (const detached of [false, true]) {
    for (let round = 0; round < (full ? 50 : 3); round++) {
      const kind = detached ? 'detached' : 'attached';
      const first = await one.acquire('build', { detached, ttl: '1m' });
      tokens.rose(first, 'the round before');
      t.equal(await one.release(first), 'released');
      tokens.rose(await other.acquire('build', { detached, ttl: 20, renew: false }), 'a release');
      const expired = await one.acquire('build', { detached, ttl: '1m', timeout: 30_000 });
      t.equal(expired.end, 'expired');
      tokens.rose(expired, `the end of the TTL, ${kind}`);
      t.ok(await other.break('build', { force: true }));
      const broken = await other.acquire('build', { detached, ttl: '1m' });
      tokens.rose(broken, `a break by force, ${kind}`);
      t.equal(await one.release(expired), 'lost');
      t.equal(await other.release(broken), 'released');
    }
  }
  const doomed = await LeaseProcess.start(t, dir);
  tokens.rose(await doomed.acquire('build'), 'all that');
  await doomed.kill();
  const heir = await one.acquire('build', { timeout: 30_000 });
  t.equal(heir.end, 'crashed');
  tokens.rose(heir, 'SIGKILL');
});

await t.test('of processes that take turns', async (t) => {
  const dir = t.testdir();
  const crew = await Promise.all([1, 2, 3].map(() => LeaseProcess.start(t, dir)));
  const times = full ? 500 : 40;
  const taken = await Promise.all(
    crew.map((each) => each.call('take', 'build', times) as Promise<string[]>),
  );
  const all = taken.flat().map(BigInt);
  t.equal(new Set(all).size, crew.length * times, 'nobody was granted one twice');
  for (const own of taken) {
    const rising = own.every((token, i) => i === 0 || BigInt(token) > BigInt(own[i - 1] ?? 0));
    t.ok(rising, 'to each of them they rose');
  }
});

await t.test('although the whole folder was deleted', async (t) => {
  const dir = join(t.testdir(), 'leases');
  const [one, other] = await Promise.all([LeaseProcess.start(t, dir), LeaseProcess.start(t, dir)]);
  const tokens = new Tokens(t);
  for (let round = 0; round < (full ? 100 : 10); round++) {
    for (const each of [one, other, one]) {
      for (const token of (await each.call('take', 'build', 3)) as string[]) {
        tokens.rose(token, `the loss of the folder, round ${round}`);
      }
    }
    // Somebody holds it, or nobody does.
    const held = [{}, { detached: true, ttl: '1h' }][round % 3];
    if (held !== undefined) tokens.rose(await other.acquire('build', held), 'those');
    rmSync(dir, { recursive: true });
  }
});

for (const trial of ['another boot', 'a death before the ceiling is synced'] as const) {
  const skip = trial.includes('death') && !hasStrace && 'strace is not installed';
  await t.test(`although there was ${trial}`, { skip }, async (t) => {
    t.equal(await killers[trial](t, packageRoot, t.testdir({})), undefined);
  });
}

await t.test('a ceiling that is far ahead, but not after another boot', async (t) => {
  const dir = t.testdir();
  const guard = join(dir, 'build.guard');
  const process = await LeaseProcess.start(t, dir);
  const ahead = async (): Promise<bigint> => {
    const lease = await process.acquire('build');
    await process.release(lease);
    return readCounter(guard).ceiling - BigInt(lease.token);
  };
  t.equal(await ahead(), 2n ** 24n);
  // Containers with boot ids of their own take turns: what each skips must not add up.
  writeCounter(guard, { ...readCounter(guard), boot: 'f'.repeat(16) });
  t.equal(await ahead(), 2n ** 9n);
  await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(await ahead(), 2n ** 24n, 'again, for there was nobody else');
});

const mayUnshare = spawnSync('unshare', ['--time', '--boottime', '1', 'true']).status === 0;
const noNamespace = (!hasStrace || !mayUnshare) && 'needs strace, and the right to make namespaces';

await t.test('in a time namespace, by a sync each', { skip: noNamespace }, async (t) => {
  const dir = t.testdir({});
  const log = `${dir}.trace`;
  const calls = ['-e', 'trace=fsync,fdatasync', '-P', join(dir, 'build.guard')];
  const strace = ['strace', '-f', '-qq', '-o', log, ...calls];
  const [ahead, behind] = await Promise.all(
    [['--boottime', '100000'], []].map((far) => {
      const prefix = far.length === 0 ? [] : [...strace, 'unshare', '--time', ...far];
      return LeaseProcess.start(t, dir, { prefix });
    }),
  );
  if (ahead === undefined || behind === undefined) throw new Error('two were asked for');
  const tokens = new Tokens(t);
  for (let round = 0; round < 5; round++) {
    for (const [each, where] of [
      [ahead, 'the namespace'],
      [behind, 'the host'],
    ] as const) {
      for (const token of (await each.call('take', 'build', 2)) as string[])
        tokens.rose(token, where);
    }
  }
  await ahead.kill();
  const syncs = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('sync('));
  t.equal(syncs.length, 10, 'one for each of ten tokens');
});

// What changes a file; by the others a process dies with nothing done (transaction.test.ts).
const changes = ['pwrite64', 'fsync', 'rename', 'unlink'];
const steps = full ? [...changes, 'openat', 'flock', 'newfstatat', 'pread64'] : changes;

/** What a life of a lease is made of; SIGKILL comes somewhere in it. */
const lives = {
  attached: async (doomed: LeaseProcess, granted: (told: Told) => void) => {
    const lease = await doomed.acquire('build', { ttl: '1h', renew: false });
    granted(lease);
    await doomed.call('renew', lease.key);
    await doomed.release(lease);
    granted(await doomed.acquire('build'));
  },
  detached: async (doomed: LeaseProcess, granted: (told: Told) => void) => {
    const lease = await doomed.acquire('build', { detached: true, ttl: '1h' });
    granted(lease);
    await doomed.call('renew', lease.key);
    await doomed.release(lease);
    const other = await doomed.acquire('build', { ttl: '1h', renew: false });
    granted(other);
    await doomed.call('detach', other.key, {});
  },
};

for (const [kind, live] of Object.entries(lives)) {
  const skip = !hasStrace && 'strace is not installed';
  await t.test(`across SIGKILL at each step, ${kind}`, { skip }, async (t) => {
    const dir = t.testdir();
    const heir = await LeaseProcess.start(t, dir);
    const tokens = new Tokens(t);
    let kills = 0;
    for (const step of steps) {
      for (let nth = 1; nth <= (full ? 8 : 2); nth++) {
        const at = `SIGKILL at ${step} ${nth}`;
        const paths = ['guard', 'lock', 'new', 'freeze'].map((suffix) => `build.${suffix}`);
        const traced = [dir, ...paths.map((path) => join(dir, path))].flatMap((p) => ['-P', p]);
        const inject = ['-e', `inject=${step}:signal=KILL:when=${nth}`];
        const prefix = ['strace', '-f', '-qq', '-o', '/dev/null', ...traced, ...inject];
        const doomed = await LeaseProcess.start(t, dir, { prefix });
        forgetBoot(join(dir, 'build.guard'));
        let acknowledged: Told | undefined;
        const survived = await live(doomed, (told) => {
          acknowledged = told;
          tokens.rose(told, at);
        }).then(
          () => true,
          (error: unknown) => {
            if (!(error instanceof Ended)) throw error;
            return false;
          },
        );
        await doomed.kill();
        const info = await heir.inspect('build');
        const state = info?.state ?? 'free';
        t.match(state, kind === 'attached' ? /free|dead|corrupt/ : /free|dead|corrupt|held/, at);
        if (state === 'held') {
          t.equal(info?.kind, 'detached', `${at}: what is held has no process`);
          // Killed before it could say so, it had been granted the lease.
          if (info?.token !== acknowledged?.token) tokens.rose(info?.token ?? '0', `${at}, held`);
          await heir.break('build', { force: true });
        }
        const next = await heir.acquire('build', { timeout: 30_000 });
        tokens.rose(next, at);
        await heir.release(next);
        await heir.call('sweep');
        const left = readdirSync(dir).filter((file) => !/\.(guard|queue)$/.test(file));
        t.strictSame(left, [], `${at}: nothing is left over`);
        if (survived) break; // fewer such calls than that
        kills++;
      }
    }
    t.ok(kills >= (full ? 20 : 4), `${kills} kills`);
  });
}
