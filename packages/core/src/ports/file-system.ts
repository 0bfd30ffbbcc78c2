/**
 * Port: files. Coarse and synchronous: the hot paths of a task runner touch tens of thousands of files, and one
 * promise per file costs six to eight times the CPU of a plain call.
 *
 * Paths are absolute, with `/`. A missing file is an answer (`undefined`), not an error; everything else that the
 * operating system refuses throws `FileSystemError`, which a package turns into a problem at its own border.
 */
import type { Digest, NativeDigestFunction } from "../digest.ts";

/** What `lstat` tells. Times are milliseconds with a fraction; the fraction is exact to about 0.25 µs. */
export interface FileStat {
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly sizeBytes: number;
  /** Permission bits only (`0o7777`). */
  readonly mode: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly dev: number;
  readonly ino: number;
  readonly nlink: number;
  /** What it takes on the disk, where that is known: less than `sizeBytes` for a file with holes. */
  readonly allocatedBytes?: number;
}

/** One name in a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileStat["kind"];
}

/** The operating system's refusal. `code` is its errno name. */
export class FileSystemError extends Error {
  override readonly name = "FileSystemError";
  readonly code: string;
  readonly operation: string;
  readonly path: string;
  /** Size: three facts and, as for every error, options. */
  constructor(code: string, operation: string, path: string, options?: ErrorOptions) {
    super(`${code}: ${operation} ${path}`, options);
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}

/** The outcome of hashing one path: its digest and the stat it belongs to, or why there is none. */
export type HashOutcome =
  | { readonly kind: "file"; readonly digest: Digest; readonly stat: FileStat }
  | { readonly kind: "symlink"; readonly target: string; readonly stat: FileStat }
  | { readonly kind: "absent" }
  /** A directory, socket, device or pipe. */
  | { readonly kind: "not-a-file"; readonly stat: FileStat }
  /** It changed under each of several readings. */
  | { readonly kind: "unstable" }
  | { readonly kind: "unreadable"; readonly code: string };

/** One file to be made from another. */
export interface CopyRequest {
  readonly from: string;
  readonly to: string;
  /** Permission bits of the new file. Left out for a link, which shares its source's. */
  readonly mode: number;
}

/** A file open for appending and positioned writes. */
export interface FileHandle {
  /** Appends all bytes at the end; returns the new size. */
  append(bytes: Uint8Array): number;
  /** Cuts the file to `sizeBytes`. */
  truncate(sizeBytes: number): void;
  /** Appends off the calling thread, one call at a time; the bytes must not change until then. Left out: `append`. */
  appendLater?(bytes: Uint8Array): Promise<void>;
  /** Flushes data to the device (`fdatasync`), off the calling thread. */
  sync(): Promise<void>;
  /** The same on the calling thread, which it holds up: for flushes known to be quick. Left out where there is none. */
  syncNow?(): void;
  sizeBytes(): number;
  close(): void;
}

/** A file open for reading, which stays readable when its name goes. */
export interface ReadHandle {
  /** Fills `into` from `offset`, off the calling thread; resolves to how much there was: less only at the end. */
  read(offset: number, into: Uint8Array): Promise<number>;
  /** Size now. */
  sizeBytes(): number;
  /** Lets go, once no read is under way. */
  close(): void;
}

/** A directory that is held open: what is done below `path` is done in it, whatever becomes of the names it had. */
export interface HeldDirectory {
  /** Not to be used any more once it is closed: it may then be another directory's. */
  readonly path: string;
  close(): void;
}

/** The file system. Implementations: `system` (Node), `testing` (memory, with seeded faults). */
export interface FileSystem {
  lstat(path: string): FileStat | undefined;
  /** `lstat` for many paths, in order. Unreachable paths (ENOENT, ENOTDIR) are `undefined`. */
  statMany(paths: readonly string[]): (FileStat | undefined)[];
  /** Digests many files: lstat, read, fstat, repeated when they differ. Symlinks are read, never followed. */
  hashMany(paths: readonly string[], fn?: NativeDigestFunction): HashOutcome[];
  /** Unsorted; `undefined` when there is no such directory. */
  readDirectory(path: string): DirectoryEntry[] | undefined;
  /** Whole contents; `undefined` when there is no such file. Follows symlinks. */
  readFile(path: string): Uint8Array | undefined;
  /** At most `lengthBytes` from `offset`; `undefined` when there is no such file. */
  readRange(path: string, offset: number, lengthBytes: number): Uint8Array | undefined;
  /**
   * Creates or replaces the contents, through symlinks. `exclusive` refuses an existing name with EEXIST. `mode` holds
   * exactly, whatever the umask, for a file that exists too. Not atomic: see `writeFileAtomic`.
   */
  writeFile(path: string, bytes: Uint8Array | string, options?: { mode?: number; exclusive?: boolean }): void;
  /** Opens for appending; creates the file when absent. */
  openAppend(path: string): FileHandle;
  /** Opens for reading; `undefined` when there is no such file. Follows symlinks. */
  openRead(path: string): ReadHandle | undefined;
  readLink(path: string): string | undefined;
  realPath(path: string): string | undefined;
  /**
   * Holds a directory open; `undefined` when there is none at `path`, or a symlink. Left out where nobody else can
   * change what is on the way.
   */
  holdDirectory?(path: string): HeldDirectory | undefined;
  /** Creates a directory and its parents; no effect when it exists. */
  makeDirectory(path: string): void;
  /** Replaces a file or an empty directory at `to`, atomically. */
  rename(from: string, to: string): void;
  /** Hard link; EEXIST when `to` exists, EXDEV or EMLINK when it cannot be. */
  link(from: string, to: string): void;
  /** `link` for many; stops at the first refusal by throwing. */
  linkMany(requests: readonly Omit<CopyRequest, "mode">[]): void;
  symlink(target: string, path: string): void;
  /**
   * Copies by reflink where the file system can, else byte by byte. Replaces the name `to` by a new inode with exactly
   * that mode: other names of the old one, and the target of a symlink, stay as they are.
   */
  copyFile(request: CopyRequest): void;
  /** `copyFile` for many; stops at the first refusal by throwing. */
  copyMany(requests: readonly CopyRequest[]): void;
  chmod(path: string, mode: number): void;
  /** Sets access and modification time, in milliseconds. Never follows symlinks. */
  setTimes(path: string, atimeMs: number, mtimeMs: number): void;
  /** Removes a file, link or empty directory; `false` when there was none. */
  remove(path: string): boolean;
  /** Removes a whole tree, read-only directories in it too; no effect when there is none. Never follows symlinks. */
  removeTree(path: string): void;
  /** The same, while others get their turns. Left out where nothing is large. */
  removeTreeInTurns?(path: string): Promise<void>;
  /** Flushes everything written so far on the file system that holds `path`. */
  syncAll(path: string): Promise<void>;
  /** Flushes the names of one directory: what was renamed into it is there after a power loss. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that an unprivileged writer may still take. */
  freeBytes(path: string): number;
}
