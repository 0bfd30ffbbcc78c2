/**
 * Directories held open, so that work in one stays there, whoever renames or replaces what its path goes through.
 *
 * Method: a name below `/proc/self/fd/N` is sought in the directory that N was opened on, by no path at all. N is opened
 *         for its place only (`O_PATH`), which needs no right to read.
 * Limit:  Linux with /proc. Elsewhere a held directory is its path, and nothing is safe from those who write there.
 */
import { closeSync, constants, existsSync, openSync } from "node:fs";
import type { HeldDirectory } from "@kahn/core";
import { lstatOrAbsent } from "./file-stat.ts";
import { guardedOrAbsent } from "./refusal.ts";

/** Node does not name it; the same on all that Node runs on under Linux. */
const O_PATH = 0o10000000;
const FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Holds the directory at `path`; `undefined` when there is none, or a link to one. */
export function holdDirectory(path: string): HeldDirectory | undefined {
  return guardedOrAbsent("open", path, () => openHeld(path));
}

/** The same, with Node's own errors. */
export function openHeld(path: string): HeldDirectory | undefined {
  if (!isHolding()) {
    return lstatOrAbsent(path)?.kind === "directory" ? { path, close: () => undefined } : undefined;
  }
  const fd = openSync(path, FLAGS);
  let isOpen = true;
  const close = () => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  return { path: `/proc/self/fd/${fd}`, close };
}

let holds: boolean | undefined;

function isHolding(): boolean {
  holds ??= process.platform === "linux" && existsSync("/proc/self/fd");
  return holds;
}
