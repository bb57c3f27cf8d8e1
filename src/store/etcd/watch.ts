/**
 * Tells when keys go away: one stream from etcd for all who wait in this process, opened when the first
 * comes.
 *
 * What it tells is a hint to look again, no more, and those who wait look from time to time anyway. When
 * the stream breaks it is opened again from where it was, so nothing is missed. Where that is too long
 * ago, and when it is opened for the first time, all are told to look: what went away before that, they
 * see then; what goes away later, the stream tells.
 */
import { backoff } from '../../backoff.js';
import { range } from './client.js';
import type { Transport } from './transport.js';

/** `gone`: the key is; otherwise it may be, and is to be looked for. */
type Ear = (gone: boolean) => void;

interface Line {
  result?: {
    header?: { revision?: string };
    created?: boolean;
    canceled?: boolean;
    events?: { kv: { key: string; mod_revision: string } }[];
  };
}

export class Watch {
  readonly #transport: Transport;
  readonly #root: string;
  readonly #ears = new Map<string, Set<Ear>>();
  /** The first revision that was not told of; undefined: from now on, whenever that is. */
  #next: bigint | undefined;
  #state: 'closed' | 'opening' | 'open' = 'closed';
  #end: (() => void) | undefined;
  #pauses = backoff({ initial: 10, max: 1000, jitter: 1 });
  #timer: NodeJS.Timeout | undefined;

  constructor(transport: Transport, root: string) {
    this.#transport = transport;
    this.#root = root;
  }

  /** Until the result is called. */
  listen(key: string, ear: Ear): () => void {
    const ears = this.#ears.get(key) ?? new Set();
    this.#ears.set(key, ears.add(ear));
    if (this.#state === 'closed') void this.#open();
    return () => {
      ears.delete(ear);
      if (ears.size === 0 && this.#ears.get(key) === ears) this.#ears.delete(key);
    };
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#end?.();
    this.#end = undefined;
    this.#state = 'closed';
    this.#next = undefined;
  }

  async #open(): Promise<void> {
    this.#state = 'opening';
    const from = this.#next === undefined ? {} : { start_revision: String(this.#next) };
    const question = { create_request: { ...range(this.#root), ...from, filters: ['NOPUT'] } };
    const hear = (line: unknown): void => {
      this.#hear(line as Line);
    };
    try {
      const stream = await this.#transport.stream('/v3/watch', question, hear, () => {
        this.#again();
      });
      this.#end = stream.end;
    } catch {
      this.#again();
    }
  }

  #hear({ result }: Line): void {
    const revision = BigInt(result?.header?.revision ?? 0);
    // It says no (an error has no result), or wants a revision that is not kept any more.
    if (result === undefined || result.canceled === true) throw new Error('the watch was ended');
    if (result.created === true) this.#opened(revision);
    for (const { kv } of result.events ?? []) {
      this.#next = BigInt(kv.mod_revision) + 1n;
      const key = Buffer.from(kv.key, 'base64').toString();
      for (const ear of this.#ears.get(key) ?? []) ear(true);
    }
  }

  #opened(revision: bigint): void {
    this.#state = 'open';
    this.#pauses = backoff({ initial: 10, max: 1000, jitter: 1 });
    // In the future of this server: it lags behind, or all was set back.
    const strange = this.#next !== undefined && this.#next > revision + 1n;
    if (this.#next !== undefined && !strange) return;
    this.#next = strange ? undefined : revision + 1n;
    for (const ears of this.#ears.values()) for (const ear of ears) ear(false);
    if (strange) throw new Error('the revision is yet to come');
  }

  /** It broke, or could not be opened. While nobody waits it stays closed. */
  #again(): void {
    // A stream that was refused before it was open may have been so for its revision.
    if (this.#state === 'opening') this.#next = undefined;
    this.#end = undefined;
    this.#state = 'closed';
    if (this.#ears.size === 0) return;
    this.#state = 'opening';
    const { value } = this.#pauses.next();
    this.#timer = setTimeout(() => void this.#open(), value).unref();
  }
}
