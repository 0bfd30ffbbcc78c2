/**
 * Finds files in the work tree by listings that are still true, in the order of their paths.
 *
 * Owns:  the walk, and which directories no wildcard enters.
 * Never: follows a symlink: one to a directory is itself the file that is found.
 */
import { compareUtf8 } from "@kahn/core";
import type { Directory, WorkTreeStates } from "../states/index.ts";
import { type Include, isListExcluded, isTreeExcluded, type PatternList, rootOf } from "./pattern-set.ts";

/** Rows with their workspace-relative paths, in the same order. Some may turn out not to be files when looked at. */
export interface FileSet {
  readonly ids: number[];
  readonly paths: string[];
  /** False when the paths may be out of order, or one may be there twice. */
  isSorted: boolean;
}

/** A set without files. */
export function noFiles(): FileSet {
  return { ids: [], paths: [], isSorted: true };
}

/** Adds a file; order is checked by whoever adds several at once. */
export function addFile(into: FileSet, id: number, path: string): void {
  into.ids.push(id);
  into.paths.push(path);
}

/** To be called after files were added behind the first `before`: they must follow on those. */
export function checkOrder(into: FileSet, before: number): void {
  if (before === 0 || before === into.paths.length || !into.isSorted) return;
  into.isSorted = compareUtf8(into.paths[before - 1]!, into.paths[before]!) < 0;
}

/** Directories that wildcards do not enter, because nobody means them; a pattern that names one does. */
const SPECIAL = new Set([".git", ".kahn", "node_modules"]);

/** For whom files are looked for. */
export interface FileQuery {
  /** Workspace-relative directory that the pattern is relative to; empty: the workspace. */
  readonly base: string;
  /** Workspace-relative directory of the project. */
  readonly directory: string;
  /** Its patterns, for what they exclude. */
  readonly list: PatternList;
  readonly into: FileSet;
}

/**
 * Adds what an including pattern finds, less what its list excludes.
 *
 * @throws FileSystemError when a directory cannot be read.
 */
export function findIncluded(states: WorkTreeStates, include: Include, query: FileQuery): void {
  const { base, into } = query;
  const start = rootOf(include);
  const path = start === "" ? base : base === "" ? start : `${base}/${start}`;
  const before = into.paths.length;
  if (include.kind !== "literal" || !addName(states, path, query)) {
    const directory = states.list(path);
    if (directory === undefined && path !== "") addInstead(states, path, { include, query });
    if (directory !== undefined) new Walk(states, include, query).enter(directory, 1);
  }
  checkOrder(into, before);
}

/** Adds one name unless it is excluded or not there; false when it is a directory. */
function addName(states: WorkTreeStates, path: string, { directory, list, into }: FileQuery): boolean {
  const id = states.rowOf(path);
  // What was a file is taken for one until all are looked at together.
  const kind = states.kindNow(id, path);
  if (kind === "directory") return false;
  // `unknown` stays in: it could not be read, and whoever asks for its content is told so.
  if (kind !== "absent" && kind !== "other" && !isListExcluded(list, directory, path)) addFile(into, id, path);
  return true;
}

/** There is no such directory: of a link, the link itself is what there is; of a name, what it has become. */
function addInstead(states: WorkTreeStates, path: string, search: { include: Include; query: FileQuery }): void {
  const isLink = states.kindNow(states.rowOf(path), path) === "symlink";
  if (search.include.kind === "literal" || isLink) addName(states, path, search.query);
}

/** One walk below a directory for one pattern. */
class Walk {
  readonly #states: WorkTreeStates;
  readonly #query: FileQuery;
  readonly #depthMax: number;
  /** Names a special directory that may be entered all the same. */
  readonly #text: string;
  readonly #hasExcludes: boolean;
  readonly #test: ((path: string) => boolean) | undefined;
  readonly #baseLength: number;

  constructor(states: WorkTreeStates, include: Include, query: FileQuery) {
    this.#states = states;
    this.#query = query;
    this.#depthMax = include.kind === "glob" ? include.depthMax : Number.POSITIVE_INFINITY;
    this.#text = include.kind === "glob" ? include.text : rootOf(include);
    this.#test = include.kind === "glob" ? include.test : undefined;
    this.#baseLength = query.base === "" ? 0 : query.base.length + 1;
    this.#hasExcludes = query.list.hasExcludes;
  }

  enter(directory: Directory, depth: number): void {
    const { table } = this.#states;
    const { list, directory: project, into } = this.#query;
    const { names, ids } = directory;
    const prefix = directory.path === "" ? "" : `${directory.path}/`;
    for (let index = 0; index < names.length; index++) {
      const id = ids[index]!;
      const kind = table.kind(id);
      if (kind === "file" || kind === "symlink") {
        const path = prefix + names[index]!;
        if (this.#hasExcludes && isListExcluded(list, project, path)) continue;
        if (this.#test === undefined || this.#test(path.slice(this.#baseLength))) addFile(into, id, path);
      } else if (kind === "directory" && depth < this.#depthMax) {
        const name = names[index]!;
        if (SPECIAL.has(name) && !this.#text.includes(name)) continue;
        const path = prefix + name;
        if (this.#hasExcludes && isTreeExcluded(list, project, path)) continue;
        const below = this.#states.list(path);
        if (below !== undefined) this.enter(below, depth + 1);
      }
    }
  }
}
