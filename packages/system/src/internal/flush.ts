/**
 * Flushes a whole file system, for which Node has no call (`syncfs`).
 *
 * On Linux `sync -f PATH` (coreutils 8.24) flushes the file system that holds the path; where `sync` does not know
 * `-f` (some busybox builds), plain `sync` flushes all of them. Both return when the data is on the device. On macOS
 * `sync` only schedules the writes, so the path itself is then flushed with F_FULLFSYNC (which `fsync` of libuv is),
 * and that drains what the drive was given: as much as the system offers, and less than a promise.
 */
import { execFile } from "node:child_process";
import { closeSync, fsync, openSync } from "node:fs";
import { FileSystemError } from "@kahn/core";
import { guarded, refusal } from "./refusal.ts";

/** Flushes everything written so far on the file system that holds `path`. Rejects with `FileSystemError`. */
export async function flushFileSystem(path: string): Promise<void> {
  if (process.platform !== "darwin" && (await runSync(["-f", path]))) return;
  if (!(await runSync([]))) throw new FileSystemError("EIO", "sync", path);
  if (process.platform === "darwin") await flushPath(path);
}

/** True when the program ran and said that all is well. */
function runSync(args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile("sync", args, { windowsHide: true }, (error) => resolve(error === null));
  });
}

/** Flushes one file or directory. Rejects with `FileSystemError`. */
export async function flushPath(path: string): Promise<void> {
  const fd = guarded("open", path, () => openSync(path, "r"));
  await new Promise<void>((resolve, reject) => {
    fsync(fd, (error) => {
      closeSync(fd);
      if (error === null) resolve();
      else reject(refusal(error, "fsync", path));
    });
  });
}
