/**
 * Finds files in the work tree by listings that are still true, in the order of their paths.
 *
 * Owns:  the walk, and which directories no wildcard enters.
 * Never: follows a symlink: one to a directory is itself the file that is found.
 */
import type { Directory, WorkTreeStates } from "../states/index.ts";
import { type Include, isListExcluded, isTreeExcluded, type PatternList, rootOf } from "./pattern-set.ts";

/** Rows with their workspace-relative paths, in the same order. */
export interface FileSet {
  readonly ids: number[];
  readonly paths: string[];
}

/** A set without files. */
export function noFiles(): FileSet {
  return { ids: [], paths: [] };
}

/** Directories that wildcards do not enter, because nobody means them; a pattern that names one does. */
const SPECIAL = new Set([".git", ".kahn", "node_modules"]);

/** What a walk leaves out and how deep it goes. */
export interface WalkLimits {
  readonly depthMax: number;
  /** True for a directory that is not entered. */
  readonly skips: (path: string, name: string, id: number) => boolean;
  /** True for a file or symlink that is found. */
  readonly takes: (path: string, id: number) => boolean;
}

/** Adds what is below a directory. @throws FileSystemError when one cannot be read. */
export function walk(states: WorkTreeStates, directory: Directory, limits: WalkLimits, into: FileSet): void {
  const { table } = states;
  const { names, ids } = directory;
  for (let index = 0; index < names.length; index++) {
    const id = ids[index]!;
    const kind = table.kind(id);
    if (kind !== "file" && kind !== "symlink" && kind !== "directory") continue;
    const path = directory.pathOf(names[index]!);
    if (kind !== "directory") {
      if (!limits.takes(path, id)) continue;
      into.ids.push(id);
      into.paths.push(path);
    } else if (limits.depthMax > 1 && !limits.skips(path, names[index]!, id)) {
      const below = states.list(path);
      if (below !== undefined) walk(states, below, { ...limits, depthMax: limits.depthMax - 1 }, into);
    }
  }
}

/** For whom files are looked for. */
export interface FileQuery {
  /** Workspace-relative directory of the project. */
  readonly directory: string;
  /** Its patterns, for what they exclude. */
  readonly list: PatternList;
  readonly into: FileSet;
}

/**
 * Adds what an including pattern finds, less what its list excludes.
 *
 * @param base workspace-relative directory that the pattern is relative to; empty: the workspace.
 */
export function findIncluded(states: WorkTreeStates, include: Include, base: string, query: FileQuery): void {
  const start = rootOf(include);
  const path = start === "" ? base : base === "" ? start : `${base}/${start}`;
  if (include.kind === "literal" && states.table.kind(states.rowOf(path)) !== "directory") {
    if (addName(states, path, query)) return;
  }
  const directory = states.list(path);
  if (directory === undefined) {
    // A link where a directory was meant: the link is what there is. Or a file where a directory was.
    if (path !== "") addName(states, path, query);
    return;
  }
  const { list, directory: project } = query;
  const text = include.kind === "glob" ? include.text : start;
  const limits: WalkLimits = {
    depthMax: include.kind === "glob" ? include.depthMax : Number.POSITIVE_INFINITY,
    skips: (each, name) => (SPECIAL.has(name) && !text.includes(name)) || isTreeExcluded(list, project, each),
    takes: (each) =>
      !isListExcluded(list, project, each) && (include.kind !== "glob" || include.test(relativeTo(base, each))),
  };
  walk(states, directory, limits, query.into);
}

/** Adds one name if it is a file or symlink; false when it is a directory. */
function addName(states: WorkTreeStates, path: string, { directory, list, into }: FileQuery): boolean {
  const id = states.rowOf(path);
  states.look([id], [path]);
  const kind = states.table.kind(id);
  if (kind === "directory") return false;
  // `unknown` stays in: it could not be read, and whoever asks for its content is told so.
  if (kind === "absent" || kind === "other" || isListExcluded(list, directory, path)) return true;
  into.ids.push(id);
  into.paths.push(path);
  return true;
}

function relativeTo(base: string, path: string): string {
  return base === "" ? path : path.slice(base.length + 1);
}
