/**
 * The end of a TTL as its holder computes it. Where a late renewal may revive a lease it is the moment
 * from which it has to be asked; where not, it is final: somebody is told when it has come.
 */
import { maxDelay } from './abort.js';

/** By this part of the TTL a final end comes early: no two clocks run alike. */
const margin = 1 / 20;

export class Deadline {
  readonly #now: () => number;
  readonly #onEnd: () => void;
  /** By #now; Infinity without a TTL. */
  #at = Infinity;
  #final = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onEnd called when a final one has come; its timer does not keep the program alive */
  constructor(now: () => number, onEnd: () => void) {
    this.#now = now;
    this.#onEnd = onEnd;
  }

  /** So many milliseconds from `since`, in place of what it was; null or Infinity: none. */
  set(since: number, ttl: number | null, final: boolean): void {
    this.#at = ttl === null ? Infinity : since + ttl * (final ? 1 - margin : 1);
    this.#final = final;
    this.stop();
    if (final && this.#at !== Infinity) this.#arm();
  }

  get over(): boolean {
    return this.#now() >= this.#at;
  }

  /** It is over for good. */
  get ended(): boolean {
    return this.#final && this.over;
  }

  /** Nobody is told any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    // Rounded up: a timer may fire a fraction of a millisecond early.
    const left = Math.max(0, Math.ceil(this.#at - this.#now()));
    const ring = (): void => {
      if (this.over) this.#onEnd();
      else this.#arm();
    };
    this.#timer = setTimeout(ring, Math.min(left, maxDelay)).unref();
  }
}
