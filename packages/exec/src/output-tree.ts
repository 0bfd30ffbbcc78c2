/**
 * Outputs: from files in the workspace to the lists of an `ActionResult` and back.
 *
 * Owns:      the walk over a node's output roots, the filter by its globs, and the digest over all outputs.
 * Never:     follows a symbolic link; a link is an output itself.
 * Invariant: what `collectOutputs` finds after a command is what `flattenResult` lists when its result is restored.
 */

import { posix } from "node:path";
import {
  type ActionResult,
  type BlobStore,
  type Digest,
  digestFunction,
  digestOf,
  encodeActionResult,
  err,
  type FileStates,
  type FileSystem,
  type FlatTree,
  flattenTree,
  type InputEntry,
  type OutputDirectory,
  type OutputFile,
  type OutputSpec,
  type OutputSymlink,
  ok,
  type Problem,
  problem,
  type Result,
  readMessage,
  TREE_MAX_BYTES,
  treeOf,
} from "@kahn/core";

/** An output at a workspace-relative path. */
export type OutputEntry = InputEntry;

/** The outputs found, as an `ActionResult` lists them. */
export interface CollectedOutputs {
  readonly entries: readonly OutputEntry[];
  readonly files: readonly OutputFile[];
  readonly directories: readonly OutputDirectory[];
  readonly symlinks: readonly OutputSymlink[];
  /** Encoded trees of `directories`, to be stored before the result. */
  readonly trees: ReadonlyMap<Digest, Uint8Array>;
  /** Roots that do not exist. */
  readonly missingRoots: readonly string[];
}

/** What `collectOutputs` reads with. */
export interface CollectContext {
  readonly fs: FileSystem;
  readonly states: FileStates;
}

/**
 * Finds and digests the outputs of a command that has ended.
 *
 * @param directory the command's workspace-relative working directory; paths of the result are relative to it.
 */
export function collectOutputs(
  context: CollectContext,
  spec: OutputSpec,
  directory: string,
): Result<CollectedOutputs, Problem> {
  const found = walkRoots(context.fs, spec);
  const entries = digestEntries(context.states, spec, found.paths);
  if (!entries.ok) return entries;
  const all = [...entries.value, ...found.emptyDirectories.map((path): OutputEntry => ({ kind: "directory", path }))];
  all.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return ok({ entries: all, missingRoots: found.missingRoots, ...arrange(spec, directory, { found, entries: all }) });
}

/** One walk over output roots. */
interface OutputWalk {
  readonly fs: FileSystem;
  readonly spec: OutputSpec;
  readonly found: FoundPaths;
}

interface FoundPaths {
  readonly paths: string[];
  readonly emptyDirectories: string[];
  readonly directoryRoots: Set<string>;
  readonly missingRoots: string[];
}

function walkRoots(fs: FileSystem, spec: OutputSpec): FoundPaths {
  const found: FoundPaths = { paths: [], emptyDirectories: [], directoryRoots: new Set(), missingRoots: [] };
  for (const root of spec.roots) {
    const stat = fs.lstat(absolute(spec, root));
    if (stat === undefined) found.missingRoots.push(root);
    else if (stat.kind === "directory") {
      found.directoryRoots.add(root);
      walk({ fs, spec, found }, root);
    } else if (spec.matches(root)) found.paths.push(root);
  }
  return found;
}

function walk(context: OutputWalk, directory: string): void {
  const { fs, spec, found } = context;
  const names = fs.readDirectory(absolute(spec, directory)) ?? [];
  if (names.length === 0 && spec.matches(`${directory}/.`)) found.emptyDirectories.push(directory);
  for (const { name, kind } of names) {
    const path = directory === "" ? name : `${directory}/${name}`;
    if (kind === "directory") {
      // Nothing is an output there, whatever a glob says, and the walk would be long.
      if (name !== "node_modules" && name !== ".git" && name !== ".kahn") walk(context, path);
    } else if (kind !== "other" && spec.matches(path)) found.paths.push(path);
  }
}

function digestEntries(states: FileStates, spec: OutputSpec, paths: readonly string[]): Result<OutputEntry[], Problem> {
  const entries: OutputEntry[] = [];
  const outcomes = states.digests(paths.map((path) => absolute(spec, path)));
  for (const [index, path] of paths.entries()) {
    const outcome = outcomes[index]!;
    switch (outcome.kind) {
      case "file":
        entries.push({ kind: "file", path, digest: outcome.digest, executable: (outcome.stat.mode & 0o111) !== 0 });
        break;
      case "symlink":
        entries.push({ kind: "symlink", path, target: outcome.target });
        break;
      case "absent":
      case "unstable":
      case "not-a-file":
        if (path.includes("\ufffd")) return err(unreadableName(path));
        return err(
          problem("output-unstable", `the output ${path} was still changing after the command ended`, {
            next: "Let the command wait for everything that it starts, or leave the file out of its outputs.",
          }),
        );
      case "unreadable":
        return err(problem("output-unreadable", `the output ${path} cannot be read (${outcome.code})`));
    }
  }
  return ok(entries);
}

