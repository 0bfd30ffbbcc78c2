/**
 * Which records there are, since when nobody used them, where they are, and what they take of the limit.
 *
 * Invariant: what is counted is what the indexes hold, each record once, in a file or in packs.
 */
import type { Clock, Digest, DigestFunction } from "@kahn/core";
import { digestFunction, digestHash } from "@kahn/core";
import { packedBytes } from "../internal/pack-format.ts";
import { storedBytes } from "../internal/store-context.ts";
import { BlobIndex } from "./blob-index.ts";

/** The home of a record in its index: whether its blobs are known to be used as late as it was, and where it is. */
export const UNSETTLED = 0;
/** Its blobs count as used as late as it. */
export const SETTLED = 1;
/** It is in a pack. */
export const PACKED = 2;

const PACK_HASH_BYTES = 32;

/** An entry of an index. */
export interface LedgerEntry {
  readonly index: BlobIndex;
  readonly entry: number;
}

/** What a record takes of the limit. */
export function recordSizeBytes(index: BlobIndex, entry: number): number {
  const sizeBytes = index.sizeBytes(entry);
  return isPacked(index, entry) ? packedBytes(sizeBytes, PACK_HASH_BYTES) : storedBytes(sizeBytes);
}

/** Whether a record is in a pack. */
export function isPacked(index: BlobIndex, entry: number): boolean {
  return (index.home(entry) & PACKED) !== 0;
}

/** Records by the function of their actions. */
export class RecordLedger {
  /** What records in files take of the limit. */
  fileBytes = 0;
  /** What records in packs that count take of it. */
  packedBytes = 0;
  readonly #clock: Clock;
  readonly #indexes = new Map<DigestFunction, BlobIndex>();
  #counter = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    let count = 0;
    for (const index of this.#indexes.values()) count += index.count;
    return count;
  }

  /** Records by time of use: `home` is nothing for others, sizes are those of the files or of what is in packs. */
  get indexes(): readonly BlobIndex[] {
    return [...this.#indexes.values()];
  }

  find(action: Digest): LedgerEntry | undefined {
    const index = this.#indexes.get(digestFunction(action));
    const entry = index?.findHash(digestHash(action)) ?? -1;
    return index === undefined || entry < 0 ? undefined : { index, entry };
  }

  /** Knows of a record, instead of another one of that action. */
  note(action: Digest, noted: { readonly sizeBytes: number; readonly usedMs: number; readonly home: number }): void {
    const index = this.#indexOf(digestFunction(action));
    const hash = digestHash(action);
    const before = index.findHash(hash);
    if (before >= 0) this.#count(index, before, -1);
    const usedMs = Math.min(noted.usedMs, this.#clock.nowMs());
    this.#count(index, index.put({ ...noted, hash, usedMs }), 1);
  }

  /** Counts as used now. @param home what is known besides of it. */
  used(action: Digest, home: number): void {
    const found = this.find(action);
    if (found === undefined) return;
    const { index, entry } = found;
    const usedMs = this.#clock.nowMs();
    // The common case, without anything made.
    if ((index.home(entry) & home) === home) index.touch(entry, usedMs);
    else {
      const sizeBytes = index.sizeBytes(entry);
      index.put({ hash: digestHash(action), sizeBytes, usedMs, home: index.home(entry) | home });
    }
  }

  remove(index: BlobIndex, entry: number): void {
    this.#count(index, entry, -1);
    index.remove(entry);
  }

  #count(index: BlobIndex, entry: number, times: 1 | -1): void {
    const bytes = times * recordSizeBytes(index, entry);
    if (isPacked(index, entry)) this.packedBytes += bytes;
    else this.fileBytes += bytes;
  }

  #indexOf(fn: DigestFunction): BlobIndex {
    let index = this.#indexes.get(fn);
    if (index === undefined) {
      index = new BlobIndex(fn, ++this.#counter);
      this.#indexes.set(fn, index);
    }
    return index;
  }
}
