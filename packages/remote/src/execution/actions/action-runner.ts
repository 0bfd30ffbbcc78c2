/** Port: runs one action on a worker. `@kahn/exec`'s hermetic runner is one; a worker on another machine can be. */

import type { Problem } from "@kahn/core";
import type { HermeticObserver, HermeticOutcome, HermeticRequest } from "@kahn/exec";

/** How a run ended. `lost`: the worker went away under it, and another may run it. */
export type RunOutcome = HermeticOutcome | { readonly kind: "lost"; readonly problem: Problem };

/** What a runner is asked. */
export interface ActionRequest extends HermeticRequest {
  /** Those whose results go to the same place. Processes that outlive an action are shared within it alone. */
  readonly domain: string;
}

/** Runs actions. */
export interface ActionRunner {
  /** May be called any number of times at once. An abort ends the run; the outcome still comes. */
  run(request: ActionRequest, observer: HermeticObserver, signal: AbortSignal): Promise<RunOutcome>;
}

/** Somewhere to run actions. */
export interface WorkerOffer {
  /** Shown to clients and in logs. */
  readonly name: string;
  /** Actions at once. */
  readonly slots: number;
  /** What platforms of actions are compared with: see `PlatformPolicy`. */
  readonly properties: Readonly<Record<string, readonly string[]>>;
  readonly runner: ActionRunner;
}
