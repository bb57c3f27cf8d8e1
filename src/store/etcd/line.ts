/**
 * Waiting for a lease in the line of its name.
 *
 * A place in the line is a key that lives as long as a short lease of etcd, which is kept alive while
 * its owner waits: one who dies holds up the others for seconds, however long a TTL was asked for. Who
 * has nobody before him moves his key, in one transaction, to a lease with the TTL that was asked for:
 * that is the grant. The key stays, and so does its revision, the token: it is fixed where the line is
 * joined, and nobody is overtaken.
 *
 * Each waits for the key right before his own to go away, so a release wakes one.
 */
import { onAbort } from '../../abort.js';
import { Bell } from '../../bell.js';
import { encodeRecord } from '../../record.js';
import type { Attempt } from '../store.js';
import { get, lastBefore, modifiedIs, noKey, noneBefore, now, put } from './client.js';
import type { KeyValue, Outcome, Term } from './client.js';
import { EtcdGrant, encodeEntry, isBroken, recordOf } from './entry.js';
import type { Ground } from './ground.js';
import { Refusal } from './refusal.js';

/** For so long a place outlives who has it; in ms. A shorter one is lost when a machine is busy. */
const placeTtl = 10_000;

/** A key in the line. */
export interface Place {
  readonly term: Term;
  readonly created: string;
  readonly token: bigint;
}

/** What is read of the line. */
interface View {
  readonly own: KeyValue | undefined;
  /** The key that has to go away first; undefined: none. */
  readonly obstacle: string | undefined;
}

/** Joins the end of the line. */
export async function join(ground: Ground, attempt: Attempt, signal: AbortSignal): Promise<Place> {
  const term = await ground.client.grant(Math.min(attempt.ttl ?? Infinity, placeTtl), signal);
  try {
    const key = ground.line(attempt.name) + attempt.id;
    const value = encodeEntry('waiting', encodeRecord(recordOf(attempt, term.ttl)));
    const free = { conditions: [], conditionsOfOld: () => [], reads: [] };
    const joined = await ground.create({ key, value, term, signal, ...free });
    if ('created' in joined) return { term, ...joined };
    throw new Error(`${key} was broken while it was in line`);
  } catch (error) {
    await ground.drop(term);
    throw error;
  }
}

/** One who has a place. */
export class Waiter {
  readonly #own: string;
  readonly #line: string;
  readonly #freeze: string;
  readonly #bell = new Bell();
  readonly #asking: { signal: AbortSignal };
  /** The key that is listened for, and whether it is known, or thought, to be gone. */
  #obstacle: string | undefined;
  #gone = false;
  #hinted = false;
  #unlisten: (() => void) | undefined;

  constructor(
    readonly ground: Ground,
    readonly attempt: Attempt,
    readonly place: Place,
    readonly signal: AbortSignal,
  ) {
    this.#line = ground.line(attempt.name);
    this.#own = this.#line + attempt.id;
    this.#freeze = ground.freeze(attempt.name);
    this.#asking = { signal };
  }

  /** Undefined: the place was lost, for it was not kept alive in time. */
  async wait(): Promise<EtcdGrant | undefined> {
    const unlisten = onAbort(this.signal, () => {
      this.#bell.ring();
    });
    try {
      return await this.#wait();
    } finally {
      unlisten();
      this.#unlisten?.();
    }
  }

  async #wait(): Promise<EtcdGrant | undefined> {
    const { id, ttl } = this.place.term;
    let nextSign = now() + ttl / 3;
    let nextLook = now() + ttl;
    let view = await this.#look();
    for (;;) {
      this.signal.throwIfAborted();
      if (view.own === undefined) return undefined;
      if (view.obstacle === undefined) {
        const outcome = await this.#take();
        if (outcome instanceof EtcdGrant) return outcome;
        view = outcome;
        continue;
      }
      if (view.obstacle !== this.#obstacle) {
        this.#listen(view.obstacle);
        view = await this.#look(); // it may have gone before it was listened for
        continue;
      }
      await this.#bell.wait(Math.max(0, nextSign - now()));
      if (now() >= nextSign) {
        nextSign = now() + ttl / 3;
        if ((await this.ground.client.keepAlive(id, this.#asking)).ttl === 0) return undefined;
      }
      const [gone, hinted] = [this.#gone, this.#hinted || now() >= nextLook];
      this.#gone = this.#hinted = false;
      if (hinted) nextLook = now() + ttl;
      // Most often it was the holder that went. If not, the attempt tells who is next.
      if (gone) view = { ...view, obstacle: undefined };
      else if (hinted) view = await this.#look();
    }
  }

  #listen(key: string): void {
    this.#unlisten?.();
    this.#obstacle = key;
    this.#gone = false;
    this.#unlisten = this.ground.watch.listen(key, (gone) => {
      this.#gone ||= gone;
      this.#hinted = true;
      this.#bell.ring();
    });
  }

  async #look(): Promise<View> {
    return this.#viewOf(await this.ground.client.transact([], this.#reads, [], this.#asking));
  }

  /** The lease, if nobody is before us and it is not frozen. */
  async #take(): Promise<EtcdGrant | View> {
    const { client } = this.ground;
    const { created, token } = this.place;
    const term = await client.grant(this.attempt.ttl ?? Infinity, this.signal);
    let granted: EtcdGrant | undefined;
    try {
      const record = recordOf(this.attempt, term.ttl);
      const outcome = await client.transact(
        // Nobody but us changes it while it waits: asked twice, the second time finds it changed.
        [modifiedIs(this.#own, created), noneBefore(this.#line, created), noKey(this.#freeze)],
        [put(this.#own, encodeEntry('held', encodeRecord(record)), term.id)],
        this.#reads,
        this.#asking,
      );
      const view = this.#viewOf(outcome);
      const before = view.own?.lease === term.id && !isBroken(view.own);
      if (!outcome.succeeded && !before) return view;
      granted = new EtcdGrant(record, token, this.#own, created, term);
      return granted;
    } catch (error) {
      // Our place or that lease is over.
      if (error instanceof Refusal && error.notFound) return await this.#look();
      throw error;
    } finally {
      if (granted === undefined) await this.ground.drop(term);
    }
  }

  get #reads(): Parameters<Ground['client']['transact']>[1] {
    return [get(this.#own), lastBefore(this.#line, this.place.created), get(this.#freeze)];
  }

  #viewOf({ found: [own, before, freeze] }: Outcome): View {
    return { own: own?.[0], obstacle: (before?.[0] ?? freeze?.[0])?.key };
  }
}
