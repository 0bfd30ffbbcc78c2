/**
 * Input files that a sandboxed command could write after all, because it owns them: the read-only copies in directories
 * that are open for outputs. (All others are mounted read-only.)
 *
 * Invariant: a copy with other bytes than it was given is found, whatever its size, and whatever was done to its mode and
 *            its times. One that was only touched, linked or removed is none.
 * Method:    an inode's change time cannot be set. Where it stands still, within a tick of the kernel's clock, small files
 *            are read again; a large one cannot be written so soon after it was made.
 */
import type { Digest, FileStat, FileSystem } from "@kahn/core";
import { digestSizeBytes, FileSystemError } from "@kahn/core";

/** An input file, absolute. */
export interface CopiedInput {
  readonly path: string;
  readonly digest: Digest;
}

/** Kernels from before 6.13 count in ticks of up to 10 ms. */
const TICK_MS = 10;
const SMALL_BYTES = 64 << 10;
/** A file of this size that seems to be another one is not read to make sure. */
const READ_MAX_BYTES = 64 << 20;
const CHANGED_MAX = 20;

type DigestOf = (bytes: Uint8Array) => Digest;

/** The copies of one exec root. */
export class CopiedInputs {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #files: readonly CopiedInput[];
  readonly #before: readonly (FileStat | undefined)[];

  /** To be made when all is staged, before the command starts. @param root the exec root, absolute. */
  constructor(fs: FileSystem, root: string, files: readonly CopiedInput[]) {
    this.#fs = fs;
    this.#root = root;
    this.#files = files;
    this.#before = fs.statMany(files.map(({ path }) => path));
  }

  /** Paths of those with other bytes, at most 20. @param startedAtMs when the command started, by the wall clock. */
  changed(startedAtMs: number, digestOf: DigestOf): string[] {
    const after = this.#fs.statMany(this.#files.map(({ path }) => path));
    const changed: string[] = [];
    for (const [index, file] of this.#files.entries()) {
      const now = after[index];
      // Gone: whatever the command made of it, it did not write it.
      if (now === undefined || this.#isSurelySame(this.#before[index], now, startedAtMs)) continue;
      if (this.#isReached(file.path) && !this.#holds(file, now, digestOf)) changed.push(file.path);
      if (changed.length === CHANGED_MAX) break;
    }
    return changed;
  }

  #isSurelySame(before: FileStat | undefined, now: FileStat, startedAtMs: number): boolean {
    if (before?.ino !== now.ino || before.ctimeMs !== now.ctimeMs || before.sizeBytes !== now.sizeBytes) return false;
    return now.sizeBytes > SMALL_BYTES || now.ctimeMs < startedAtMs - TICK_MS;
  }

  #holds({ path, digest }: CopiedInput, { kind, sizeBytes }: FileStat, digestOf: DigestOf): boolean {
    if (kind !== "file" || sizeBytes !== digestSizeBytes(digest) || sizeBytes > READ_MAX_BYTES) return false;
    try {
      const bytes = this.#fs.readFile(path);
      return bytes !== undefined && digestOf(bytes) === digest;
    } catch (error) {
      // The command took the right to read it away.
      if (error instanceof FileSystemError) return false;
      throw error;
    }
  }

  /** False where a directory was replaced by a symlink: what is behind it is no input, and not to be read. */
  #isReached(path: string): boolean {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const root = this.#fs.realPath(this.#root);
    return root !== undefined && this.#fs.realPath(folder) === root + folder.slice(this.#root.length);
  }
}
