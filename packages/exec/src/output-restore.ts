/**
 * Restoring: brings the outputs of a cached result back into the workspace.
 *
 * Owns:      the comparison with what is there, the order of writing, and the removal of what the previous result
 *            left and this one does not have.
 * Invariant: an output that already matches is not touched. A blob that is gone or corrupt is reported before any file
 *            of the same result is removed, so that a failed restore leaves no hole that a re-run would not fill.
 */
import {
  type BlobStore,
  type Digest,
  err,
  type FileStates,
  type FileSystem,
  type HashOutcome,
  type KnownFile,
  type MaterializeRequest,
  type OutputSpec,
  ok,
  type Problem,
  problem,
  type Result,
} from "@kahn/core";
import type { OutputEntry } from "./output-tree.ts";

/** What restoring works with. */
export interface RestoreContext {
  readonly fs: FileSystem;
  readonly states: FileStates;
  readonly blobs: BlobStore;
}

/** What came of it. */
export type RestoreOutcome =
  | { readonly kind: "restored"; readonly writtenFiles: number }
  /** These blobs cannot be had; the action has to run. */
  | { readonly kind: "missing"; readonly why: "blob-missing" | "blob-corrupt"; readonly path: string };

/** Makes the workspace hold exactly `entries`, as far as outputs of this node are concerned. */
export async function restoreOutputs(
  context: RestoreContext,
  spec: OutputSpec,
  entries: readonly OutputEntry[],
): Promise<Result<RestoreOutcome, Problem>> {
  const wanted = differing(context, spec, entries);
  if (wanted.length === 0) return ok({ kind: "restored", writtenFiles: 0 });
  const blocked = makeParents(context, spec, wanted);
  if (blocked !== undefined) return err(blocked);
  const requests: MaterializeRequest[] = [];
  for (const entry of wanted) {
    const path = `${spec.workspaceRoot}/${entry.path}`;
    if (entry.kind === "directory") placeDirectory(context, path);
    else if (entry.kind === "symlink") placeLink(context.fs, path, entry.target);
    else requests.push({ digest: entry.digest, path, executable: entry.executable, how: spec.mode });
  }
  const outcome = await context.blobs.materialize(requests);
  if (!outcome.ok) return outcome;
  const failed = outcome.value.findIndex((each) => each !== "done");
  rememberWritten(
    context,
    spec,
    requests.filter((_, index) => outcome.value[index] === "done"),
  );
  if (failed === -1) return ok({ kind: "restored", writtenFiles: wanted.length });
  const why = outcome.value[failed] === "corrupt" ? "blob-corrupt" : "blob-missing";
  return ok({ kind: "missing", why, path: requests[failed]!.path.slice(spec.workspaceRoot.length + 1) });
}

function differing(context: RestoreContext, spec: OutputSpec, entries: readonly OutputEntry[]): OutputEntry[] {
  const present = context.states.digests(entries.map((entry) => `${spec.workspaceRoot}/${entry.path}`));
  return entries.filter((entry, index) => !isInPlace(entry, present[index]!));
}

function isInPlace(entry: OutputEntry, present: HashOutcome): boolean {
  switch (entry.kind) {
    case "file":
      return (
        present.kind === "file" &&
        present.digest === entry.digest &&
        ((present.stat.mode & 0o111) !== 0) === entry.executable
      );
    case "symlink":
      return present.kind === "symlink" && present.target === entry.target;
    case "directory":
      return present.kind === "not-a-file" && present.stat.kind === "directory";
  }
}

/** Makes every parent a real directory: a file or link in the way is an old output, never to be written through. */
function makeParents(
  { fs, states }: RestoreContext,
  spec: OutputSpec,
  entries: readonly OutputEntry[],
): Problem | undefined {
  const parents = new Set<string>();
  for (const { path } of entries) {
    for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) parents.add(path.slice(0, at));
  }
  // Shortest first, so that a parent is sound before anything is made in it.
  for (const parent of [...parents].sort((a, b) => a.length - b.length)) {
    const path = `${spec.workspaceRoot}/${parent}`;
    const stat = fs.lstat(path);
    if (stat?.kind === "directory") continue;
    if (stat !== undefined) {
      if (!isInsideRoot(spec, parent)) {
        return problem("output-blocked", `cannot restore below ${parent}: it is a ${stat.kind}, not a directory`, {
          next: `Remove ${parent}, or take it out of the task's outputs.`,
        });
      }
      fs.remove(path);
      states.forget(path);
    }
    fs.makeDirectory(path);
  }
  for (const entry of entries) {
    const path = `${spec.workspaceRoot}/${entry.path}`;
    if (entry.kind !== "directory" && fs.lstat(path)?.kind === "directory") fs.removeTree(path);
  }
  return undefined;
}

function isInsideRoot(spec: OutputSpec, path: string): boolean {
  return spec.roots.some((root) => path === root || path.startsWith(`${root}/`) || root === "");
}

function placeDirectory({ fs, states }: RestoreContext, path: string): void {
  const stat = fs.lstat(path);
  if (stat !== undefined && stat.kind !== "directory") {
    fs.remove(path);
    states.forget(path);
  }
  fs.makeDirectory(path);
}

function placeLink(fs: FileSystem, path: string, target: string): void {
  fs.remove(path);
  fs.symlink(target, path);
}

function rememberWritten(
  { fs, states }: RestoreContext,
  spec: OutputSpec,
  written: readonly { readonly path: string; readonly digest: Digest }[],
): void {
  const stats = fs.statMany(written.map((each) => each.path));
  const known: KnownFile[] = [];
  for (const [index, { path, digest }] of written.entries()) {
    const stat = stats[index];
    if (stat !== undefined) known.push({ path, digest, stat, linked: spec.mode === "link" });
  }
  states.remember(known);
}

/** What an earlier result left, and what is to stay. */
export interface StaleOutputs {
  /** Workspace-relative paths of the outputs of an earlier result of the same node. */
  readonly before: readonly string[];
  /** Those of the present one, its empty directories included. */
  readonly keep: ReadonlySet<string>;
}

/**
 * Removes what an earlier result of the same node left and the present one does not have, then empty directories
 * above it up to the output root.
 */
export function removeStale(
  { fs, states }: Pick<RestoreContext, "fs" | "states">,
  spec: OutputSpec,
  { before, keep }: StaleOutputs,
): void {
  const parents = new Set<string>();
  for (const path of before) {
    if (keep.has(path)) continue;
    const absolute = `${spec.workspaceRoot}/${path}`;
    const stat = fs.lstat(absolute);
    const isEmptyDirectory = stat?.kind === "directory" && spec.matches(`${path}/.`) && isInsideRoot(spec, path);
    if (isEmptyDirectory) parents.add(path);
    if (stat?.kind === "directory" || !spec.matches(path)) continue;
    if (stat !== undefined) {
      fs.remove(absolute);
      states.forget(absolute);
    }
    for (let parent = path; (parent = parent.slice(0, Math.max(0, parent.lastIndexOf("/")))) !== ""; ) {
      if (spec.roots.includes(parent) || !isInsideRoot(spec, parent)) break;
      parents.add(parent);
    }
  }
  for (const parent of [...parents].sort((a, b) => b.length - a.length)) {
    const path = `${spec.workspaceRoot}/${parent}`;
    if (!keep.has(parent) && fs.readDirectory(path)?.length === 0) fs.remove(path);
  }
}
