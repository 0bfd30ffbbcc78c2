/**
 * What every way to run an action begins with: the command checked, the sandbox tried, the inputs read, the paths judged.
 *
 * Never: makes a file for an action.
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
import { type CheckedCommand, checkCommand } from "./command-check.ts";
import { type ExecRootPlan, planExecRoot } from "./exec-root.ts";
import type {
  HermeticObserver,
  HermeticOutcome,
  HermeticRequest,
  HermeticRunnerOptions,
  SandboxLevel,
  SandboxVerdict,
} from "./hermetic-action.ts";
import { type InputTree, InputTrees } from "./input-tree.ts";
import { Sandbox } from "./sandbox.ts";

/** An action that can be run. */
export interface PreparedAction {
  readonly kind: "prepared";
  readonly startedAtMs: number;
  readonly command: CheckedCommand;
  readonly tree: InputTree;
  readonly plan: ExecRootPlan;
  readonly level: SandboxLevel;
  /** Undefined: without one. */
  readonly sandbox: Sandbox | undefined;
  /** Digest of bytes by the action's function. */
  readonly digest: (bytes: Uint8Array) => Digest;
  /** A digest of the action's function, which tells the store to use it. */
  readonly hint: Digest;
}

/** How and for whom it is prepared. */
export interface PreparationWatch {
  readonly observer: HermeticObserver;
  readonly signal: AbortSignal | undefined;
}

/** Prepares the actions of one runner. */
export class ActionPreparation {
  readonly inputs: InputTrees;
  readonly sandbox: Sandbox;
  readonly #options: HermeticRunnerOptions;

  constructor(options: HermeticRunnerOptions) {
    const { blobs, fs, inputsMax = 1_000_000, absoluteSymlinks, sandbox } = options;
    this.#options = options;
    const allowAbsoluteSymlinks = absoluteSymlinks !== "refused";
    this.inputs = new InputTrees({ blobs, entriesMax: inputsMax, allowAbsoluteSymlinks });
    this.sandbox = new Sandbox(fs, sandbox);
  }

  /** The level that runs get. */
  verdict(): Promise<SandboxVerdict> {
    return this.sandbox.verdict(this.#options.processes, this.#options.root);
  }

  /** Judges an action. @returns why it cannot be run, or is not to be any more. */
  async prepare(
    request: HermeticRequest,
    { observer, signal }: PreparationWatch,
  ): Promise<PreparedAction | HermeticOutcome> {
    const startedAtMs = this.#options.clock.nowMs();
    const isAborted = () => signal?.aborted === true;
    const command = checkCommand(request.command);
    if (!command.ok) return { kind: "invalid", problem: command.problem };
    const verdict = await this.verdict();
    if (verdict.kind === "refused") return { kind: "errored", problem: verdict.problem };
    if (isAborted()) return { kind: "cancelled" };
    observer.phase?.("fetching-inputs", startedAtMs);
    const loaded = await this.inputs.load(request.inputRoot);
    if (loaded.kind !== "tree") return loaded;
    const plan = planExecRoot(loaded.tree, command.value);
    if (!plan.ok) return { kind: "invalid", problem: plan.problem };
    const engine = await loadEngine(digestFunction(request.inputRoot));
    if (isAborted()) return { kind: "cancelled" };
    return {
      ...{ kind: "prepared", startedAtMs, command: command.value, tree: loaded.tree, plan: plan.value },
      level: verdict.level,
      sandbox: verdict.level === "none" ? undefined : this.sandbox,
      digest: (bytes) => engine.digest(bytes),
      hint: noDigest(engine.fn),
    };
  }
}

/** Runs an action; what the machine refuses becomes its outcome. */
export async function refusalsAsOutcome(
  { label }: HermeticRequest,
  run: () => Promise<HermeticOutcome>,
): Promise<HermeticOutcome> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    if (error.code === "ENAMETOOLONG") return tooDeep(label);
    const message = `${label} could not be run: ${error.message}`;
    const next = "Check the free space, the inodes and the rights of the runner's folder.";
    return { kind: "errored", problem: problem("exec-root-failed", message, { next }) };
  }
}

function tooDeep(label: string): HermeticOutcome {
  const next = "Give the action shorter names, or fewer directories inside each other.";
  const message = `the input tree of ${label} has a path that is too long for this machine`;
  return { kind: "invalid", problem: problem("input-tree-too-large", message, { next }) };
}

/** A digest that nothing has: it only says by which function the store is to digest a file. */
function noDigest(fn: DigestFunction): Digest {
  return makeDigest(fn, "0".repeat(HEX_LENGTH[fn]), 0);
}
