/**
 * Things that become due after one and the same delay, so that the order of adding is the order of becoming due.
 *
 * Invariant: adding, removing and finding the first cost the same however many wait.
 */

/** Keys with the time at which each is due. */
export class Deadlines<Key> {
  readonly #delayMs: number;
  readonly #due = new Map<Key, number>();

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  get size(): number {
    return this.#due.size;
  }

  /** When the first is due; `Infinity` when none waits. */
  get nextMs(): number {
    for (const dueMs of this.#due.values()) return dueMs;
    return Number.POSITIVE_INFINITY;
  }

  /** The key that is due first. */
  get first(): Key | undefined {
    for (const key of this.#due.keys()) return key;
    return undefined;
  }

  has(key: Key): boolean {
    return this.#due.has(key);
  }

  /** Starts the delay; one that runs already goes on as it is. */
  add(key: Key, nowMs: number): void {
    if (!this.#due.has(key)) this.#due.set(key, nowMs + this.#delayMs);
  }

  delete(key: Key): boolean {
    return this.#due.delete(key);
  }

  /** Removes and returns all that are due by now, the first first. */
  take(nowMs: number): Key[] {
    const taken: Key[] = [];
    for (const [key, dueMs] of this.#due) {
      if (dueMs > nowMs) break;
      this.#due.delete(key);
      taken.push(key);
    }
    return taken;
  }
}