/** Node gives bytes that are not UTF-8 as U+FFFD, and then finds no such file. */
function unreadableName(path: string): Problem {
  return problem("output-name-invalid", `the name of the output ${path} is not UTF-8`, {
    next: "Let the command choose another name, or leave the file out of the task's outputs.",
  });
}

function arrange(
  spec: OutputSpec,
  directory: string,
  { found, entries }: { readonly found: FoundPaths; readonly entries: readonly OutputEntry[] },
): Pick<CollectedOutputs, "files" | "directories" | "symlinks" | "trees"> {
  const files: OutputFile[] = [];
  const symlinks: OutputSymlink[] = [];
  const directories: OutputDirectory[] = [];
  const trees = new Map<Digest, Uint8Array>();
  for (const root of spec.roots) {
    const path = relativePath(directory, root);
    if (found.directoryRoots.has(root)) {
      const { digest: tree, bytes } = treeOf(below(root, entries));
      trees.set(tree, bytes);
      directories.push({ path, tree });
      continue;
    }
    const entry = entries.find((candidate) => candidate.path === root);
    if (entry?.kind === "file") files.push({ path, digest: entry.digest, executable: entry.executable });
    else if (entry?.kind === "symlink") symlinks.push({ path, target: entry.target });
  }
  return { files: byPath(files), directories: byPath(directories), symlinks: byPath(symlinks), trees };
}

/** Entries below a root, with paths relative to it. */
function below(root: string, entries: readonly OutputEntry[]): OutputEntry[] {
  if (root === "") return [...entries];
  const prefix = `${root}/`;
  const inside = entries.filter((entry) => entry.path.startsWith(prefix));
  return inside.map((entry) => ({ ...entry, path: entry.path.slice(prefix.length) }));
}

/**
 * Every output of a result with its workspace-relative path, sorted.
 *
 * @returns `"missing"` with the digests when a tree is not in the store; a problem when one is malformed.
 */
export async function flattenResult(
  blobs: BlobStore,
  result: ActionResult,
  directory: string,
): Promise<Result<OutputEntry[], Problem | { readonly code: "missing"; readonly digest: Digest }>> {
  const entries: OutputEntry[] = [];
  for (const file of result.outputFiles)
    entries.push({ kind: "file", ...file, path: posix.join(directory, file.path) });
  for (const link of result.outputSymlinks) {
    entries.push({ kind: "symlink", path: posix.join(directory, link.path), target: link.target });
  }
  for (const { path, tree } of result.outputDirectories) {
    const root = posix.join(directory, path);
    const message = await readMessage(blobs, tree, TREE_MAX_BYTES);
    if (!message.ok) return message;
    if (message.value.kind === "missing") return err({ code: "missing", digest: tree });
    if (message.value.kind === "too-large") return err(problem("tree-too-large", `the tree ${tree} is too large`));
    const flat = flattenTree(message.value.bytes, { fn: digestFunction(tree) });
    if (!flat.ok) return flat;
    const prefix = root === "." ? "" : `${root}/`;
    for (const entry of flat.value.entries) entries.push({ ...entry, path: prefix + entry.path });
    for (const path of emptyDirectories(flat.value)) entries.push({ kind: "directory", path: prefix + path });
    if (flat.value.entries.length + flat.value.directories.length === 0)
      entries.push({ kind: "directory", path: root });
  }
  return ok(entries.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)));
}

/** Directories that nothing else of the tree would bring into being. */
function emptyDirectories({ entries, directories }: FlatTree): readonly string[] {
  if (directories.length === 0) return directories;
  const parents = new Set([
    ...entries.map((entry) => posix.dirname(entry.path)),
    ...directories.map((path) => posix.dirname(path)),
  ]);
  return directories.filter((path) => !parents.has(path));
}

/** Digest over all outputs of a result and nothing else: equal outputs, equal digest. */
export function outputsDigest(
  outputs: Pick<ActionResult, "outputFiles" | "outputDirectories" | "outputSymlinks">,
): Digest {
  const { outputFiles, outputDirectories, outputSymlinks } = outputs;
  return digestOf(
    encodeActionResult({ outputFiles, outputDirectories, outputSymlinks, exitCode: 0, metadata: { worker: "" } }),
  );
}

function absolute(spec: OutputSpec, path: string): string {
  return path === "" ? spec.workspaceRoot : `${spec.workspaceRoot}/${path}`;
}

function relativePath(directory: string, path: string): string {
  return posix.relative(directory, path) || ".";
}

function byPath<T extends { readonly path: string }>(list: T[]): T[] {
  return list.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
