/** Turns: what opens the journal of a run does so one after the other, so that nothing here shuts out its neighbour. */

/** The turns of a flow, for each run its own. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Does work for a run once all that came before is over, however that ended. The work must take no turn itself. */
  async take<T>(run: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(run);
    let over: () => void = () => {};
    const mine = new Promise<void>((resolve) => {
      over = resolve;
    });
    this.#last.set(run, mine);
    try {
      if (before !== undefined) await before;
      return await work();
    } finally {
      if (this.#last.get(run) === mine) this.#last.delete(run);
      over();
    }
  }
}
