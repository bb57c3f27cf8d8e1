/** Work that is done one after the other, in the order in which it came. A leaf. */

export class Turns {
  #last: Promise<unknown> | undefined;

  /** The last of what is under way; undefined when nothing is. */
  get last(): Promise<unknown> | undefined {
    return this.#last;
  }

  /**
   * Runs it when all before it is done, however that ended.
   *
   * @param patience how to wait for what came before, if not to its end; never rejects
   */
  async take<T>(
    work: () => Promise<T>,
    patience = (before: Promise<unknown>) => before.then(none, none),
  ): Promise<T> {
    const before = this.#last;
    const mine = (before === undefined ? Promise.resolve() : patience(before)).then(work);
    this.#last = mine;
    try {
      return await mine;
    } finally {
      if (this.#last === mine) this.#last = undefined;
    }
  }
}

function none(): void {
  // Whoever asked for it is told how it ended.
}

/** The same for each of many names. */
export class TurnsByName {
  readonly #names = new Map<string, Turns>();

  async take<T>(name: string, ...how: Parameters<typeof Turns.prototype.take<T>>): Promise<T> {
    const turns = this.#names.get(name) ?? new Turns();
    this.#names.set(name, turns);
    try {
      return await turns.take(...how);
    } finally {
      if (turns.last === undefined) this.#names.delete(name);
    }
  }
}
