/**
 * The input files of a task, with their contents' digests.
 *
 * Owns:      from patterns to sorted `InputEntry` values.
 * Never:     keeps what it found beyond the moment (see `WorkTreeStates`).
 * Invariant: entries are sorted by path in the order of UTF-8, each path once.
 */
import { compareUtf8, err, FileSystemError, type InputEntry, ok, type Problem, problem, type Result } from "@kahn/core";
import type { Project, TaskDefinition } from "../model.ts";
import type { FileTrouble, WorkTreeStates } from "../states/index.ts";
import type { DefaultFiles } from "./default-files.ts";
import { type FileQuery, type FileSet, findIncluded, noFiles } from "./file-walk.ts";
import { compilePatterns, DEFAULT_PATTERN, isListExcluded, listMatches, type PatternList } from "./pattern-set.ts";

/** Which files a task reads. */
export interface InputRequest {
  readonly project: Project;
  readonly task: Pick<TaskDefinition, "id" | "inputs" | "outputs" | "declaredAt">;
  /** Further globs, relative to the workspace, whatever the task declares. */
  readonly globalInputs: readonly string[];
}

/** Why inputs cannot be had, and the path that is to blame. */
export interface InputTrouble {
  readonly path: string;
  readonly problem: Problem;
}

const DEFAULT_INPUTS = [DEFAULT_PATTERN];
const NO_PATTERNS = compilePatterns([]);

/** Finds and hashes inputs. */
export class TaskInputs {
  readonly #states: WorkTreeStates;
  readonly #defaults: DefaultFiles;

  constructor(states: WorkTreeStates, defaults: DefaultFiles) {
    this.#states = states;
    this.#defaults = defaults;
  }

  /** The inputs as they are now, or the first problem. */
  of(request: InputRequest): Result<InputEntry[], InputTrouble> {
    const { project, task, globalInputs } = request;
    try {
      const files = this.#find(request);
      this.#states.look(files.ids, files.paths);
      const entries: InputEntry[] = [];
      const outputs =
        task.outputs === undefined || task.outputs.length === 0 ? undefined : compilePatterns(task.outputs);
      for (let index = 0; index < files.ids.length; index++) {
        const path = files.paths[index]!;
        const entry = this.#states.inputAt(files.ids[index]!, path);
        if (entry === undefined) continue;
        if (entry.kind === "unreadable" || entry.kind === "unstable")
          return err({ path, problem: troubleProblem(path, entry, task) });
        if (outputs !== undefined && listMatches(outputs, project.directory, path)) {
          // A global input that one task makes is an input of all the others.
          if (globalInputs.length > 0 && !isOwnInput(request, path)) continue;
          return err({ path, problem: inputIsOutput(path, task) });
        }
        entries.push(entry);
      }
      return ok(sortedOnce(entries));
    } catch (error) {
      if (error instanceof FileSystemError)
        return err({ path: error.path, problem: unreadable(error.path, error.code, task) });
      throw error;
    }
  }

  #find({ project, task, globalInputs }: InputRequest): FileSet {
    const list = compilePatterns(task.inputs ?? DEFAULT_INPUTS);
    const query: FileQuery = { directory: project.directory, list, into: noFiles() };
    if (list.usesDefault) this.#addDefaults(project, query);
    for (const include of list.project.includes) findIncluded(this.#states, include, project.directory, query);
    for (const include of list.workspace.includes) findIncluded(this.#states, include, "", query);
    if (globalInputs.length > 0) {
      const global = compilePatterns(globalInputs);
      const all: FileQuery = { directory: "", list: global, into: query.into };
      for (const set of [global.project, global.workspace]) {
        for (const include of set.includes) findIncluded(this.#states, include, "", all);
      }
    }
    return query.into;
  }

  #addDefaults(project: Project, { list, into }: FileQuery): void {
    const files = this.#defaults.of(project);
    const hasExcludes = list.project.excludes.length + list.workspace.excludes.length > 0;
    for (let index = 0; index < files.ids.length; index++) {
      if (hasExcludes && isListExcluded(list, project.directory, files.paths[index]!)) continue;
      into.ids.push(files.ids[index]!);
      into.paths.push(files.paths[index]!);
    }
  }
}

function isOwnInput({ project, task }: InputRequest, path: string): boolean {
  const list: PatternList = task.inputs === undefined ? NO_PATTERNS : compilePatterns(task.inputs);
  return listMatches(list, project.directory, path);
}

/** Sorts in place if it is needed, and drops what several patterns found. */
function sortedOnce(entries: InputEntry[]): InputEntry[] {
  let isSorted = true;
  for (let index = 1; index < entries.length && isSorted; index++) {
    isSorted = compareUtf8(entries[index - 1]!.path, entries[index]!.path) < 0;
  }
  if (isSorted) return entries;
  entries.sort((left, right) => compareUtf8(left.path, right.path));
  return entries.filter((entry, index) => index === 0 || entry.path !== entries[index - 1]!.path);
}

function inputIsOutput(path: string, task: InputRequest["task"]): Problem<"input-is-output"> {
  return problem("input-is-output", `${path} is both an input and an output of ${task.id}`, {
    where: task.declaredAt,
    facts: [
      ["inputs", (task.inputs ?? DEFAULT_INPUTS).join(", ")],
      ["outputs", (task.outputs ?? []).join(", ")],
    ],
    next: "Exclude the outputs from the task's inputs with a pattern that starts with `!`.",
  });
}

function troubleProblem(path: string, trouble: FileTrouble, task: InputRequest["task"]): Problem {
  if (trouble.kind === "unreadable") return unreadable(path, trouble.code, task);
  return problem("input-unstable", `${path}, an input of ${task.id}, kept changing while it was read`, {
    where: task.declaredAt,
    next: "Find out what writes it; if it is a log or a cache, exclude it with a pattern that starts with `!`.",
  });
}

function unreadable(path: string, code: string, task: InputRequest["task"]): Problem<"input-unreadable"> {
  return problem("input-unreadable", `${path}, an input of ${task.id}, cannot be read (${code})`, {
    where: task.declaredAt,
    next: "Make it readable, or exclude it with a pattern that starts with `!`.",
  });
}
