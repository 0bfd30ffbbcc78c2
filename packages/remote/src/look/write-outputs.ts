/**
 * Writes what an action gave to a folder.
 *
 * Owns:      the check of every path before the first file is made: a result is whatever a server says.
 * Invariant: nothing outside the folder is touched, and nothing is written through a symbolic link below it. A folder that
 *            is in the way of a file stays; what else is at a path of an output is replaced, and all the rest stays.
 */
import type { ActionResult, BlobStore, FileSystem, InputEntry, MaterializeRequest, Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { flattenResult } from "@kahn/exec";

/** Where outputs go, and where they come from. */
export interface OutputPlace {
  readonly fs: FileSystem;
  readonly blobs: BlobStore;
  /** Absolute; made if it is not there. */
  readonly directory: string;
  /** Of the action: paths of a result are meant from there. What is written is as in the root of its inputs. */
  readonly workingDirectory: string;
}

/**
 * Writes all outputs.
 *
 * @returns how many files, links and empty directories; `action-outputs-invalid`: a path leads outside or through another output;
 *          `action-outputs-blocked`: a folder is where a file is to be; `action-outputs-missing`: a blob is not there; or trouble of the
 *          store. @throws FileSystemError
 */
export async function writeOutputs(place: OutputPlace, result: ActionResult): Promise<Result<number, Problem>> {
  const { fs, blobs, directory, workingDirectory } = place;
  const unsound = unsoundPath(result, workingDirectory);
  if (unsound !== undefined) return err(invalid(unsound, "leads outside of the inputs"));
  const flat = await flattenResult(blobs, result, workingDirectory);
  if (!flat.ok) {
    if (flat.problem.code === "missing") return err(missing("digest" in flat.problem ? flat.problem.digest : ""));
    return err(flat.problem as Problem);
  }
  const entries = flat.value;
  const within = entryWithin(entries);
  if (within !== undefined) return err(invalid(within, "is below another output that is no directory, or named twice"));
  fs.makeDirectory(directory);
  const root = fs.realPath(directory) ?? directory;
  const blocked = entries.find(
    ({ kind, path }) => kind !== "directory" && fs.lstat(`${root}/${path}`)?.kind === "directory",
  );
  if (blocked !== undefined) return err(inTheWay(`${root}/${blocked.path}`));
  makeDirectories(fs, root, entries);
  const requests: MaterializeRequest[] = [];
  for (const entry of entries) {
    const path = `${root}/${entry.path}`;
    if (entry.kind === "directory") continue;
    // Not even a file is written into: it may have other names elsewhere.
    fs.remove(path);
    if (entry.kind === "symlink") fs.symlink(entry.target, path);
    else requests.push({ digest: entry.digest, path, executable: entry.executable, how: "copy" });
  }
  const made = await blobs.materialize(requests);
  if (!made.ok) return made;
  const failed = made.value.findIndex((outcome) => outcome !== "done");
  return failed === -1 ? ok(entries.length) : err(missing(requests[failed]!.digest));
}

/** A path that is no name below the inputs' root. Paths within trees are checked by whoever reads trees. */
function unsoundPath(result: ActionResult, workingDirectory: string): string | undefined {
  const { outputFiles, outputDirectories, outputSymlinks } = result;
  const leaves = [...outputFiles, ...outputSymlinks].find(({ path }) => !isBelow(workingDirectory, path, 1));
  // All of the working directory may be an output.
  return (leaves ?? outputDirectories.find(({ path }) => !isBelow(workingDirectory, path, 0)))?.path;
}

/** Whether a path stays inside at each step, and ends at least so deep. */
function isBelow(workingDirectory: string, path: string, depthMin: number): boolean {
  if (path.startsWith("/") || path.includes("\0")) return false;
  let depth = 0;
  for (const segment of `${workingDirectory}/${path}`.split("/")) {
    if (segment === "" || segment === ".") continue;
    depth += segment === ".." ? -1 : 1;
    if (depth < 0) return false;
  }
  return depth >= depthMin;
}

/** A path that occurs twice, or is below one that is no directory. */
function entryWithin(entries: readonly InputEntry[]): string | undefined {
  const kinds = new Map(entries.map(({ path, kind }) => [path, kind]));
  const seen = new Set<string>();
  for (const { path } of entries) {
    if (seen.has(path)) return path;
    seen.add(path);
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const kind = kinds.get(path.slice(0, at));
      if (kind !== undefined && kind !== "directory") return path;
    }
  }
  return undefined;
}

/** Makes every directory a real one. Shortest first, so that a parent is sound before anything is made in it. */
function makeDirectories(fs: FileSystem, root: string, entries: readonly InputEntry[]): void {
  const wanted = new Set<string>();
  for (const { kind, path } of entries) {
    if (kind === "directory") wanted.add(path);
    for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) wanted.add(path.slice(0, at));
  }
  for (const path of [...wanted].sort((a, b) => a.length - b.length)) {
    const absolute = `${root}/${path}`;
    const stat = fs.lstat(absolute);
    if (stat?.kind === "directory") continue;
    if (stat !== undefined) fs.remove(absolute);
    fs.makeDirectory(absolute);
  }
}

function invalid(path: string, why: string): Problem<"action-outputs-invalid"> {
  return problem("action-outputs-invalid", `the result names an output ${JSON.stringify(path)}, which ${why}`, {
    next: "Nothing was written. Find out who made this result.",
  });
}

function inTheWay(path: string): Problem<"action-outputs-blocked"> {
  return problem("action-outputs-blocked", `${path} is a directory, and the output of that name is none`, {
    next: "Remove it, or name another folder. Nothing was written.",
  });
}

function missing(digest: string): Problem<"action-outputs-missing"> {
  return problem("action-outputs-missing", `the blob ${digest}, of which outputs are made, is not there`, {
    next: "Run the action again without --cached; its result may have outlived its files.",
  });
}
