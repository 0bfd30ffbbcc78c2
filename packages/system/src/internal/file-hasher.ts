/**
 * Hashes files so that the digest certainly belongs to the stat that is returned with it.
 *
 * Owns:      the lstat – read – fstat loop and the scratch buffer.
 * Invariant: an outcome of kind `file` was read in full between two equal stats; a file that keeps changing is
 *            `unstable`, never a digest of a mixture.
 */
import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readlinkSync } from "node:fs";
import {
  type Digest,
  type FileStat,
  FileSystemError,
  type HashOutcome,
  makeDigest,
  type NativeDigestFunction,
  nativeHasher,
} from "@kahn/core";
import { isSameVersion, lstatOrAbsent, toFileStat } from "./file-stat.ts";
import { fill } from "./read.ts";
import { errnoOf } from "./refusal.ts";

const ATTEMPTS_MAX = 3;

// O_NONBLOCK: between lstat and open the path may have become a pipe, whose opening would wait for a writer for ever.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Large enough that most source files take one read, small enough to stay in the second-level cache. */
const SCRATCH_BYTES = 256 * 1024;

/** Hashes files one after the other through one buffer. */
export class FileHasher {
  // Allocated at first use: a run in which every file is known reads none.
  #scratch: Buffer | undefined;

  hash(path: string, fn: NativeDigestFunction): HashOutcome {
    try {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const outcome = this.#attempt(path, fn);
        if (outcome !== undefined) return outcome;
      }
      return { kind: "unstable" };
    } catch (error) {
      const code = error instanceof FileSystemError ? error.code : errnoOf(error);
      if (code === undefined) throw error;
      return { kind: "unreadable", code };
    }
  }

  /** `undefined` when the path changed while it was looked at. */
  #attempt(path: string, fn: NativeDigestFunction): HashOutcome | undefined {
    const stat = lstatOrAbsent(path);
    if (stat === undefined) return { kind: "absent" };
    if (stat.kind === "symlink") return readSymlink(path, stat);
    if (stat.kind !== "file") return { kind: "not-a-file", stat };
    let fd: number;
    try {
      fd = openSync(path, OPEN_FLAGS);
    } catch (error) {
      const code = errnoOf(error);
      // Gone, or replaced by a link (ELOOP; EMLINK on some BSDs) or a socket (ENXIO) since the lstat.
      if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP" || code === "EMLINK" || code === "ENXIO") {
        return undefined;
      }
      throw error;
    }
    try {
      const digest = this.#read(fd, stat.sizeBytes, fn);
      if (digest === undefined || !isSameVersion(stat, toFileStat(fstatSync(fd)))) return undefined;
      return { kind: "file", digest, stat };
    } finally {
      closeSync(fd);
    }
  }

  /** The digest of exactly `sizeBytes` bytes; `undefined` when there are fewer. (More show in the second stat.) */
  #read(fd: number, sizeBytes: number, fn: NativeDigestFunction): Digest | undefined {
    const scratch = (this.#scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES));
    if (sizeBytes <= SCRATCH_BYTES) {
      const filled = fill(fd, scratch.subarray(0, sizeBytes));
      if (filled < sizeBytes) return undefined;
      return makeDigest(fn, hash(fn, scratch.subarray(0, sizeBytes), "hex"), sizeBytes);
    }
    const hasher = nativeHasher(fn);
    for (let done = 0; done < sizeBytes; ) {
      const filled = fill(fd, scratch.subarray(0, Math.min(SCRATCH_BYTES, sizeBytes - done)));
      if (filled === 0) return undefined;
      hasher.update(scratch.subarray(0, filled));
      done += filled;
    }
    return makeDigest(fn, hasher.hex(), sizeBytes);
  }
}

function readSymlink(path: string, stat: FileStat): HashOutcome | undefined {
  try {
    return { kind: "symlink", target: readlinkSync(path), stat };
  } catch (error) {
    const code = errnoOf(error);
    // EINVAL: it is no longer a symlink.
    if (code === "EINVAL" || code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
