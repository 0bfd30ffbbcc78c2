/**
 * A file system every call of which passes one gate, one path at a time.
 *
 * Owns:      the taking apart: batches become single calls, so that a gate can stop one in the middle, and handles
 *            answer to the same gate as the file system.
 * Invariant: with a gate that only performs, the answers are those of the file system beneath.
 */
import type { FileHandle, FileSystem, HashOutcome } from "@kahn/core";

/** One call as a decorator sees it. */
export interface FileSystemCall {
  /** The port's method for one path; a handle's methods are `append`, `truncate`, `sync`, `sizeBytes` and `close`. */
  readonly operation: FileSystemOperation;
  readonly path: string;
  /** Of `rename`, `link` and `copyFile`: where to. Of `symlink`: its target. */
  readonly to?: string;
  /** Of `writeFile` and `append`: how much is written. */
  readonly sizeBytes?: number;
  /** The batch it came in, such as `statMany`. */
  readonly via?: "statMany" | "hashMany" | "linkMany" | "copyMany";
  /** True when it changes or flushes something. */
  readonly mutates: boolean;
}

/** What a call does, in the singular. */
export type FileSystemOperation =
  | Exclude<keyof FileSystem, "statMany" | "hashMany" | "linkMany" | "copyMany">
  | Exclude<keyof FileHandle, "sizeBytes">
  | "sizeBytes"
  | "hash";

/** Performs a call; of a write, only its first `limitBytes`. */
export type Perform<T> = (limitBytes?: number) => T;

/** Sees every call and decides whether and how it is performed. */
export type Gate = <T>(call: FileSystemCall, perform: Perform<T>) => T;

type Reading =
  | "lstat"
  | "openRead"
  | "readDirectory"
  | "readFile"
  | "readRange"
  | "readLink"
  | "realPath"
  | "freeBytes";

/** Puts a gate before a file system. */
export function interceptFileSystem(fs: FileSystem, gate: Gate): FileSystem {
  const reading = (operation: Reading, path: string) => ({ operation, path, mutates: false });
  const writing = (operation: FileSystemOperation, path: string, more: Partial<FileSystemCall> = {}) => ({
    operation,
    path,
    mutates: true,
    ...more,
  });
  const hash = (path: string, fn: Parameters<FileSystem["hashMany"]>[1]): HashOutcome =>
    gate({ operation: "hash", path, via: "hashMany", mutates: false }, () => fs.hashMany([path], fn)[0]!);
  const gated: FileSystem = {
    lstat: (path) => gate(reading("lstat", path), () => fs.lstat(path)),
    statMany: (paths) =>
      paths.map((path) => gate({ ...reading("lstat", path), via: "statMany" }, () => fs.statMany([path])[0])),
    hashMany: (paths, fn) => paths.map((path) => hash(path, fn)),
    readDirectory: (path) => gate(reading("readDirectory", path), () => fs.readDirectory(path)),
    readFile: (path) => gate(reading("readFile", path), () => fs.readFile(path)),
    readRange: (path, offset, length) => gate(reading("readRange", path), () => fs.readRange(path, offset, length)),
    writeFile: (path, content, options) => {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      gate(writing("writeFile", path, { sizeBytes: bytes.byteLength }), (limit) =>
        fs.writeFile(path, bytes.subarray(0, limit ?? bytes.byteLength), options),
      );
    },
    openAppend: (path) =>
      interceptHandle(
        path,
        gate(writing("openAppend", path), () => fs.openAppend(path)),
        gate,
      ),
    openRead: (path) => gate(reading("openRead", path), () => fs.openRead(path)),
    readLink: (path) => gate(reading("readLink", path), () => fs.readLink(path)),
    realPath: (path) => gate(reading("realPath", path), () => fs.realPath(path)),
    makeDirectory: (path) => gate(writing("makeDirectory", path), () => fs.makeDirectory(path)),
    rename: (from, to) => gate(writing("rename", from, { to }), () => fs.rename(from, to)),
    link: (from, to) => gate(writing("link", from, { to }), () => fs.link(from, to)),
    linkMany: (requests) => {
      for (const { from, to } of requests)
        gate(writing("link", from, { to, via: "linkMany" }), () => fs.link(from, to));
    },
    symlink: (target, path) => gate(writing("symlink", path, { to: target }), () => fs.symlink(target, path)),
    copyFile: (request) => gate(writing("copyFile", request.from, { to: request.to }), () => fs.copyFile(request)),
    copyMany: (requests) => {
      for (const request of requests) {
        gate(writing("copyFile", request.from, { to: request.to, via: "copyMany" }), () => fs.copyFile(request));
      }
    },
    chmod: (path, mode) => gate(writing("chmod", path), () => fs.chmod(path, mode)),
    setTimes: (path, atimeMs, mtimeMs) => gate(writing("setTimes", path), () => fs.setTimes(path, atimeMs, mtimeMs)),
    remove: (path) => gate(writing("remove", path), () => fs.remove(path)),
    removeTree: (path) => gate(writing("removeTree", path), () => fs.removeTree(path)),
    // `async` turns what the gate throws into a rejection, which is how the port answers here.
    syncAll: async (path) => gate(writing("syncAll", path), () => fs.syncAll(path)),
    syncDirectory: async (path) => gate(writing("syncDirectory", path), () => fs.syncDirectory(path)),
    freeBytes: (path) => gate(reading("freeBytes", path), () => fs.freeBytes(path)),
  };
  return gated;
}

function interceptHandle(path: string, handle: FileHandle, gate: Gate): FileHandle {
  return {
    append: (bytes) =>
      gate({ operation: "append", path, sizeBytes: bytes.byteLength, mutates: true }, (limit) =>
        handle.append(bytes.subarray(0, limit ?? bytes.byteLength)),
      ),
    truncate: (sizeBytes) => gate({ operation: "truncate", path, mutates: true }, () => handle.truncate(sizeBytes)),
    sync: async () => gate({ operation: "sync", path, mutates: true }, () => handle.sync()),
    ...(handle.syncNow === undefined
      ? {}
      : { syncNow: () => gate({ operation: "sync", path, mutates: true }, () => handle.syncNow?.()) }),
    sizeBytes: () => gate({ operation: "sizeBytes", path, mutates: false }, () => handle.sizeBytes()),
    close: () => gate({ operation: "close", path, mutates: false }, () => handle.close()),
  };
}
