/** The end of a TTL as its holder computes it, and somebody to tell when it has come. */

import { maxDelay } from './abort.js';

export class Deadline {
  readonly #now: () => number;
  readonly #onEnd: (() => void) | undefined;
  /** By #now; Infinity without a TTL. */
  #at = Infinity;
  #timer: NodeJS.Timeout | undefined;

  /** @param onEnd called when it is over; its timer does not keep the program alive */
  constructor(now: () => number, onEnd?: () => void) {
    this.#now = now;
    this.#onEnd = onEnd;
  }

  /** Milliseconds from `since`, in place of what it was; null or Infinity: none. */
  set(since: number, ms: number | null): void {
    this.#at = ms === null ? Infinity : since + ms;
    this.stop();
    this.#arm();
  }

  get over(): boolean {
    return this.#now() >= this.#at;
  }

  /** Nobody is told any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    if (this.#onEnd === undefined || this.#at === Infinity) return;
    // Rounded up: a timer may fire a fraction of a millisecond early.
    const left = Math.max(0, Math.ceil(this.#at - this.#now()));
    const ring = (): void => {
      if (this.over) this.#onEnd?.();
      else this.#arm();
    };
    this.#timer = setTimeout(ring, Math.min(left, maxDelay)).unref();
  }
}
