/**
 * What a wrong protocol of leases shows itself by: each is a small trial of a package, which a sound
 * one passes. They answer what went wrong, or undefined.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

import { readCounter, writeCounter } from './guard-file.js';
import { untilBlocked } from './kernel.js';
import { LeaseProcess, type LeaseProcessOptions, type ToldError } from './lease-process.js';
import { childEnv, packageRoot } from './peer.js';

export type Killer = (t: Test, root: string, dir: string) => Promise<string | undefined>;

const start = (
  t: Test,
  dir: string,
  root: string,
  count: number,
  options: LeaseProcessOptions = {},
): Promise<LeaseProcess[]> =>
  Promise.all(
    Array.from({ length: count }, () => LeaseProcess.start(t, dir, { ...options, root })),
  );

async function pair(t: Test, dir: string, root: string): Promise<[LeaseProcess, LeaseProcess]> {
  return Promise.all([LeaseProcess.start(t, dir, { root }), LeaseProcess.start(t, dir, { root })]);
}

/** Imported before a program: it runs this. */
const preload = (script: string): string[] => [
  '--import',
  `data:text/javascript,${encodeURIComponent(script)}`,
];

const codeOf = (answer: Promise<unknown>): Promise<string | undefined> =>
  answer.then(
    () => undefined,
    (error: unknown) => (error as ToldError).code,
  );

/** Longer than anything takes; a sound package needs none of it. */
const patience = { timeout: 5000 };

