/**
 * The one error class, and its codes. Codes are API and stay; messages may change at any time.
 */
import type { HolderInfo } from './owner.js';

/**
 * - `ERR_LOCK_HELD`: somebody else holds it, and no waiting was asked for (or could help).
 * - `ERR_LOCK_TIMEOUT`: the limit ran out while waiting.
 * - `ERR_LOCK_LOST`: a lock that was held is not held any more.
 * - `ERR_LOCK_FROZEN`: a lease's name is frozen; nobody new is granted it for now.
 * - `ERR_LOCK_NOT_OWNER`: the lease is somebody else's.
 * - `ERR_LOCK_NOT_FOUND`: there is nothing to lock at the path (`sidecar: false`), or no such lease.
 * - `ERR_LOCK_NOT_REGULAR`: a directory, link, FIFO, socket or device stands where a file must be.
 * - `ERR_LOCK_FS_UNSUPPORTED`: the filesystem does not lock, or is remote and was not allowed.
 * - `ERR_LOCK_CORRUPT`: the record of a lease cannot be read.
 * - `ERR_LOCK_BUSY`: a lease's guard stayed locked; nothing is known and nothing was changed.
 * - `ERR_LOCK_SYSTEM`: the system refused a call; `cause` says which and why.
 * - `ERR_LOCK_STORE_UNAVAILABLE`: a store of leases on other machines did not answer.
 * - `ERR_LOCK_NATIVE_MISSING`: no compiled addon for this platform.
 */
export type LockErrorCode =
  | 'ERR_LOCK_HELD'
  | 'ERR_LOCK_TIMEOUT'
  | 'ERR_LOCK_LOST'
  | 'ERR_LOCK_FROZEN'
  | 'ERR_LOCK_NOT_OWNER'
  | 'ERR_LOCK_NOT_FOUND'
  | 'ERR_LOCK_NOT_REGULAR'
  | 'ERR_LOCK_FS_UNSUPPORTED'
  | 'ERR_LOCK_CORRUPT'
  | 'ERR_LOCK_BUSY'
  | 'ERR_LOCK_SYSTEM'
  | 'ERR_LOCK_STORE_UNAVAILABLE'
  | 'ERR_LOCK_NATIVE_MISSING';

/** What a {@link LockError} carries besides its code and message. */
export interface LockErrorDetails {
  path?: string | undefined;
  holder?: HolderInfo | null;
  cause?: unknown;
}

/**
 * Everything that goes wrong with a lock. Misuse (a wrong type, an impossible number) is a
 * `TypeError` or `RangeError` instead.
 *
 * @example
 * try {
 *   await lock('data.json', { timeout: 1000 });
 * } catch (error) {
 *   if (error instanceof LockError && error.code === 'ERR_LOCK_TIMEOUT') {
 *     console.error(`busy: ${error.holder?.owner ?? 'unknown'}`);
 *   }
 * }
 */
export class LockError extends Error {
  override readonly name = 'LockError';
  /** Stable, see {@link LockErrorCode}. */
  readonly code: LockErrorCode;
  /** The file that was to be locked; undefined where no file is concerned. */
  readonly path: string | undefined;
  /** Who held it, as far as a sidecar or the record of a lease tells; null when nobody is named. */
  readonly holder: HolderInfo | null;

  constructor(code: LockErrorCode, message: string, details: LockErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.path = details.path;
    this.holder = details.holder ?? null;
  }
}

export function isLoss(error: unknown): boolean {
  return error instanceof LockError && error.code === 'ERR_LOCK_LOST';
}

/** A failed system call, in the form of Node's own errors. It is the `cause` of a LockError. */
export interface SystemError extends Error {
  /** Negative, as in Node's errors. */
  errno: number;
  /** "ENOSPC" and the like. */
  code: string;
  syscall: string;
  path: string;
}
