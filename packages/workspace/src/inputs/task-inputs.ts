/**
 * The input files of a task, with their contents' digests.
 *
 * Owns:      from patterns to sorted `InputEntry` values.
 * Never:     keeps what it found beyond one revision of the states (see `WorkTreeStates`).
 * Invariant: entries are sorted by path in the order of UTF-8, each path once.
 */
import { compareUtf8, err, FileSystemError, type InputEntry, ok, type Problem, problem, type Result } from "@kahn/core";
import type { Project, TaskDefinition } from "../model.ts";
import type { FileTrouble, WorkTreeStates } from "../states/index.ts";
import type { DefaultFiles } from "./default-files.ts";
import { addFile, type FileQuery, type FileSet, findIncluded, noFiles } from "./file-walk.ts";
import {
  compilePatterns,
  DEFAULT_PATTERN,
  type Include,
  isListExcluded,
  listMatches,
  mayOverlap,
  type PatternList,
  rootOf,
} from "./pattern-set.ts";

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

/** Some of a task's inputs: entries once they were looked at. */
interface Part {
  readonly files: FileSet;
  entries: readonly InputEntry[] | undefined;
}

/** Finds and hashes inputs. */
export class TaskInputs {
  readonly #states: WorkTreeStates;
  readonly #defaults: DefaultFiles;
  /** Whole directories (`src/**`) by path: the tasks of a project mostly read the same. */
  readonly #trees = new Map<string, { readonly revision: number; readonly part: Part }>();

  constructor(states: WorkTreeStates, defaults: DefaultFiles) {
    this.#states = states;
    this.#defaults = defaults;
  }

  /** The inputs as they are now, or the first trouble. */
  of(request: InputRequest): Result<readonly InputEntry[], InputTrouble> {
    try {
      let parts = this.#find(request);
      for (const part of parts) this.#states.look(part.files.ids, part.files.paths);
      if (parts.some((part) => this.#hasDirectory(part))) {
        // What was a file when it was last seen is a directory now: this time it is known to be one.
        parts = this.#find(request);
        for (const part of parts) this.#states.look(part.files.ids, part.files.paths);
      }
      for (const part of parts) {
        const trouble = this.#fill(part, request.task);
        if (trouble !== undefined) return err(trouble);
      }
      return withoutOutputs(joined(parts), request);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      return err({ path: error.path, problem: unreadable(error.path, error.code, request.task) });
    }
  }

  #hasDirectory({ files, entries }: Part): boolean {
    return entries === undefined && files.ids.some((id) => this.#states.table.kind(id) === "directory");
  }

  #fill(part: Part, task: InputRequest["task"]): InputTrouble | undefined {
    if (part.entries !== undefined) return undefined;
    const { ids, paths, isSorted } = part.files;
    const entries: InputEntry[] = [];
    for (let index = 0; index < ids.length; index++) {
      const path = paths[index]!;
      const entry = this.#states.inputAt(ids[index]!, path);
      if (entry === undefined) {
        // Node gives bytes that are not UTF-8 as U+FFFD, and then finds no such file: its edits would go unnoticed.
        if (path.includes("\ufffd")) return { path, problem: invalidName(path, task) };
        continue;
      }
      if (entry.kind === "unreadable" || entry.kind === "unstable") {
        return { path, problem: troubleProblem(path, entry, task) };
      }
      entries.push(entry);
    }
    part.entries = isSorted ? entries : sortedOnce(entries);
    return undefined;
  }

