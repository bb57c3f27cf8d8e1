/**
 * What all the leases of one prefix share: the client, the names of keys, the watch, the number that
 * tokens are counted from, and how a key comes into a line.
 *
 * A fresh etcd counts its revisions from 1. So that tokens do not fall when leases move here from
 * files, or when an etcd is set up anew, the first who comes writes down the wall clock in microseconds,
 * once; a token is that and the revision that created the key. Every transaction that creates a key
 * makes sure that this number still stands there: one of an etcd that was emptied meanwhile is not used.
 */
import type { LeaseInfo } from '../../lease-info.js';
import { fileName } from '../../names.js';
import { wallClock } from '../../now.js';
import { encodeRecord } from '../../record.js';
import { recordOf } from '../grant.js';
import type { Attempt } from '../store.js';
import { Client, first, get, lastBefore, modifiedIs, noneBefore, put, range } from './client.js';
import { unlessOver, valueIs } from './client.js';
import type { KeyValue, Operation, Outcome } from './client.js';
import { encodeEntry, isBroken, parseEntry, type Entry, type Placed } from './entry.js';
import type { Asking, Transport } from './transport.js';
import { Watch } from './watch.js';

/**
 * What was read of a name, all at one moment: the key of the one who asks, the freeze, the oldest key of
 * the line, and the one right before our own.
 */
export type View = Readonly<Record<'own' | 'frozen' | 'head' | 'before', KeyValue | undefined>>;

/** A break that was begun, until it is known whether it was done: if this note stands, it was. */
export interface HalfBreak extends Pick<KeyValue, 'lease'> {
  readonly note: string;
  readonly token: bigint;
  readonly info: LeaseInfo | undefined;
}

export class Ground {
  readonly client: Client;
  /** Of the lines and the freezes. */
  readonly watch: Watch;
  readonly lines: string;
  readonly freezes: string;
  readonly #baseKey: string;
  /** By the name of the lease. */
  readonly halfBroken = new Map<string, HalfBreak>();
  /** Where tokens begin, once it is known. */
  #base: string | undefined;

  constructor(
    readonly transport: Transport,
    /** All keys begin so. */
    readonly root: string,
  ) {
    this.client = new Client(transport);
    this.lines = `${root}line/`;
    this.freezes = `${root}freeze/`;
    this.watch = new Watch(transport, range(this.freezes, this.lines));
    this.#baseKey = `${root}base`;
  }

  /** Of a name's keys; the file name has no slash in it. */
  line(name: string): string {
    return `${this.lines}${fileName(name)}/`;
  }

  freeze(name: string): string {
    return `${this.freezes}${fileName(name)}`;
  }

  /** What stands there, with its token: of a record that was made elsewhere, too. */
  async entry(key: KeyValue): Promise<Entry & { readonly token: bigint }> {
    const { parsed, ...entry } = parseEntry(key);
    const token = tokenOf(await this.#tokenBase(), key.created);
    if (parsed.state !== 'valid') return { ...entry, parsed, token };
    return { ...entry, parsed: { ...parsed, record: { ...parsed.record, token } }, token };
  }

  /** How it stands; `own`: for the attempt that has this key. */
  async look(name: string, own?: Placed, asking?: Asking): Promise<View> {
    const reads = this.#reads(name, own?.record.id, own?.created);
    return viewOf(await this.client.transact([], reads, [], asking));
  }

  /**
   * Creates the key of an attempt, or moves it to a new lease of etcd: at the end of the line; if it
   * is to hold the name, only where nobody is before it. A key that is there keeps its age, whether
   * it is `place` or was left by a call that was given up. If it may not be: what stands in the way.
   */
  async put(
    attempt: Attempt,
    word: 'held' | 'waiting',
    signal?: AbortSignal,
    place?: Placed,
  ): Promise<Placed | View> {
    const { name, id } = attempt;
    const key = this.line(name) + id;
    const thawed = modifiedIs(this.freeze(name), '0');
    let own: Pick<KeyValue, 'created' | 'modified'> | undefined = place;
    for (;;) {
      const base = await this.#tokenBase(signal);
      const term = await this.client.grant(attempt.ttl ?? Infinity, signal);
      let placed: Placed | undefined;
      try {
        const record = recordOf({ ...attempt, ttl: term.ttl }, wallClock());
        const conditions = [
          modifiedIs(key, own?.modified ?? '0'),
          valueIs(this.#baseKey, base),
          ...(word === 'held' ? [noneBefore(this.line(name), own?.created), thawed] : []),
        ];
        const write = put(key, encodeEntry(word, encodeRecord(record)), term.id);
        const reads = this.#reads(name, id, own?.created);
        const outcome = await this.client.transact(conditions, [write], reads, { signal });
        const { revision, succeeded, found } = outcome;
        const view = viewOf(outcome);
        const broken = view.own !== undefined && isBroken(view.own);
        // The same question was asked before, and the answer was lost.
        const ours = view.own?.lease === term.id && !broken ? view.own : undefined;
        const there = succeeded ? { created: own?.created ?? revision, modified: revision } : ours;
        if (there !== undefined) {
          const token = tokenOf(base, there.created);
          placed = { ...there, key, token, record, term };
          return placed;
        }
        if (found[0]?.[0]?.value.toString() !== base) this.#base = undefined;
        // As whoever broke it is about to.
        else if (broken) await this.client.revoke(view.own.lease);
        else if (view.own?.modified === own?.modified) return view;
        own = view.own;
      } catch (error) {
        unlessOver(error); // its time was over before it was of use: this process stood still
      } finally {
        const dropped = placed === undefined ? this.client.drop(term.id) : undefined;
        if (signal?.aborted === true) await dropped; // nothing is left
      }
    }
  }

  #reads(name: string, id = '', created?: string): readonly Operation[] {
    const line = this.line(name);
    const [frozen, own] = [get(this.freeze(name)), get(line + id)];
    return [get(this.#baseKey), own, frozen, first(line), lastBefore(line, created)];
  }

  async #tokenBase(signal?: AbortSignal): Promise<string> {
    if (this.#base !== undefined) return this.#base;
    const key = this.#baseKey;
    const microseconds = String(Date.now() * 1000);
    const create = put(key, microseconds);
    const asked = [[modifiedIs(key, '0')], [create], [get(key)], { signal }] as const;
    const { found } = await this.client.transact(...asked);
    return (this.#base = found[0]?.[0]?.value.toString() ?? microseconds);
  }
}

function viewOf({ found }: Outcome): View {
  const [, [own] = [], [frozen] = [], [head] = [], [before] = []] = found;
  return { own, frozen, head, before };
}

function tokenOf(base: string, created: string): bigint {
  return BigInt(base) + BigInt(created);
}
