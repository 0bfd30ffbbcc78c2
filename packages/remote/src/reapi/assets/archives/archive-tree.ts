/**
 * The tree that an archive describes, entry by entry.
 *
 * Owns:      which paths and links are taken, and what happens when a path comes twice: a later file replaces an earlier one.
 * Invariant: every path and every link stays inside. A path leads through folders alone, so that the folder of a link is
 *            where it says; a target goes up first and down afterwards, never up again, so that no other link on its way
 *            can lead it out.
 */
import type { Digest, Directory, DirectoryNode, FileNode, SymlinkNode } from "@kahn/core";
import { encodeDirectory } from "@kahn/core";
import { malformed, NotUnpacked } from "./unpack-trouble.ts";

const PATH_BYTES_MAX = 4096;
const NAME_BYTES_MAX = 255;
const DEPTH_MAX = 256;

/** A file whose digest is told once its content is there. */
export interface FileSlot {
  readonly kind: "file";
  readonly executable: boolean;
  digest: Digest | undefined;
}

interface Folder {
  readonly kind: "folder";
  readonly entries: Map<string, Entry>;
}

type Entry =
  | Folder
  | FileSlot
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "same"; readonly as: FileSlot };

/** A tree that grows. All methods throw `NotUnpacked` for what it does not take. */
export class ArchiveTree {
  readonly #root: Folder = { kind: "folder", entries: new Map() };
  readonly #implied: () => void;

  /** @param implied is called before each folder that is made because a path leads through it: one path has hundreds. */
  constructor(implied: () => void) {
    this.#implied = implied;
  }

  folder(path: string): void {
    const parts = partsOf(path);
    const name = parts.pop();
    const above = this.#folderAt(parts, path);
    if (name !== undefined) next(above, { name, path });
  }

  file(path: string, executable: boolean): FileSlot {
    const slot: FileSlot = { kind: "file", executable, digest: undefined };
    this.#put(path, slot);
    return slot;
  }

  link(path: string, target: string): void {
    const parts = partsOf(path);
    if (!staysInside(parts.length - 1, target)) throw malformed(`has a link that leads out: ${path} to ${target}`);
    this.#put(path, { kind: "link", target });
  }

  /** A hard link to a file that has come before. */
  sameFile(path: string, earlier: string): void {
    const found = this.#find(partsOf(earlier));
    const as = found?.kind === "same" ? found.as : found;
    if (as?.kind !== "file") throw malformed(`has a hard link to what is no file before it: ${path} to ${earlier}`);
    this.#put(path, { kind: "same", as });
  }

  /**
   * The directories, each after those that are in it; the last is the root. Every slot must have its digest.
   *
   * @param below the folder that is the root; "" for that of the archive. `not-found` when there is none.
   */
  async encode(below: string, add: (directory: Uint8Array) => Promise<Digest>): Promise<Digest> {
    const root = this.#find(partsOf(below));
    if (root?.kind === "folder") return await encoded(root, add);
    throw new NotUnpacked({ kind: "not-found", message: `the archive has no folder ${below}` });
  }

  #put(path: string, entry: Entry): void {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw malformed(`has an entry without a name: ${path}`);
    const { entries } = this.#folderAt(parts, path);
    if (entries.get(name)?.kind === "folder") throw malformed(`has ${path} as a folder and as a file`);
    entries.set(name, entry);
  }

  #folderAt(parts: readonly string[], path: string): Folder {
    let at = this.#root;
    for (const name of parts) {
      if (!at.entries.has(name)) this.#implied();
      at = next(at, { name, path });
    }
    return at;
  }

  #find(parts: readonly string[]): Entry | undefined {
    let at: Entry | undefined = this.#root;
    for (const part of parts) at = at?.kind === "folder" ? at.entries.get(part) : undefined;
    return at;
  }
}

/** The folder of that name, which is made where there is nothing. */
function next({ entries }: Folder, { name, path }: { readonly name: string; readonly path: string }): Folder {
  const found = entries.get(name) ?? { kind: "folder", entries: new Map() };
  if (found.kind !== "folder") throw malformed(`has a path through what is no folder: ${path}`);
  entries.set(name, found);
  return found;
}

async function encoded(folder: Folder, add: (directory: Uint8Array) => Promise<Digest>): Promise<Digest> {
  const files: FileNode[] = [];
  const directories: DirectoryNode[] = [];
  const symlinks: SymlinkNode[] = [];
  for (const [name, entry] of folder.entries) {
    if (entry.kind === "folder") directories.push({ name, digest: await encoded(entry, add) });
    else if (entry.kind === "link") symlinks.push({ name, target: entry.target });
    else {
      const { digest, executable } = entry.kind === "same" ? entry.as : entry;
      files.push({ name, digest: digest!, executable });
    }
  }
  const directory: Directory = { files, directories, symlinks };
  return await add(encodeDirectory(directory));
}

/** The names of a path of an archive. @throws NotUnpacked for one that leads out, or that no tree can hold */
function partsOf(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  const isOut = path.startsWith("/") || parts.includes("..");
  if (isOut) throw malformed(`has a path that leads out: ${path.slice(0, 200)}`);
  const isLong = Buffer.byteLength(path) > PATH_BYTES_MAX || parts.some((it) => Buffer.byteLength(it) > NAME_BYTES_MAX);
  // What is no UTF-8 was read as U+FFFD.
  if (isLong || parts.length > DEPTH_MAX || /[\0\ufffd]/.test(path)) {
    throw malformed(`has a path that is too long or no text: ${path.slice(0, 200)}`);
  }
  return parts;
}

/** @param depth of the folder that the link is in. */
function staysInside(depth: number, target: string): boolean {
  if (target === "" || target.startsWith("/") || /[\0\ufffd]/.test(target)) return false;
  if (Buffer.byteLength(target) > PATH_BYTES_MAX) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const down = parts.findIndex((part) => part !== "..");
  const up = down === -1 ? parts.length : down;
  return up <= depth && !parts.slice(up).includes("..");
}
