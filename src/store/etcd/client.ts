/**
 * The verbs of etcd that leases are made of, in types: leases (etcd's, "terms of life" of keys), and
 * transactions. Numbers of 64 bits are strings, as JSON has them; a field that is zero is left out.
 */
import { randomBytes } from 'node:crypto';

import { pause, unlessAborted } from '../../bell.js';
import { holderTime } from '../../now.js';
import { kindOf } from './refusal.js';
import type { Asking, Transport } from './transport.js';

/** A key as it stands. */
export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
  /** The revision that created it: what puts keys in order. */
  readonly created: string;
  readonly modified: string;
  /** The lease that it lives as long as. */
  readonly lease: string;
}

/** A lease of etcd. */
export interface Term {
  readonly id: string;
  /** Milliseconds, as granted. */
  readonly ttl: number;
  /** From before it was asked for, by {@link now}. */
  readonly since: number;
}

/** What one transaction did. */
export interface Outcome {
  readonly succeeded: boolean;
  readonly revision: string;
  readonly raftTerm: string;
  /** What each operation found. */
  readonly found: readonly (readonly KeyValue[])[];
}

export type Compare = Readonly<Record<string, string>>;
export type Operation = Readonly<Record<string, object>>;

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');

/** From this key on, to where the last byte of the other, a slash, is one higher: all that begin so. */
export function range(from: string, last = from): { key: string; range_end: string } {
  return { key: base64(from), range_end: base64(`${last.slice(0, -1)}0`) };
}

const equal = { result: 'EQUAL' };
/** '0': there is no such key. */
export const modifiedIs = (key: string, revision: string): Compare => ({
  ...{ ...equal, key: base64(key), target: 'MOD', mod_revision: revision },
});
export const valueIs = (key: string, value: string): Compare => ({
  ...{ ...equal, key: base64(key), target: 'VALUE', value: base64(value) },
});
/** None that begins so was created before; of an empty range etcd says that it was at 0. */
export const noneBefore = (prefix: string, revision?: string): Compare => ({
  ...{ ...range(prefix), target: 'CREATE', result: revision === undefined ? 'EQUAL' : 'GREATER' },
  create_revision: String(BigInt(revision ?? 1) - 1n),
});

export const put = (key: string, value: Buffer | string, lease = '0'): Operation => ({
  request_put: { key: base64(key), value: base64(value), lease },
});
export const get = (key: string): Operation => ({ request_range: { key: base64(key) } });
export const remove = (key: string): Operation => ({ request_delete_range: { key: base64(key) } });
/** The oldest of them. */
export const first = (prefix: string, order: object = { sort_order: 'ASCEND' }): Operation => ({
  request_range: { ...range(prefix), limit: '1', sort_target: 'CREATE', ...order },
});
/** The youngest of those that are older; by default of all, for 0 is no limit. */
export const lastBefore = (prefix: string, revision = '1'): Operation =>
  first(prefix, { sort_order: 'DESCEND', max_create_revision: String(BigInt(revision) - 1n) });

/** Milliseconds by the clock of the holders of such leases: the servers do not sleep with this host. */
export function now(): number {
  return holderTime(undefined, true);
}

export class Client {
  constructor(readonly transport: Transport) {}

  /**
   * A lease of etcd. The id is chosen here: who asks twice is told that it is there already. Whoever gives
   * up does not wait for the answer, but the question is not taken back, for it may have had its
   * effect: what it is granted is ended when it is known.
   */
  async grant(ttl: number, signal?: AbortSignal): Promise<Term> {
    // Whole seconds, from two to what etcd takes for the most.
    const TTL = String(Math.min(Math.max(2, Math.ceil(ttl / 1000)), 9e9));
    for (;;) {
      const id = String(randomBytes(8).readBigUInt64BE() >> 1n);
      const since = now();
      const asked = this.transport.ask('/v3/lease/grant', { ID: id, TTL });
      try {
        const answer = await unlessAborted(asked, signal);
        return { id, ttl: Number(answer['TTL']) * 1000, since };
      } catch (error) {
        void asked.catch(() => undefined).then(() => this.drop(id));
        if (kindOf(error) !== 'exists') throw error; // the answer was lost; another one is as good
      }
    }
  }

  /** Its TTL begins anew; 0: it is over. `raftTerm`: of the leader that said so. */
  async keepAlive(id: string, asking?: Asking): Promise<{ ttl: number; raftTerm: string }> {
    const { result } = await this.transport.ask('/v3/lease/keepalive', { ID: id }, asking);
    const { TTL, header } = result as { TTL?: string; header: { raft_term: string } };
    return { ttl: Number(TTL ?? 0) * 1000, raftTerm: header.raft_term };
  }

  /** Ends it, and the keys that live as long. */
  async revoke(id: string): Promise<void> {
    await this.transport.ask('/v3/lease/revoke', { ID: id }).catch(unlessOver);
  }

  /** Ends one that is of no use, or lets it end by itself. Nobody waits for long for what may be in vain. */
  drop(id: string): Promise<void> {
    return pause(1000, undefined, this.revoke(id));
  }

  /** Undefined: it is over. */
  async timeLeft(id: string): Promise<{ leftMs: number; grantedMs: number } | undefined> {
    const answer = await this.transport.ask('/v3/lease/timetolive', { ID: id });
    const [left, granted] = [Number(answer['TTL'] ?? 0), Number(answer['grantedTTL'] ?? 0)];
    return left < 0 ? undefined : { leftMs: left * 1000, grantedMs: granted * 1000 };
  }

  /** All in one step. Without a write it reads what a majority has agreed on. */
  async transact(
    compare: readonly Compare[],
    success: readonly Operation[],
    failure: readonly Operation[] = [],
    asking?: Asking,
  ): Promise<Outcome> {
    const question = { compare, success, failure };
    const answer = await this.transport.ask('/v3/kv/txn', question, asking);
    const { header, succeeded = false, responses = [] } = answer as unknown as TxnAnswer;
    const found = responses.map((each) => (each.response_range?.kvs ?? []).map(decode));
    return { succeeded, revision: header.revision, raftTerm: header.raft_term, found };
  }
}

/** There is no such lease of etcd any more. */
export function unlessOver(error: unknown): undefined {
  if (kindOf(error) !== 'not found') throw error;
}

type RawKey = Record<'key' | 'create_revision' | 'mod_revision', string> &
  Partial<Record<'value' | 'lease', string>>;

interface TxnAnswer {
  header: { revision: string; raft_term: string };
  succeeded?: boolean;
  responses?: { response_range?: { kvs?: RawKey[] } }[];
}

function decode({ key, value = '', lease = '0', ...at }: RawKey): KeyValue {
  const [name, bytes] = [Buffer.from(key, 'base64').toString(), Buffer.from(value, 'base64')];
  return { key: name, value: bytes, created: at.create_revision, modified: at.mod_revision, lease };
}
