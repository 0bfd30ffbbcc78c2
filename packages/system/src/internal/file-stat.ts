/** `FileStat` from Node's stat objects. */
import { lstatSync, type Stats } from "node:fs";
import type { FileStat } from "@kahn/core";
import { isAbsent, refusal } from "./refusal.ts";

const TYPE_MASK = 0o170000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const SYMLINK = 0o120000;

/** Node's stat as the port's. Not bigint: that costs three times as much and the fraction of `mtimeMs` is enough. */
export function toFileStat(stats: Stats): FileStat {
  const type = stats.mode & TYPE_MASK;
  return {
    kind: type === REGULAR ? "file" : type === DIRECTORY ? "directory" : type === SYMLINK ? "symlink" : "other",
    sizeBytes: stats.size,
    mode: stats.mode & 0o7777,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    dev: stats.dev,
    ino: stats.ino,
    nlink: stats.nlink,
    allocatedBytes: stats.blocks * 512,
  };
}

const QUIET = { throwIfNoEntry: false } as const;

/** `lstat`; `undefined` when the path leads nowhere. */
export function lstatOrAbsent(path: string): FileStat | undefined {
  try {
    // `throwIfNoEntry` covers ENOENT without building an error; ENOTDIR is rare and still thrown.
    const stats = lstatSync(path, QUIET);
    return stats === undefined ? undefined : toFileStat(stats);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw refusal(error, "lstat", path);
  }
}

/** True when nothing that a write could leave behind differs. */
export function isSameVersion(a: FileStat, b: FileStat): boolean {
  return (
    a.ino === b.ino &&
    a.sizeBytes === b.sizeBytes &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs &&
    a.mode === b.mode &&
    a.dev === b.dev &&
    a.kind === b.kind
  );
}
