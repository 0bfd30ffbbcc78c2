/**
 * A bound on how much is done at once.
 *
 * Invariant: work begins in the order in which it was asked for, and never more than `atOnceMax` is under way.
 */

/** A number of lanes that work waits for. */
export class Lanes {
  readonly #atOnceMax: number;
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  /** Does work once a lane is free. Work in a lane must not ask for another one. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#atOnceMax) await new Promise<void>((begin) => this.#waiting.push(begin));
    else this.#busy++;
    try {
      return await work();
    } finally {
      // The lane goes to the next one as it is.
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy--;
      else next();
    }
  }
}

/** Does the same with each item, at most `atOnceMax` at a time; answers in the order of the items. */
export async function eachOf<Item, Answer>(
  items: readonly Item[],
  atOnceMax: number,
  work: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const lanes = new Lanes(atOnceMax);
  return await Promise.all(items.map((item) => lanes.run(() => work(item))));
}
