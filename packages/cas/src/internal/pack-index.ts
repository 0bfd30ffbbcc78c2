/**
 * The index of a pack: where each blob is, in one buffer that is searched as it was read.
 *
 *    0   8 bytes   "kahnidx1"
 *    8   4 bytes   number of entries
 *   12   4 bytes   1 when the pack is sealed: nobody appends to it any more
 *   16   8 bytes   how much of the pack is covered
 *   24   8 bytes   start of the SHA-256 of all other bytes: an index that a power loss tore is no index
 *   32   entries, sorted by hash: hash, 6 bytes offset of the record, 4 bytes size, 4 bytes time of last use, 2 zero
 *
 * Hashes are evenly spread, so a search guesses the place (interpolation): three looks for 100,000 entries.
 *
 * Invariant: nothing read from an index is believed: bytes are hashed after they were read from where it points.
 */
import { digestOf } from "@kahn/core";
import type { PackRecord } from "./pack-format.ts";

const MAGIC = "kahnidx1";
const HEAD_BYTES = 32;
const CHECK_START = 24;
const AFTER_HASH_BYTES = 16;

/** Hashes are compared by their first four bytes first. */
const KEY_DIGITS = 8;
const KEY_END = 2 ** 32;

/** After so many guesses the rest is bisected: somebody may choose hashes that are not evenly spread. */
const GUESSES_MAX = 8;

/** What an index says of its pack. */
export interface PackCover {
  readonly isSealed: boolean;
  readonly coveredBytes: number;
}

/** A `PackRecord` whose hash is bytes: those of `bytes` from `at` on. */
export interface PackEntry extends Omit<PackRecord, "hash"> {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** Entries of one pack. Only times change. */
export class PackIndex {
  readonly count: number;
  readonly #bytes: Buffer;
  readonly #hashBytes: number;

  private constructor(bytes: Buffer, hashBytes: number) {
    this.#bytes = bytes;
    this.#hashBytes = hashBytes;
    this.count = (bytes.length - HEAD_BYTES) / (hashBytes + AFTER_HASH_BYTES);
  }

  /** Sorts records into an index; of equal hashes the last one counts. */
  static of(records: Iterable<PackRecord>, hashBytes: number): PackIndex {
    const byHash = new Map<string, PackRecord>();
    for (const record of records) byHash.set(record.hash, record);
    const sorted = [...byHash.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1));
    const entryBytes = hashBytes + AFTER_HASH_BYTES;
    const bytes = Buffer.alloc(HEAD_BYTES + sorted.length * entryBytes);
    let at = HEAD_BYTES;
    for (const { hash, offset, sizeBytes, timeS } of sorted) {
      bytes.write(hash, at, "hex");
      bytes.writeUIntLE(offset, at + hashBytes, 6);
      bytes.writeUInt32LE(sizeBytes, at + hashBytes + 6);
      bytes.writeUInt32LE(timeS, at + hashBytes + 10);
      at += entryBytes;
    }
    return new PackIndex(bytes, hashBytes);
  }

  /** Reads the bytes of a file; `undefined` when they are no whole index. */
  static decode(
    file: Uint8Array,
    hashBytes: number,
  ): { readonly index: PackIndex; readonly cover: PackCover } | undefined {
    const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    if (bytes.length < HEAD_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) return undefined;
    if (bytes.length !== HEAD_BYTES + bytes.readUInt32LE(8) * (hashBytes + AFTER_HASH_BYTES)) return undefined;
    if (bytes.toString("hex", CHECK_START, HEAD_BYTES) !== checksum(bytes)) return undefined;
    const cover = { isSealed: bytes.readUInt32LE(12) === 1, coveredBytes: bytes.readUIntLE(16, 6) };
    return { index: new PackIndex(bytes, hashBytes), cover };
  }

