/**
 * Merkle trees of directories: from a flat sorted list of paths, and back (`flatten.ts`).
 *
 * Owns:      the walk; `encode.ts` owns the bytes of the nodes.
 * Invariant: equal sets of entries give equal digests; `flattenTree(treeOf(e))` gives `e` back.
 * Method:    one pass. Because the list is sorted, a directory's entries follow each other, so its message is written
 *            while it is open and hashed when it closes; one buffer per depth is kept and used again, and no object is
 *            made per entry.
 * Cost:      measured 15 µs for 22 files in 5 directories, SHA-256 included.
 */
import type { Digest } from "../digest.ts";
import { digestOf } from "../digest.ts";
import { WireWriter } from "../internal/wire-writer.ts";
import type { InputEntry } from "../ports/action-provider.ts";
import { invariant } from "../result.ts";
import { compareUtf8, sortedBy } from "../text-order.ts";
import { writeDirectoryNode, writeFileNode, writeSymlinkNode } from "./encode.ts";
import type { DirectoryNode } from "./messages.ts";

/** A member of a tree: a file, a symlink, or a directory that is empty (others follow from the paths below them). */
export type TreeEntry = InputEntry | { readonly kind: "directory"; readonly path: string };

/** How digests of directories are made, and whether their bytes are wanted. */
export interface TreeOptions {
  /** Digest of a message's bytes. Default: SHA-256. */
  readonly digest?: (bytes: Uint8Array) => Digest;
  /** `true` fills `directories`; computing a key does not need them. Default: false. */
  readonly keepBytes?: boolean;
}

/** The digest of a root directory, and if asked the encoded directories of its tree, children before parents, each once. */
export interface InputRoot {
  readonly root: Digest;
  readonly directories: Map<Digest, Uint8Array>;
}

/**
 * Digests the tree that these entries make up.
 *
 * @param entries each path once; paths are relative, with `/`, and without empty, `.` or `..` segments. Any order gives
 *   the same digest; one sorted by path is walked as it stands, another one costs a sorted copy.
 * @throws InvariantError when a path is in the list twice or is not relative: both are bugs of the caller.
 */
export function buildInputRoot(entries: readonly TreeEntry[], options: TreeOptions = {}): InputRoot {
  const built =
    build(entries, options) ??
    build(
      [...entries].sort((a, b) => compareUtf8(a.path, b.path)),
      options,
    );
  invariant(built !== undefined, "a path is in a tree twice");
  return built;
}

/** One pass over the list; `undefined` when it is not sorted, or holds a path twice. */
function build(entries: readonly TreeEntry[], options: TreeOptions): InputRoot | undefined {
  const builder = new Builder(options.digest ?? digestOf, options.keepBytes ?? false);
  for (const entry of entries) if (!builder.add(entry)) return undefined;
  const root = builder.finish();
  return root === undefined ? undefined : { root, directories: builder.directories };
}

/** An encoded `Tree` message and what it stands for. */
export interface EncodedTree {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  /** The digest of the root directory alone. */
  readonly root: Digest;
}

/**
 * The `Tree` message of an output directory, of entries as `buildInputRoot` takes them. Each child is in it once, and
 * parents come before their children.
 */
export function treeOf(entries: readonly TreeEntry[], options: Pick<TreeOptions, "digest"> = {}): EncodedTree {
  const digest = options.digest ?? digestOf;
  const { root, directories } = buildInputRoot(entries, { digest, keepBytes: true });
  const writer = new WireWriter();
  writer.bytes(0o12, directories.get(root)!);
  for (const [child, bytes] of [...directories].reverse()) if (child !== root) writer.bytes(0o22, bytes);
  const bytes = writer.copy();
  return { digest: digest(bytes), bytes, root };
}

/** One open directory: its message as far as it is written. */
interface Level {
  name: string;
  readonly files: WireWriter;
  readonly directories: WireWriter;
  readonly symlinks: WireWriter;
  lastFile: string;
  lastSymlink: string;
  /** Sub-directories in the order of closing, which is not always that of names: `a-b/` closes before `a/`. */
  readonly children: DirectoryNode[];
}

