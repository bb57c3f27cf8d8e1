/** holdfast: locks for Node.js and Electron that the operating system keeps. */
export { LockError, type LockErrorCode, type SystemError } from './errors.js';
export type { LockEvent } from './events.js';
export {
  holderOf,
  lock,
  lockPathFor,
  lockSync,
  tryLock,
  withLock,
  type LockSyncOptions,
  type TryLockOptions,
} from './file-lock.js';
export { heldLocks, type FileLock } from './held.js';
export type { LockOptions } from './options.js';
export type { HolderInfo } from './owner.js';