/** Does a new process sync the guard for its first token? */
async function syncsTheGuard(t: Test, root: string, dir: string): Promise<boolean> {
  const log = `${dir}.trace`; // t.testdir() would begin it anew
  const calls = ['-e', 'trace=fsync,fdatasync', '-P', join(dir, 'build.guard')];
  const prefix = ['strace', '-f', '-qq', '-o', log, ...calls];
  const [one] = await start(t, dir, root, 1, { prefix });
  await one?.acquire('build');
  await one?.kill();
  return /f(data)?sync\(/.test(readFileSync(log, 'utf8'));
}

export const killers = {
  'a herd at a stale lease': async (t, root, dir) => {
    const crew = await start(t, dir, root, 4);
    for (let round = 1; round <= 150; round++) {
      await crew[0]?.acquire('build', { detached: true, ttl: 1 });
      let failed: string | undefined;
      const all = await Promise.all(
        crew.map((each) =>
          each.tryAcquire('build', { ttl: '1h' }).catch((error: unknown) => {
            failed = String(error);
            return null;
          }),
        ),
      );
      if (failed !== undefined) return `round ${round}: ${failed}`;
      const granted = all.filter((lease) => lease !== null).length;
      if (granted > 1) return `round ${round}: ${granted} holders`;
      for (const [i, lease] of all.entries()) if (lease !== null) await crew[i]?.release(lease);
    }
    return undefined;
  },

  'an outsider removes the record': async (t, root, dir) => {
    const [holder] = await pair(t, dir, root);
    const lease = await holder.acquire('build');
    rmSync(join(dir, 'build.lock'));
    const code = await codeOf(holder.call('assertHeld', lease.key));
    return code === 'ERR_LOCK_LOST' ? undefined : 'assertHeld() saw nothing';
  },

  'a late release, attached': (t, root, dir) => lateRelease(t, root, dir, false),
  'a late release, detached': (t, root, dir) => lateRelease(t, root, dir, true),
  'a late renewal, attached': (t, root, dir) => lateRenewal(t, root, dir, false),
  'a late renewal, detached': (t, root, dir) => lateRenewal(t, root, dir, true),

  'a pid that lives again': async (t, root, dir) => {
    const execArgv = preload(`Object.defineProperty(process, 'pid', { value: ${process.pid} })`);
    const [dead] = await start(t, dir, root, 1, { execArgv });
    const [heir] = await start(t, dir, root, 1);
    await dead?.acquire('build');
    await dead?.kill();
    const lease = await heir?.tryAcquire('build');
    return lease === null ? 'the dead holder is taken for a living one' : undefined;
  },

  'a wall clock two hours ahead': async (t, root, dir) => {
    const ahead = 'const now = Date.now; Date.now = () => now() + 7_200_000';
    const [holder] = await start(t, dir, root, 1);
    const [robber] = await start(t, dir, root, 1, { execArgv: preload(ahead) });
    for (const detached of [false, true]) {
      await holder?.acquire(`${detached}`, { ttl: '1h', detached });
      if ((await robber?.tryAcquire(`${detached}`)) !== null) return 'robbed';
    }
    return undefined;
  },

  'the sync before the first token': async (t, root, dir) =>
    (await syncsTheGuard(t, root, dir)) ? undefined : 'the guard was not synced',

  'a death before the ceiling is synced': async (t, root, dir) => {
    const guard = join(dir, 'build.guard');
    const [first] = await start(t, dir, root, 1);
    await first?.release(await first.acquire('build'));
    // Passed, and by one of this boot: the next is far ahead.
    const { ceiling, ...counter } = readCounter(guard);
    writeCounter(guard, { ...counter, ceiling: ceiling - 2n ** 24n });
    const killed = ['-e', 'trace=fdatasync,fsync', '-e', 'inject=fdatasync,fsync:signal=KILL'];
    const [doomed] = await start(t, dir, root, 1, {
      prefix: ['strace', '-f', '-qq', '-o', '/dev/null', '-P', guard, ...killed],
    });
    await doomed?.acquire('build').catch(() => undefined);
    return (await syncsTheGuard(t, root, dir))
      ? undefined
      : 'tokens below a ceiling that nobody has synced';
  },

  // As if the machine had been started anew, and the clock were where it was before.
  'another boot': async (t, root, dir) => {
    const guard = join(dir, 'build.guard');
    const [one, other] = await pair(t, dir, root);
    await one.release(await one.acquire('build'));
    const before = { ...readCounter(guard), boot: 'f'.repeat(16) };
    writeCounter(guard, before);
    const { token } = await other.acquire('build');
    return BigInt(token) > before.ceiling ? undefined : `${token} may have been handed out before`;
  },

  'power cuts': async (_, root) => {
    // Not every cut costs what was not synced: now and then five of them all go well.
    for (let round = 0; round < 3; round++) {
      const { status, stdout } = powerCuts(5, root);
      if (status !== 0) return stdout.trim().split('\n').at(-1);
    }
    return undefined;
  },

  'tokens across a release': async (t, root, dir) => {
    const crew = await pair(t, dir, root);
    let last = 0n;
    for (const each of [...crew, ...crew]) {
      for (const text of (await each.call('take', 'build', 2)) as string[]) {
        if (BigInt(text) <= last) return `${text} after ${last}`;
        last = BigInt(text);
      }
    }
    return undefined;
  },

  'what a release leaves': async (t, root, dir) => {
    const [one, other] = await pair(t, dir, root);
    await one.release(await one.acquire('build'));
    if (!existsSync(join(dir, 'build.guard'))) return 'the guard is gone';
    const { end } = await other.acquire('build');
    return end === 'released' ? undefined : `the lease before ended ${end}`;
  },

  'a holder that lives': async (t, root, dir) => {
    const [holder, other] = await pair(t, dir, root);
    await holder.acquire('build');
    return (await other.tryAcquire('build')) === null ? undefined : 'robbed at once';
  },

  'a renewal keeps its holder alive': async (t, root, dir) => {
    const [holder, other] = await pair(t, dir, root);
    const lease = await holder.acquire('build', { ttl: '1h', renew: false });
    await codeOf(holder.call('renew', lease.key));
    const robbed = await other.tryAcquire('build');
    return robbed === null ? undefined : 'robbed after a renewal';
  },

  'a waiter that is held up as it wakes': async (t, root, dir) => {
    const [holder, third] = await pair(t, dir, root);
    const record = join(dir, 'build.lock');
    // It has the lock of the record, and for two seconds does not know it. (So does its first look.)
    const inject = ['-P', record, '-e', 'inject=flock:delay_exit=2000000:when=1'];
    const prefix = ['strace', '-f', '-qq', '-o', '/dev/null', ...inject];
    const [waiter] = await start(t, dir, root, 1, { prefix });
    const dead = await holder.acquire('build');
    waiter?.acquire('build').catch(() => undefined);
    await untilBlocked(record);
    await holder.kill();
    if ((await third.tryAcquire('build')) !== null) return undefined;
    const info = await third.inspect('build');
    return info?.token === dead.token ? 'it is taken for a holder' : undefined;
  },
} satisfies Record<string, Killer>;

/** Why there can be no power cuts here, or undefined. */
export function noPowerCuts(): string | undefined {
  return /SKIPPED, (.*)/.exec(powerCuts(0, packageRoot).stdout)?.[1];
}

function powerCuts(cuts: number, root: string): { status: number | null; stdout: string } {
  const campaign = join(packageRoot, 'campaigns/powercut/run.mjs');
  const args = [campaign, '--cuts', String(cuts)];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: childEnv(root) });
}

export type KillerName = keyof typeof killers;

/** Its TTL is over, and somebody else has the lease. */
async function successor(
  t: Test,
  root: string,
  dir: string,
  detached: boolean,
): Promise<{ late: LeaseProcess; key: number; other: LeaseProcess; token: string }> {
  const [late, other] = await pair(t, dir, root);
  const { key } = await late.acquire('build', { ttl: 1, renew: false, detached });
  const { token } = await other.acquire('build', { ttl: '1h', detached, ...patience });
  return { late, key, other, token };
}

async function lateRelease(
  t: Test,
  root: string,
  dir: string,
  detached: boolean,
): Promise<string | undefined> {
  const { late, key, other, token } = await successor(t, root, dir, detached);
  const answer = await late.release({ key });
  const there = (await other.inspect('build'))?.token;
  if (there !== token) return 'the successor has lost its record';
  return answer === 'lost' ? undefined : `the answer was ${answer}`;
}

async function lateRenewal(
  t: Test,
  root: string,
  dir: string,
  detached: boolean,
): Promise<string | undefined> {
  const { late, key, other, token } = await successor(t, root, dir, detached);
  const code = await codeOf(late.call('renew', key));
  const there = (await other.inspect('build'))?.token;
  if (there !== token) return 'the successor has lost its record';
  return code === 'ERR_LOCK_LOST' ? undefined : `the answer was ${code ?? 'renewed'}`;
}
