/**
 * When may a stat stand for a content?
 *
 * A file that is changed twice within one tick of its file system's clock, and keeps its size, has the same stat both
 * times. So what was read within a tick of the last change may be older than the file, and nobody can tell later. What
 * was read after the tick cannot: any later change shows.
 *
 * A power loss breaks this once: a file may keep its size and times and lose bytes that were never flushed, while the
 * index that speaks of them had reached the disk. So after another boot what changed shortly before the index was saved
 * is read again (see `UNFLUSHED_MS`).
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
 * What changed this long before an index was saved had reached the disk when power was lost, for that was later still.
 * Linux writes back what is older than 30 s and looks for it every 5 s (`vm.dirty_expire_centisecs` and
 * `vm.dirty_writeback_centisecs`; ext4, XFS and Btrfs alike). The rest is for the writing itself and for clocks that
 * are set. Not covered: a wall clock set forward by more than that rest shortly before the loss, and systems told to
 * hold writes back for longer (laptop mode).
 */
export const UNFLUSHED_MS = 60_000;

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
