/**
 * The store of many hosts: leases in etcd (docs/scale-out.md).
 *
 * A lease is a key in the line of its name, which lives as long as a lease of etcd: the oldest key of a
 * line holds, or is next. What decides is a transaction, never a clock of this machine. A question
 * that nobody answered may have had its effect; so each can be asked again, and whoever gives up ends
 * the lease of etcd that his key would live by.
 */
import { onAbort } from '../../abort.js';
import { Bell } from '../../bell.js';
import type { LeaseInfo } from '../../lease-info.js';
import { encodeRecord } from '../../record.js';
import type { Attempt, Break, Capabilities, Denied, Grant } from '../store.js';
import type { LeaseStore, Owner, Waiting } from '../store.js';
import { Client, noKey, noneBefore, noneIn } from './client.js';
import { describe, describeAll, standing, standingOf, type Standing } from './describe.js';
import { EtcdGrant, encodeEntry, recordOf } from './entry.js';
import { Ground } from './ground.js';
import * as holding from './holding.js';
import { join, Waiter } from './line.js';
import { checkOptions, type EtcdOptions } from './options.js';
import { Transport } from './transport.js';
import * as upkeep from './upkeep.js';
import { Watch } from './watch.js';

export class EtcdStore implements LeaseStore {
  readonly capabilities: Capabilities = Object.freeze({
    kind: 'etcd',
    scope: 'cluster',
    liveness: false,
    fifo: true,
    revives: false,
    minTtl: 2000,
    ttlGranularity: 1000,
  });
  readonly location: string;
  readonly #client: Client;
  readonly #ground: Ground;
  /** The last of this process to join the line of a name. */
  readonly #joining = new Map<string, Promise<unknown>>();

  /** @throws {TypeError | RangeError} an option that makes no sense */
  constructor(options: EtcdOptions) {
    checkOptions(options);
    const { prefix = 'holdfast' } = options;
    const transport = new Transport(options);
    const root = `${prefix.replace(/\/+$/, '')}/`;
    this.location = `etcd://${transport.hosts.join()}/${root.slice(0, -1)}`;
    this.#client = new Client(transport);
    this.#ground = new Ground(this.#client, new Watch(transport, root), root);
  }

  async tryAcquire(attempt: Attempt): Promise<Grant | Denied> {
    const outcome = await this.#try(attempt);
    if (outcome instanceof EtcdGrant) return outcome;
    const denied = await describe(this.#ground, attempt.name, outcome);
    // Whoever had it has released it since; a moment ago it was held.
    return denied === undefined ? this.tryAcquire(attempt) : { denied };
  }

  async acquire(attempt: Attempt, { signal, denied }: Waiting): Promise<Grant> {
    for (let tell = denied; ; tell = undefined) {
      const entered = await this.#inOrder(attempt.name, signal, async () => {
        const outcome = await this.#try(attempt, signal);
        return outcome instanceof EtcdGrant ? outcome : join(this.#ground, attempt, signal);
      });
      if (entered instanceof EtcdGrant) return entered;
      let granted: EtcdGrant | undefined;
      try {
        if (tell !== undefined) await this.#tell(attempt, tell);
        granted = await new Waiter(this.#ground, attempt, entered, signal).wait();
      } finally {
        // After a grant the key lives by another lease, and nobody has to wait for the end of this one.
        const ended = this.#ground.drop(entered.term);
        if (granted === undefined) await ended;
      }
      if (granted !== undefined && !signal.aborted) return granted;
      if (granted !== undefined) await this.#ground.drop(granted.term);
      signal.throwIfAborted();
    }
  }

  renew(grant: Grant): Promise<number> {
    return holding.renew(this.#ground, owned(grant));
  }

  release(grant: Grant): Promise<boolean> {
    return holding.release(this.#ground, owned(grant));
  }

  detach(grant: Grant, ttl: number): Promise<Grant> {
    return holding.detach(this.#ground, owned(grant), ttl);
  }

  adopt(name: string, id: string, token: bigint): Promise<Grant> {
    return holding.adopt(this.#ground, name, id, token);
  }

  break(name: string, how: Break): Promise<LeaseInfo | undefined> {
    return upkeep.breakLease(this.#ground, name, how);
  }

  freeze(name: string, ttl: number, by: Owner): Promise<void> {
    return upkeep.freeze(this.#ground, name, ttl, by);
  }

  unfreeze(name: string): Promise<boolean> {
    return upkeep.unfreeze(this.#ground, name);
  }

  async inspect(name: string): Promise<LeaseInfo | undefined> {
    return describe(this.#ground, name, await standing(this.#ground, name));
  }

  list(prefix = ''): AsyncIterable<LeaseInfo> {
    return describeAll(this.#ground, prefix);
  }

  /** What is over is gone by itself. */
  sweep(): Promise<LeaseInfo[]> {
    return Promise.resolve([]);
  }

  forget(grant: Grant): void {
    owned(grant); // it keeps nothing open
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ground.watch.close();
    this.#client.transport.close();
    return Promise.resolve();
  }

  /** At once or not at all. */
  async #try(attempt: Attempt, signal?: AbortSignal): Promise<EtcdGrant | Standing> {
    const line = this.#ground.line(attempt.name);
    const unfrozen = noKey(this.#ground.freeze(attempt.name));
    const key = line + attempt.id;
    const term = await this.#client.grant(attempt.ttl ?? Infinity, signal);
    let granted: EtcdGrant | undefined;
    try {
      const record = recordOf(attempt, term.ttl);
      const outcome = await this.#ground.create({
        key,
        value: encodeEntry('held', encodeRecord(record)),
        term,
        conditions: [noneIn(line), unfrozen],
        conditionsOfOld: (created) => [noneBefore(line, created), unfrozen],
        reads: this.#ground.standing(attempt.name),
        signal,
      });
      if (!('created' in outcome)) return standingOf(outcome.found);
      granted = new EtcdGrant(record, outcome.token, key, outcome.created, term);
      return granted;
    } finally {
      if (granted === undefined) void this.#ground.drop(term);
    }
  }

  /** Who stands in the way, for people. */
  async #tell({ name, id }: Attempt, denied: NonNullable<Waiting['denied']>): Promise<void> {
    const info = await this.inspect(name);
    if (info !== undefined && info.id !== id) denied(info);
  }

  /** Those of one process join a line in the order in which they came. */
  async #inOrder<T>(name: string, signal: AbortSignal, join: () => Promise<T>): Promise<T> {
    const before = this.#joining.get(name);
    const mine = this.#after(before, signal, join);
    this.#joining.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#joining.get(name) === mine) this.#joining.delete(name);
    }
  }

  async #after<T>(
    before: Promise<unknown> | undefined,
    signal: AbortSignal,
    join: () => Promise<T>,
  ): Promise<T> {
    const bell = new Bell();
    const ring = (): void => {
      bell.ring();
    };
    const unlisten = onAbort(signal, ring);
    before?.then(ring, ring);
    // A courtesy: it is not waited for any longer than for an answer.
    if (before !== undefined) await bell.wait(this.#client.transport.timeout);
    unlisten();
    signal.throwIfAborted();
    return join();
  }
}

function owned(grant: Grant): EtcdGrant {
  if (grant instanceof EtcdGrant) return grant;
  throw new TypeError('the grant is of another store');
}
