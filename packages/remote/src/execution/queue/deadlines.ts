/**
 * Things that become due after one and the same delay, so that the order of adding is the order of becoming due.
 *
 * Invariant: adding, removing and finding the first cost the same however many wait.
 * Note:      a list with marks, not the order of a `Map`: finding the first of a `Map` passes over all that were
 *            removed before it, which made 10,000 kept operations cost 100 µs each.
 */

interface Entry<Key> {
  readonly key: Key;
  readonly dueMs: number;
}

/** Keys with the time at which each is due. */
export class Deadlines<Key> {
  readonly #delayMs: number;
  readonly #entries = new Map<Key, Entry<Key>>();
  /** In the order of adding; those that are not in the map any more were removed. */
  #order: Entry<Key>[] = [];
  #head = 0;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** When the first is due; `Infinity` when none waits. */
  get nextMs(): number {
    return this.#first()?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** The key that is due first. */
  get first(): Key | undefined {
    return this.#first()?.key;
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  /** Starts the delay; one that runs already goes on as it is. */
  add(key: Key, nowMs: number): void {
    if (this.#entries.has(key)) return;
    const entry = { key, dueMs: nowMs + this.#delayMs };
    this.#entries.set(key, entry);
    this.#order.push(entry);
    if (this.#order.length > 2 * this.#entries.size + 64) this.#compact();
  }

  delete(key: Key): boolean {
    return this.#entries.delete(key);
  }

  /** Removes and returns all that are due by now, the first first. */
  take(nowMs: number): Key[] {
    const taken: Key[] = [];
    for (let entry = this.#first(); entry !== undefined && entry.dueMs <= nowMs; entry = this.#first()) {
      this.#entries.delete(entry.key);
      taken.push(entry.key);
    }
    return taken;
  }

  #first(): Entry<Key> | undefined {
    for (let entry = this.#order[this.#head]; entry !== undefined; entry = this.#order[++this.#head]) {
      if (this.#entries.get(entry.key) === entry) return entry;
    }
    return undefined;
  }

  #compact(): void {
    this.#order = [...this.#entries.values()];
    this.#head = 0;
  }
}
