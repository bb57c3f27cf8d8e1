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
import { pack, type Change, type Expectation, type LeaseFiles } from './transaction-request.js';

export type { Change, Expectation, LeaseFiles } from './transaction-request.js';

/**
 * What is there, as seen under the guard. After a renewal or release of one's own (`own`, no freeze
 * expected) that was done, `freeze` and `note` are empty: nobody looked.
 */
export interface Snapshot {
  record: Buffer | null;
  freeze: Buffer | null;
  /** Somebody holds the lock on the record's inode: its holder lives. */
  alive: boolean;
  /** How the lease before ended: what the last `remove` left, `-` since a grant, or ''. */
  note: string;
}

/** How a transaction ended. */
export type Result =
  | { done: true; found: Snapshot; grant?: { token: bigint; record: Buffer } }
  | { done: false; found: Snapshot };

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
