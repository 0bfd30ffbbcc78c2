/**
 * Globs of inputs and outputs, compiled.
 *
 * Owns:      what a pattern means: `dir` (the file, or the directory and all below), `dir/**`, a glob, `!` excludes,
 *            a leading `/` starts at the workspace, `$default` stands for the default inputs.
 * Never:     touches files; `file-walk.ts` does.
 * Invariant: exclusion does not depend on the order of the patterns.
 *
 * Literal paths and whole trees are by far the most frequent patterns and need no regular expression.
 */
import picomatch from "picomatch";

/** One pattern that includes. Paths are relative to the base of its set. */
export type Include =
  /** A file, or a directory with all below it. */
  | { readonly kind: "literal"; readonly path: string }
  /** All below a directory; empty: everything. */
  | { readonly kind: "tree"; readonly root: string }
  | {
      readonly kind: "glob";
      /** Directory to look from. */
      readonly root: string;
      /** How many levels below `root` a match can lie. */
      readonly depthMax: number;
      readonly test: (path: string) => boolean;
      /** The pattern, to see which special directories it names. */
      readonly text: string;
    };

/** Patterns with one base directory. */
export interface PatternSet {
  readonly includes: readonly Include[];
  readonly excludes: readonly Include[];
}

/** A task's list of patterns. */
export interface PatternList {
  readonly usesDefault: boolean;
  readonly hasExcludes: boolean;
  /** Relative to the project. */
  readonly project: PatternSet;
  /** Relative to the workspace. */
  readonly workspace: PatternSet;
}

/** The pattern that stands for the default inputs. */
export const DEFAULT_PATTERN = "$default";

const compiled = new Map<string, PatternList>();

/** Compiles a list of patterns. Equal lists share one value: a thousand projects have the same few. */
export function compilePatterns(patterns: readonly string[]): PatternList {
  const key = patterns.join("\0");
  let list = compiled.get(key);
  if (list === undefined) {
    list = compileList(patterns);
    compiled.set(key, list);
  }
  return list;
}

function compileList(patterns: readonly string[]): PatternList {
  const project: { includes: Include[]; excludes: Include[] } = { includes: [], excludes: [] };
  const workspace: { includes: Include[]; excludes: Include[] } = { includes: [], excludes: [] };
  for (const pattern of patterns) {
    if (pattern === DEFAULT_PATTERN) continue;
    const isExclude = pattern.startsWith("!");
    const text = isExclude ? pattern.slice(1) : pattern;
    const set = text.startsWith("/") ? workspace : project;
    (isExclude ? set.excludes : set.includes).push(compileOne(text));
  }
  project.includes.sort(byRoot);
  workspace.includes.sort(byRoot);
  return {
    usesDefault: patterns.includes(DEFAULT_PATTERN),
    hasExcludes: project.excludes.length + workspace.excludes.length > 0,
    project,
    workspace,
  };
}

/** By where they start, so that what they find is nearly sorted. */
function byRoot(left: Include, right: Include): number {
  return rootOf(left) < rootOf(right) ? -1 : 1;
}

/** The literal path that a pattern starts with: a directory, or the literal itself. Empty: the base. */
export function rootOf(include: Include): string {
  return include.kind === "literal" ? include.path : include.root;
}

