/**
 * The system refuses: a full disk, one that cannot be written, a sync that fails, no descriptors, no
 * locks. The answer names path, call and code; nothing is granted, nothing is left open, and once the
 * fault is gone the next acquire works (G).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { forgetBoot } from '../helpers/guard-file.js';
import { LeaseProcess, type Told, type ToldError } from '../helpers/lease-process.js';
import { hasStrace } from '../helpers/strace.js';

interface Refusal {
  code: string;
  syscall: string;
  path?: RegExp;
}

/** It is refused as it should be, by the API's own error. */
async function refused(t: Test, answer: Promise<unknown>, why: Refusal, what: string) {
  const error = (await answer.then(
    (result) => new Error(`granted: ${JSON.stringify(result)}`),
    (thrown: unknown) => thrown,
  )) as ToldError;
  const { code, syscall, path = /build\.(guard|lock|new)$/ } = why;
  t.match(error, { code: 'ERR_LOCK_SYSTEM', path, cause: { code, syscall, path } }, what);
  t.ok(error.message.includes(code), `${what}: ${error.message}`);
}

/** Whatever came before, the lease can be taken, by the same process, with a higher token. */
async function worksAgain(t: Test, process: LeaseProcess, what: string, last = 0n) {
  let highest = last;
  for (const detached of [false, true]) {
    const lease = await process.acquire('build', { detached, ttl: '1h', timeout: 30_000 });
    t.ok(BigInt(lease.token) > highest, `${what}: works again`);
    highest = BigInt(lease.token);
    t.equal(await process.release(lease), 'released');
  }
  return highest;
}

const kinds: Record<string, { detached: boolean; ttl: string }> = {
  attached: { detached: false, ttl: '1h' },
  detached: { detached: true, ttl: '1h' },
};

/** A tmpfs that may be filled up and sealed without harm to anybody. */
function mountSmall(t: Test): string {
  const mount = mkdtempSync(join(tmpdir(), 'holdfast-small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', mount]);
  t.teardown(() => {
    execFileSync('umount', ['-l', mount]);
    rmSync(mount, { recursive: true });
  });
  mkdirSync(join(mount, 'leases'));
  return mount;
}

