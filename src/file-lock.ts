/**
 * File locks: mutual exclusion on one host, kept by the kernel.
 *
 * A file lock is held exactly as long as a live process holds it. No clock takes it away and no
 * crash leaves it behind. It is a lock among those who ask for it (advisory): nothing stops a
 * program that does not. See flock(2), and LockFileEx on Windows.
 */
import {
  heldError,
  namedHolder,
  targetOf,
  timeoutError,
  tryBlocking,
  tryNow,
  type LockTarget,
} from './attempt.js';
import { acquireChannel, type LockEvent } from './events.js';
import { FileLock } from './held.js';
import { canonical, canonicalResource } from './lock-path.js';
import { checkOptions, checkTimeout, type LockOptions } from './options.js';
import type { HolderInfo } from './owner.js';
import { awaitsOtherwise, isAwaited, waitFor } from './wait-queue.js';

/** The options of {@link tryLock}: it does not wait. */
export type TryLockOptions = Omit<LockOptions, 'timeout' | 'signal'>;
/** The options of {@link lockSync}: the limit is required, for nothing else could end the wait. */
export type LockSyncOptions = Omit<LockOptions, 'signal'> & { timeout: number };

/**
 * Locks a resource and waits for as long as it takes, or as the options allow.
 *
 * Waiters are served in order of arrival. Waiting takes no thread of Node's pool and no processor
 * time; a pending wait keeps the process alive, a held lock does not.
 *
 * @param resource the file (or, with `directory: true`, the folder) to protect. It need not exist.
 * @returns the held lock
 * @throws {LockError} `ERR_LOCK_HELD` (`timeout: 0`), `ERR_LOCK_TIMEOUT`, `ERR_LOCK_NOT_REGULAR`,
 * `ERR_LOCK_NOT_FOUND` (`sidecar: false`), `ERR_LOCK_FS_UNSUPPORTED`, `ERR_LOCK_SYSTEM`; or
 * `signal.reason`
 *
 * @example
 * await using held = await lock('data.json', { timeout: 5000 });
 */
export async function lock(resource: string | URL, options?: LockOptions): Promise<FileLock> {
  const checked = checkOptions(options);
  const target = targetOf(resource, checked);
  if (!acquireChannel.hasSubscribers) return acquire(target, checked);
  return acquireChannel.tracePromise(() => acquire(target, checked), eventFor(target));
}

/**
 * Locks a resource if nobody holds it, without waiting; null when somebody does.
 *
 * It does not queue, and so may get ahead of those who wait. On a network filesystem
 * (`network: 'allow'`) the attempt itself may block.
 *
 * @throws {LockError} as {@link lock}, except for held and timed out
 *
 * @example
 * const held = tryLock('out', { directory: true });
 * if (held === null) process.exit(0); // somebody else is building
 */
export function tryLock(resource: string | URL, options?: TryLockOptions): FileLock | null {
  const checked = checkOptions(options);
  const target = targetOf(resource, checked);
  if (!acquireChannel.hasSubscribers) return attempt(target);
  return acquireChannel.traceSync(() => attempt(target), eventFor(target));
}

/**
 * Locks a resource and blocks the calling thread while somebody else holds it.
 *
 * @throws {LockError} as {@link lock}. `ERR_LOCK_HELD` at once when the holder, or an earlier waiter,
 * is this very thread: while it blocks, neither could ever move.
 *
 * @example
 * const held = lockSync('settings.json', { timeout: 2000 });
 * try { write(); } finally { held.release(); }
 */
export function lockSync(resource: string | URL, options: LockSyncOptions): FileLock {
  const checked = checkOptions(options);
  const timeout = checkTimeout(checked.timeout);
  if (timeout === Infinity) throw new RangeError('lockSync needs a timeout that ends');
  const target = targetOf(resource, checked);
  if (!acquireChannel.hasSubscribers) return acquireBlocking(target, timeout);
  return acquireChannel.traceSync(() => acquireBlocking(target, timeout), eventFor(target));
}

/**
 * Runs `fn` while holding the lock, and releases it however `fn` ends.
 *
 * @returns what `fn` returns
 * @throws what `fn` throws, or as {@link lock}
 *
 * @example
 * await withLock('data.json', async () => {
 *   const data = JSON.parse(await readFile('data.json', 'utf8'));
 *   await writeFile('data.json', JSON.stringify({ ...data, n: data.n + 1 }));
 * });
 */
export async function withLock<T>(
  resource: string | URL,
  fn: (held: FileLock) => T | Promise<T>,
  options?: LockOptions,
): Promise<T> {
  if (typeof fn !== 'function') throw new TypeError('fn must be a function');
  const held = await lock(resource, options);
  try {
    return await fn(held);
  } finally {
    held.release();
  }
}

/**
 * The file that `lock` would lock for this resource: absolute and without symbolic links, whether
 * the resource exists or not.
 */
export function lockPathFor(
  resource: string | URL,
  options?: Pick<LockOptions, 'directory' | 'lockPath' | 'sidecar'>,
): string {
  const { lockPath, sidecar } = targetOf(resource, checkOptions(options));
  return sidecar ? canonical(lockPath) : canonicalResource(lockPath);
}

/**
 * Who holds the resource exclusively, as far as its sidecar tells; null when it names nobody.
 *
 * It reads and does not lock, so nobody is disturbed. What it reads explains and does not prove: a
 * holder that died without releasing is named until the next one comes, and shared holders and
 * `sidecar: false` leave no name.
 */
export function holderOf(
  resource: string | URL,
  options?: Pick<LockOptions, 'directory' | 'lockPath'>,
): HolderInfo | null {
  return namedHolder(targetOf(resource, checkOptions(options)));
}

async function acquire(target: LockTarget, options: LockOptions): Promise<FileLock> {
  const { signal, timeout = Infinity } = options;
  if (signal?.aborted) throw signal.reason;
  const since = timeout === Infinity ? 0 : performance.now();
  // Whoever comes later stands behind those who wait already; only a try goes past them.
  if (timeout === 0 || !isAwaited(target)) {
    const grant = tryNow(target, timeout === 0);
    if (grant !== undefined) return new FileLock(target, grant);
    if (timeout === 0) throw heldError(target);
  }
  return new FileLock(target, await waitFor(target, timeout, since, signal));
}

function attempt(target: LockTarget): FileLock | null {
  const grant = tryNow(target, true);
  return grant === undefined ? null : new FileLock(target, grant);
}

function acquireBlocking(target: LockTarget, timeout: number): FileLock {
  const once = timeout === 0 || awaitsOtherwise(target);
  const grant = once ? tryNow(target, true) : tryBlocking(target, timeout);
  if (grant !== undefined) return new FileLock(target, grant);
  throw once ? heldError(target) : timeoutError(target, timeout);
}

function eventFor(target: LockTarget): LockEvent {
  return { kind: 'file', resource: target.resource, shared: target.shared };
}