const GLOB = /[*?[\]{}\\]|[!+@]\(/;

function compileOne(pattern: string): Include {
  const text = pattern.replace(/^\.?\/+/, "").replace(/\/+$/, "");
  if (!GLOB.test(text))
    return text === "" || text === "." ? { kind: "tree", root: "" } : { kind: "literal", path: text };
  const tree = /^(.*?)\/?\*\*(?:\/\*\*?)?$/.exec(text);
  if (tree !== null && !GLOB.test(tree[1]!)) return { kind: "tree", root: tree[1]! };
  const segments = text.split("/");
  const rootLength = segments.findIndex((segment) => GLOB.test(segment));
  const rest = segments.slice(rootLength);
  // `**` and alternatives that hold a slash can match at any depth.
  const isDeep = rest.some((segment) => segment.includes("**")) || /[{(][^})]*\//.test(rest.join("/"));
  // Parentheses without a quantifier before them are part of a name (`app/(shop)/page.tsx`), not a group.
  const literalParentheses = text.replace(/(^|[^!+@?*\\])\(([^()|]*)\)/g, "$1\\($2\\)");
  const expression = picomatch.makeRe(literalParentheses, { dot: true, nonegate: true });
  const root = segments.slice(0, rootLength).join("/");
  return {
    kind: "glob",
    root,
    depthMax: isDeep ? Number.POSITIVE_INFINITY : rest.length,
    // To picomatch, `a/**` is also `a` itself; to us it is what lies below.
    test: (path) => path.length > root.length && expression.test(path),
    text,
  };
}

/** True when the path, relative to the pattern's base, is meant by the pattern. */
export function includesPath(include: Include, path: string): boolean {
  switch (include.kind) {
    case "literal":
      return isAtOrBelow(path, include.path);
    case "tree":
      return include.root === "" || (path.length > include.root.length && isAtOrBelow(path, include.root));
    case "glob":
      return include.test(path);
  }
}

/** True for the path itself and for all paths below it. */
export function isAtOrBelow(path: string, ancestor: string): boolean {
  return (
    path.startsWith(ancestor) &&
    (path.length === ancestor.length || path.charCodeAt(ancestor.length) === 47) /* slash */
  );
}

/** True when any pattern of the list means the path. */
export function anyIncludes(includes: readonly Include[], path: string): boolean {
  for (const include of includes) if (includesPath(include, path)) return true;
  return false;
}

/** True when a list (without `$default`) means this workspace-relative path, in a project at `directory`. */
export function listMatches(list: PatternList, directory: string, path: string): boolean {
  if (list.hasExcludes && isListExcluded(list, directory, path)) return false;
  if (list.workspace.includes.length > 0 && anyIncludes(list.workspace.includes, path)) return true;
  const own = inProject(directory, path);
  return own !== undefined && anyIncludes(list.project.includes, own);
}

/** True when a list's `!` patterns take this workspace-relative path out. */
export function isListExcluded(list: PatternList, directory: string, path: string): boolean {
  if (list.workspace.excludes.length > 0 && anyIncludes(list.workspace.excludes, path)) return true;
  if (list.project.excludes.length === 0) return false;
  const own = inProject(directory, path);
  return own !== undefined && anyIncludes(list.project.excludes, own);
}

/** True when a list's `!` patterns take a whole directory out, whatever is in it. */
export function isTreeExcluded(list: PatternList, directory: string, path: string): boolean {
  if (list.workspace.excludes.some((each) => coversTree(each, path))) return true;
  if (list.project.excludes.length === 0) return false;
  const own = inProject(directory, path);
  return own !== undefined && list.project.excludes.some((each) => coversTree(each, own));
}

/** True when the pattern means everything below a directory. */
export function coversTree(include: Include, directory: string): boolean {
  if (include.kind === "glob") return false;
  const root = rootOf(include);
  return root === "" || isAtOrBelow(directory, root);
}

const overlaps = new WeakMap<PatternList, WeakMap<PatternList, boolean>>();

/** False when no path can be meant by both lists (of one project), whatever is on the disk. */
export function mayOverlap(left: PatternList, right: PatternList): boolean {
  let known = overlaps.get(left);
  if (known === undefined) {
    known = new WeakMap();
    overlaps.set(left, known);
  }
  let answer = known.get(right);
  if (answer === undefined) {
    const isOneBase = left.workspace.includes.length + right.workspace.includes.length === 0;
    answer =
      !isOneBase || left.project.includes.some((each) => right.project.includes.some((other) => meets(each, other)));
    known.set(right, answer);
  }
  return answer;
}

function meets(left: Include, right: Include): boolean {
  const [one, other] = [rootOf(left), rootOf(right)];
  return one === "" || other === "" || isAtOrBelow(one, other) || isAtOrBelow(other, one);
}

/** The path relative to a project's directory; `undefined` when it lies outside. */
export function inProject(directory: string, path: string): string | undefined {
  if (directory === "") return path;
  if (path.length <= directory.length || !isAtOrBelow(path, directory)) return undefined;
  return path.slice(directory.length + 1);
}
