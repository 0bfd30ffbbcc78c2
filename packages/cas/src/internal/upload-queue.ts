/**
 * Uploads that nobody waits for, until there are too many.
 *
 * Invariant: at most `atOnceMax` are under way and `waitingMax` wait; more make their callers wait. `settled` resolves
 *            once all that were given are done.
 */

/** How many uploads there may be. */
export interface UploadLimits {
  readonly atOnceMax: number;
  readonly waitingMax: number;
}

/** A queue of uploads. */
export class UploadQueue {
  readonly #limits: UploadLimits;
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #wakes: (() => void)[] = [];
  #underWay = 0;

  constructor(limits: UploadLimits) {
    this.#limits = limits;
  }

  /** Takes an upload, which must not reject; waits only while the queue is full. */
  async add(upload: () => Promise<void>): Promise<void> {
    while (this.#waiting.length >= this.#limits.waitingMax) await this.#change();
    this.#waiting.push(upload);
    this.#begin();
  }

  /** Resolves once nothing waits and nothing is under way. */
  async settled(): Promise<void> {
    while (this.#underWay > 0 || this.#waiting.length > 0) await this.#change();
  }

  /** Drops what waits; what is under way goes on. */
  abandon(): void {
    this.#waiting.length = 0;
    this.#wake();
  }

  #begin(): void {
    while (this.#underWay < this.#limits.atOnceMax) {
      const upload = this.#waiting.shift();
      if (upload === undefined) return;
      this.#underWay++;
      void upload().finally(() => {
        this.#underWay--;
        this.#begin();
        this.#wake();
      });
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wakes.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }
}
