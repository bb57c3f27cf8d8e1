/**
 * Something to sleep beside: rung by whatever happens, or by its own clock. A ring that comes before
 * the sleep is not lost. The sleep keeps the program alive.
 */
import { maxDelay, onAbort } from './abort.js';

export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  /** Bound: it may be handed on as it is. */
  readonly ring = (): void => {
    this.#rung = true;
    this.#wake?.();
  };

  /** Until the next ring, at most `ms`. One at a time. */
  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, ms);
      });
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}

/** At most `ms`; no longer than until the signal is aborted, or the promise is settled either way. */
export async function pause(
  ms: number,
  signal?: AbortSignal,
  until?: Promise<unknown>,
): Promise<void> {
  const bell = new Bell();
  const unlisten = signal && onAbort(signal, bell.ring);
  if (signal?.aborted === true) bell.ring();
  until?.then(bell.ring, bell.ring);
  await bell.wait(ms);
  unlisten?.();
}

/** What the promise brings, or the signal's reason: whoever gives up does not wait for it. */
export async function unlessAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  await pause(maxDelay, signal, promise);
  signal?.throwIfAborted();
  return promise;
}
