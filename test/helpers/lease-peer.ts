/** Processes that take leases, under remote control: what `Peer` is for file locks. */
import type { Test } from 'tap';

import type {
  AcquireOptions,
  BreakOptions,
  LeaseInfo,
  LeasesOptions,
  PreviousLease,
  TryAcquireOptions,
} from '../../lib/index.js';
import { Peer, type Counted, type PeerOptions } from './peer.js';
import type { Witness } from './witness.js';

/** Which leases; every process is told the same and makes them for itself. */
export interface Where {
  leases?: Omit<LeasesOptions, 'clock' | 'store'>;
  /** Wall ms of an injected clock, which `tick` alone moves. */
  clock?: number;
  /** A store: which export of which module in lib/, and what its constructor is given. */
  store?: { module: string; name: string; options: unknown };
}

/** A lease, as it crosses a process boundary. */
export interface Held {
  handle: number;
  /** When it was granted: microseconds of the clock that all processes share. */
  at: number;
  name: string;
  id: string;
  token: bigint;
  owner: string;
  detached: boolean;
  ttl: number | null;
  previous: PreviousLease | null;
  acquiredAt: Date;
  expiresAt: Date | null;
}

/** Without signals, which do not cross: `cancel` names one for `cancel()`. */
type Across<O> = Omit<O, 'signal'> & {
  cancel?: string;
  /** Not before this moment, by `now()`. */
  at?: number;
};

/** What came of `contend`. */
export interface Won {
  token: bigint;
  /** Nobody else was in. */
  alone: boolean;
  /** Of whoever stays in. */
  lease?: Held;
  interval?: [number, number];
  ended?: 'released' | 'lost';
}

export interface LeaseCount extends Counted {
  tokens: bigint[];
  /** How often it met another holder. */
  met: number;
}

/** Microseconds of CLOCK_MONOTONIC, as in all peers. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

export class LeasePeer {
  /** It was killed. */
  ended = false;

  private constructor(readonly peer: Peer) {}

  static async start(
    t: Test,
    where: Where,
    { witness, ...options }: PeerOptions & { witness?: Witness } = {},
  ): Promise<LeasePeer> {
    const peer = await Peer.start(t, { ...options, fixture: 'lease-peer.mjs' });
    await peer.call('open', where);
    if (witness !== undefined) {
      const { addon, file, log } = witness;
      await peer.call('witness', { addon, file, log });
    }
    return new LeasePeer(peer);
  }

  static startAll(
    t: Test,
    count: number,
    where: Where,
    options?: PeerOptions & { witness?: Witness },
  ): Promise<LeasePeer[]> {
    return Promise.all(Array.from({ length: count }, () => LeasePeer.start(t, where, options)));
  }

  /** Other leases than those that it was started with; what it holds there it keeps. */
  open(where: Where): Promise<void> {
    return this.#call('open', where);
  }

  acquire(name: string, options?: Across<AcquireOptions>): Promise<Held> {
    return this.#call('acquire', name, options);
  }

  tryAcquire(name: string, options?: Across<TryAcquireOptions>): Promise<Held | null> {
    return this.#call('tryAcquire', name, options);
  }

  adopt(name: string, which: { id: string; token: bigint | string }): Promise<Held> {
    return this.#call('adopt', name, which);
  }

  /** Aborts the signal of the call that was given this `cancel`. */
  cancel(key: string): Promise<void> {
    return this.#call('cancel', key);
  }

  release({ handle }: Held): Promise<'released' | 'lost'> {
    return this.#call('release', handle);
  }

  /** Not before the moment `at`. */
  renew({ handle }: Held, at?: number): Promise<Date | null> {
    return this.#call('renew', handle, at);
  }

  detach({ handle }: Held, options?: { ttl?: number | string }): Promise<void> {
    return this.#call('detach', handle, options);
  }

  assertHeld({ handle }: Held): Promise<void> {
    return this.#call('assertHeld', handle);
  }

  /** Resolves when its signal aborts. */
  lost({ handle }: Held): Promise<{ code: string; at: number }> {
    return this.#call('lost', handle);
  }

  state({ handle }: Held): Promise<{ held: boolean; lost: boolean; expiresAt: Date | null }> {
    return this.#call('state', handle);
  }

  inspect(name: string): Promise<LeaseInfo | null> {
    return this.#call('inspect', name);
  }

  list(prefix?: string): Promise<LeaseInfo[]> {
    return this.#call('list', prefix);
  }

  break(name: string, which: BreakOptions): Promise<LeaseInfo | null> {
    return this.#call('break', name, which);
  }

  sweep(): Promise<LeaseInfo[]> {
    return this.#call('sweep');
  }

  freeze(name: string, options: { ttl: number | string }): Promise<void> {
    return this.#call('freeze', name, options);
  }

  unfreeze(name: string): Promise<boolean> {
    return this.#call('unfreeze', name);
  }

  /** Moves the injected clock. */
  tick(ms: number): Promise<void> {
    return this.#call('tick', ms);
  }

  /** Its wall clock, as JavaScript reads it, is off by so much. */
  skew(ms: number): Promise<void> {
    return this.#call('skew', ms);
  }

  /** Its event loop stands still. */
  block(ms: number): Promise<void> {
    return this.#call('block', ms);
  }

  /** False: somebody else is in. */
  enter(byte: number, token: bigint): Promise<boolean> {
    return this.#call('enter', byte, token);
  }

  leave(byte: number): Promise<void> {
    return this.#call('leave', byte);
  }

  /** One attempt (`wait`: an acquire); in for `holdMs`, or stays in (`keep`). Null: not granted. */
  contend(
    name: string,
    options: Across<AcquireOptions> & {
      byte: number;
      holdMs?: number;
      keep?: boolean;
      wait?: boolean;
    },
  ): Promise<Won | null> {
    return this.#call('contend', name, options);
  }

  /** Takes it and gives it back until the moment `end`. */
  hammer(
    name: string,
    end: number,
    options?: { wait?: boolean; ttl?: number },
  ): Promise<{ token: bigint; at: number }[]> {
    return this.#call('hammer', name, end, options);
  }

  /** Freezes and thaws it until the moment `end`; `token`: of whoever had it when it froze. */
  frosts(name: string, end: number): Promise<{ from: number; to: number; token: bigint | null }[]> {
    return this.#call('frosts', name, end);
  }

  /** Read, add one, write, each under the lease. */
  count(
    name: string,
    file: string,
    times: number,
    options?: AcquireOptions & { byte?: number },
  ): Promise<LeaseCount> {
    return this.#call('count', name, file, times, options);
  }

  signal(name: NodeJS.Signals): void {
    this.peer.signal(name);
  }

  /** SIGKILL; resolves when it is gone. */
  end(): Promise<void> {
    this.ended = true;
    return this.peer.end();
  }

  #call<T>(operation: string, ...args: unknown[]): Promise<T> {
    return this.peer.call(operation, ...args) as Promise<T>;
  }
}
