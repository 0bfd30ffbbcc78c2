/**
 * What must come of a workspace, from its sources alone.
 *
 * Owns:      expected outputs and streams, and a model of keys that says when a result must be found again.
 * Never:     looks at a file system, or at anything that Kahn computed.
 */
import { type CommandResult, type OutputTree, performCommand } from "./command.ts";
import { folderOf, LOCK_FILE, SHARED, type SimTask, type SimWorkspace, type Source } from "./sim-workspace.ts";

/** Expectations for one state of the sources. */
export class Oracle {
  readonly #workspace: SimWorkspace;
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #tasks: ReadonlyMap<string, SimTask>;
  readonly #results = new Map<string, CommandResult>();
  readonly #keys = new Map<string, string>();

  constructor(workspace: SimWorkspace, sources: ReadonlyMap<string, Source>) {
    this.#workspace = workspace;
    this.#sources = new Map(sources);
    this.#tasks = new Map(workspace.tasks.map((task) => [task.name, task]));
  }

  /** What the command prints, makes and exits with when everything it reads is right. */
  result(task: SimTask): CommandResult {
    const known = this.#results.get(task.name);
    if (known !== undefined) return known;
    const dependencies = task.reads.map((name): [string, OutputTree] => [
      name,
      this.result(this.#tasks.get(name)!).outputs,
    ]);
    const result = performCommand(task, { own: this.inputs(task), dependencies });
    this.#results.set(task.name, result);
    return result;
  }

  /** Its own inputs, sorted by path. */
  inputs(task: SimTask): [string, Source][] {
    return inputsOf(task, this.#sources);
  }

  /** Equal for equal commands on equal inputs and dependencies; a model of what Kahn's key must tell apart. */
  key(task: SimTask): string {
    const known = this.#keys.get(task.name);
    if (known !== undefined) return known;
    const below = task.requires.map((name) => this.#closure(this.#tasks.get(name)!)).sort();
    const key = JSON.stringify([task.name, this.inputs(task), this.#sources.get(LOCK_FILE), below]);
    this.#keys.set(task.name, key);
    return key;
  }

  /** True when it and all it requires can succeed. */
  canSucceed(task: SimTask): boolean {
    if (!task.requires.every((name) => this.canSucceed(this.#tasks.get(name)!))) return false;
    return task.kind !== "command" || this.result(task).exitCode === 0;
  }

  #closure(task: SimTask): string {
    if (task.kind === "service") return this.key(task);
    const own = task.outputs === "none" ? this.key(task) : JSON.stringify([...this.result(task).outputs]);
    if (task.reach === "own") return own;
    return JSON.stringify([own, task.requires.map((name) => this.#closure(this.#tasks.get(name)!)).sort()]);
  }

  /** The tasks that it speaks of. */
  get workspace(): SimWorkspace {
    return this.#workspace;
  }
}

/** True when the path is an input of the task. */
export function isInputOf(task: SimTask, path: string): boolean {
  const folder = `${folderOf(task.project)}/`;
  switch (task.inputs) {
    case "src":
      return path.startsWith(`${folder}src/`);
    case "src-without-skip":
      return path.startsWith(`${folder}src/`) && !path.startsWith(`${folder}src/skip/`);
    case "src-and-shared":
      return path.startsWith(`${folder}src/`) || path.startsWith(SHARED);
    case "default":
      return path.startsWith(folder);
  }
}

/** The inputs of a task among these sources, sorted. */
export function inputsOf(task: SimTask, sources: ReadonlyMap<string, Source>): [string, Source][] {
  return [...sources].filter(([path]) => isInputOf(task, path)).sort(([a], [b]) => (a < b ? -1 : 1));
}
