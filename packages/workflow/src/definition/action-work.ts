/**
 * What an action does and what it gives: tasks of a workspace, or one command.
 *
 * Owns:      the words of both, and what can be wrong with them whoever runs them.
 * Invariant: a command that declares no inputs is never cached: nobody could say what its result rests on.
 */
import type { Digest } from "@kahn/core";
import type { Blob } from "./state.ts";

/** Tasks of the workspace, by reference: `build`, `package#test`. Each is cached as `kahn run` would. */
export interface TasksWork {
  readonly tasks: readonly string[];
}

/** One command. Globs mean what they mean in a task: relative to `cwd`, or to the workspace where they begin with `/`. */
export interface CommandWork {
  /** Program and arguments; no shell. A bare name is sought in `node_modules/.bin`, then along PATH. */
  readonly command: readonly string[];
  /** Relative to the workspace; default: its root. */
  readonly cwd?: string;
  /** Variables with their values; part of the key. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names of variables that are handed on from outside, and are not in the key. */
  readonly passEnv?: readonly string[];
  /** Files that the result rests on; `$default` stands for what git knows of. Left out: the command is not cached. */
  readonly inputs?: readonly string[];
  /** Files that it makes: kept, and put back instead of running it again. */
  readonly outputs?: readonly string[];
  /** Programs whose identity is part of the key, besides `node`. */
  readonly tools?: readonly string[];
}

/** What an action does. */
export type ActionWork = TasksWork | CommandWork;

/** A file that a command made. */
export interface ActionOutput {
  /** Relative to the workspace. */
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly executable: boolean;
}

/** What an action gave. */
export type ActionOutcome =
  | { readonly kind: "tasks"; readonly run: string; readonly executed: number; readonly cached: number }
  | CommandOutcome;

/** What a command gave. */
export interface CommandOutcome {
  readonly kind: "command";
  readonly stdout: string;
  readonly stderr: string;
  /** True when it did not run: its result was known, and its outputs were put back. */
  readonly cached: boolean;
  /** The digest that its result is known by; absent for a command that is not cached. */
  readonly action?: Digest;
  /** Its output files, sorted by path. */
  readonly outputs: readonly ActionOutput[];
  /** Puts an output into the durable values of the flow; the state then holds its digest and size alone. */
  keep(output: ActionOutput): Blob;
}

/** What is wrong with an action's work; empty when nothing is. Each is a part of a sentence after the node's name. */
export function* workMistakes(work: unknown): Iterable<string> {
  if (typeof work !== "object" || work === null) yield "has no work: give it { tasks } or { command }";
  else if ("tasks" in work === "command" in work) yield "needs either tasks or a command in its work";
  else if ("tasks" in work) yield* listMistakes(work, ["tasks"], { atLeast: 1 });
  else yield* commandMistakes(work as Readonly<Record<string, unknown>>);
}

function* commandMistakes(work: Readonly<Record<string, unknown>>): Iterable<string> {
  yield* listMistakes(work, ["command"], { atLeast: 1 });
  yield* listMistakes(work, ["inputs", "outputs", "passEnv", "tools"], { atLeast: 0 });
  if (work.cwd !== undefined && typeof work.cwd !== "string") yield "has a cwd that is no text";
  const { env } = work;
  if (env === undefined) return;
  if (typeof env !== "object" || env === null) {
    yield "has an env that is no object";
    return;
  }
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_]\w*$/.test(name)) yield `sets a variable that cannot be called ${JSON.stringify(name)}`;
    else if (typeof value !== "string" || value.includes("\0")) yield `sets ${name} to what is no text`;
  }
}

function* listMistakes(work: object, names: readonly string[], { atLeast }: { atLeast: number }): Iterable<string> {
  for (const name of names) {
    const list = (work as Readonly<Record<string, unknown>>)[name];
    if (list === undefined && atLeast === 0) continue;
    if (!Array.isArray(list) || list.length < atLeast) yield `has no ${name}: write a list of texts`;
    else if (list.some((each) => typeof each !== "string" || each.includes("\0")) || list[0] === "") {
      yield `has ${name} that are not all texts: ${JSON.stringify(list).slice(0, 100)}`;
    }
  }
}
