/** What the suite has to be told about a store, and what it works with. */
import { randomUUID } from 'node:crypto';
import type { Test } from 'tap';

import { thisProcess } from '../../lib/attempt.js';
import { Leases, type Attempt, type LeaseStore, type LockErrorCode } from '../../lib/index.js';
import { LeasePeer, type Where } from '../helpers/lease-peer.js';
import { Witness } from '../helpers/witness.js';

/** Something that keeps the store from answering. */
export interface Trouble {
  readonly what: string;
  /** How an attempt fails meanwhile, and how long that may take. */
  readonly code: LockErrorCode;
  readonly withinMs: number;
  /** A lease that was held before is held after it. */
  readonly keepsLeases: boolean;
  /** For these names at least; the result ends it. */
  readonly begin: (names: readonly string[]) => Promise<() => Promise<void>>;
}

/** A store that nobody has used before. */
export interface Site {
  /** How other processes make a client of it. */
  readonly where: Where;
  readonly troubles: readonly Trouble[];
  /** A new client in this process. */
  open(): LeaseStore;
  /** Until so many processes wait for the name, one behind the other. */
  untilInLine(name: string, processes: number): Promise<void>;
  /** Until those who died or gave up are out of line, and so many processes stand in it. */
  untilMovedUp(name: string, processes: number): Promise<void>;
  /** What the clients in this process have asked of the store itself, so far. */
  requests(): number;
  /** Stops the store and starts it again, where it is something that runs. */
  restart?(): Promise<void>;
}

export interface Subject {
  readonly kind: string;
  /** How often each of 8 processes adds one, when all is run. */
  readonly rounds: number;
  /** It is gone with the test. */
  site(t: Test): Promise<Site>;
}

/** One run of the suite: processes are started once, and used by one test after the other. */
export class Run {
  readonly #peers: LeasePeer[] = [];
  readonly witness: Witness;

  constructor(
    readonly t: Test,
    readonly subject: Subject,
  ) {
    this.witness = new Witness(t);
  }

  /** So many processes as clients of this site. */
  async peers(site: Site, count: number): Promise<LeasePeer[]> {
    const living = this.#peers.filter(({ ended }) => !ended).slice(0, count);
    const { witness } = this;
    const more = await LeasePeer.startAll(this.t, count - living.length, site.where, { witness });
    this.#peers.push(...more);
    for (const peer of living) await peer.open(site.where);
    return [...living, ...more];
  }

  /** A few of them, by name. */
  async three(site: Site): Promise<[LeasePeer, LeasePeer, LeasePeer]> {
    return (await this.peers(site, 3)) as [LeasePeer, LeasePeer, LeasePeer];
  }
}

/** What the suite is made of: each file has the tests of one subject matter. */
export type Chapter = (run: Run) => Promise<void>;

export function leasesOf(site: Site): Leases {
  return new Leases({ store: site.open() });
}

/** The shortest TTL that the store grants, but long enough for a process to act in time. */
export function shortTtl({ capabilities }: { capabilities: LeaseStore['capabilities'] }): number {
  const { minTtl, ttlGranularity } = capabilities;
  return Math.ceil(Math.max(minTtl, 400) / ttlGranularity) * ttlGranularity;
}

/** When a TTL is over for sure, in ms from its begin, and whoever waits has been told. */
export function wellOver(store: { capabilities: LeaseStore['capabilities'] }, ttl: number): number {
  return ttl + store.capabilities.ttlGranularity + 2000;
}

export function attemptFor(name: string, rest: Partial<Attempt> = {}): Attempt {
  return {
    id: randomUUID().replaceAll('-', ''),
    name,
    ttl: 60_000,
    detached: false,
    durable: false,
    by: { owner: 'tester', ...thisProcess() },
    ...rest,
  };
}
