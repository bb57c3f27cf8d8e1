/** What `holdfast doctor` looks at, one check each: what it found, and what to do about it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { formatDuration } from '../duration.js';
import { isLocal } from '../filesystem.js';
import { Leases } from '../leases.js';
import { addon, createExclusive, isFailure, systemError } from '../native.js';
import { readClocks } from '../now.js';
import { packageRoot } from '../package-root.js';
import { takeable } from '../staleness.js';
import type { Arguments } from './arguments.js';
import { quoted, typed } from './shell.js';
import { version } from './version.js';

export interface Finding {
  readonly state: 'ok' | 'warn' | 'fail';
  readonly text: string;
  /** What to do, unless all is well. */
  readonly remedy?: string;
}

/** Where to look. */
export interface Patient {
  /** The folder of the leases; it exists. */
  readonly root: string;
  /** A folder in it, for trials, which is removed afterwards. */
  readonly scratch: string;
  /** What was asked for. */
  readonly args: Arguments;
}

export type Check = (patient: Patient) => Finding | Promise<Finding>;

const ok = (text: string): Finding => ({ state: 'ok', text });
const warn = (text: string, remedy: string): Finding => ({ state: 'warn', text, remedy });
const fail = (text: string, remedy: string): Finding => ({ state: 'fail', text, remedy });

/** Longer than a busy machine takes; death frees a lock at once, on Windows soon. */
const patienceMs = 20_000;

const child = fileURLToPath(new URL('lib/doctor-child.bundle.js', packageRoot));

/** By what they are called; in the order of the report. */
export const checks: Readonly<Record<string, Check>> = {
  version: programs,
  filesystem,
  permissions,
  exclusion,
  fsync,
  clocks,
  leftovers,
};

function programs(): Finding {
  const { report } = process as { report?: NodeJS.ProcessReport };
  const facts = report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  const libc = facts?.header?.glibcVersionRuntime;
  const system = `${process.platform}-${process.arch}${libc === undefined ? '' : `, glibc ${libc}`}`;
  return ok(`holdfast ${version()}, Node ${process.version}, ${system}; the addon is loaded`);
}

function filesystem({ root }: Patient): Finding {
  const info = addon.fsInfo(root);
  if (isFailure(info))
    return fail(systemError(info, root).message, 'choose another folder: --root');
  const shown = `${info.type || `type 0x${info.magic.toString(16)}`} on ${info.source || '?'}`;
  if (isLocal(info)) return ok(`${shown}, local`);
  return fail(
    `${shown}: a network or shared filesystem may let two holders in`,
    'set HOLDFAST_ROOT to a folder on a local disk',
  );
}

function permissions({ root }: Patient): Finding {
  const { mode, uid }: Stats = statSync(root);
  const shown = `${root}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`;
  const us = process.getuid?.();
  if (us === undefined) return ok(root);
  if ((mode & 0o002) !== 0) {
    return warn(`${shown}: others may remove what is locked`, `chmod o-w ${quoted(root)}`);
  }
  if (uid !== us && us !== 0)
    return warn(`${shown}, of user ${uid}`, `chown it, or set HOLDFAST_ROOT`);
  return ok(`${shown}, writable${(mode & 0o020) === 0 ? '' : ', for its group as well'}`);
}

/** A child holds; we are refused; it is killed; we are granted, and with a higher token. */
async function exclusion({ scratch }: Patient): Promise<Finding> {
  const remedy = 'do not use this folder: set HOLDFAST_ROOT to one on a local disk';
  const leases = new Leases({ dir: scratch, owner: 'holdfast doctor' });
  const holder = fork(child, [scratch, 'trial'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const exited = once(holder, 'exit');
  try {
    const message = once(holder, 'message', { signal: AbortSignal.timeout(patienceMs) });
    const [first] = (await Promise.race([message, exited])) as [unknown];
    if (typeof first !== 'string') return fail('another process could not take a lease', remedy);
    const both = await leases.tryAcquire('trial');
    if (both !== null) {
      await both.release();
      return fail('two processes held one lease at the same time', remedy);
    }
    const killed = performance.now();
    holder.kill('SIGKILL');
    const next = await leases.acquire('trial', { timeout: patienceMs });
    const took = formatDuration(performance.now() - killed);
    await next.release();
    if (next.token <= BigInt(first)) return fail('the token did not rise', remedy);
    return ok(`one of two processes is refused; the lease of a dead one is free after ${took}`);
  } finally {
    holder.kill('SIGKILL');
    await exited;
  }
}

function fsync({ scratch }: Patient): Finding {
  const file = join(scratch, 'durable');
  const start = performance.now();
  createExclusive(file, Buffer.from('holdfast'), { durable: true });
  closeSync(openSync(file, 'r'));
  const took = performance.now() - start;
  const text = `a file and its folder are on the medium after ${formatDuration(took)}`;
  if (took < 1000) return ok(text);
  return warn(text, 'expect every detached lease to take as long; a faster disk would help');
}

function clocks(): Finding {
  const { wallMs, bootId, timeNamespace, boottimeMs } = readClocks(undefined);
  const up = `up for ${formatDuration(boottimeMs)}`;
  // Before the first version of this program: the clock was never set.
  if (wallMs < Date.UTC(2025)) {
    return warn(`the wall clock says ${new Date(wallMs).toISOString()}`, 'set the clock (NTP)');
  }
  if (bootId === null) {
    return warn(`${up}; boots cannot be told apart`, 'expect TTLs to be judged by the wall clock');
  }
  if (timeNamespace !== null && timeNamespace !== 'host') {
    const remedy = 'expect leases of other namespaces to be watched for a whole TTL; mount /proc';
    return warn(`${up}, in ${timeNamespace}, whose offsets cannot be read`, remedy);
  }
  return ok(`${up}, boot ${bootId}`);
}

async function leftovers({ root, args }: Patient): Promise<Finding> {
  const stale: string[] = [];
  const stuck: string[] = [];
  for await (const { name, state, why } of new Leases({ dir: root }).list()) {
    if (takeable(state)) stale.push(name);
    if (why === 'guard busy' || why === 'not a regular file' || why === 'unreadable file') {
      stuck.push(`${name} (${why})`);
    }
  }
  const unfinished = readdirSync(root).filter((file) => file.endsWith('.new')).length;
  if (stuck.length > 0) {
    const remedy = 'see what stands there, or who has the guard open: holdfast why NAME, lsof';
    return warn(`cannot look at ${some(stuck)}`, remedy);
  }
  if (stale.length + unfinished === 0) return ok('none');
  const parts = [
    ...(stale.length > 0 ? [`${stale.length} stale: ${some(stale)}`] : []),
    ...(unfinished > 0 ? [`${unfinished} half written`] : []),
  ];
  return warn(`${parts.join('; ')} (harmless)`, typed(args, 'status', undefined, ['--prune']));
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown}, …` : shown;
}
