/**
 * Tells when keys go away: one stream from etcd for all who wait in this process, opened when the first
 * comes.
 *
 * What it tells is a hint to look again, no more, and those who wait look from time to time anyway.
 * Whenever the stream is opened, and opened again after it broke, all are told to look: what went away
 * before that, they see then; what goes away later, the stream tells. So it does not matter from where
 * on etcd still knows what happened.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { backoff } from '../../backoff.js';
import type { Transport } from './transport.js';

/** `gone`: the key is; otherwise it may be, and is to be looked for. */
type Ear = (gone: boolean) => void;

interface Line {
  result?: { created?: boolean; canceled?: boolean; events?: { kv: { key: string } }[] };
}

export class Watch {
  readonly #ears = new Map<string, Set<Ear>>();
  #running: AbortController | undefined;

  constructor(
    readonly transport: Transport,
    /** Of keys, as etcd has it. */
    readonly range: object,
  ) {}

  /** Until the result is called. */
  listen(key: string, ear: Ear): () => void {
    const ears = this.#ears.get(key) ?? new Set();
    this.#ears.set(key, ears.add(ear));
    if (this.#running === undefined) {
      this.#running = new AbortController();
      void this.#run(this.#running.signal);
    }
    return () => {
      ears.delete(ear);
      if (ears.size === 0 && this.#ears.get(key) === ears) this.#ears.delete(key);
    };
  }

  close(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  /** As long as somebody listens; while nobody does a stream that breaks stays closed. */
  async #run(signal: AbortSignal): Promise<void> {
    const afresh = { initial: 10, max: 1000, jitter: 1 };
    let pauses = backoff(afresh);
    while (this.#ears.size > 0 && !signal.aborted) {
      const question = { create_request: { ...this.range, filters: ['NOPUT'] } };
      try {
        for await (const line of this.transport.watch(question, signal)) {
          if (this.#hear(line as Line)) pauses = backoff(afresh);
        }
      } catch {
        // It broke. Whoever asks etcd himself is told why.
      }
      await sleep(pauses.next().value, undefined, { ref: false, signal }).catch(() => undefined);
    }
    if (this.#running?.signal === signal) this.#running = undefined;
  }

  /** True: it is of use. */
  #hear({ result }: Line): boolean {
    // It says no; an error has no result.
    if (result === undefined || result.canceled === true) throw new Error('the watch was ended');
    const { created = false, events = [] } = result;
    if (created) for (const ears of this.#ears.values()) for (const ear of ears) ear(false);
    for (const { kv } of events) {
      const key = Buffer.from(kv.key, 'base64').toString();
      for (const ear of this.#ears.get(key) ?? []) ear(true);
    }
    return events.length > 0;
  }
}
