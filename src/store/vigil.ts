/**
 * The watch that the head of the line keeps on a record: until its holder ends, its TTL is over, or
 * it changes in some other way.
 *
 * A living holder is waited for in the kernel, with a shared lock on the record's inode, that was
 * opened under the guard: it comes back the moment the holder releases or dies. It goes on while the
 * lease is judged anew, for renewals change nothing for it. Without a holder that lives, timers and
 * hints of the folder have to do. Nobody sleeps for more than a second without a look, or a glance: a
 * forced break leaves the victim's lock where it is until the victim notices.
 */
import { basename, dirname } from 'node:path';

import type { Bell } from '../bell.js';
import { KernelWait } from '../kernel-wait.js';
import {
  addon,
  dropHandle,
  isFailure,
  Outcome,
  returnHandle,
  takeHandle,
  type Handle,
} from '../native.js';
import { identityOf } from '../record.js';
import { takeable } from '../staleness.js';
import { onFolderChange } from './folder-watch.js';
import type { Place, View } from './place.js';

export class Vigil {
  readonly #place: Place;
  readonly #bell: Bell;
  /** The wait for a holder's end, and whose. */
  #wait: KernelWait | undefined;
  #holder: Buffer | undefined;
  /** A holder has ended. */
  #ended = false;
  #unwatch: (() => void) | undefined;

  constructor(place: Place, bell: Bell) {
    this.#place = place;
    this.#bell = bell;
  }

  /** Sleeps until it is worth trying again. */
  async sleep(seen: View, signal: AbortSignal): Promise<void> {
    let view = seen;
    if (view.found.alive && !this.#awaits(view.found.record)) view = await this.#attend(signal);
    if (takeable(view.judgement.state)) return;
    if (!view.found.alive && this.#unwatch === undefined) {
      this.#unwatch = this.#watchFolder();
      return; // it may have been released since it was seen, and before anybody watched
    }
    do await this.#bell.wait(view.judgement.lookAgainMs ?? 0);
    while (!this.#ended && !signal.aborted && this.#awaits(this.#place.heldForGood() ?? null));
  }

  /**
   * The lease as a holder leaves it that was seen alive, and has died since; undefined if no end was heard
   * since this was asked last, or if the record is gone: then it was given back. A presumption, which saves a
   * look under the guard, where it is compared.
   */
  leftBehind(seen: View): View | undefined {
    const heard = this.#ended;
    this.#ended = false;
    const record = `${this.#place.files.base}.lock`;
    if (!heard || addon.identify(record, false) === undefined) return undefined;
    const view = this.#place.ifDead(seen);
    return takeable(view.judgement.state) ? view : undefined;
  }

  end(): void {
    this.#wait?.giveUp();
    this.#unwatch?.();
  }

  #awaits(record: Buffer | null): boolean {
    if (record === null || this.#wait?.expected !== true) return false;
    return this.#holder?.equals(identityOf(record)) === true;
  }

  /** Looks again, and waits for the end of whoever holds the lease now. */
  async #attend(signal: AbortSignal): Promise<View> {
    this.#wait?.giveUp();
    this.#wait = undefined;
    const handle = takeHandle();
    let given = false;
    try {
      const view = await this.#place.look(handle, { signal });
      const { record, alive } = view.found;
      if (record === null || !alive) return view;
      given = true;
      this.#holder = identityOf(record);
      this.#wait = this.#start(handle);
      return view;
    } finally {
      if (!given) dropHandle(handle);
    }
  }

  /**
   * Undefined: no thread is to be had, and a look once a second has to do; as it has when the thread
   * cannot wait (no signal is free that would interrupt it), or every look would begin the next one.
   */
  #start(handle: Handle): KernelWait | undefined {
    const wait = KernelWait.forHolder(handle, () => {
      if (isFailure(wait) || !wait.expected) return;
      const { handle: over, outcome } = wait.collect();
      returnHandle(over);
      if (outcome !== Outcome.granted) return;
      this.#ended = true;
      this.#bell.ring();
    });
    return isFailure(wait) ? undefined : wait;
  }

  #watchFolder(): () => void {
    const { base } = this.#place.files;
    const name = basename(base);
    return onFolderChange(dirname(base), (file) => {
      if (file === null || file === `${name}.lock` || file === `${name}.freeze`) this.#bell.ring();
    });
  }
}
