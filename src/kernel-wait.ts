/**
 * One wait in the kernel, from its start to the end of its thread, whoever ends it.
 */
import {
  addon,
  dropHandle,
  returnHandle,
  takeHandle,
  type Failure,
  type Handle,
  type Outcome,
} from './native.js';

/** A wait in the kernel, on a thread of its own. */
export class KernelWait {
  readonly #handle: Handle;
  #over = false;

  private constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** For a lock. `finished` is called once, when there is a result: {@link collect} it. */
  static start(
    path: string,
    flags: number,
    mode: number,
    text: string,
    finished: () => void,
  ): KernelWait | Failure {
    const wait = new KernelWait(takeHandle());
    const failure = addon.startWait(path, flags, mode, text, wait.#handle, finished);
    if (failure === undefined) return wait;
    returnHandle(wait.#handle);
    return failure;
  }

  /** For the end of whoever holds the record that a look left in `handle`, which is given away. */
  static forHolder(handle: Handle, finished: () => void): KernelWait | Failure {
    const failure = addon.startRecordWait(handle, finished);
    if (failure === undefined) return new KernelWait(handle);
    dropHandle(handle);
    return failure;
  }

  /** False once the result was collected or the wait given up: nobody expects it any more. */
  get expected(): boolean {
    return !this.#over;
  }

  /** The outcome, and a handle that is the caller's from now on. */
  collect(): { handle: Handle; outcome: Outcome } {
    this.#over = true;
    return { handle: this.#handle, outcome: addon.collect(this.#handle) };
  }

  /** True when there is a result: it has come, or it is on its way. */
  hasResult(): boolean {
    return this.#over || addon.hasResult(this.#handle);
  }

  /**
   * Gives the wait up. A lock that has been granted already goes back now, not when the event loop
   * gets there: until then it would keep out whoever asks next, this very thread as well.
   */
  giveUp(): void {
    if (this.#over) return;
    this.#over = true;
    this.#leave();
  }

  #leave(): void {
    if (addon.cancelWait(this.#handle)) {
      addon.discard(this.#handle);
      returnHandle(this.#handle);
    } else {
      // A wake-up may be lost, hence the repetition.
      setTimeout(() => {
        this.#leave();
      }, 1).unref();
    }
  }
}
