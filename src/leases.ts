/**
 * Leases: named locks with an owner, a TTL and a fencing token that only ever rises.
 *
 * A lease may be broken while its holder lives, so by itself it is no mutual exclusion: a holder that
 * was stopped may wake up and act after its successor. Only a resource that refuses lower tokens than
 * it has seen is safe from that (docs/leases.md).
 */
import { thisProcess } from './attempt.js';
import { duration } from './duration.js';
import { freezeChannel, leaseEvent } from './events.js';
import { acquireLease, publishBreak, tryAcquireLease, useLease } from './lease-acquire.js';
import type { LeaseInfo } from './lease-info.js';
import { LeaseKeeper, type KeeperContext } from './lease-keeper.js';
import {
  checkBreak,
  checkId,
  checkLeaseName,
  checkLeaseOptions,
  checkLeasesOptions,
  checkToken,
  type AcquireOptions,
  type BreakOptions,
  type CheckedOptions,
  type Duration,
  type LeasesOptions,
  type TryAcquireOptions,
} from './lease-options.js';
import { Lease } from './lease.js';
import { holderTime } from './now.js';
import { defaultOwner } from './owner.js';
import { findRoot } from './root.js';
import { FileStore } from './store/file-store.js';
import type { Attempt, LeaseStore, Owner } from './store/store.js';

/** A store without liveness has no end for a lease without a TTL. */
const ttlWithoutLiveness = 30_000;

/**
 * The leases of one folder, or of another store.
 *
 * @example
 * const leases = new Leases();
 * await leases.with('deploy', { ttl: '30s' }, async (lease) => {
 *   await upload({ fencingToken: lease.token, signal: lease.signal });
 * });
 */
export class Leases implements AsyncDisposable {
  readonly #store: LeaseStore;
  readonly #owner: string;
  readonly #now: (detached: boolean) => number;

  /** @throws {TypeError | RangeError} an option that makes no sense */
  constructor(options: LeasesOptions = {}) {
    checkLeasesOptions(options);
    const { dir, store, owner, clock, fileMode, network } = options;
    this.#store = store ?? new FileStore({ dir: dir ?? findRoot(), clock, fileMode, network });
    this.#owner = owner ?? defaultOwner();
    // The servers of a store elsewhere do not sleep with this host.
    const elsewhere = this.#store.capabilities.scope === 'cluster';
    this.#now = (detached) => holderTime(clock, detached || elsewhere);
  }

  /** What the store can do. */
  get capabilities(): LeaseStore['capabilities'] {
    return this.#store.capabilities;
  }

  /** Where the leases are: a folder, or an address. */
  get location(): string {
    return this.#store.location;
  }

