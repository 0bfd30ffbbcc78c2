/**
 * What the bodies of requests hold of memory, all together and each by itself.
 *
 * Invariant: one may hold as much as is left for all others, no more. So whoever sends many bodies and ends none gets ever
 *            less for each, and a small one of somebody else always finds room. What was taken is given back once.
 */
import type { ByteBudget } from "../../grpc/index.ts";
import { HttpRefusal } from "./http-refusal.ts";

/** Bytes that one request holds. */
export class HeldBytes {
  readonly #budget: ByteBudget;
  #bytes = 0;

  /** @param budget of all requests. */
  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Takes so many bytes more. @throws HttpRefusal `unavailable` when others hold too many. */
  take(bytes: number): void {
    const { limitBytes, heldBytes } = this.#budget;
    if (this.#bytes + bytes > limitBytes - heldBytes || !this.#budget.take(bytes)) {
      throw new HttpRefusal("unavailable", "too many bodies are being read; try again later", { "retry-after": "1" });
    }
    this.#bytes += bytes;
  }

  /** Gives all of them back. */
  giveBack(): void {
    if (this.#bytes === 0) return;
    this.#budget.take(-this.#bytes);
    this.#bytes = 0;
  }
}
