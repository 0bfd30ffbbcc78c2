/**
 * From an encoded `Tree` message back to a flat list of paths.
 *
 * Invariant: whoever made the bytes, a path that comes out is relative, has no `.`, `..` or empty segment, occurs once,
 *            and is never below a file or a symlink; and the answer is no larger than the limits allow, although equal
 *            sub-trees are stored once and so a few kilobytes can stand for any number of files.
 */
import type { Digest, DigestFunction } from "../digest.ts";
import { digestOf, isNativeDigestFunction } from "../digest.ts";
import { MalformedWire, WireReader } from "../internal/wire-reader.ts";
import type { InputEntry } from "../ports/action-provider.ts";
import type { Problem } from "../problem.ts";
import { problem } from "../problem.ts";
import type { Result } from "../result.ts";
import { err, invariant, ok } from "../result.ts";
import { compareUtf8 } from "../text-order.ts";
import { decodeDirectory, type MalformedProblem } from "./decode.ts";
import type { Directory } from "./messages.ts";

/** What a tree holds, sorted by path. */
export interface FlatTree {
  readonly entries: readonly InputEntry[];
  /** Every directory below the root, parents before children; the empty ones are here only. */
  readonly directories: readonly string[];
}

/** How a tree is read. */
export interface FlattenOptions {
  /** The digest function of the tree. Default: SHA-256. */
  readonly fn?: DigestFunction;
  /** Digest of a message's bytes; needed for a function that Node does not compute itself. */
  readonly digest?: (bytes: Uint8Array) => Digest;
  /** More entries and directories than this are refused. Default: 1,000,000. */
  readonly entriesMax?: number;
}

/** Why a tree cannot be used. */
export type TreeProblem = MalformedProblem | Problem<"tree-malformed" | "tree-too-large">;

/** A path longer than this cannot be made on Linux anyway (PATH_MAX). */
const PATH_LENGTH_MAX = 4096;

/**
 * Reads a `Tree` message.
 *
 * @param bytes the encoded message; children are found by the digest of their own bytes, as the specification says.
 */
export function flattenTree(bytes: Uint8Array, options: FlattenOptions = {}): Result<FlatTree, TreeProblem> {
  const fn = options.fn ?? "sha256";
  const { digest } = options;
  invariant(digest !== undefined || isNativeDigestFunction(fn), `flattenTree needs a digest function for ${fn}`);
  const parts = splitTree(bytes);
  if (!parts.ok) return parts;
  const root = decodeDirectory(parts.value.root, fn);
  if (!root.ok) return root;
  const children = new Map<Digest, Directory>();
  for (const child of parts.value.children) {
    const directory = decodeDirectory(child, fn);
    if (!directory.ok) return directory;
    const key = digest !== undefined ? digest(child) : digestOf(child, isNativeDigestFunction(fn) ? fn : "sha256");
    children.set(key, directory.value);
  }
  return walk(root.value, children, options.entriesMax ?? 1_000_000);
}

function splitTree(bytes: Uint8Array): Result<{ root: Uint8Array; children: Uint8Array[] }, MalformedProblem> {
  try {
    const reader = new WireReader(bytes);
    let root: Uint8Array = new Uint8Array();
    const children: Uint8Array[] = [];
    while (reader.next()) {
      if (reader.tag === 0o12) root = reader.view();
      else if (reader.tag === 0o22) children.push(reader.view());
      else reader.skip();
    }
    return ok({ root, children });
  } catch (error) {
    if (!(error instanceof MalformedWire)) throw error;
    return err(problem("reapi-malformed", `${bytes.length} bytes are not a Tree message: ${error.message}`));
  }
}

function walk(root: Directory, children: ReadonlyMap<Digest, Directory>, entriesMax: number) {
  const entries: InputEntry[] = [];
  const directories: string[] = [];
  // A stack, not recursion: a tree may be as deep as it has children.
  const open: { readonly prefix: string; readonly directory: Directory }[] = [{ prefix: "", directory: root }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const { prefix, directory } = top;
    const names = new Set<string>();
    const bad = badName(directory, names);
    if (bad !== undefined) {
      return malformed(`directory "${prefix}" of a tree has ${bad}`);
    }
    if (entries.length + directories.length + names.size > entriesMax) {
      return err(
        problem("tree-too-large", `a tree holds more than ${entriesMax} entries`, {
          next: "Split the output directory, or find out who made this tree: equal sub-trees may be nested on purpose.",
        }),
      );
    }
    if (prefix.length > PATH_LENGTH_MAX) return malformed(`a path of a tree is longer than ${PATH_LENGTH_MAX}`);
    for (const { name, digest, executable } of directory.files) {
      entries.push({ kind: "file", path: prefix + name, digest, executable });
    }
    for (const { name, target } of directory.symlinks) entries.push({ kind: "symlink", path: prefix + name, target });
    for (const { name, digest } of directory.directories) {
      const child = children.get(digest);
      if (child === undefined) return malformed(`directory "${prefix}${name}" is not among the children of its tree`);
      directories.push(prefix + name);
      open.push({ prefix: `${prefix}${name}/`, directory: child });
    }
  }
  entries.sort((a, b) => compareUtf8(a.path, b.path));
  return ok({ entries, directories: directories.sort(compareUtf8) });
}

/** Fills `names`; says what is wrong with the first name that cannot be one. */
function badName(directory: Directory, names: Set<string>): string | undefined {
  for (const { name } of [...directory.files, ...directory.symlinks, ...directory.directories]) {
    if (name === "" || name === "." || name === "..") return `an entry named "${name}"`;
    if (name.includes("/") || name.includes("\0"))
      return `an entry whose name holds a separator: ${JSON.stringify(name)}`;
    if (names.has(name)) return `two entries named "${name}"`;
    names.add(name);
  }
  return undefined;
}

function malformed(message: string): { readonly ok: false; readonly problem: Problem<"tree-malformed"> } {
  return err(
    problem("tree-malformed", message, { next: "Treat it as a cache miss; whoever stored it made a bad tree." }),
  );
}
