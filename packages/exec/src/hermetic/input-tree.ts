/**
 * Input trees: `Directory` messages that a client sent, read, judged, and kept for the next action that uses them.
 *
 * Owns:      the canonical-form checks, the walk over a whole tree, and the memory of trees already walked.
 * Never:     touches the file system; nothing of a tree that is refused is ever written.
 * Invariant: in a tree that comes out every name is one segment, occurs once in its directory, and is none of `.` and
 *            `..`; and the tree has no more than the allowed number of entries, however few messages stand for them.
 * Method:    equal directories are one object, and a directory's count of entries is made when it is, so a tree that
 *            was seen costs one look-up, and one that multiplies itself is refused by a sum.
 */
import {
  type BlobStore,
  compareUtf8,
  DIRECTORY_MAX_BYTES,
  type Digest,
  type Directory,
  decodeDirectory,
  digestFunction,
  digestSizeBytes,
  invariant,
  type Problem,
  problem,
  type Result,
  readMessage,
  type StoreProblem,
} from "@kahn/core";
import type { InvalidActionCode } from "./hermetic-action.ts";

/** A directory with all that is below it. */
export interface InputTree {
  readonly digest: Digest;
  readonly directory: Directory;
  readonly children: ReadonlyMap<string, InputTree>;
  /** Files, symlinks and directories below, at every place where they occur. */
  readonly entries: number;
  /** Of the files, each as often as it occurs. */
  readonly sizeBytes: number;
  /** Levels below; 0 for one without sub-directories. */
  readonly depth: number;
}

/** What reading a tree gave. */
export type InputTreeOutcome =
  | { readonly kind: "tree"; readonly tree: InputTree }
  /** Directories that lack, and files below those that do not. Sorted, each once. */
  | { readonly kind: "missing-blobs"; readonly digests: readonly Digest[] }
  | { readonly kind: "invalid"; readonly problem: Problem<InvalidActionCode> }
  | { readonly kind: "errored"; readonly problem: StoreProblem };

/** How trees are read. */
export interface InputTreesOptions {
  readonly blobs: BlobStore;
  /** More entries than this in one tree are refused. */
  readonly entriesMax: number;
  /** Absolute symlinks are refused when false. */
  readonly allowAbsoluteSymlinks: boolean;
}

/** Directories are remembered until they hold so many names together; the least recently used go first. */
const KNOWN_NAMES_MAX = 500_000;
/** No path longer than PATH_MAX can be made, and each level takes two bytes of it. */
const DEPTH_MAX = 2048;
const NAME_BYTES_MAX = 255;

/** Reads trees and remembers them. */
export class InputTrees {
  readonly #options: InputTreesOptions;
  readonly #known = new Map<Digest, InputTree>();
  #knownNames = 0;

  constructor(options: InputTreesOptions) {
    this.#options = options;
  }

  /** The tree of a root directory. A tree that was read before is answered without asking the store. */
  async load(root: Digest): Promise<InputTreeOutcome> {
    const known = this.#known.get(root);
    if (known !== undefined) {
      this.#remember(known);
      return { kind: "tree", tree: known };
    }
    const read = await this.#readAll(root);
    if (read.kind !== "read") return read;
    return read.missing.size > 0 ? this.#missing(read) : this.#assemble(root, read);
  }

  /** Every file of a tree that is not in the store. Sorted, each once. */
  async missingFiles(tree: InputTree): Promise<Result<Digest[], StoreProblem>> {
    return await this.#absent(filesOf([tree]));
  }

