/**
 * Decides whether a stored blob may be used, hashing it only when its stat gives reason to.
 *
 * Owns:      the order of suspicion (size, stamp, doubtful epoch), quarantine, and the renewing of stamps.
 * Invariant: a blob called `usable` has the digest's size and either carries the mark of an untouched file from a
 *            closed epoch or was hashed just now.
 */
import type { Clock, Digest, FileStat, FileSystem } from "@kahn/core";
import { digestHash, digestSizeBytes, FileSystemError, isNativeDigestFunction } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import type { DoubtfulSpan } from "../use-log.ts";
import { isStamped, stampMs } from "./stamp.ts";
import type { StoreLayout } from "./store-layout.ts";
import { parentOf } from "./store-layout.ts";

/** Whether a blob may be used. */
export type BlobVerdict = "usable" | "missing" | "corrupt";

/** A use is not noted again within this time: a stamp may be that much older than the last use. */
export const USE_SLACK_MS = 10 * 60_000;

const CHUNK_BYTES = 1024 * 1024;

/** What checking stands on. */
export interface BlobCheckPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly layout: StoreLayout;
  readonly doubtful: readonly DoubtfulSpan[];
}

/** Checks blobs of one store. */
export class BlobCheck {
  readonly #ports: BlobCheckPorts;

  constructor(ports: BlobCheckPorts) {
    this.#ports = ports;
  }

  /** Judges the file at `path`, which should be the blob; `stat` is its `lstat`. */
  verdict(digest: Digest, path: string, options: { stat: FileStat | undefined; engine: HashEngine }): BlobVerdict {
    const { stat, engine } = options;
    if (stat === undefined) return "missing";
    if (
      stat.kind === "file" &&
      stat.sizeBytes === digestSizeBytes(digest) &&
      isStamped(stat) &&
      !this.isDoubtful(stat.mtimeMs)
    ) {
      return "usable";
    }
    return this.recheck(digest, path, engine);
  }

  /** Hashes the file. A sound one is stamped anew, a corrupt one is moved to the quarantine. */
  recheck(digest: Digest, path: string, engine: HashEngine): BlobVerdict {
    const { fs, clock } = this.#ports;
    const found = this.hash(path, engine);
    if (found === digest) {
      this.stamp(path, clock.nowMs());
      return "usable";
    }
    if (found === undefined) {
      if (fs.lstat(path) === undefined) return "missing";
      this.quarantine(digest, path);
      return "corrupt";
    }
    // The right bytes for the name: whoever asked has the size wrong, which makes it another digest.
    if (digestHash(found) === digestHash(digest)) return "missing";
    this.quarantine(digest, path);
    return "corrupt";
  }

  /** The digest of a file's bytes; `undefined` when it is no file or cannot be read in one state. */
  hash(path: string, engine: HashEngine): Digest | undefined {
    const { fs } = this.#ports;
    if (isNativeDigestFunction(engine.fn)) {
      const outcome = fs.hashMany([path], engine.fn)[0];
      if (outcome?.kind === "unreadable") throw new FileSystemError(outcome.code, "read", path);
      return outcome?.kind === "file" ? outcome.digest : undefined;
    }
    const before = fs.lstat(path);
    if (before?.kind !== "file") return undefined;
    if (before.sizeBytes <= CHUNK_BYTES) {
      const bytes = fs.readFile(path);
      return bytes === undefined ? undefined : engine.digest(bytes);
    }
    const hasher = engine.start();
    let done = 0;
    while (done < before.sizeBytes) {
      const bytes = fs.readRange(path, done, CHUNK_BYTES);
      if (bytes === undefined || bytes.length === 0) return undefined;
      hasher.update(bytes);
      done += bytes.length;
    }
    const after = fs.lstat(path);
    if (after?.sizeBytes !== done || after.mtimeMs !== before.mtimeMs) return undefined;
    return `${engine.fn}:${hasher.hex()}/${done}` as Digest;
  }

  /** Notes a use in the stamp of a blob that is sound, unless it was noted a short time ago. */
  noteUse(path: string, stat: FileStat): void {
    const nowMs = this.#ports.clock.nowMs();
    if (stat.mtimeMs < nowMs - USE_SLACK_MS) this.stamp(path, nowMs);
  }

  /** Stamps a blob. A refusal (another user's file) is no harm: it is hashed again next time. */
  stamp(path: string, timeMs: number): void {
    const stamp = stampMs(timeMs);
    try {
      this.#ports.fs.setTimes(path, stamp, stamp);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
    }
  }

  /** Sets a corrupt blob aside, so that it is missing from now on; removes it where it cannot be kept. */
  quarantine(digest: Digest, path: string): void {
    const { fs, layout } = this.#ports;
    const aside = layout.newQuarantine(digest);
    try {
      fs.makeDirectory(parentOf(aside));
      fs.rename(path, aside);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      if (error.code !== "ENOENT") fs.remove(path);
    }
  }

  /** Keeps what was found in place of a packed blob for a look at it. */
  quarantineCopy(digest: Digest, bytes: Uint8Array): void {
    const { fs, layout } = this.#ports;
    const aside = layout.newQuarantine(digest);
    try {
      fs.makeDirectory(parentOf(aside));
      fs.writeFile(aside, bytes);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
    }
  }

  /** Whether what was written at this time may have been lost when the machine went down. */
  isDoubtful(mtimeMs: number): boolean {
    for (const { fromMs, toMs } of this.#ports.doubtful) if (mtimeMs >= fromMs && mtimeMs <= toMs) return true;
    return false;
  }
}
