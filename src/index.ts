/** holdfast: locks for Node.js and Electron that the operating system keeps. */
export { LockError, type LockErrorCode, type SystemError } from './errors.js';
export { auditTo, type Audit, type AuditOptions } from './audit.js';
export type { BackoffOptions } from './backoff.js';
export type { Clock } from './clock.js';
export type { FileLockEvent, LeaseEvent, LockEvent } from './events.js';
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
export type { FreezeInfo, LeaseInfo } from './lease-info.js';
export type {
  AcquireOptions,
  BreakOptions,
  Duration,
  LeasesOptions,
  TryAcquireOptions,
} from './lease-options.js';
export type { Lease, LeaseJson } from './lease.js';
export { Leases } from './leases.js';
export type { LockOptions } from './options.js';
export type { HolderInfo } from './owner.js';
export type { LeaseEnd, PreviousLease } from './previous.js';
export type { Json } from './record.js';
export type {
  Attempt,
  Break,
  Capabilities,
  Denied,
  Grant,
  LeaseStore,
  Owner,
  Waiting,
} from './store/store.js';