  /** Reads level by level, each directory once; goes on after one that lacks, to name all that do. */
  async #readAll(root: Digest): Promise<ReadTree | Exclude<InputTreeOutcome, { kind: "tree" }>> {
    const directories = new Map<Digest, Directory>();
    const missing = new Set<Digest>();
    // Held here: what is known now may be forgotten while the rest is read.
    const reused = new Map<Digest, InputTree>();
    const open = [root];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      if (directories.has(digest) || missing.has(digest) || reused.has(digest)) continue;
      const known = this.#known.get(digest);
      if (known !== undefined) {
        reused.set(digest, known);
        continue;
      }
      const message = await readMessage(this.#options.blobs, digest, DIRECTORY_MAX_BYTES);
      if (!message.ok) return { kind: "errored", problem: message.problem };
      if (message.value.kind === "too-large") return invalid(digest, `more than ${DIRECTORY_MAX_BYTES} bytes`);
      if (message.value.kind === "missing") {
        missing.add(digest);
        continue;
      }
      const decoded = decodeDirectory(message.value.bytes, digestFunction(digest));
      const bad = decoded.ok ? this.#flaw(decoded.value) : decoded.problem.message;
      if (bad !== undefined) return invalid(digest, bad);
      if (!decoded.ok) continue;
      if (!this.#options.allowAbsoluteSymlinks) {
        const absolute = decoded.value.symlinks.find(({ target }) => target.startsWith("/"));
        if (absolute !== undefined) return absoluteSymlink(absolute.name, absolute.target);
      }
      directories.set(digest, decoded.value);
      for (const child of decoded.value.directories) open.push(child.digest);
    }
    return { kind: "read", directories, missing, reused };
  }

  #flaw({ files, directories, symlinks }: Directory): string | undefined {
    const names = new Set<string>();
    for (const list of [files, directories, symlinks]) {
      for (const { name } of list) {
        const bad = nameFlaw(name);
        if (bad !== undefined) return bad;
        if (names.has(name)) return `two entries named ${JSON.stringify(name)}`;
        names.add(name);
      }
      const unsorted = firstUnsorted(list);
      if (unsorted !== undefined) return `names out of order at ${JSON.stringify(unsorted)}`;
    }
    const empty = symlinks.find(({ target }) => target === "" || target.includes("\0"));
    return empty === undefined ? undefined : `the symlink ${JSON.stringify(empty.name)} without a possible target`;
  }

  /** Builds from below. A stack, not recursion: a tree may be as deep as it has messages. */
  #assemble(root: Digest, { directories, reused }: ReadTree): InputTreeOutcome {
    const built = new Map(reused);
    const entered = new Set<Digest>();
    const open = [root];
    for (let digest = open.at(-1); digest !== undefined; digest = open.at(-1)) {
      const directory = directories.get(digest);
      if (built.has(digest) || directory === undefined) {
        open.pop();
        continue;
      }
      const next = directory.directories.filter((child) => !built.has(child.digest));
      if (next.length > 0) {
        // No hash function that is sound allows it; a store that does not verify might.
        if (entered.has(digest)) return invalid(digest, "itself below it");
        entered.add(digest);
        // Not spread into one call: there may be more than a call takes.
        for (const child of next) open.push(child.digest);
        continue;
      }
      open.pop();
      const tree = joined(digest, directory, built);
      if (tree.depth > DEPTH_MAX) return invalid(digest, `more than ${DEPTH_MAX} levels below it`);
      if (tree.entries > this.#options.entriesMax) return tooLarge(this.#options.entriesMax);
      built.set(digest, tree);
    }
    for (const tree of built.values()) this.#remember(tree);
    const tree = built.get(root);
    invariant(tree !== undefined, "a tree was assembled without its root");
    return { kind: "tree", tree };
  }

  #remember(tree: InputTree): void {
    if (!this.#known.delete(tree.digest)) this.#knownNames += ownNames(tree);
    this.#known.set(tree.digest, tree);
    for (const [digest, oldest] of this.#known) {
      if (this.#knownNames <= KNOWN_NAMES_MAX) break;
      this.#known.delete(digest);
      this.#knownNames -= ownNames(oldest);
    }
  }

  async #missing({ missing, directories, reused }: ReadTree): Promise<InputTreeOutcome> {
    const files = filesOf(reused.values());
    for (const { files: each } of directories.values()) for (const { digest } of each) files.add(digest);
    const absent = await this.#absent(files);
    if (!absent.ok) return { kind: "errored", problem: absent.problem };
    return { kind: "missing-blobs", digests: [...missing, ...absent.value].sort() };
  }

  async #absent(files: ReadonlySet<Digest>): Promise<Result<Digest[], StoreProblem>> {
    // The empty blob is always there, whether anybody sent it or not.
    const found = await this.#options.blobs.findMissing([...files].filter((digest) => digestSizeBytes(digest) > 0));
    return found.ok ? { ok: true, value: found.value.sort() } : found;
  }
}