  /** The bytes of the file, valid until the next change. */
  encode({ isSealed, coveredBytes }: PackCover): Uint8Array {
    this.#bytes.write(MAGIC, 0, "latin1");
    this.#bytes.writeUInt32LE(this.count, 8);
    this.#bytes.writeUInt32LE(isSealed ? 1 : 0, 12);
    this.#bytes.writeUIntLE(coveredBytes, 16, 6);
    this.#bytes.write(checksum(this.#bytes), CHECK_START, "hex");
    return this.#bytes;
  }

  /**
   * The number of the entry with this hash (hex); -1 when there is none.
   *
   * @param key `hashKey` of the hash, which a search of many packs works out once.
   */
  find(hash: string, key: number): number {
    let low = 0;
    let high = this.count - 1;
    let lowKey = 0;
    let highKey = KEY_END;
    for (let guesses = 0; low <= high && key >= lowKey && key <= highKey; guesses++) {
      const share = guesses < GUESSES_MAX && highKey > lowKey ? (key - lowKey) / (highKey - lowKey) : 0.5;
      const guess = low + Math.floor((high - low) * share);
      const found = this.#key(guess);
      const order = found === key ? this.#compare(guess, hash) : found - key;
      if (order === 0) return guess;
      if (order < 0) {
        low = guess + 1;
        lowKey = found;
      } else {
        high = guess - 1;
        highKey = found;
      }
    }
    return -1;
  }

  record(entry: number): PackRecord {
    const at = this.#at(entry) + this.#hashBytes;
    return {
      hash: this.#bytes.toString("hex", at - this.#hashBytes, at),
      offset: this.#bytes.readUIntLE(at, 6),
      sizeBytes: this.#bytes.readUInt32LE(at + 6),
      timeS: this.#bytes.readUInt32LE(at + 10),
    };
  }

  setTime(entry: number, timeS: number): void {
    this.#bytes.writeUInt32LE(timeS, this.#at(entry) + this.#hashBytes + 10);
  }

  /** Calls for each entry, by hash, with one object that is used again: nothing is made for any of them. */
  scan(visit: (entry: PackEntry) => void): void {
    const bytes = this.#bytes;
    const entry = { bytes, at: 0, offset: 0, sizeBytes: 0, timeS: 0 };
    for (let index = 0; index < this.count; index++) {
      entry.at = this.#at(index);
      const after = entry.at + this.#hashBytes;
      entry.offset = bytes.readUIntLE(after, 6);
      entry.sizeBytes = bytes.readUInt32LE(after + 6);
      entry.timeS = bytes.readUInt32LE(after + 10);
      visit(entry);
    }
  }

  /** All entries, by hash. */
  *records(): Iterable<PackRecord> {
    for (let entry = 0; entry < this.count; entry++) yield this.record(entry);
  }

  #at(entry: number): number {
    return HEAD_BYTES + entry * (this.#hashBytes + AFTER_HASH_BYTES);
  }

  /** By hand: `readUInt32BE` checks what is known to be right, and a search of many packs is mostly this. */
  #key(entry: number): number {
    const at = HEAD_BYTES + entry * (this.#hashBytes + AFTER_HASH_BYTES);
    const bytes = this.#bytes;
    return bytes[at]! * 0x100_0000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
  }

  #compare(entry: number, hash: string): number {
    const at = this.#at(entry);
    const found = this.#bytes.toString("hex", at, at + this.#hashBytes);
    return found === hash ? 0 : found < hash ? -1 : 1;
  }
}

/** What `PackIndex.find` looks for first. */
export function hashKey(hash: string): number {
  return Number.parseInt(hash.slice(0, KEY_DIGITS), 16);
}

function checksum(bytes: Buffer): string {
  // Hashed as two parts, because the check stands between them.
  const head = digestOf(bytes.subarray(0, CHECK_START));
  const entries = digestOf(bytes.subarray(HEAD_BYTES));
  return digestOf(`${head} ${entries}`).slice("sha256:".length, "sha256:".length + 2 * (HEAD_BYTES - CHECK_START));
}
