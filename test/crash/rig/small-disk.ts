/**
 * A disk that is soon full: a file system in memory with a size.
 *
 * Owns: mounting it, filling it, and unmounting it when the test has ended.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A mounted small disk. */
export interface SmallDisk {
  /** Takes all that is left. */
  fill(): void;
  /** Gives it back. */
  free(): void;
}

/**
 * Mounts a disk at a folder, which is made.
 *
 * @returns why it cannot be done here, as text.
 */
export function mountSmallDisk(folder: string, sizeBytes: number): SmallDisk | string {
  mkdirSync(folder, { recursive: true });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes},mode=755`, "kahn-test", folder]);
  if (mounted.status !== 0) return "needs the right to mount a small disk";
  onTestFinished(() => {
    // Lazily: a process that a failed test left may still be in it.
    spawnSync("umount", ["-l", folder]);
  });
  const filler = join(folder, ".filler");
  return { fill: () => fillWith(filler), free: () => rmSync(filler, { force: true }) };
}

/** Writes pieces, smaller and smaller, until not even one byte fits. */
function fillWith(path: string): void {
  const fd = openSync(path, "a");
  try {
    for (let sizeBytes = 65536; sizeBytes >= 1; ) {
      try {
        writeSync(fd, Buffer.alloc(sizeBytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        sizeBytes = Math.floor(sizeBytes / 2);
      }
    }
  } finally {
    closeSync(fd);
  }
}