  #find({ project, task, globalInputs }: InputRequest): Part[] {
    const list = compilePatterns(task.inputs ?? DEFAULT_INPUTS);
    const { directory } = project;
    const parts: Part[] = [];
    // Parts follow each other as the patterns' roots do, so that mostly nothing has to be sorted.
    let loose: FileQuery | undefined;
    const others = (): FileQuery => {
      if (loose === undefined) {
        loose = { base: directory, directory, list, into: noFiles() };
        parts.push({ files: loose.into, entries: undefined });
      }
      return loose;
    };
    if (list.usesDefault) this.#addDefaults(project, others());
    for (const include of list.project.includes) {
      if (include.kind !== "tree" || list.hasExcludes) {
        findIncluded(this.#states, include, others());
        continue;
      }
      parts.push(this.#tree(include, { directory, list }));
      loose = undefined;
    }
    for (const include of list.workspace.includes) findIncluded(this.#states, include, { ...others(), base: "" });
    if (globalInputs.length > 0) {
      const global = compilePatterns(globalInputs);
      const all: FileQuery = { base: "", directory: "", list: global, into: others().into };
      for (const set of [global.project, global.workspace]) {
        for (const include of set.includes) findIncluded(this.#states, include, all);
      }
    }
    return parts;
  }

  #tree(include: Include, { directory, list }: Pick<FileQuery, "directory" | "list">): Part {
    const key = `${directory}\0${rootOf(include)}`;
    const known = this.#trees.get(key);
    if (known !== undefined && known.revision === this.#states.revision) return known.part;
    const part: Part = { files: noFiles(), entries: undefined };
    findIncluded(this.#states, include, { base: directory, directory, list, into: part.files });
    this.#trees.set(key, { revision: this.#states.revision, part });
    return part;
  }

  #addDefaults(project: Project, { list, into }: FileQuery): void {
    const files = this.#defaults.of(project);
    into.isSorted = files.isSorted;
    for (let index = 0; index < files.ids.length; index++) {
      if (list.hasExcludes && isListExcluded(list, project.directory, files.paths[index]!)) continue;
      addFile(into, files.ids[index]!, files.paths[index]!);
    }
  }
}

/** The entries of all parts in order. */
function joined(parts: readonly Part[]): readonly InputEntry[] {
  if (parts.length === 1) return parts[0]!.entries!;
  const all: InputEntry[] = [];
  let isSorted = true;
  for (const { entries } of parts) {
    const last = all[all.length - 1];
    const first = entries![0];
    if (last !== undefined && first !== undefined && compareUtf8(last.path, first.path) >= 0) isSorted = false;
    for (const entry of entries!) all.push(entry);
  }
  return isSorted ? all : sortedOnce(all);
}

function withoutOutputs(
  entries: readonly InputEntry[],
  request: InputRequest,
): Result<readonly InputEntry[], InputTrouble> {
  const outputs = outputsAmongInputs(request);
  if (outputs === undefined) return ok(entries);
  const { task, project } = request;
  const isOutput = (entry: InputEntry) => listMatches(outputs, project.directory, entry.path);
  // A global input that one task makes is an input of all the others.
  const own = entries.find((entry) => isOutput(entry) && isOwnInput(request, entry.path));
  if (own !== undefined) return err({ path: own.path, problem: inputIsOutput(own.path, task) });
  return ok(entries.some(isOutput) ? entries.filter((entry) => !isOutput(entry)) : entries);
}

/** The outputs to look for among the inputs; `undefined` when there can be none. */
function outputsAmongInputs({ task, globalInputs }: InputRequest): PatternList | undefined {
  if (task.outputs === undefined || task.outputs.length === 0) return undefined;
  const outputs = compilePatterns(task.outputs);
  // The default inputs leave all outputs out.
  if (globalInputs.length === 0 && !mayOverlap(compilePatterns(task.inputs ?? DEFAULT_INPUTS), outputs))
    return undefined;
  return outputs;
}

function isOwnInput({ project, task }: InputRequest, path: string): boolean {
  return task.inputs !== undefined && listMatches(compilePatterns(task.inputs), project.directory, path);
}

/** In order, each path once. */
function sortedOnce(entries: InputEntry[]): InputEntry[] {
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

function invalidName(path: string, task: InputRequest["task"]): Problem<"input-name-invalid"> {
  return problem("input-name-invalid", `The name of ${path}, an input of ${task.id}, is not UTF-8`, {
    where: task.declaredAt,
    next: "Rename it, or exclude it with a pattern that starts with `!`.",
  });
}

function unreadable(path: string, code: string, task: InputRequest["task"]): Problem<"input-unreadable"> {
  return problem("input-unreadable", `${path}, an input of ${task.id}, cannot be read (${code})`, {
    where: task.declaredAt,
    next: "Make it readable, or exclude it with a pattern that starts with `!`.",
  });
}
