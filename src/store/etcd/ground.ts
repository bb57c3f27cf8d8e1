/**
 * What all the leases of one prefix share: the client, the names of keys, the watch, and the number
 * that tokens are counted from.
 *
 * A fresh etcd counts its revisions from 1. So that tokens do not fall when leases move here from
 * files, or when an etcd is set up anew, the first who comes writes down the wall clock in microseconds,
 * once; a token is that and the revision that created the key. Every transaction that creates a key
 * makes sure that this number still stands there: one of an etcd that was emptied meanwhile is not used.
 */
import { fileName } from '../../names.js';
import type { Client, KeyValue, Outcome, Term } from './client.js';
import { first, get, modifiedIs, noKey, put, valueIs } from './client.js';
import { isBroken } from './entry.js';
import type { Watch } from './watch.js';

type Conditions = Parameters<Client['transact']>[0];
type Operations = Parameters<Client['transact']>[1];

/** A key that an attempt is to create. */
export interface Creation {
  readonly key: string;
  readonly value: Buffer;
  readonly term: Term;
  /** For a key that is new. */
  readonly conditions: Conditions;
  /** For one that a call which was given up has left there; its revision is told. */
  readonly conditionsOfOld: (created: string) => Conditions;
  /** What to read if it may not be. */
  readonly reads: Operations;
  readonly signal?: AbortSignal | undefined;
}

/** Where it stands now; or what was read instead. */
export type Created =
  { readonly created: string; readonly token: bigint } | { readonly found: Outcome['found'] };

export class Ground {
  /** Where tokens begin, once it is known. */
  #base: string | undefined;

  constructor(
    readonly client: Client,
    readonly watch: Watch,
    /** All keys begin so. */
    readonly root: string,
  ) {}

  get lines(): string {
    return `${this.root}line/`;
  }

  get freezes(): string {
    return `${this.root}freeze/`;
  }

  /** Of a name's keys; the file name has no slash in it. */
  line(name: string): string {
    return `${this.lines}${fileName(name)}/`;
  }

  freeze(name: string): string {
    return `${this.freezes}${fileName(name)}`;
  }

  /** What to read for it: who is first in line, and the freeze. */
  standing(name: string): Operations {
    return [first(this.line(name)), get(this.freeze(name))];
  }

  async token(created: string): Promise<bigint> {
    return tokenOf(await this.base(), created);
  }

  /** Creates a key, or moves one that the same attempt has left. The oldest of a line keeps its age. */
  async create({ key, value, term, signal, ...rest }: Creation): Promise<Created> {
    for (;;) {
      const base = await this.base(signal);
      const write = put(key, value, term.id);
      const { succeeded, revision, found } = await this.client.transact(
        [noKey(key), valueIs(this.#baseKey, base), ...rest.conditions],
        [write],
        [get(key), get(this.#baseKey), ...rest.reads],
        { signal },
      );
      if (succeeded) return { created: revision, token: tokenOf(base, revision) };
      const [[own] = [], [stands] = [], ...read] = found;
      if (stands?.value.toString() !== base) {
        this.#base = undefined;
      } else if (own === undefined) {
        return { found: read };
      } else if (isBroken(own)) {
        await this.client.revoke(own.lease); // as the one who broke it is about to
        if (own.lease === term.id) return { found: read };
      } else {
        const there = { created: own.created, token: tokenOf(base, own.created) };
        if (own.lease === term.id) return there; // asked before, and the answer was lost
        const conditions = [modifiedIs(key, own.modified), ...rest.conditionsOfOld(own.created)];
        const moved = await this.client.transact(conditions, [write], [get(key)], { signal });
        const [after] = moved.found[0] ?? [];
        if (moved.succeeded || after?.lease === term.id) return there;
        if (after?.modified === own.modified) return { found: read };
      }
    }
  }

  /** Ends a lease of etcd that is of no use, or lets it end by itself. */
  async drop({ id }: Term): Promise<void> {
    await this.client.revoke(id).catch(() => undefined);
  }

  async base(signal?: AbortSignal): Promise<string> {
    if (this.#base !== undefined) return this.#base;
    const microseconds = String(Date.now() * 1000);
    const { succeeded, found } = await this.client.transact(
      [noKey(this.#baseKey)],
      [put(this.#baseKey, microseconds)],
      [get(this.#baseKey)],
      { signal },
    );
    const stands: KeyValue | undefined = found[0]?.[0];
    this.#base = succeeded ? microseconds : stands?.value.toString();
    return this.#base ?? microseconds;
  }

  get #baseKey(): string {
    return `${this.root}base`;
  }
}

function tokenOf(base: string, created: string): bigint {
  return BigInt(base) + BigInt(created);
}
