/**
 * The verbs of etcd that leases are made of, in types: leases (etcd's, "terms of life" of keys), and
 * transactions. Numbers of 64 bits are strings, as JSON has them; a field that is zero is left out.
 */
import { randomBytes } from 'node:crypto';

import { holderTime } from '../../now.js';
import { Refusal } from './refusal.js';
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
  /** What each `get` found. */
  readonly found: readonly (readonly KeyValue[])[];
}

type Compare = Readonly<Record<string, string>>;
type Operation = Readonly<Record<string, object>>;

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');

/** All keys that begin so: up to where the last byte is one higher. They end in a slash. */
export function range(prefix: string): { key: string; range_end: string } {
  return { key: base64(prefix), range_end: base64(`${prefix.slice(0, -1)}0`) };
}

export const noKey = (key: string): Compare => createdIs(key, '0');
export const noneIn = (prefix: string): Compare => ({ ...noKey(prefix), ...range(prefix) });
export const createdIs = (key: string, revision: string): Compare => ({
  key: base64(key),
  target: 'CREATE',
  result: 'EQUAL',
  create_revision: revision,
});
/** None was created before; this holds of an empty range as well. */
export const noneBefore = (prefix: string, revision: string): Compare => ({
  ...range(prefix),
  target: 'CREATE',
  result: 'GREATER',
  create_revision: String(BigInt(revision) - 1n),
});
export const modifiedIs = (key: string, revision: string): Compare => ({
  key: base64(key),
  target: 'MOD',
  result: 'EQUAL',
  mod_revision: revision,
});
export const valueIs = (key: string, value: string): Compare => ({
  key: base64(key),
  target: 'VALUE',
  result: 'EQUAL',
  value: base64(value),
});

export const put = (key: string, value: Buffer | string, lease = '0'): Operation => ({
  request_put: { key: base64(key), value: base64(value), lease },
});
export const get = (key: string): Operation => ({ request_range: { key: base64(key) } });
export const remove = (key: string): Operation => ({ request_delete_range: { key: base64(key) } });
/** The oldest of them. */
export const first = (prefix: string): Operation => ({
  request_range: { ...range(prefix), limit: '1', sort_target: 'CREATE', sort_order: 'ASCEND' },
});
/** The youngest of those that are older. */
export const lastBefore = (prefix: string, revision: string): Operation => ({
  request_range: {
    ...range(prefix),
    max_create_revision: String(BigInt(revision) - 1n),
    limit: '1',
    sort_target: 'CREATE',
    sort_order: 'DESCEND',
  },
});

/** Milliseconds by the clock of the holders of such leases: the servers do not sleep with this host. */
export function now(): number {
  return holderTime(undefined, true);
}

export class Client {
  constructor(readonly transport: Transport) {}

  /** A lease of etcd. The id is chosen here, so that asking twice makes one. */
  async grant(ttl: number, signal?: AbortSignal): Promise<Term> {
    for (;;) {
      const id = String(randomBytes(8).readBigUInt64BE() >> 1n);
      const since = now();
      // Whole seconds, from two to what etcd takes for the most.
      const seconds = Math.min(Math.max(2, Math.ceil(ttl / 1000)), 9e9);
      const asked = { ID: id, TTL: String(seconds) };
      const granted = await this.transport.ask('/v3/lease/grant', asked, { signal }).then(
        (answer) => Number(answer['TTL']) * 1000,
        async (error: unknown) => {
          if (!(error instanceof Refusal) || !error.exists) throw error;
          return (await this.timeLeft(id))?.grantedMs; // it was granted, and the answer was lost
        },
      );
      if (granted !== undefined) return { id, ttl: granted, since };
    }
  }

  /** Its TTL begins anew; 0: it is over. `raftTerm`: of the leader that said so. */
  async keepAlive(id: string, asking?: Asking): Promise<{ ttl: number; raftTerm: string }> {
    const { result } = await this.transport.ask('/v3/lease/keepalive', { ID: id }, asking);
    const { TTL, header } = result as { TTL?: string; header: { raft_term: string } };
    return { ttl: Number(TTL ?? 0) * 1000, raftTerm: header.raft_term };
  }

  /** Ends it, and the keys that live as long. `unknown`: it is over, by this or by something else. */
  async revoke(id: string): Promise<'done' | 'over' | 'unknown'> {
    try {
      await this.transport.ask('/v3/lease/revoke', { ID: id });
      return 'done';
    } catch (error) {
      if (!(error instanceof Refusal) || !error.notFound) throw error;
      return error.resent ? 'unknown' : 'over';
    }
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
    const found = responses
      .filter((each) => each.response_range !== undefined)
      .map((each) => (each.response_range?.kvs ?? []).map(decode));
    return { succeeded, revision: header.revision, raftTerm: header.raft_term, found };
  }

  /** All keys that begin so, as of one moment, in the order of their names. */
  async *all(prefix: string): AsyncGenerator<KeyValue, void, undefined> {
    const { key, range_end } = range(prefix);
    let [from, revision, more] = [key, '0', true];
    while (more) {
      const asked = { key: from, range_end, limit: '200', revision };
      const answer = await this.transport.ask('/v3/kv/range', asked);
      const page = answer as unknown as RangeAnswer & TxnAnswer;
      const keys = (page.kvs ?? []).map(decode);
      yield* keys;
      revision = page.header.revision;
      more = page.more === true;
      from = base64(`${keys.at(-1)?.key ?? ''}\0`);
    }
  }
}

interface RawKey {
  key: string;
  value?: string;
  create_revision: string;
  mod_revision: string;
  lease?: string;
}

interface RangeAnswer {
  kvs?: RawKey[];
  more?: boolean;
}

interface TxnAnswer {
  header: { revision: string; raft_term: string };
  succeeded?: boolean;
  responses?: { response_range?: RangeAnswer }[];
}

function decode({ key, value = '', create_revision, mod_revision, lease = '0' }: RawKey): KeyValue {
  return {
    key: Buffer.from(key, 'base64').toString(),
    value: Buffer.from(value, 'base64'),
    created: create_revision,
    modified: mod_revision,
    lease,
  };
}
