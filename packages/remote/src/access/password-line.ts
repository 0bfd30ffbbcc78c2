/**
 * The line in which passwords wait to be checked.
 *
 * Owns:      whose turn it is, and how much of the processor checks may have: each takes it for itself.
 * Method:    peers take turns, so that a flood of one costs another a turn and no more. After a check the line rests three
 *            times as long as it took, so that three quarters of the processor are for everything else.
 * Invariant: what waits is bounded, for each peer and in all.
 */
import type { Clock } from "@kahn/core";
import { sleep } from "@kahn/core";
import type { Peer } from "../grpc/index.ts";
import { networkOf } from "../grpc/index.ts";

const WAITING_MAX = 64;
const PEER_WAITING_MAX = 16;
const REST = 3;

interface Waiting {
  /** Never rejects. */
  readonly check: () => Promise<void>;
}

/** Checks one password after the other. */
export class PasswordLine {
  readonly #clock: Clock;
  /** By peer, whose turn is next first. */
  readonly #waiting = new Map<string, Waiting[]>();
  #count = 0;
  #isMoving = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns what the check finds once it has had its turn; `undefined` at once when too many wait. */
  enter<T>(peer: Peer, check: () => Promise<T>): Promise<T> | undefined {
    const key = networkOf(peer);
    const own = this.#waiting.get(key) ?? [];
    if (this.#count >= WAITING_MAX || own.length >= PEER_WAITING_MAX) return undefined;
    this.#count++;
    return new Promise<T>((resolve, reject) => {
      own.push({ check: () => check().then(resolve, reject) });
      this.#waiting.set(key, own);
      if (!this.#isMoving) void this.#move();
    });
  }

  async #move(): Promise<void> {
    this.#isMoving = true;
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      const startedAtMs = this.#clock.monotonicMs();
      await next.check();
      this.#count--;
      const tookMs = this.#clock.monotonicMs() - startedAtMs;
      if (tookMs > 0) await sleep(this.#clock, tookMs * REST);
    }
    this.#isMoving = false;
  }

  #take(): Waiting | undefined {
    for (const [key, own] of this.#waiting) {
      const next = own.shift();
      // To the end of the turns, or out of them.
      this.#waiting.delete(key);
      if (own.length > 0) this.#waiting.set(key, own);
      if (next !== undefined) return next;
    }
    return undefined;
  }
}
