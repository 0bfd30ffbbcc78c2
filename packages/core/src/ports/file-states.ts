/**
 * Port: what is known about files of the work tree. Answers digests without reading files whose stat is unchanged and
 * trustworthy; `workspace` implements it over one flat file.
 */
import type { Digest } from "../digest.ts";
import type { FileStat, HashOutcome } from "./file-system.ts";

/** What a result left at a path. */
export interface KnownFile {
  readonly path: string;
  readonly digest: Digest;
  readonly stat: FileStat;
  /** True when the file shares its inode with the store: its ctime means nothing. */
  readonly linked: boolean;
}

/** Digests of files, remembered across runs. Paths are absolute. */
export interface FileStates {
  /** Digests of files; reads only those that changed or cannot be trusted. One outcome for each path, in order. */
  digests(paths: readonly string[]): HashOutcome[];
  /** Records files that were just written with known content, so that nobody has to read them again. */
  remember(files: readonly KnownFile[]): void;
  /** Drops what is known of a path and of everything below it. */
  forget(path: string): void;
  /** Writes what is known to disk, by rename; call it off the critical path. */
  save(): void;
}