interface ReadTree {
  readonly kind: "read";
  readonly directories: ReadonlyMap<Digest, Directory>;
  readonly missing: ReadonlySet<Digest>;
  /** Trees below that were read before. */
  readonly reused: ReadonlyMap<Digest, InputTree>;
}

function joined(digest: Digest, directory: Directory, built: ReadonlyMap<Digest, InputTree>): InputTree {
  const children = new Map<string, InputTree>();
  let entries = directory.files.length + directory.symlinks.length + directory.directories.length;
  let sizeBytes = directory.files.reduce((sum, file) => sum + digestSizeBytes(file.digest), 0);
  let depth = 0;
  for (const child of directory.directories) {
    const tree = built.get(child.digest);
    invariant(tree !== undefined, "a directory was assembled before one below it");
    children.set(child.name, tree);
    entries += tree.entries;
    sizeBytes += tree.sizeBytes;
    depth = Math.max(depth, tree.depth + 1);
  }
  return { digest, directory, children, entries, sizeBytes, depth };
}

function ownNames({ directory }: InputTree): number {
  return 1 + directory.files.length + directory.symlinks.length + directory.directories.length;
}

function filesOf(trees: Iterable<InputTree>): Set<Digest> {
  const files = new Set<Digest>();
  const seen = new Set<InputTree>();
  const open = [...trees];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    if (seen.has(top)) continue;
    seen.add(top);
    for (const { digest } of top.directory.files) files.add(digest);
    for (const child of top.children.values()) open.push(child);
  }
  return files;
}

function nameFlaw(name: string): string | undefined {
  if (name === "" || name === "." || name === "..") return `an entry named "${name}"`;
  if (name.includes("/") || name.includes("\0")) return `a name that is a path: ${JSON.stringify(name)}`;
  if (name.length * 3 > NAME_BYTES_MAX && Buffer.byteLength(name) > NAME_BYTES_MAX)
    return `a name of more than ${NAME_BYTES_MAX} bytes: ${name.slice(0, 40)}…`;
  return undefined;
}

/** Sorted by bytes, as the specification means, or by UTF-16 units, as clients in Java and JavaScript sort. */
function firstUnsorted(list: readonly { readonly name: string }[]): string | undefined {
  let byBytes: string | undefined;
  let byUnits: string | undefined;
  for (let index = 1; index < list.length; index++) {
    const name = list[index]!.name;
    const previous = list[index - 1]!.name;
    if (byUnits === undefined && previous >= name) byUnits = name;
    if (byBytes === undefined && compareUtf8(previous, name) >= 0) byBytes = name;
    if (byUnits !== undefined && byBytes !== undefined) return byBytes;
  }
  return undefined;
}

function invalid(digest: Digest, what: string): Extract<InputTreeOutcome, { kind: "invalid" }> {
  const message = `the directory ${digest} of the input tree has ${what}`;
  const next = "Correct the tool that made this tree: names are single segments, sorted, and unique.";
  return { kind: "invalid", problem: problem("input-tree-invalid", message, { next }) };
}

function tooLarge(entriesMax: number): Extract<InputTreeOutcome, { kind: "invalid" }> {
  const message = `the input tree has more than ${entriesMax} entries`;
  const next =
    "Give the action fewer inputs, or find out who made this tree: equal directories may be nested on purpose.";
  return { kind: "invalid", problem: problem("input-tree-too-large", message, { next }) };
}

function absoluteSymlink(name: string, target: string): Extract<InputTreeOutcome, { kind: "invalid" }> {
  const message = `the input symlink ${JSON.stringify(name)} leads to the absolute path ${target}`;
  const next = "Make it relative; this server takes no absolute symlinks.";
  return { kind: "invalid", problem: problem("symlink-absolute", message, { next }) };
}
