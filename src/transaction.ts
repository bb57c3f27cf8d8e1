/**
 * One change of one lease: a compare-and-swap under its guard (native/transaction.h), typed.
 *
 * The addon first tries without waiting: not for the guard, not for the disk. If it would have to,
 * the same transaction is carried out on a thread of its own, so that neither the event loop nor
 * libuv's pool stands still. A guard that stays locked (its holder was stopped inside) ends the
 * wait after a limit: nothing is known then, and nothing was changed.
 */
import { onAbort } from './abort.js';
import { LockError } from './errors.js';
import { judge, makeFolder } from './folder.js';
import {
  addon,
  failureError,
  Flag,
  isFailure,
  systemError,
  Verdict,
  type Handle,
  type NativeResult,
  type NativeTransaction,
} from './native.js';

/** What is to be done if the expectation holds. */
export type Change =
  | { kind: 'look'; open?: boolean }
  | { kind: 'grant'; record: Uint8Array; attach: boolean; durable: boolean }
  | { kind: 'renew'; record: Uint8Array }
  | { kind: 'replace'; record: Uint8Array; durable: boolean }
  | { kind: 'remove'; note: string; durable: boolean }
  | { kind: 'freeze'; bytes: Uint8Array; durable: boolean }
  | { kind: 'unfreeze'; durable: boolean }
  /** Removes what somebody who died inside has left: `NAME.new`. */
  | { kind: 'tidy' };

/** What the caller believes to be there. */
export interface Expectation {
  /** The record: these very bytes, none, one with the same token and id, or whatever is there. */
  record: Uint8Array | 'absent' | 'anything' | { own: Uint8Array };
  /** And nobody may hold the lock on its inode. */
  dead?: boolean;
  /** The freeze file: these very bytes, or null for none. Omitted: it does not matter. */
  freeze?: Uint8Array | null;
}

/**
 * What is there, as seen under the guard. After a renewal or release of one's own (`own`, no freeze
 * expected) that was done, `freeze` and `note` are empty: nobody looked.
 */
export interface Snapshot {
  record: Buffer | null;
  freeze: Buffer | null;
  /** Somebody holds the lock on the record's inode: its holder lives. */
  alive: boolean;
  /** How a lease before ended: what the last `remove` left, or ''. A grant does not wipe it. */
  note: string;
}

/** How a transaction ended. */
export type Result =
  | { done: true; found: Snapshot; grant?: { token: bigint; record: Buffer } }
  | { done: false; found: Snapshot };

/** Where a lease's files are, and how they may be treated. */
export interface LeaseFiles {
  /** Folder and encoded name; the addon adds `.lock`, `.guard`, `.freeze`, `.new`. */
  base: string;
  /** Permission bits of files that are created. */
  mode: number;
  allowNetwork: boolean;
}

const changes = {
  look: 0,
  grant: 1,
  renew: 2,
  replace: 3,
  remove: 4,
  freeze: 5,
  unfreeze: 6,
  tidy: 7,
};
const expectations = { anything: 0, absent: 1, same: 2, own: 3 };
const attach = 1 << 5;
const durable = 1 << 6;
const expectDead = 1 << 7;
const minded = 1 << 8;
const flagsShift = 16;

/** Milliseconds that a guard may stay locked before the answer is `ERR_LOCK_BUSY`. */
export const guardPatience = 5000;

const maxRemedies = 10;

/** How long a transaction may wait for its guard. */
export interface Patience {
  /** Milliseconds. */
  patience?: number;
  /** Ends it as well; what has its guard by then is carried out all the same. */
  signal?: AbortSignal | undefined;
}

/**
 * Carries out a transaction. `handle` is the holder's own: it receives the lock of an attached
 * record, and is written through by `renew`.
 *
 * @throws {LockError} `ERR_LOCK_BUSY`, `ERR_LOCK_NOT_REGULAR`, `ERR_LOCK_FS_UNSUPPORTED`,
 * `ERR_LOCK_SYSTEM`: nothing was granted
 */
export async function transact(
  files: LeaseFiles,
  expect: Expectation,
  change: Change,
  handle: Handle,
  { patience = guardPatience, signal }: Patience = {},
): Promise<Result> {
  let flags = 0;
  for (let tries = 0; ; tries++) {
    const request = pack(files, expect, change, handle, flags);
    let result = addon.transact(...request);
    if (result.verdict === Verdict.busy || result.verdict === Verdict.needsSync) {
      result = await onThread(request, patience, signal);
    }
    if (result.verdict === Verdict.unjudged) flags |= verdictOn(files);
    else if (isMissingFolder(result) && tries < maxRemedies)
      makeFolder(files.base, folderMode(files));
    else return settle(files, result);
  }
}