/** Takes all the room there is; the way to give it back. */
function fill(mount: string): () => void {
  const path = join(mount, 'filler');
  for (const size of [4096, 4096, 4096, 4096]) {
    try {
      writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch {
      break;
    }
  }
  return () => {
    rmSync(path);
  };
}

const root = process.getuid?.() === 0;
const mounts = { skip: !root && 'mounting a small filesystem takes root' };

await t.test('ENOSPC', mounts, async (t) => {
  const mount = mountSmall(t);
  const dir = join(mount, 'leases');
  const one = await LeaseProcess.start(t, dir);
  await worksAgain(t, one, 'before');
  const descriptors = await one.descriptors();
  const enospc = { code: 'ENOSPC', syscall: 'write' };
  let last = 0n;
  for (const [kind, options] of Object.entries(kinds)) {
    for (const guard of [false, true]) {
      const what = `${kind}, ${guard ? 'with' : 'without'} a guard`;
      if (!guard) rmSync(join(dir, 'build.guard'));
      const free = fill(mount);
      await refused(t, one.acquire('build', options), enospc, what);
      await refused(t, one.tryAcquire('build', options), enospc, `${what}, tryAcquire`);
      t.strictSame(readdirSync(dir), ['build.guard'], `${what}: no half record`);
      free();
      t.equal(await one.inspect('build'), null, `${what}: not granted`);
      last = await worksAgain(t, one, what, last);
      t.equal(await one.descriptors(), descriptors, `${what}: no descriptor left`);
    }
  }
});

await t.test('ENOSPC while it is held: a renewal fails, the lease stays', mounts, async (t) => {
  const mount = mountSmall(t);
  const dir = join(mount, 'leases');
  const one = await LeaseProcess.start(t, dir);
  const enospc = { code: 'ENOSPC', syscall: 'write' };
  const lease = await one.acquire('build', { detached: true, ttl: '1h' });
  const free = fill(mount);
  await refused(t, one.call('renew', lease.key), enospc, 'renew');
  await refused(t, one.call('freeze', 'build', { ttl: '1h' }), { ...enospc, path: /freeze$/ }, '');
  t.match(await one.call('state', lease.key), { held: true, lost: false });
  t.match(await one.inspect('build'), { state: 'held', token: lease.token, freeze: null });
  t.equal(await one.release(lease), 'released', 'and a full disk does not keep it');
  free();
  await worksAgain(t, one, 'then', BigInt(lease.token));
});

await t.test('EROFS', mounts, async (t) => {
  const mount = mountSmall(t);
  const dir = join(mount, 'leases');
  const remount = (how: 'ro' | 'rw'): void => {
    execFileSync('mount', ['-o', `remount,${how}`, mount]);
  };
  const one = await LeaseProcess.start(t, dir);
  const descriptors = await one.descriptors();
  const erofs = { code: 'EROFS', syscall: 'open' };
  for (const before of ['without a guard', 'with a guard']) {
    remount('ro');
    for (const [kind, options] of Object.entries(kinds)) {
      await refused(t, one.acquire('build', options), erofs, `${kind}, ${before}`);
    }
    t.equal(await one.descriptors(), descriptors, 'no descriptor left');
    remount('rw');
    await worksAgain(t, one, before);
  }
});

await t.test('EMFILE', { skip: process.platform === 'win32' }, async (t) => {
  const prefix = ['prlimit', '--nofile=60', '--'];
  const one = await LeaseProcess.start(t, t.testdir(), { prefix });
  await worksAgain(t, one, 'before');
  const descriptors = await one.descriptors();
  for (const [kind, options] of Object.entries(kinds)) {
    // Room for so many: for none, for the guard, for the guard and the record.
    for (const room of [0, 1, 2]) {
      const used = (await one.call('useUp', room)) as number[];
      const what = `${kind}, room for ${room}`;
      const answer: Promise<Told> = one.acquire('build', { ...options, timeout: 0 });
      if (room < 2) await refused(t, answer, { code: 'EMFILE', syscall: 'open' }, what);
      const granted = await answer.catch(() => undefined);
      if (granted !== undefined) await one.release(granted).catch(() => 'not yet');
      await one.call('close', used);
      await one.call('sweep');
      if (granted !== undefined && (await one.inspect('build')) !== null)
        await one.release(granted);
      await worksAgain(t, one, what);
      t.equal(await one.descriptors(), descriptors, `${what}: no descriptor left`);
    }
  }
});

/** A fault of one call on the files of the lease, once for each thread. */
const injected = [
  { call: 'fsync', code: 'EIO', syscall: 'fsync' },
  { call: 'flock', code: 'ENOLCK', syscall: 'flock' },
  { call: 'openat', code: 'EMFILE', syscall: 'open' },
  { call: 'pwrite64', code: 'EDQUOT', syscall: 'write' },
  { call: 'newfstatat', code: 'EIO', syscall: 'fstat' },
] as const;

await t.test(
  'injected, and then gone',
  { skip: !hasStrace && 'strace is not installed' },
  async (t) => {
    const dir = t.testdir();
    const paths = ['guard', 'lock', 'new'].flatMap((s) => ['-P', join(dir, `build.${s}`)]);
    const other = await LeaseProcess.start(t, dir);
    let last = await worksAgain(t, other, 'before');
    for (const { call, code, syscall } of injected) {
      for (const [kind, options] of Object.entries(kinds)) {
        const inject = ['-e', `inject=${call}:error=${code}:when=1`];
        const prefix = ['strace', '-f', '-qq', '-o', '/dev/null', ...paths, ...inject];
        const one = await LeaseProcess.start(t, dir, { prefix });
        const descriptors = await one.descriptors();
        forgetBoot(join(dir, 'build.guard'));
        const what = `${call} ${code}, ${kind}`;
        await refused(t, one.acquire('build', options), { code, syscall }, what);
        t.equal(await one.descriptors(), descriptors, `${what}: no descriptor left`);
        t.notMatch(await other.inspect('build'), { state: 'held' }, `${what}: not granted`);
        last = await worksAgain(t, other, `${what}, another process`, last);
        await one.kill();
      }
    }
  },
);
