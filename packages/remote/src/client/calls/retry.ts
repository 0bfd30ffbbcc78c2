/**
 * Repeating calls that failed for the moment.
 *
 * Owns:      how often, and the pauses: exponential, spread by chance, or what the server asks for.
 * Invariant: a pause never outlives the signal; a status that is not transient is answered at once. What makes progress is
 *            repeated as long as it does; without any, no attempt begins once `giveUpAfterMs` have passed, so that a server
 *            that never answers costs one deadline and not several.
 */
import type { Clock, Random, Result } from "@kahn/core";
import { randomBelow, sleep } from "@kahn/core";
import type { Status } from "../../grpc/index.ts";
import { askedDelayMs, isTransient } from "./call-trouble.ts";

/** How calls are repeated. */
export interface RetryPolicy {
  /** Attempts in all, from 1. */
  readonly attemptsMax: number;
  /** Pause after the first failure; doubled after each further one. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** A server that asks for a longer pause than this is given up. */
  readonly askedMaxMs: number;
  /** Since the first attempt, or the last progress. */
  readonly giveUpAfterMs: number;
}

/** Short, since there is always another way: a build goes on without a cache. */
export const CACHE_RETRIES: RetryPolicy = {
  attemptsMax: 4,
  firstMs: 100,
  maxMs: 2000,
  askedMaxMs: 5000,
  giveUpAfterMs: 8000,
};

/** Where the pauses come from. */
export interface RetryPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: RetryPolicy;
}

/** What goes for one question. */
export interface Repeating {
  readonly signal?: AbortSignal;
  /** A number that grows as long as attempts get further. */
  readonly progress?: () => number;
}

/** Calls until it goes well, cannot go well, or was tried often enough. @returns the last answer. */
export async function withRetries<T>(
  { clock, random, policy }: RetryPorts,
  attempt: (number: number) => Promise<Result<T, Status>>,
  { signal, progress = () => 0 }: Repeating = {},
): Promise<Result<T, Status>> {
  let reached = progress();
  let sinceMs = clock.monotonicMs();
  let inVain = 0;
  for (let number = 1; ; number++) {
    const answer = await attempt(number);
    if (answer.ok || signal?.aborted === true || !isTransient(answer.problem)) return answer;
    if (progress() > reached) {
      reached = progress();
      sinceMs = clock.monotonicMs();
      inVain = 0;
    }
    const isOver = clock.monotonicMs() - sinceMs >= policy.giveUpAfterMs;
    if (++inVain >= policy.attemptsMax || isOver) return answer;
    const asked = askedDelayMs(answer.problem);
    if (asked !== undefined && asked > policy.askedMaxMs) return answer;
    const own = Math.min(policy.maxMs, policy.firstMs * 2 ** (inVain - 1));
    // Half of it by chance: clients that failed together do not come back together.
    const spread = own / 2 + (randomBelow(random, 1001) / 1000) * (own / 2);
    await sleep(clock, Math.max(asked ?? 0, spread), signal);
  }
}
