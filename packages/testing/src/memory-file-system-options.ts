/** How a memory file system behaves, and what it does where nothing is said. */
import type { Clock } from "@kahn/core";
import type { FileTree } from "./file-tree.ts";
import { virtualClock } from "./virtual-clock.ts";

/** How a memory file system behaves. Every member may be left out. */
export interface MemoryFileSystemOptions {
  /** Where times come from; default: a virtual clock of its own. */
  readonly clock?: Clock;
  /** Files to start with, by absolute path, in the format of `writeTree`; all of them are on the device. */
  readonly files?: FileTree;
  /** Times are cut to a multiple of this: 1 (default), 4 like a kernel's tick, 1000 or 2000 like an old file system. */
  readonly granularityMs?: number;
  /** Like root: permission bits refuse nothing. Default false: the caller owns every file and is bound by them. */
  readonly privileged?: boolean;
  /** Space for file contents; default: without limit. */
  readonly capacityBytes?: number;
  /** Directories that are file systems of their own, with their device numbers (the root's is 1). */
  readonly mounts?: Readonly<Record<string, number>>;
  /** Names an inode may have; default 65000. */
  readonly linksMax?: number;
  /** How long a flush takes in the clock's time; default 0: at once. */
  readonly syncMs?: number;
  /** What has not changed for this long is on the device without a flush; default: never. Linux: 35 000. */
  readonly writeBackMs?: number;
  /**
   * What `sync` of a file makes durable: its data alone (all that POSIX promises), or also every change of names so
   * far (default; what ext4, XFS, Btrfs and APFS do).
   */
  readonly syncScope?: "file" | "file-and-names";
}

/** Every option decided. */
export type MemoryFileSystemSettings = Required<Omit<MemoryFileSystemOptions, "files">>;

/** Fills in what was left out. */
export function settingsOf({ files: _, ...given }: MemoryFileSystemOptions): MemoryFileSystemSettings {
  return {
    clock: virtualClock(),
    granularityMs: 1,
    privileged: false,
    capacityBytes: Number.POSITIVE_INFINITY,
    mounts: {},
    linksMax: 65_000,
    syncMs: 0,
    writeBackMs: Number.POSITIVE_INFINITY,
    syncScope: "file-and-names",
    ...given,
  };
}