/** A guard is held for microseconds; who is in one for longer has been stopped there. */
const nowPatience = 100;

/**
 * The same on this thread, which blocks for a moment while somebody else is in the guard. Undefined: it
 * was busy for longer than that, or the disk would have to be waited for.
 */
export function transactNow(
  files: LeaseFiles,
  expect: Expectation,
  change: Change,
  handle: Handle,
): Result | undefined {
  let flags = 0;
  const deadline = performance.now() + nowPatience;
  for (;;) {
    const result = addon.transact(...pack(files, expect, change, handle, flags));
    if (result.verdict === Verdict.unjudged) flags |= verdictOn(files);
    else if (result.verdict === Verdict.needsSync) return undefined;
    else if (result.verdict !== Verdict.busy) return settle(files, result);
    else if (performance.now() >= deadline) return undefined;
    // No pause: Atomics.wait is not allowed everywhere (the main thread of a renderer).
  }
}

function onThread(
  request: NativeTransaction,
  patience: number,
  signal: AbortSignal | undefined,
): Promise<NativeResult> {
  const handle = request[7];
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    // Repeated: a wake-up may be lost, and a transaction that has its guard goes on regardless. Until
    // its answer is here: a wait that was cancelled does not keep the program alive, and what waits
    // for the answer would never go on.
    const hurry = (): void => {
      clearTimeout(timer);
      addon.cancelWait(handle);
      timer = setTimeout(hurry, 1);
    };
    const failure = addon.startTransact(...request, () => {
      clearTimeout(timer);
      unlisten?.();
      resolve(addon.collectTransact(handle));
    });
    if (isFailure(failure)) {
      reject(failureError(failure, request[0]));
      return;
    }
    timer = setTimeout(hurry, signal?.aborted === true ? 0 : patience);
    const unlisten = signal && onAbort(signal, hurry);
  });
}

function pack(
  files: LeaseFiles,
  expect: Expectation,
  change: Change,
  handle: Handle,
  flags: number,
): NativeTransaction {
  const { record } = expect;
  let what = changes[change.kind] | (flags << flagsShift);
  let expected: Uint8Array | null = null;
  if (record === 'absent') what |= expectations.absent << 3;
  else if (record instanceof Uint8Array) {
    what |= expectations.same << 3;
    expected = record;
  } else if (record !== 'anything') {
    what |= expectations.own << 3;
    expected = record.own;
  }
  if (expect.dead === true) what |= expectDead;
  if (expect.freeze !== undefined) what |= minded;
  if ('durable' in change && change.durable) what |= durable;
  if ((change.kind === 'grant' && change.attach) || (change.kind === 'look' && change.open)) {
    what |= attach;
  }
  const next = 'record' in change ? change.record : 'bytes' in change ? change.bytes : null;
  const note = change.kind === 'remove' ? change.note : '';
  return [files.base, what, files.mode, expected, expect.freeze ?? null, next, note, handle];
}

function settle(files: LeaseFiles, result: NativeResult): Result {
  const { verdict, token, written } = result;
  const path = result.path === undefined || result.path === '' ? files.base : result.path;
  switch (verdict) {
    case Verdict.done: {
      const found = snapshot(result);
      if (token === undefined || written === undefined) return { done: true, found };
      return { done: true, found, grant: { token, record: Buffer.from(written, 'latin1') } };
    }
    case Verdict.conflict:
      return { done: false, found: snapshot(result) };
    case Verdict.notRegular:
      throw new LockError('ERR_LOCK_NOT_REGULAR', `${path}: not a regular file`, { path });
    case Verdict.cancelled:
    case Verdict.busy:
      throw new LockError(
        'ERR_LOCK_BUSY',
        `${files.base}.guard stays locked; nothing was changed`,
        {
          path: `${files.base}.guard`,
        },
      );
    default:
      throw failureError({ errno: result.errno ?? 0, syscall: result.syscall ?? '' }, path);
  }
}

function snapshot({ record, freeze, alive = false, note = '' }: NativeResult): Snapshot {
  return {
    record: record === undefined ? null : Buffer.from(record, 'latin1'),
    freeze: freeze === undefined ? null : Buffer.from(freeze, 'latin1'),
    alive,
    note,
  };
}

function isMissingFolder(result: NativeResult): boolean {
  if (result.verdict !== Verdict.failed) return false;
  const { errno = 0, syscall = '', path = '' } = result;
  return systemError({ errno, syscall }, path).code === 'ENOENT';
}

/** Whoever may read the files may search the folder. */
function folderMode(files: LeaseFiles): number {
  return files.mode | ((files.mode & 0o444) >> 2);
}

function verdictOn(files: LeaseFiles): number {
  return judge(`${files.base}.guard`, files.allowNetwork) ? Flag.local : Flag.network;
}
