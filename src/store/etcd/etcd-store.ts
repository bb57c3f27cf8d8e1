/**
 * The store of many hosts: leases in etcd (docs/scale-out.md).
 *
 * A lease is a key in the line of its name, which lives as long as a lease of etcd: the oldest key of a
 * line holds, or is next. What decides is a transaction, never a clock of this machine. A question
 * that nobody answered may have had its effect; so each can be asked again, and whoever gives up ends
 * the lease of etcd that his key would live by.
 */
import { pause } from '../../bell.js';
import { TurnsByName } from '../../turns.js';
import { grantOf } from '../grant.js';
import type { Attempt, Capabilities, Denied, Grant, LeaseStore, Waiting } from '../store.js';
import { describe, describeAll } from './describe.js';
import { EtcdGrant, type Placed } from './entry.js';
import { Ground } from './ground.js';
import * as holding from './holding.js';
import { placeTtl, waitInLine } from './line.js';
import { checkOptions, type EtcdOptions } from './options.js';
import { Transport } from './transport.js';
import * as upkeep from './upkeep.js';

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
  readonly #ground: Ground;
  /** Those of this process join the line of a name in the order in which they came. */
  readonly #joining = new TurnsByName();

  /** @throws {TypeError | RangeError} an option that makes no sense */
  constructor(options: EtcdOptions) {
    checkOptions(options);
    const { prefix = 'holdfast' } = options;
    const transport = new Transport(options);
    const root = `${prefix.replace(/\/+$/, '')}/`;
    this.location = `etcd://${transport.hosts.join()}/${root.slice(0, -1)}`;
    this.#ground = new Ground(transport, root);
  }

  async tryAcquire(attempt: Attempt): Promise<Grant | Denied> {
    const outcome = await this.#ground.put(attempt, 'held');
    if ('term' in outcome) return new EtcdGrant(outcome);
    const denied = await describe(this.#ground, attempt.name, outcome);
    // Whoever had it has released it since; a moment ago it was held.
    return denied === undefined ? this.tryAcquire(attempt) : { denied };
  }

  async acquire(attempt: Attempt, waiting: Waiting): Promise<Grant> {
    const { signal = new AbortController().signal, denied } = waiting;
    const { client, transport } = this.#ground;
    const join = (): Promise<EtcdGrant | Placed> => this.#join(attempt, signal);
    // A courtesy: those before are not waited for any longer than for an answer.
    const patience = (before: Promise<unknown>) => pause(transport.timeout, signal, before);
    for (let tell = denied; ; tell = undefined) {
      const place = await this.#joining.take(attempt.name, join, patience);
      if (place instanceof EtcdGrant) return place;
      let granted: Placed | undefined;
      try {
        const holder = tell && (await this.inspect(attempt.name));
        if (holder !== undefined && holder.id !== attempt.id) tell?.(holder);
        granted = await waitInLine(this.#ground, attempt, place, signal);
      } finally {
        // After a grant the key lives by another lease, and nobody has to wait for the end of this one.
        const ended = client.drop(place.term.id);
        if (signal.aborted) await Promise.all([ended, granted && client.drop(granted.term.id)]);
      }
      signal.throwIfAborted();
      if (granted !== undefined) return new EtcdGrant(granted);
    }
  }

  renew: LeaseStore['renew'] = (grant) => holding.renew(this.#ground, owned(grant));
  release: LeaseStore['release'] = (grant) => holding.release(this.#ground, owned(grant));
  detach: LeaseStore['detach'] = (grant, ttl) => holding.detach(this.#ground, owned(grant), ttl);
  adopt: LeaseStore['adopt'] = (name, id, token) =>
    holding.adopt(this.#ground, { name, id, token });
  break: LeaseStore['break'] = (name, how) => upkeep.breakLease(this.#ground, name, how);
  freeze: LeaseStore['freeze'] = (name, ttl, by) => upkeep.freeze(this.#ground, name, ttl, by);
  unfreeze: LeaseStore['unfreeze'] = (name) => upkeep.unfreeze(this.#ground, name);
  inspect: LeaseStore['inspect'] = async (name) =>
    describe(this.#ground, name, await this.#ground.look(name));
  list: LeaseStore['list'] = (prefix = '') => describeAll(this.#ground, prefix);
  /** What is over is gone by itself. */
  sweep: LeaseStore['sweep'] = () => Promise.resolve([]);
  /** It keeps nothing open. */
  forget: LeaseStore['forget'] = owned;

  [Symbol.asyncDispose](): Promise<void> {
    this.#ground.watch.close();
    this.#ground.transport.close();
    return Promise.resolve();
  }

  /** Holds it at once, or has a place in the line. */
  async #join(attempt: Attempt, signal: AbortSignal): Promise<EtcdGrant | Placed> {
    const short = { ...attempt, ttl: Math.min(attempt.ttl ?? Infinity, placeTtl) };
    for (;;) {
      const held = await this.#ground.put(attempt, 'held', signal);
      if ('term' in held) return new EtcdGrant(held);
      const place = await this.#ground.put(short, 'waiting', signal);
      if ('term' in place) return place;
    }
  }
}

const owned = (grant: Grant): EtcdGrant => grantOf(EtcdGrant, grant);
