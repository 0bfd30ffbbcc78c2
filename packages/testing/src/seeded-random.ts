/**
 * Randomness that repeats.
 *
 * Owns:      one stream of pseudo-random numbers per seed, and the draws that tests make from it.
 * Never:     is good enough for secrets.
 * Invariant: equal seeds and equal calls give equal values, on every platform and version.
 * Source:    mulberry32, Tommy Ettinger, public domain.
 */
import type { Random } from "@kahn/core";
import { InvariantError } from "@kahn/core";

/** A repeatable `Random` with the draws that tests need. */
export class SeededRandom implements Random {
  #state: number;

  /** @param seed any whole number; only its low 32 bits count. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 4) {
      let word = this.#next();
      for (let index = at; index < Math.min(at + 4, length); index++) {
        bytes[index] = word & 0xff;
        word >>>= 8;
      }
    }
    return bytes;
  }

  /** A fraction from 0 (inclusive) to 1 (exclusive). */
  fraction(): number {
    return this.#next() / 0x1_0000_0000;
  }

  /** A whole number from `min` to `max`, both inclusive. */
  int(min: number, max: number): number {
    if (!(max >= min)) throw new InvariantError(`no whole number from ${min} to ${max}`);
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  /** True with the given probability, from 0 to 1. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One item of a list that has any. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new InvariantError("nothing to pick from");
    return items[this.int(0, items.length - 1)] as T;
  }

  /** The items in another order; the list itself stays as it is. */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.int(0, last);
      [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
    }
    return shuffled;
  }

  /** A stream of its own: draws from one do not move the other. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next());
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
}

/** A repeatable source of randomness; only the low 32 bits of the seed count. */
export function seededRandom(seed: number): SeededRandom {
  return new SeededRandom(seed);
}
