/**
 * A task with everything known.
 *
 * Owns:  what of a resolved task is made at once (what a cache look-up needs) and what only if it runs (its environment).
 */
import type { Command, InputEntry, KeyParts, LocalExecution, OutputSpec, ReadyProbe, ResolvedAction } from "@kahn/core";
import type { TaskDefinition } from "../model.ts";
import { mentionedVariables } from "./script-line.ts";

/** How a task is run, but for what is only made when it is. */
export interface RunDescription {
  readonly task: TaskDefinition;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** What a shell or program reads of the command. */
  readonly text: string;
  /** Makes the environment. Called once, before the command starts: whoever asks for it is about to run something. */
  readonly makeEnv: () => Readonly<Record<string, string>>;
  readonly hostValue: (name: string) => string | undefined;
}

/** `LocalExecution` whose environment is made at the first reading. */
export class LazyExecution implements LocalExecution {
  readonly #from: RunDescription;
  #env: Readonly<Record<string, string>> | undefined;

  constructor(from: RunDescription) {
    this.#from = from;
  }

  get argv(): readonly string[] {
    return this.#from.argv;
  }

  get cwd(): string {
    return this.#from.cwd;
  }

  get timeoutMs(): number | undefined {
    return this.#from.task.timeoutMs;
  }

  get graceMs(): number {
    return this.#from.task.graceMs;
  }

  get attemptsMax(): number {
    return this.#from.task.retries + 1;
  }

  get interactive(): boolean {
    return this.#from.task.interactive;
  }

  get ready(): ReadyProbe | undefined {
    return this.#from.task.ready;
  }

  get env(): Readonly<Record<string, string>> {
    this.#env ??= this.#from.makeEnv();
    return this.#env;
  }

  get unpassedNames(): readonly string[] {
    const { text, hostValue } = this.#from;
    return mentionedVariables(text).filter((name) => this.env[name] === undefined && hostValue(name) !== undefined);
  }
}

/** What a `ResolvedTask` is made of. */
export interface ResolvedParts {
  readonly task: TaskDefinition;
  readonly command: Command;
  readonly inputs: readonly InputEntry[];
  readonly parts: KeyParts;
  readonly contributions: ResolvedAction["contributions"];
  readonly outputs: OutputSpec;
  readonly run: LocalExecution;
  readonly changedInputs: () => string[];
}

/** Puts the parts together. */
export function resolvedTask(from: ResolvedParts): ResolvedAction {
  const { task } = from;
  const resolved: ResolvedAction = {
    label: task.id,
    isolation: "declared",
    command: from.command,
    inputs: from.inputs,
    parts: from.parts,
    contributions: from.contributions,
    reach: task.deps === "direct" ? "own" : "transitive",
    cacheable: task.cache,
    outputs: from.outputs,
    run: from.run,
    changedInputs: from.changedInputs,
  };
  return task.uncachedBecause === undefined ? resolved : { ...resolved, uncachedBecause: task.uncachedBecause };
}

/** Paths that are in one list only, or with other content. Both lists are sorted by path. */
export function differingPaths(before: readonly InputEntry[], now: readonly InputEntry[]): string[] {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const paths: string[] = [];
  for (const entry of now) {
    const was = old.get(entry.path);
    old.delete(entry.path);
    if (was === undefined || !isSameInput(was, entry)) paths.push(entry.path);
  }
  return [...paths, ...old.keys()].sort();
}

function isSameInput(left: InputEntry, right: InputEntry): boolean {
  if (left === right) return true;
  if (left.kind === "file") {
    return right.kind === "file" && left.digest === right.digest && left.executable === right.executable;
  }
  return left.kind === "symlink" ? right.kind === "symlink" && left.target === right.target : right.kind === left.kind;
}
