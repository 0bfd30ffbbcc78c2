/**
 * The `FileSystem` port on Node's synchronous calls.
 *
 * Owns:      the choice of calls, and the mapping of refusals to `FileSystemError`.
 * Never:     follows a symlink when it removes, hashes or copies over something; writes through an existing inode
 *            when it copies (the old file may be a hard link into the store).
 * Invariant: a name that is not valid UTF-8 is reported as Node decodes it, and is then absent for every call.
 */
import {
  chmodSync,
  closeSync,
  type Dirent,
  fchmodSync,
  linkSync,
  lutimesSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import type { DirectoryEntry, FileStat, FileSystem } from "@kahn/core";
import { openAppendHandle } from "./internal/append-handle.ts";
import { FileCopier } from "./internal/file-copier.ts";
import { FileHasher } from "./internal/file-hasher.ts";
import { lstatOrAbsent } from "./internal/file-stat.ts";
import { flushFileSystem, flushPath } from "./internal/flush.ts";
import { holdDirectory } from "./internal/held-directory.ts";
import { makeDirectories } from "./internal/make-directories.ts";
import { fill } from "./internal/read.ts";
import { openReadHandle } from "./internal/read-handle.ts";
import { errnoOf, guarded, guardedOrAbsent, isAbsent, refusal } from "./internal/refusal.ts";
import { removeTree, removeTreeInTurns } from "./internal/remove-tree.ts";

/** The real file system. Instances share nothing but the disk; each has its own read buffer, made at first use. */
export function nodeFileSystem(): FileSystem {
  const hasher = new FileHasher();
  const copier = new FileCopier();
  return {
    lstat: lstatOrAbsent,
    statMany: (paths) => paths.map(lstatOrAbsent),
    hashMany: (paths, fn = "sha256") => paths.map((path) => hasher.hash(path, fn)),
    readDirectory: (path) =>
      guardedOrAbsent("readdir", path, () => readdirSync(path, { withFileTypes: true }).map(toDirectoryEntry)),
    readFile: (path) => guardedOrAbsent("read", path, () => readFileSync(path)),
    readRange,
    writeFile,
    openAppend: openAppendHandle,
    openRead: openReadHandle,
    readLink: (path) => guardedOrAbsent("readlink", path, () => readlinkSync(path)),
    realPath: (path) => guardedOrAbsent("realpath", path, () => realpathSync.native(path)),
    holdDirectory,
    makeDirectory: (path) => guarded("mkdir", path, () => makeDirectories(path)),
    rename: (from, to) => guarded("rename", `${from} -> ${to}`, () => renameSync(from, to)),
    link,
    linkMany: (requests) => {
      for (const request of requests) link(request.from, request.to);
    },
    symlink: (target, path) => guarded("symlink", path, () => symlinkSync(target, path)),
    copyFile: (request) => copier.copy(request),
    copyMany: (requests) => {
      for (const request of requests) copier.copy(request);
    },
    chmod: (path, mode) => guarded("chmod", path, () => chmodSync(path, mode)),
    setTimes: (path, atimeMs, mtimeMs) =>
      guarded("utimes", path, () => lutimesSync(path, atimeMs / 1000, mtimeMs / 1000)),
    remove,
    removeTree,
    removeTreeInTurns,
    syncAll: flushFileSystem,
    syncDirectory: flushPath,
    freeBytes: (path) =>
      guarded("statfs", path, () => {
        const stats = statfsSync(path);
        return stats.bavail * stats.bsize;
      }),
  };
}

function toDirectoryEntry(entry: Dirent): DirectoryEntry {
  return { name: entry.name, kind: direntKind(entry) };
}

function direntKind(entry: Dirent): FileStat["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "symlink" : "other";
}

function readRange(path: string, offset: number, lengthBytes: number): Uint8Array | undefined {
  return guardedOrAbsent("read", path, () => {
    const fd = openSync(path, "r");
    try {
      const bytes = Buffer.allocUnsafe(lengthBytes);
      return bytes.subarray(0, fill(fd, bytes, offset));
    } finally {
      closeSync(fd);
    }
  });
}

function writeFile(
  path: string,
  bytes: Uint8Array | string,
  options: { readonly mode?: number; readonly exclusive?: boolean } = {},
): void {
  guarded("write", path, () => {
    const fd = openSync(path, options.exclusive === true ? "wx" : "w", options.mode ?? 0o666);
    try {
      writeFileSync(fd, bytes);
      // The mode given to open is cut by the umask and ignored for a file that exists.
      if (options.mode !== undefined) fchmodSync(fd, options.mode);
    } finally {
      closeSync(fd);
    }
  });
}

function link(from: string, to: string): void {
  guarded("link", `${from} -> ${to}`, () => linkSync(from, to));
}

function remove(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    const code = errnoOf(error);
    // A directory: EISDIR on Linux, EPERM by POSIX and on macOS.
    const isDirectory = code === "EISDIR" || (code === "EPERM" && lstatOrAbsent(path)?.kind === "directory");
    if (!isDirectory) throw refusal(error, "remove", path);
  }
  guarded("remove", path, () => rmdirSync(path));
  return true;
}
