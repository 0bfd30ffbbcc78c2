/**
 * The runs of a runner that are under way: what they work in may be let go of only when the last has ended.
 *
 * Invariant: `ended` resolves when every run that was begun before it was asked has given its outcome.
 */
import type { HermeticObserver } from "@kahn/exec";
import type { ActionRequest, ActionRunner, RunOutcome } from "./action-runner.ts";

/** A runner that can be waited for. */
export class RunsUnderWay implements ActionRunner {
  readonly #runner: ActionRunner;
  readonly #runs = new Set<Promise<RunOutcome>>();

  constructor(runner: ActionRunner) {
    this.#runner = runner;
  }

  async run(request: ActionRequest, observer: HermeticObserver, signal: AbortSignal): Promise<RunOutcome> {
    const run = this.#runner.run(request, observer, signal);
    this.#runs.add(run);
    try {
      return await run;
    } finally {
      this.#runs.delete(run);
    }
  }

  /** Resolves when nothing runs; ends nothing, and never rejects. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#runs);
  }
}
