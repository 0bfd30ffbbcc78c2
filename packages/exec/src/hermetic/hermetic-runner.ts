/**
 * The hermetic runner: stages an action's inputs, runs its command apart from everything else, takes its outputs in.
 *
 * Owns:      its root folder: exec roots (removed when their action ends), staged trees, and what a killed runner left.
 * Never:     writes the action cache, retries, queues, or decides what is cached.
 * Invariant: an outcome comes for every run, only after the whole process group has ended; a result's blobs are in the
 *            store; the store is never changed by a command.
 */

import { loadEngine } from "@kahn/cas";
import {
  type Digest,
  type DigestFunction,
  digestFunction,
  FileSystemError,
  HEX_LENGTH,
  makeDigest,
  problem,
} from "@kahn/core";
import { checkCommand } from "./command-check.ts";
import { planExecRoot } from "./exec-root.ts";
import type {
  HermeticObserver,
  HermeticOutcome,
  HermeticRequest,
  HermeticRunner,
  HermeticRunnerOptions,
  SandboxVerdict,
} from "./hermetic-action.ts";
import { HermeticRun } from "./hermetic-run.ts";
import { InputTrees } from "./input-tree.ts";
import { claimRoot } from "./internal/claim-root.ts";
import { removeFolder } from "./internal/remove-folder.ts";
import { Sandbox } from "./sandbox.ts";
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
  readonly #inputs: InputTrees;
  readonly #staged: StagedTrees;
  readonly #sandbox: Sandbox;
  #last = 0;

  constructor(options: HermeticRunnerOptions) {
    this.#options = options;
    this.#inputs = new InputTrees({
      blobs: options.blobs,
      entriesMax: options.inputsMax ?? 1_000_000,
      allowAbsoluteSymlinks: options.absoluteSymlinks !== "refused",
    });
    this.#staged = new StagedTrees(options, `${options.root}/trees`, {
      entriesMax: options.stagedEntriesMax ?? 200_000,
      maxSizeBytes: options.stagedMaxBytes ?? 8_000_000_000,
    });
    this.#sandbox = new Sandbox(options.fs, options.sandbox);
  }

  sandbox(): Promise<SandboxVerdict> {
    return this.#sandbox.verdict(this.#options.processes, this.#options.root);
  }

  async run(request: HermeticRequest, observer: HermeticObserver = {}, signal?: AbortSignal): Promise<HermeticOutcome> {
    try {
      return await this.#run(request, observer, signal);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      if (error.code === "ENAMETOOLONG") return tooDeep(request);
      const message = `${request.label} could not be run: ${error.message}`;
      const next = "Check the free space, the inodes and the rights of the runner's folder.";
      return { kind: "errored", problem: problem("exec-root-failed", message, { next }) };
    }
  }

  close(): void {
    this.#staged.clear();
    this.#options.fs.removeTree(this.#options.root);
  }

  async #run(request: HermeticRequest, observer: HermeticObserver, signal?: AbortSignal): Promise<HermeticOutcome> {
    const { clock, fs, root } = this.#options;
    const startedAtMs = clock.nowMs();
    const isAborted = () => signal?.aborted === true;
    const command = checkCommand(request.command);
    if (!command.ok) return { kind: "invalid", problem: command.problem };
    const verdict = await this.sandbox();
    if (verdict.kind === "refused") return { kind: "errored", problem: verdict.problem };
    if (isAborted()) return { kind: "cancelled" };
    observer.phase?.("fetching-inputs", startedAtMs);
    const loaded = await this.#inputs.load(request.inputRoot);
    if (loaded.kind !== "tree") return loaded;
    const plan = planExecRoot(loaded.tree, command.value);
    if (!plan.ok) return { kind: "invalid", problem: plan.problem };
    const engine = await loadEngine(digestFunction(request.inputRoot));
    if (isAborted()) return { kind: "cancelled" };
    const folder = `${root}/runs/${++this.#last}`;
    const run = new HermeticRun(this.#options, {
      request,
      command: command.value,
      plan: plan.value,
      folder,
      sandbox: verdict.level === "none" ? undefined : this.#sandbox,
      trees: verdict.level === "none" ? undefined : this.#staged,
      digest: (bytes) => engine.digest(bytes),
      hint: noDigest(engine.fn),
      observer,
      startedAtMs,
    });
    const abort = () => run.cancel();
    signal?.addEventListener("abort", abort);
    try {
      const outcome = await run.outcome();
      return outcome === "missing" ? await this.#missing(request, loaded.tree) : outcome;
    } finally {
      signal?.removeEventListener("abort", abort);
      await removeFolder(fs, folder);
    }
  }

  /** A blob lacked while staging: the client wants to know of all that do. */
  async #missing(request: HermeticRequest, tree: Parameters<InputTrees["missingFiles"]>[0]): Promise<HermeticOutcome> {
    const missing = await this.#inputs.missingFiles(tree);
    if (!missing.ok) return { kind: "errored", problem: missing.problem };
    if (missing.value.length > 0) return { kind: "missing-blobs", digests: missing.value };
    const message = `inputs of ${request.label} lacked while they were staged and are back now`;
    return { kind: "errored", problem: problem("inputs-unsteady", message, { next: "Run the action again." }) };
  }
}

function tooDeep({ label }: HermeticRequest): HermeticOutcome {
  const next = "Give the action shorter names, or fewer directories inside each other.";
  const message = `the input tree of ${label} has a path that is too long for this machine`;
  return { kind: "invalid", problem: problem("input-tree-too-large", message, { next }) };
}

/** A digest that nothing has: it only says by which function the store is to digest a file. */
function noDigest(fn: DigestFunction): Digest {
  return makeDigest(fn, "0".repeat(HEX_LENGTH[fn]), 0);
}
