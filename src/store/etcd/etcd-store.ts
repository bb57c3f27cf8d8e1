/**
 * The store of many hosts: leases in etcd (docs/scale-out.md).
 *
 * A lease is a key in the line of its name, which lives as long as a lease of etcd: the oldest key of a
 * line holds, or is next. What decides is a transaction, never a clock of this machine. A question
 * that nobody answered may have had its effect; so each can be asked again, and whoever gives up ends
 * the lease of etcd that his key would live by.
 */
import { randomUUID } from 'node:crypto';

import { onAbort } from '../../abort.js';
import { Bell } from '../../bell.js';
import { LockError } from '../../errors.js';
import { encodeFreeze } from '../../freeze.js';
import type { LeaseInfo } from '../../lease-info.js';
import { encodeRecord, recordHolder, type LeaseRecord } from '../../record.js';
import type { Attempt, Break, Capabilities, Denied, Grant } from '../store.js';
import type { LeaseStore, Owner, Waiting } from '../store.js';
import { Client, first, get, modifiedIs, noKey, noneBefore, noneIn, now, put } from './client.js';
import type { Outcome } from './client.js';
import { EtcdGrant, encodeEntry, isBroken, parseEntry, recordOf } from './entry.js';
import { Ground } from './ground.js';
import { describe, describeAll, type Standing } from './describe.js';
import { join, Waiter } from './line.js';
import { checkOptions, type EtcdOptions } from './options.js';
import { Refusal } from './refusal.js';
import { Transport } from './transport.js';
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

  now(): number {
    return now();
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

  async renew(grant: Grant): Promise<number> {
    const own = owned(grant);
    const timeout = Math.min(this.#client.transport.timeout, own.ttl / 2);
    for (;;) {
      const since = now();
      const { ttl, raftTerm } = await this.#client.keepAlive(own.term.id, { timeout });
      const read = await this.#client.transact([], [get(own.key)], [], { timeout });
      const key = read.found[0]?.[0];
      if (ttl === 0 || key?.lease !== own.term.id || isBroken(key)) throw own.lost;
      // A leader that was cut off renews leases without asking anybody. If there has been another since,
      // this read, which a majority has agreed to, is of a later term.
      if (read.raftTerm !== raftTerm) continue;
      own.renewed = since;
      own.expiresAt = Date.now() + ttl;
      return ttl;
    }
  }

  async release(grant: Grant): Promise<boolean> {
    const { term, renewed } = owned(grant);
    const ended = await this.#client.revoke(term.id);
    // `unknown`: before its time is over nobody but us ends it, except by a break.
    return ended === 'done' || (ended === 'unknown' && now() < renewed + term.ttl);
  }

  async break(name: string, { token, stale = false }: Break): Promise<LeaseInfo | undefined> {
    if (stale) return undefined; // what is over is gone
    const word = `broken ${randomUUID()}`;
    for (;;) {
      const standing = await this.#standing(name);
      const { head } = standing;
      if (head === undefined) return undefined;
      const { word: stands, bytes } = parseEntry(head);
      if (stands === 'waiting') return undefined;
      if (token !== undefined && (await this.#ground.token(head.created)) !== token)
        return undefined;
      const info = await describe(this.#ground, name, standing);
      if (isBroken(head)) {
        // By us, and the answer was lost; or by somebody who may have died since.
        await this.#client.revoke(head.lease);
        return stands === word ? info : undefined;
      }
      // With this mark one of those who break it at once is the one; and it cannot be moved any more.
      const mark = put(head.key, encodeEntry(word, bytes), head.lease);
      const unchanged = modifiedIs(head.key, head.modified);
      const marked = await this.#client.transact([unchanged], [mark]).catch(unlessOver);
      if (marked?.succeeded !== true) continue;
      await this.#client.revoke(head.lease);
      return info;
    }
  }

  async inspect(name: string): Promise<LeaseInfo | undefined> {
    return describe(this.#ground, name, await this.#standing(name));
  }

  list(prefix = ''): AsyncIterable<LeaseInfo> {
    return describeAll(this.#ground, prefix);
  }

  async freeze(name: string, ttl: number, by: Owner): Promise<void> {
    const term = await this.#client.grant(ttl);
    const since = Date.now();
    const end = { expires: since + term.ttl, deadline: null, bootId: null, timeNamespace: null };
    const bytes = encodeFreeze({ name, owner: by.owner, since, ttl: term.ttl, ...end });
    // Another freeze that stood there is replaced; its lease ends by itself, with nothing in it.
    await this.#client.transact([], [put(this.#ground.freeze(name), bytes, term.id)]);
  }

  async unfreeze(name: string): Promise<boolean> {
    const { frozen } = await this.#standing(name);
    return frozen !== undefined && (await this.#client.revoke(frozen.lease)) !== 'over';
  }

  async adopt(name: string, id: string, token: bigint): Promise<Grant> {
    const since = now();
    const { head } = await this.#standing(name);
    const entry = head && parseEntry(head);
    if (head === undefined || entry === undefined || entry.word === 'waiting') {
      throw new LockError('ERR_LOCK_NOT_FOUND', `nobody holds ${name}`);
    }
    if (entry.parsed.state !== 'valid') {
      throw new LockError('ERR_LOCK_CORRUPT', `the record of ${name} cannot be read`);
    }
    const { record } = entry.parsed;
    const stands = await this.#ground.token(head.created);
    const refuse = (why: string): LockError => {
      const holder = recordHolder(record);
      return new LockError('ERR_LOCK_NOT_OWNER', `the lease ${name} ${why}`, { holder });
    };
    if (record.id !== id || stands !== token) {
      throw refuse(`is somebody else's, with token ${stands}`);
    }
    if (record.kind === 'attached') {
      throw refuse('is attached: it lives and ends with its process');
    }
    const left = await this.#client.timeLeft(head.lease);
    if (left === undefined) throw new LockError('ERR_LOCK_NOT_FOUND', `nobody holds ${name}`);
    const { leftMs, grantedMs } = left;
    const term = { id: head.lease, ttl: grantedMs, since: since - (grantedMs - leftMs) };
    return new EtcdGrant(record, stands, head.key, head.created, term);
  }

  async detach(grant: Grant, ttl: number): Promise<Grant> {
    const { record, key, token, created, term } = owned(grant);
    const longer = await this.#client.grant(ttl);
    try {
      const next: LeaseRecord = { ...record, kind: 'detached', ttl: longer.ttl };
      for (;;) {
        const [own] = (await this.#client.transact([], [get(key)])).found[0] ?? [];
        const moved = own?.lease === longer.id;
        if (own === undefined || isBroken(own) || (own.lease !== term.id && !moved)) {
          throw owned(grant).lost;
        }
        if (moved) break;
        const move = put(key, encodeEntry('held', encodeRecord(next)), longer.id);
        await this.#client.transact([modifiedIs(key, own.modified)], [move]);
      }
      await this.#ground.drop(term);
      return new EtcdGrant(next, token, key, created, longer);
    } catch (error) {
      await this.#ground.drop(longer);
      throw error;
    }
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
        reads: [first(line), get(this.#ground.freeze(attempt.name))],
        signal,
      });
      if (!('created' in outcome)) return standingOf(outcome.found);
      granted = new EtcdGrant(record, outcome.token, key, outcome.created, term);
      return granted;
    } finally {
      if (granted === undefined) void this.#ground.drop(term);
    }
  }

  async #standing(name: string): Promise<Standing> {
    const reads = [first(this.#ground.line(name)), get(this.#ground.freeze(name))];
    return standingOf((await this.#client.transact([], reads)).found);
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

function standingOf([head, frozen]: Outcome['found']): Standing {
  return { head: head?.[0], frozen: frozen?.[0] };
}

/** The lease that a key was to live by is over. */
function unlessOver(error: unknown): undefined {
  if (!(error instanceof Refusal)) throw error;
}

function owned(grant: Grant): EtcdGrant {
  if (grant instanceof EtcdGrant) return grant;
  throw new TypeError('the grant is of another store');
}