// Kept across calls, like the writers' buffers; a build is synchronous, so no two use them at once.
const levels: Level[] = [];

function openLevel(depth: number, name: string): void {
  let level = levels[depth];
  if (level === undefined) {
    level = {
      name,
      files: new WireWriter(),
      directories: new WireWriter(),
      symlinks: new WireWriter(),
      lastFile: "",
      lastSymlink: "",
      children: [],
    };
    levels[depth] = level;
  }
  level.name = name;
  level.lastFile = "";
  level.lastSymlink = "";
  level.files.reset();
  level.directories.reset();
  level.symlinks.reset();
  level.children.length = 0;
}

class Builder {
  readonly directories = new Map<Digest, Uint8Array>();
  readonly #digest: (bytes: Uint8Array) => Digest;
  readonly #keepBytes: boolean;
  #depth = 0;
  /** The path of the deepest open directory, with a slash at its end; empty for the root. */
  #prefix = "";
  #isSorted = true;

  constructor(digest: (bytes: Uint8Array) => Digest, keepBytes: boolean) {
    this.#digest = digest;
    this.#keepBytes = keepBytes;
    openLevel(0, "");
  }

  /** False when this entry may not follow those before it. */
  add(entry: TreeEntry): boolean {
    const { path } = entry;
    while (this.#depth > 0 && !path.startsWith(this.#prefix)) this.#leave();
    let start = this.#prefix.length;
    for (let slash = path.indexOf("/", start); slash !== -1; slash = path.indexOf("/", start)) {
      this.#enter(path.slice(start, slash), path);
      start = slash + 1;
      this.#prefix = path.slice(0, start);
    }
    const name = path.slice(start);
    if (entry.kind === "directory") {
      this.#enter(name, path);
      this.#prefix = `${path}/`;
      this.#leave();
      return this.#isSorted;
    }
    checkName(name, path);
    const level = levels[this.#depth]!;
    if (entry.kind === "file") {
      // Not an empty first name: names are never empty.
      if (level.lastFile !== "" && compareUtf8(level.lastFile, name) >= 0) return false;
      level.lastFile = name;
      const begin = level.files.begin(0o12);
      writeFileNode(level.files, name, entry);
      level.files.end(begin);
    } else {
      if (level.lastSymlink !== "" && compareUtf8(level.lastSymlink, name) >= 0) return false;
      level.lastSymlink = name;
      const begin = level.symlinks.begin(0o32);
      writeSymlinkNode(level.symlinks, name, entry);
      level.symlinks.end(begin);
    }
    return this.#isSorted;
  }

  /** The digest of the root; `undefined` when the list turned out not to be sorted. */
  finish(): Digest | undefined {
    while (this.#depth > 0) this.#leave();
    const root = this.#close(levels[0]!);
    return this.#isSorted ? root : undefined;
  }

  #enter(name: string, path: string): void {
    checkName(name, path);
    openLevel(++this.#depth, name);
  }

  #leave(): void {
    const level = levels[this.#depth--]!;
    const digest = this.#close(level);
    levels[this.#depth]!.children.push({ name: level.name, digest });
    this.#prefix = this.#prefix.slice(0, this.#prefix.lastIndexOf("/", this.#prefix.length - 2) + 1);
  }

  #close(level: Level): Digest {
    const { files, directories, symlinks } = level;
    const children = sortedBy(level.children, (a, b) => compareUtf8(a.name, b.name));
    let previous = "";
    for (const child of children) {
      // A directory that was opened twice: its entries did not follow each other.
      if (child.name === previous) this.#isSorted = false;
      previous = child.name;
      const begin = directories.begin(0o22);
      writeDirectoryNode(directories, child);
      directories.end(begin);
    }
    if (directories.length > 0) files.raw(directories.view());
    if (symlinks.length > 0) files.raw(symlinks.view());
    const bytes = files.view();
    const digest = this.#digest(bytes);
    if (this.#keepBytes && !this.directories.has(digest)) this.directories.set(digest, new Uint8Array(bytes));
    return digest;
  }
}

function checkName(name: string, path: string): void {
  invariant(name !== "" && name !== "." && name !== "..", `not a relative path of a tree: "${path}"`);
}
