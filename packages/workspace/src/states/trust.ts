/**
 * When may a stat stand for a content?
 *
 * A file that is changed twice within one tick of its file system's clock, and keeps its size, has the same stat both
 * times. So what was read within a tick of the last change may be older than the file, and nobody can tell later. What
 * was read after the tick cannot: any later change shows.
 */
import type { FileStat } from "@kahn/core";

/** The time of a file system at one moment. */
export interface FileTime {
  /** Milliseconds by the file system's own clock; `-Infinity` when it could not be asked: then nothing is trusted. */
  readonly nowMs: number;
  /** Two changes this far apart have different stamps. */
  readonly granularityMs: number;
  /** The device whose clock it is. */
  readonly dev: number;
}

/** Clocks of other devices may run differently, by less than this. */
const FOREIGN_GRANULARITY_MS = 2000;

/**
 * True when what was read at `readAt` (or later) is what the stat stands for, now and whenever the stat is the same.
 *
 * @param stat as it was before reading. @param linked true leaves ctime out, which a new link to the inode changes.
 */
export function isSettled(stat: FileStat, readAt: FileTime, linked = false): boolean {
  const changedMs = linked ? stat.mtimeMs : Math.max(stat.mtimeMs, stat.ctimeMs);
  const granularityMs =
    stat.dev === readAt.dev ? readAt.granularityMs : Math.max(readAt.granularityMs, FOREIGN_GRANULARITY_MS);
  return changedMs + granularityMs < readAt.nowMs;
}
