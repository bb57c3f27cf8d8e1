/**
 * What keeps leases: the files of one host, or a service that many hosts share.
 *
 * `Leases` and `Lease` are written once, over this. A store decides who holds a name and hands out
 * tokens; it neither renews by itself nor publishes anything.
 */
import type { LeaseInfo } from '../lease-info.js';
import type { ProcessInfo } from '../owner.js';
import type { PreviousLease } from '../previous.js';
import type { Json } from '../record.js';

/** What a store can do, and what it cannot. */
export interface Capabilities {
  /** "file", "etcd". */
  readonly kind: string;
  /** Whom its leases exclude: the processes of this host, or of all that use the store. */
  readonly scope: 'host' | 'cluster';
  /** It sees that a holder died, and frees an attached lease at once. */
  readonly liveness: boolean;
  /** Waiters are granted in the order in which they came. */
  readonly fifo: boolean;
  /**
   * A lease past its TTL that nobody took goes on when it is renewed. Without this a holder stops a
   * twentieth of the TTL before its end.
   */
  readonly revives: boolean;
  /** The shortest TTL, and the steps in which they come, in milliseconds. */
  readonly minTtl: number;
  readonly ttlGranularity: number;
}

/** Who acts. */
export interface Owner extends ProcessInfo {
  /** `user@host`, or what the user said. */
  readonly owner: string;
}

/** What somebody asks for. */
export interface Attempt {
  /**
   * 32 hexadecimal digits; becomes the lease's id. Where an answer can be lost on its way, the same attempt
   * sent twice is one attempt.
   */
  readonly id: string;
  readonly name: string;
  /** Milliseconds; null: until it is released or its holder dies. */
  readonly ttl: number | null;
  /** It outlives its process. */
  readonly detached: boolean;
  /** On the medium before it is granted. Detached ones always are. */
  readonly durable: boolean;
  readonly by: Owner;
  readonly meta?: Json;
}

/** What was granted. A store may keep more in it; only the store that granted it can use it. */
export interface Grant {
  readonly id: string;
  readonly name: string;
  /** Rises with every grant of the name. */
  readonly token: bigint;
  readonly detached: boolean;
  /** As granted, which may be more than was asked for. */
  readonly ttl: number | null;
  /** By the wall clock, in milliseconds since 1970; it moves with every renewal. */
  readonly expiresAt: number | null;
  readonly acquiredAt: number;
  /**
   * When the TTL began for its holder, from before it was asked for: by `performance.now()` (of a detached
   * lease, and of a cluster's, plus what the host has slept since), or by an injected clock.
   */
  readonly since: number;
  readonly owner: string;
  readonly meta?: Json;
  /** How the lease before ended; null: there was none, as far as is known. */
  readonly previous: PreviousLease | null;
  /** The stale lease that this grant took the place of. */
  readonly broken: LeaseInfo | null;
}

/** Somebody else has it, or nobody may. */
export interface Denied {
  readonly denied: LeaseInfo;
}

/** Which lease to take away from its holder. */
export interface Break {
  /** Only the one with this token. */
  readonly token?: bigint | undefined;
  /** Only if it is stale; otherwise whoever holds it. */
  readonly stale?: boolean;
  readonly by: Owner;
}

/** How to wait. */
export interface Waiting {
  /** Ends the wait; nothing is left of it then. Without one nothing does. */
  readonly signal?: AbortSignal | undefined;
  /** Told when the lease is seen in somebody else's hands; perhaps not again while it stays there. */
  readonly denied?: ((by: LeaseInfo) => void) | undefined;
  /** Told of a stale lease that was taken away for a grant which came after the signal. */
  readonly broke?: ((lease: LeaseInfo) => void) | undefined;
}

/**
 * Every verb that may wait for something rejects with a `LockError`: `ERR_LOCK_BUSY`,
 * `ERR_LOCK_SYSTEM`, `ERR_LOCK_STORE_UNAVAILABLE` and the like. Then nothing is known, and a lease
 * that was held is held until the contrary is proved.
 */
export interface LeaseStore extends AsyncDisposable {
  readonly capabilities: Capabilities;
  /** Where the leases are, for people: a folder, or an address. */
  readonly location: string;

  /** One attempt; it does not queue. */
  tryAcquire(attempt: Attempt): Promise<Grant | Denied>;
  /** Waits. Rejects with `signal.reason` when that is aborted, if there is one. */
  acquire(attempt: Attempt, waiting: Waiting): Promise<Grant>;
  /** The milliseconds granted from now on; Infinity without a TTL. Rejects with `ERR_LOCK_LOST`. */
  renew(grant: Grant): Promise<number>;
  /** False: it was not ours any more, and nothing was touched. */
  release(grant: Grant): Promise<boolean>;
  /** The lease that was taken away; undefined when there was none of this description. */
  break(name: string, how: Break): Promise<LeaseInfo | undefined>;
  /** Undefined: nobody holds it, and it is not frozen. */
  inspect(name: string): Promise<LeaseInfo | undefined>;
  /** All that `inspect` would show, of names that begin so. */
  list(prefix?: string): AsyncIterable<LeaseInfo>;
  freeze(name: string, ttl: number, by: Owner): Promise<void>;
  /** False: it was not frozen. */
  unfreeze(name: string): Promise<boolean>;
  /**
   * A detached lease that somebody was given elsewhere. Rejects with `ERR_LOCK_NOT_FOUND`,
   * `ERR_LOCK_NOT_OWNER` (another holds it, or it is attached), `ERR_LOCK_CORRUPT`.
   */
  adopt(name: string, id: string, token: bigint): Promise<Grant>;
  /** Makes it outlive its process: the same id and token. Rejects with `ERR_LOCK_LOST`. */
  detach(grant: Grant, ttl: number): Promise<Grant>;
  /** Removes what is stale, and what those left behind who died at work. */
  sweep(): Promise<LeaseInfo[]>;

  /**
   * A look that takes no longer than a moment: is it still ours? Undefined: it cannot be told now. A store without it
   * learns of a loss by renewing.
   */
  look?(grant: Grant): boolean | undefined;
  /** A renewal that takes no longer; undefined when it would have to. False: lost. */
  renewNow?(grant: Grant): boolean | undefined;
  /**
   * What a child process may inherit, by number, to keep the lease alive after this process is gone;
   * undefined where there is nothing of the kind. It stays the store's: nobody else may close it.
   */
  descriptor?(grant: Grant): number | undefined;
  /** The lease is over for this process: whatever the grant keeps open is closed. */
  forget(grant: Grant): void;
}
