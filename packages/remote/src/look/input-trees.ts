/**
 * Input trees of stored actions: counted, and compared.
 *
 * Invariant: two trees are compared by reading only directories that differ, so what they share costs nothing.
 */
import type { BlobStore, Digest, Directory, Problem, Result } from "@kahn/core";
import {
  compareUtf8,
  DIRECTORY_MAX_BYTES,
  decodeDirectory,
  digestFunction,
  digestSizeBytes,
  err,
  ok,
  problem,
  readMessage,
} from "@kahn/core";

type Blobs = Pick<BlobStore, "read">;

/** What a tree holds. */
export interface InputCounts {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly sizeBytes: number;
  /** Directories whose message is not there any more; what is below them is not counted. */
  readonly unknown: number;
}

/** An input that two trees do not share; `undefined` on a side that does not have it. */
export interface InputDifference {
  readonly path: string;
  /** A digest, with `+x` behind it for an executable; `-> target`; or `directory`, with its digest when it is lost. */
  readonly first: string | undefined;
  readonly second: string | undefined;
}

/** More entries than this are not counted or compared. */
const ENTRIES_MAX = 1_000_000;

/** Counts a tree. Equal directories are read once and counted as often as they occur. */
export async function countInputs(blobs: Blobs, root: Digest): Promise<Result<InputCounts, Problem>> {
  const known = new Map<Digest, Directory | undefined>();
  const counts = { files: 0, directories: 0, symlinks: 0, sizeBytes: 0, unknown: 0 };
  const open = [root];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (!known.has(digest)) {
      const read = await readDirectory(blobs, digest);
      if (!read.ok) return read;
      known.set(digest, read.value);
    }
    const directory = known.get(digest);
    if (directory === undefined) {
      counts.unknown++;
      continue;
    }
    counts.files += directory.files.length;
    counts.symlinks += directory.symlinks.length;
    counts.directories += directory.directories.length;
    for (const file of directory.files) counts.sizeBytes += digestSizeBytes(file.digest);
    for (const child of directory.directories) open.push(child.digest);
    if (counts.files + counts.directories + counts.symlinks > ENTRIES_MAX) return tooLarge(root);
  }
  return ok(counts);
}

/** Where two trees differ, sorted by path. */
export async function compareInputs(
  blobs: Blobs,
  first: Digest,
  second: Digest,
): Promise<Result<readonly InputDifference[], Problem>> {
  const found: InputDifference[] = [];
  const open: Pair[] = [{ path: "", first, second, isTold: false }];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    if (pair.first === pair.second) continue;
    const one = await sideOf(blobs, pair.first);
    if (!one.ok) return one;
    const two = await sideOf(blobs, pair.second);
    if (!two.ok) return two;
    const lost = one.value === "lost" || two.value === "lost";
    if (lost || isEmptyDirectory(pair, one.value, two.value)) {
      found.push({ path: pair.path, first: directoryFact(pair.first, lost), second: directoryFact(pair.second, lost) });
    }
    if (one.value !== "lost" && two.value !== "lost")
      compareLevel(pair.path, { one: one.value, two: two.value, found, open });
    if (found.length + open.length > ENTRIES_MAX) return tooLarge(first);
  }
  return ok(found.sort((a, b) => compareUtf8(a.path, b.path)));
}

interface Pair {
  readonly path: string;
  readonly first: Digest | undefined;
  readonly second: Digest | undefined;
  /** Something else has its name on the other side, which was said. */
  readonly isTold: boolean;
}

interface Level {
  readonly one: Directory;
  readonly two: Directory;
  readonly found: InputDifference[];
  readonly open: Pair[];
}

const NOTHING: Directory = { files: [], directories: [], symlinks: [] };

async function sideOf(blobs: Blobs, digest: Digest | undefined): Promise<Result<Directory | "lost", Problem>> {
  if (digest === undefined) return ok(NOTHING);
  const read = await readDirectory(blobs, digest);
  return read.ok ? ok(read.value ?? "lost") : read;
}

/** A directory that only one side has shows by what is in it, unless nothing is. */
function isEmptyDirectory({ first, second, isTold }: Pair, one: Directory | "lost", two: Directory | "lost"): boolean {
  if (isTold || (first !== undefined && second !== undefined)) return false;
  const only = first === undefined ? two : one;
  return only !== "lost" && only.files.length + only.directories.length + only.symlinks.length === 0;
}

function directoryFact(digest: Digest | undefined, lost: boolean): string | undefined {
  if (digest === undefined) return undefined;
  return lost ? `directory ${digest}` : "directory";
}

function compareLevel(path: string, { one, two, found, open }: Level): void {
  const below = (name: string) => (path === "" ? name : `${path}/${name}`);
  const [first, second] = [leavesOf(one), leavesOf(two)];
  const [children, others] = [childrenOf(one), childrenOf(two)];
  const names = new Set([...first.keys(), ...second.keys()]);
  for (const name of names) {
    const a = first.get(name) ?? (children.has(name) ? "directory" : undefined);
    const b = second.get(name) ?? (others.has(name) ? "directory" : undefined);
    if (a !== b) found.push({ path: below(name), first: a, second: b });
  }
  for (const name of new Set([...children.keys(), ...others.keys()])) {
    const pair = { path: below(name), first: children.get(name), second: others.get(name) };
    open.push({ ...pair, isTold: names.has(name) });
  }
}

function childrenOf({ directories }: Directory): Map<string, Digest> {
  return new Map(directories.map(({ name, digest }) => [name, digest]));
}

function leavesOf({ files, symlinks }: Directory): Map<string, string> {
  return new Map([
    ...files.map(({ name, digest, executable }) => [name, executable ? `${digest} +x` : digest] as const),
    ...symlinks.map(({ name, target }) => [name, `-> ${target}`] as const),
  ]);
}

async function readDirectory(blobs: Blobs, digest: Digest): Promise<Result<Directory | undefined, Problem>> {
  const message = await readMessage(blobs, digest, DIRECTORY_MAX_BYTES);
  if (!message.ok) return message;
  if (message.value.kind === "missing") return ok(undefined);
  const decoded =
    message.value.kind === "too-large" ? undefined : decodeDirectory(message.value.bytes, digestFunction(digest));
  if (decoded?.ok === true) return decoded;
  const why = decoded === undefined ? `it has more than ${DIRECTORY_MAX_BYTES} bytes` : decoded.problem.message;
  return err(
    problem("input-tree-invalid", `${digest} is no Directory: ${why}`, {
      next: "Correct the tool that made this tree.",
    }),
  );
}

function tooLarge(root: Digest) {
  const next = "Find out who made this tree: equal directories may be nested on purpose.";
  return err(problem("input-tree-too-large", `the input tree ${root} has more than ${ENTRIES_MAX} entries`, { next }));
}
