/**
 * Where a path leads for one caller: the walk, the permission bits, and the refusal that fits.
 *
 * Never: changes anything.
 */
import { FileSystemError, InvariantError } from "@kahn/core";
import type { DirectoryInode, FileInode, Inode } from "./inode.ts";
import type { Place } from "./path-walk.ts";
import { walk } from "./path-walk.ts";

const READ = 0o400;
const WRITE = 0o200;
const SEARCH = 0o100;

/** Paths as one caller may use them. Every method takes the operation's name first, for the error. */
export class PathAccess {
  readonly #root: DirectoryInode;
  readonly #privileged: boolean;

  /** @param privileged true for a caller that permission bits do not bind. */
  constructor(root: DirectoryInode, privileged: boolean) {
    this.#root = root;
    this.#privileged = privileged;
  }

  /** The place, or the errno name of what stopped the walk. */
  walk(path: string, follow: boolean): Place | string {
    if (!path.startsWith("/")) throw new InvariantError(`a path must be absolute: "${path}"`);
    return walk({ root: this.#root, path, follow, maySearch: (directory) => this.#may(directory, SEARCH) });
  }

  /** The place a path leads to; throws whatever stops the walk. */
  place(operation: string, path: string, follow: boolean): Place {
    const place = this.walk(path, follow);
    if (typeof place === "string") throw new FileSystemError(place, operation, path);
    return place;
  }

  /** The same, but `undefined` when the path leads nowhere. */
  find(operation: string, path: string, follow: boolean): Place | undefined {
    const place = this.walk(path, follow);
    if (place === "ENOENT" || place === "ENOTDIR") return undefined;
    if (typeof place === "string") throw new FileSystemError(place, operation, path);
    return place;
  }

  /** A place where something is; ENOENT when nothing is. */
  existing(operation: string, path: string, follow: boolean): Place & { readonly node: Inode } {
    const place = this.place(operation, path, follow);
    if (place.node === undefined) throw new FileSystemError("ENOENT", operation, path);
    return { ...place, node: place.node };
  }

  /** A place for a new name; EEXIST when it is taken. */
  vacant(operation: string, path: string): Place {
    const place = this.place(operation, path, false);
    if (place.node !== undefined) throw new FileSystemError("EEXIST", operation, path);
    this.needEntries(operation, path, place.parent);
    return place;
  }

  /** A file whose contents may be read, through symlinks; `undefined` when there is none. */
  readableFile(operation: string, path: string): FileInode | undefined {
    const node = this.find(operation, path, true)?.node;
    if (node === undefined) return undefined;
    if (node.kind !== "file")
      throw new FileSystemError(node.kind === "directory" ? "EISDIR" : "ENXIO", operation, path);
    this.needRead(operation, path, node);
    return node;
  }

  /** A file whose contents may be changed, or the place where one may be made; through symlinks. */
  writableFile(operation: string, path: string): FileInode | Place {
    const place = this.place(operation, path, true);
    const { node } = place;
    if (node === undefined) {
      this.needEntries(operation, path, place.parent);
      return place;
    }
    if (node.kind !== "file")
      throw new FileSystemError(node.kind === "directory" ? "EISDIR" : "ENXIO", operation, path);
    if (!this.#may(node, WRITE)) throw new FileSystemError("EACCES", operation, path);
    return node;
  }

  /** EACCES unless names of the directory may be added and removed. */
  needEntries(operation: string, path: string, directory: DirectoryInode): void {
    if (!this.#may(directory, WRITE | SEARCH)) throw new FileSystemError("EACCES", operation, path);
  }

  /** EACCES unless a file's contents or a directory's names may be read. */
  needRead(operation: string, path: string, node: Inode): void {
    if (!this.mayRead(node)) throw new FileSystemError("EACCES", operation, path);
  }

  mayRead(node: Inode): boolean {
    return this.#may(node, READ);
  }

  #may(node: Inode, bits: number): boolean {
    return this.#privileged || (node.mode & bits) === bits;
  }
}
