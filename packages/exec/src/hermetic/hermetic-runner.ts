/**
 * The hermetic runner: stages an action's inputs, runs its command apart from everything else, takes its outputs in.
 *
 * Owns:      its root folder: exec roots (removed when their action ends), staged trees, and what a killed runner left.
 * Never:     writes the action cache, retries, queues, or decides what is cached.
 * Invariant: an outcome comes for every run, only after the whole process group has ended; a result's blobs are in the
 *            store; the store is never changed by a command.
 */

import { problem } from "@kahn/core";
import type {
  HermeticObserver,
  HermeticOutcome,
  HermeticRequest,
  HermeticRunner,
  HermeticRunnerOptions,
  SandboxVerdict,
} from "./hermetic-action.ts";
import { HermeticRun } from "./hermetic-run.ts";
import type { InputTree } from "./input-tree.ts";
import { claimRoot } from "./internal/claim-root.ts";
import { removeFolder } from "./internal/remove-folder.ts";
import { ActionPreparation, refusalsAsOutcome } from "./prepared-action.ts";
import { StagedTrees } from "./staged-trees.ts";

/** Makes a runner; removes what an earlier one left in `root`. @throws FileSystemError when `root` cannot be used. */
export function hermeticRunner(options: HermeticRunnerOptions): HermeticRunner {
  const { fs, root } = options;
  claimRoot(options);
  for (const folder of ["runs", "trees"]) fs.makeDirectory(`${root}/${folder}`);
  return new Runner(options);
}

class Runner implements HermeticRunner {
  readonly #options: HermeticRunnerOptions;
  readonly #preparation: ActionPreparation;
  readonly #staged: StagedTrees;
  #last = 0;

  constructor(options: HermeticRunnerOptions) {
    this.#options = options;
    this.#preparation = new ActionPreparation(options);
    this.#staged = new StagedTrees(options, `${options.root}/trees`, {
      entriesMax: options.stagedEntriesMax ?? 200_000,
      maxSizeBytes: options.stagedMaxBytes ?? 8_000_000_000,
    });
  }

  sandbox(): Promise<SandboxVerdict> {
    return this.#preparation.verdict();
  }

  async run(request: HermeticRequest, observer: HermeticObserver = {}, signal?: AbortSignal): Promise<HermeticOutcome> {
    return await refusalsAsOutcome(request, () => this.#run(request, observer, signal));
  }

  close(): void {
    this.#staged.clear();
    this.#options.fs.removeTree(this.#options.root);
  }

  async #run(request: HermeticRequest, observer: HermeticObserver, signal?: AbortSignal): Promise<HermeticOutcome> {
    const { fs, root } = this.#options;
    const action = await this.#preparation.prepare(request, { observer, signal });
    if (action.kind !== "prepared") return action;
    const { command, plan, sandbox, digest, hint, startedAtMs } = action;
    const folder = `${root}/runs/${++this.#last}`;
    const trees = sandbox === undefined ? undefined : this.#staged;
    const run = new HermeticRun(this.#options, {
      ...{ request, command, plan, folder, sandbox, trees, digest, hint, observer, startedAtMs },
    });
    const abort = () => run.cancel();
    signal?.addEventListener("abort", abort);
    try {
      const outcome = await run.outcome();
      return outcome === "missing" ? await this.#missing(request, action.tree) : outcome;
    } finally {
      signal?.removeEventListener("abort", abort);
      await removeFolder(fs, folder);
    }
  }

  /** A blob lacked while staging: the client wants to know of all that do. */
  async #missing(request: HermeticRequest, tree: InputTree): Promise<HermeticOutcome> {
    const missing = await this.#preparation.inputs.missingFiles(tree);
    if (!missing.ok) return { kind: "errored", problem: missing.problem };
    if (missing.value.length > 0) return { kind: "missing-blobs", digests: missing.value };
    const message = `inputs of ${request.label} lacked while they were staged and are back now`;
    return { kind: "errored", problem: problem("inputs-unsteady", message, { next: "Run the action again." }) };
  }
}
