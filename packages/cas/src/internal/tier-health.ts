/**
 * Which tiers answer.
 *
 * Invariant: trouble with a tier never reaches the build: the tier is left out for a while, and the first trouble of
 *            each tier is told once.
 */
import type { Clock, Problem, Result, StoreProblem } from "@kahn/core";
import { warning } from "@kahn/core";

/** Trouble after which a tier is used as before. */
const STILL_USED: Partial<Record<StoreProblem["code"], string>> = {
  "blob-too-large": "does not take one of the results; others are stored there",
  "store-denied": "has trouble; it is only read",
};

/** Which tiers answer, and who is told when one does not. */
export class TierHealth {
  readonly #clock: Clock;
  readonly #retryAfterMs: number;
  readonly #onWarning: (problem: Problem<"cache-tier-down">) => void;
  readonly #downUntilMs = new Map<string, number>();
  readonly #told = new Set<string>();

  constructor(options: {
    readonly clock: Clock;
    readonly retryAfterMs: number;
    readonly onWarning: (problem: Problem<"cache-tier-down">) => void;
  }) {
    this.#clock = options.clock;
    this.#retryAfterMs = options.retryAfterMs;
    this.#onWarning = options.onWarning;
  }

  /** Asks a tier; `undefined` when it is down or has trouble now. */
  async ask<T>(tier: string, question: () => Promise<Result<T, StoreProblem>>): Promise<T | undefined> {
    if (this.isDown(tier)) return undefined;
    const answer = await question();
    if (answer.ok) return answer.value;
    this.trouble(tier, answer.problem);
    return undefined;
  }

  isDown(tier: string): boolean {
    return this.#clock.monotonicMs() < (this.#downUntilMs.get(tier) ?? Number.NEGATIVE_INFINITY);
  }

  /** Takes a tier out of use for a while. */
  trouble(tier: string, cause: StoreProblem): void {
    // One blob that it does not take says nothing about the others; that it takes none, nothing about those it has.
    const stillUsed = STILL_USED[cause.code];
    if (stillUsed === undefined) this.#downUntilMs.set(tier, this.#clock.monotonicMs() + this.#retryAfterMs);
    if (this.#told.has(tier)) return;
    this.#told.add(tier);
    const message = `cache "${tier}" ${stillUsed ?? "has trouble; going on without it"}`;
    const next = cause.next ?? "Check its address and your network.";
    this.#onWarning(warning("cache-tier-down", message, { cause, next }));
  }
}
