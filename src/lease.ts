/** Lease: a lease that is held, whatever store keeps it. How it is kept is lease-keeper.ts. */
import { duration } from './duration.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { Duration } from './lease-options.js';
import type { PreviousLease } from './previous.js';
import type { Json } from './record.js';

/** A lease as JSON: what another process needs to adopt it, and what people want to know. */
export interface LeaseJson {
  readonly name: string;
  readonly id: string;
  /** Decimal digits. */
  readonly token: string;
  readonly owner: string;
  readonly detached: boolean;
  readonly ttl: number | null;
  readonly acquiredAt: string;
  readonly expiresAt: string | null;
}

/**
 * A lease, from `Leases`. It is held until {@link release}, until it is lost, or, if it is attached,
 * until its process ends.
 */
export class Lease {
  readonly #keeper: LeaseKeeper;

  /** Made by `Leases`; not for use outside of the library. */
  constructor(keeper: LeaseKeeper) {
    this.#keeper = keeper;
  }

  get name(): string {
    return this.#keeper.grant.name;
  }

  /** 32 hexadecimal digits, another one for each grant. With the token it is what `adopt` takes. */
  get id(): string {
    return this.#keeper.grant.id;
  }

  /**
   * The fencing token: higher than that of every lease of this name before. Pass it to the resource,
   * which refuses a lower one than it has seen.
   */
  get token(): bigint {
    return this.#keeper.grant.token;
  }

  get owner(): string {
    return this.#keeper.grant.owner;
  }

  /** It outlives its process. */
  get detached(): boolean {
    return this.#keeper.grant.detached;
  }

  /** Milliseconds, as granted; null: until it is released or its process dies. */
  get ttl(): number | null {
    return this.#keeper.grant.ttl;
  }

  get meta(): Json | undefined {
    return this.#keeper.grant.meta;
  }

  /** By the wall clock of the grant. */
  get acquiredAt(): Date {
    return new Date(this.#keeper.grant.acquiredAt);
  }

  /** When it ends unless it is renewed, by the wall clock; null without a TTL. */
  get expiresAt(): Date | null {
    const { expiresAt } = this.#keeper.grant;
    return expiresAt === null ? null : new Date(expiresAt);
  }

  /** How the lease before this one ended; null: there was none, as far as is known. */
  get previous(): PreviousLease | null {
    return this.#keeper.grant.previous;
  }

  /** True until released or found lost. It does not look; {@link assertHeld} does. */
  get held(): boolean {
    return this.#keeper.held;
  }

  /**
   * Aborted when the lease is found lost; its `reason` is a `LockError`, `ERR_LOCK_LOST`. An attached
   * lease is looked after once a second. Not aborted by a release.
   */
  get signal(): AbortSignal {
    return this.#keeper.signal;
  }

  /**
   * The descriptor that is this lease's liveness, for `child_process.spawn` to pass on in `stdio`. As
   * long as the child, or whoever has it from the child, keeps it open, the lease is alive, even when
   * this process is killed; of a TTL nobody would renew, it ends all the same. The number is only good
   * for a `spawn` at once: do not close, read or keep it.
   *
   * Undefined when it is not held or is detached, of a store without such a thing, and on Windows.
   *
   * @example
   * spawn('make', { stdio: ['inherit', 'inherit', 'inherit', lease.descriptor ?? 'ignore'] });
   */
  get descriptor(): number | undefined {
    return this.#keeper.descriptor;
  }

  /**
   * Starts the TTL anew; without a TTL it makes sure that the lease is still held.
   *
   * @returns the new end, by the wall clock; null without a TTL
   * @throws {LockError} `ERR_LOCK_LOST`; `ERR_LOCK_BUSY`, `ERR_LOCK_SYSTEM`,
   * `ERR_LOCK_STORE_UNAVAILABLE`: it was not renewed, and is not lost for that
   */
  async renew(): Promise<Date | null> {
    await this.#keeper.renew();
    return this.expiresAt;
  }

  /**
   * Makes sure that it is held at this moment. Past its TTL it is renewed, or this throws. Call it
   * before a step that cannot be undone, and still pass the token: a moment later it may be lost.
   *
   * Blocks the thread for a look at the files, a tenth of a second at worst.
   *
   * @throws {LockError} `ERR_LOCK_LOST`; `ERR_LOCK_BUSY` when it cannot be told at once
   */
  assertHeld(): void {
    this.#keeper.assertHeld();
  }

  /**
   * Turns it into a lease that outlives this process, with the same id and token. It is not renewed
   * any more, and the end of its scope does not release it; `release()` still does.
   *
   * @param options `ttl`: from now on; needed unless the lease has one
   * @throws {LockError} `ERR_LOCK_LOST`, or as {@link renew}
   */
  async detach(options: { ttl?: Duration } = {}): Promise<void> {
    const ttl = options.ttl === undefined ? this.ttl : duration(options.ttl);
    if (ttl === null)
      throw new TypeError('detach() needs a ttl: nothing else ends a detached lease');
    await this.#keeper.detach(ttl);
  }

  /**
   * Gives the lease back. A second call answers as the first.
   *
   * @returns `'lost'` when somebody else had it already; nothing was touched then
   * @throws {LockError} `ERR_LOCK_BUSY`, `ERR_LOCK_SYSTEM`, `ERR_LOCK_STORE_UNAVAILABLE`: it could not
   * be removed. An attached one is dead to others all the same; another call tries again.
   */
  release(): Promise<'released' | 'lost'> {
    return this.#keeper.release();
  }

  toJSON(): LeaseJson {
    const { name, id, token, owner, detached, ttl, acquiredAt, expiresAt } = this;
    return {
      name,
      id,
      token: String(token),
      owner,
      detached,
      ttl,
      acquiredAt: acquiredAt.toISOString(),
      expiresAt: expiresAt?.toISOString() ?? null,
    };
  }

  /** As {@link release}; after {@link detach} it does nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#keeper.letGo) await this.release();
  }
}
