/**
 * FileLock: a file lock that is held, and the register of all that this thread holds.
 *
 * The register keeps every held lock reachable. A lock that the program forgot to release stays
 * held until the program ends; garbage collection must not release it behind the program's back.
 */
import { type LockTarget, type Grant } from './attempt.js';
import { LockError } from './errors.js';
import { lostChannel, releaseChannel } from './events.js';
import { canonical, canonicalResource } from './lock-path.js';
import { addon, failureError, Outcome, returnHandle, type Handle } from './native.js';
import { parseHolder, type HolderInfo } from './owner.js';

/** A plain array: adding and removing cost less than in a Set, and they are on the way to a lock. */
const register: FileLock[] = [];

/**
 * The file locks that this thread holds, in no particular order; not those that were found lost.
 * Other threads and processes have theirs; {@link holderOf} asks about those.
 */
export function heldLocks(): FileLock[] {
  return register.filter((lock) => lock.held);
}

/**
 * A held file lock, from `lock`, `tryLock` or `lockSync`. It is held until {@link release}, or until
 * the process (or worker thread) ends.
 */
export class FileLock {
  readonly #target: LockTarget;
  readonly #previous: HolderInfo | null;
  #handle: Handle | undefined;
  #lost = false;
  #index: number;

  /** Made by the functions that acquire; not for use outside of the library. */
  constructor(target: LockTarget, grant: Grant) {
    this.#target = target;
    this.#handle = grant.handle;
    this.#previous =
      grant.outcome === Outcome.recovered ? parseHolder(addon.previousOf(grant.handle)) : null;
    this.#index = register.push(this) - 1;
  }

  /** The resource: absolute, without symbolic links. */
  get resourcePath(): string {
    const { resource, sidecar } = this.#target;
    return sidecar ? canonical(resource) : canonicalResource(resource);
  }

  /** The file that carries the lock; the resource itself with `sidecar: false`. */
  get lockPath(): string {
    const { lockPath, sidecar } = this.#target;
    return sidecar ? canonical(lockPath) : canonicalResource(lockPath);
  }

  /** Shared, or exclusive. */
  get shared(): boolean {
    return this.#target.shared;
  }

  /** True until released or found lost; {@link assertHeld} looks. */
  get held(): boolean {
    return this.#handle !== undefined && !this.#lost;
  }

  /**
   * The exclusive holder before this one, if it died without releasing: what it protected may be
   * half done. Null otherwise. (POSIX knows this as EOWNERDEAD, pthread_mutex_lock(3p).)
   */
  get previous(): HolderInfo | null {
    return this.#previous;
  }

  /**
   * The descriptor that is locked, for `child_process.spawn` to pass on in `stdio`. If this process is
   * killed, the lock is held until the child, and whoever has it from the child, has closed it;
   * `release()` gives the lock back whoever has it open. The number is only good for a `spawn` at once:
   * do not close, read or keep it.
   *
   * Undefined when the lock is not held, and on Windows.
   */
  get descriptor(): number | undefined {
    return this.#handle && addon.descriptorOf(this.#handle);
  }

  /**
   * Makes sure that the lock still excludes others: that its path names the very file that is
   * locked. Somebody may have removed or replaced it.
   *
   * @throws {LockError} `ERR_LOCK_LOST`, now and from now on; `ERR_LOCK_SYSTEM` when the path cannot
   * be looked up
   */
  assertHeld(): void {
    const { resource, lockPath: path, shared } = this.#target;
    if (this.#handle === undefined) {
      throw new LockError('ERR_LOCK_LOST', `the lock on ${resource} was released`, { path });
    }
    if (!this.#lost) {
      const named = addon.stillNamed(this.#handle, path);
      if (named === true) return;
      if (named !== false) throw failureError(named, path);
      this.#lost = true;
      if (lostChannel.hasSubscribers) lostChannel.publish({ kind: 'file', resource, shared });
    }
    const message = `the lock on ${resource} is lost: ${path} was removed or replaced`;
    throw new LockError('ERR_LOCK_LOST', message, { path });
  }

  /** Gives the lock back. Never throws; a second call does nothing. */
  release(): void {
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#handle = undefined;
    const last = register.pop();
    if (last !== undefined && last !== this) {
      register[this.#index] = last;
      last.#index = this.#index;
    }
    addon.release(handle);
    returnHandle(handle);
    if (releaseChannel.hasSubscribers) {
      const { resource, shared } = this.#target;
      releaseChannel.publish({ kind: 'file', resource, shared });
    }
  }

  [Symbol.dispose](): void {
    this.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.release();
    return Promise.resolve();
  }
}