  /**
   * Takes a lease, and waits for as long as it takes, or as the options allow. Waiters are granted in
   * the order in which they came.
   *
   * @throws {LockError} `ERR_LOCK_HELD` or `ERR_LOCK_FROZEN` (`timeout: 0`), `ERR_LOCK_TIMEOUT`,
   * `ERR_LOCK_FS_UNSUPPORTED`, `ERR_LOCK_NOT_REGULAR`, `ERR_LOCK_SYSTEM`,
   * `ERR_LOCK_STORE_UNAVAILABLE`; or `signal.reason`
   *
   * @example
   * await using lease = await leases.acquire('deploy', { ttl: '30s', timeout: 10_000 });
   */
  async acquire(name: string, options?: AcquireOptions): Promise<Lease> {
    const checked = checkLeaseOptions(options);
    return acquireLease(this.#context, this.#attempt(name, checked), checked);
  }

  /**
   * Takes a lease if nobody holds it; null when somebody does, or the name is frozen. It does not
   * queue, and so may get ahead of those who wait.
   *
   * @throws {LockError} as {@link acquire}, except for held, frozen and timed out; and `ERR_LOCK_BUSY`
   *
   * @example
   * const lease = await leases.tryAcquire('nightly', { ttl: '10m', retries: 3 });
   * if (lease === null) process.exit(0); // somebody else does it
   */
  async tryAcquire(name: string, options?: TryAcquireOptions): Promise<Lease | null> {
    const checked = checkLeaseOptions(options);
    return tryAcquireLease(this.#context, this.#attempt(name, checked), checked);
  }

  /**
   * Runs `fn` while holding the lease, and releases it however `fn` ends. Give `lease.signal` to what
   * `fn` waits for: it is aborted when the lease is lost.
   *
   * @returns what `fn` returns
   * @throws what `fn` throws; `ERR_LOCK_LOST` when `fn` ended well but the lease was lost meanwhile;
   * or as {@link acquire}
   *
   * @example
   * await leases.with('deploy', { ttl: '30s' }, (lease) => deploy(lease.token, lease.signal));
   */
  with<T>(name: string, fn: (lease: Lease) => T | Promise<T>): Promise<T>;
  with<T>(name: string, options: AcquireOptions, fn: (lease: Lease) => T | Promise<T>): Promise<T>;
  async with<T>(
    name: string,
    second: AcquireOptions | ((lease: Lease) => T | Promise<T>),
    third?: (lease: Lease) => T | Promise<T>,
  ): Promise<T> {
    const fn = typeof second === 'function' ? second : third;
    if (typeof fn !== 'function') throw new TypeError('fn must be a function');
    const lease = await this.acquire(name, typeof second === 'function' ? undefined : second);
    return useLease(lease, fn);
  }

  /**
   * Takes over a detached lease that was granted elsewhere, by what its `toJSON()` said. It is not
   * renewed by itself; the end of its scope releases it.
   *
   * @throws {LockError} `ERR_LOCK_NOT_FOUND` nobody holds the name; `ERR_LOCK_NOT_OWNER` another lease
   * does, or it is attached; `ERR_LOCK_CORRUPT` it cannot be read
   *
   * @example
   * const lease = await leases.adopt('deploy', { id: process.env.ID, token: process.env.TOKEN });
   * await lease.release();
   */
  async adopt(name: string, which: { id: string; token: bigint | string }): Promise<Lease> {
    checkLeaseName(name);
    const grant = await this.#store.adopt(name, checkId(which.id), checkToken(which.token));
    return new Lease(new LeaseKeeper(this.#context, grant, false, this.#owner));
  }

  /** Who holds the name, and for how long; null when nobody does and it is not frozen. */
  async inspect(name: string): Promise<LeaseInfo | null> {
    checkLeaseName(name);
    return (await this.#store.inspect(name)) ?? null;
  }

  /** All that `inspect` would show, of names that begin with `prefix`. Each is a moment of its own. */
  list(prefix = ''): AsyncIterable<LeaseInfo> {
    if (typeof prefix !== 'string') throw new TypeError('prefix must be a string');
    return this.#store.list(prefix);
  }

  /**
   * Takes a lease away from its holder. Of `stale: true` only one whose holder is dead, whose TTL is
   * over, or that cannot be read while nobody is behind it; of `force: true` whoever's; of `token`
   * only that one. The next token is higher, and a victim that lives learns of it by its signal.
   *
   * @returns what was broken; null when there was no such lease
   */
  async break(name: string, which: BreakOptions): Promise<LeaseInfo | null> {
    checkLeaseName(name);
    const how = checkBreak(which);
    const broken = await this.#store.break(name, { ...how, by: this.#by() });
    if (broken !== undefined) publishBreak(this.#store, broken, this.#owner);
    return broken ?? null;
  }

  /** Removes all that is stale, and what those left behind who died at work. Returns what it was. */
  async sweep(): Promise<LeaseInfo[]> {
    const swept = await this.#store.sweep();
    for (const info of swept) publishBreak(this.#store, info, this.#owner);
    return swept;
  }

  /**
   * Nobody new is granted the name until the TTL is over or somebody thaws it; not those who wait
   * already, either. Whoever holds it goes on, and may renew and release it.
   */
  async freeze(name: string, options: { ttl: Duration }): Promise<void> {
    checkLeaseName(name);
    const ttl = duration((options as { ttl?: unknown } | undefined)?.ttl);
    await this.#store.freeze(name, ttl, this.#by());
    this.#publishFreeze(name, ttl);
  }

  /** Ends a freeze. @returns false when there was none */
  async unfreeze(name: string): Promise<boolean> {
    checkLeaseName(name);
    const thawed = await this.#store.unfreeze(name);
    if (thawed) this.#publishFreeze(name, null);
    return thawed;
  }

  /** Closes the store. Leases that are held stay held. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  get #context(): KeeperContext {
    return { store: this.#store, now: this.#now };
  }

  #by(owner: string = this.#owner): Owner {
    return { owner, ...thisProcess() };
  }

  #attempt(name: string, { ttl, detached, durable, owner, meta }: CheckedOptions): Attempt {
    checkLeaseName(name);
    const id = crypto.randomUUID().replaceAll('-', '');
    const endless = this.#store.capabilities.liveness ? null : ttlWithoutLiveness;
    return { id, name, ttl: ttl ?? endless, detached, durable, by: this.#by(owner), ...meta };
  }

  #publishFreeze(name: string, ttl: number | null): void {
    if (!freezeChannel.hasSubscribers) return;
    const nothing = { id: null, token: null, owner: null, detached: null };
    freezeChannel.publish(leaseEvent(this.#store, { name, ...nothing, ttl }, this.#owner));
  }
}
