/**
 * Which blobs there are, in memory: a hash table over typed arrays.
 *
 *   slots    number of an entry, plus one; 0 is free; probed linearly, never more than half full
 *   keys, sizes, used, homes    one element per entry: hash, size, last use in milliseconds, where the blob is
 *
 * A million entries of SHA-256 take 60 MB; a look-up of a digest costs 0.4 to 0.6 µs.
 *
 * Invariant: what `find` answers has both the hash and the size that were asked for.
 */
import type { Digest, DigestFunction, DigestList } from "@kahn/core";
import { HEX_LENGTH, readHex } from "@kahn/core";

/** The home of a blob in a file of its own. Packs have numbers from 1. */
export const OWN_FILE = 0;

const FIRST_ENTRIES = 1024;

/** What an index knows of one blob. */
export interface IndexedBlob {
  readonly hash: string;
  readonly sizeBytes: number;
  readonly usedMs: number;
  readonly home: number;
}

/** A hash as bytes: those of `bytes` from `at` on. */
export interface HashKey {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** Blobs of one digest function. */
export class BlobIndex {
  readonly fn: DigestFunction;
  /** How many there are. */
  count = 0;
  readonly #hashBytes: number;
  readonly #prefix: number;
  readonly #key: Uint8Array;
  readonly #seed: number;
  #slots = new Int32Array(2 * FIRST_ENTRIES);
  #keys: Uint8Array;
  /** The same, four bytes at a time. */
  #words: Int32Array;
  #sizes = new Float64Array(FIRST_ENTRIES);
  #used = new Float64Array(FIRST_ENTRIES);
  #homes = new Int32Array(FIRST_ENTRIES);
  #end = 0;
  readonly #free: number[] = [];

  /** @param seed any number; makes it hard to choose blobs that all fall into one place. */
  constructor(fn: DigestFunction, seed: number) {
    this.fn = fn;
    this.#hashBytes = HEX_LENGTH[fn] / 2;
    this.#prefix = fn.length + 1;
    this.#key = new Uint8Array(this.#hashBytes);
    this.#keys = new Uint8Array(FIRST_ENTRIES * this.#hashBytes);
    this.#words = new Int32Array(this.#keys.buffer);
    this.#seed = seed | 1;
  }

  /** The entry of a digest of this function; -1 when there is none with its hash and size. Valid until the next change. */
  find(digest: Digest): number {
    const entry = this.#lookUp(digest, this.#prefix);
    return entry >= 0 && this.#sizes[entry] === sizeOf(digest, this.#prefix + 2 * this.#hashBytes + 1) ? entry : -1;
  }

  /**
   * The entries of a list, -1 for each that is not there with its hash and size. Valid until the next change.
   *
   * Method: in three passes, so that the processor fetches many places of memory at once: each is far from the others.
   */
  findAll({ count, keys, sizes }: DigestList): Int32Array {
    const entries = new Int32Array(count);
    const slots = this.#slots;
    const mask = slots.length - 1;
    const keyBytes = this.#hashBytes;
    for (let at = 0; at < count; at++) entries[at] = slots[mix(keys, at * keyBytes, this.#seed) & mask]! - 1;
    const words = keyBytes / 4;
    const asked = new Int32Array(keys.buffer, keys.byteOffset, count * words);
    const known = this.#words;
    for (let at = 0; at < count; at++) {
      const entry = entries[at]!;
      if (entry < 0) continue;
      let word = 0;
      while (word < words && known[entry * words + word] === asked[at * words + word]) word++;
      if (word < words) entries[at] = this.findKey({ bytes: keys, at: at * keyBytes });
    }
    for (let at = 0; at < count; at++) {
      const entry = entries[at]!;
      if (entry >= 0 && this.#sizes[entry] !== sizes[at]) entries[at] = -1;
    }
    return entries;
  }

  /** The entry with this hash, whatever its size. */
  findHash(hash: string): number {
    return this.#lookUp(hash, 0);
  }

  /** The same for a hash as bytes, those of `bytes` from `at` on. */
  findKey({ bytes, at }: HashKey): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = mix(bytes, at, this.#seed) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]! - 1;
      if (entry < 0 || this.#isKey(entry, bytes, at)) return entry;
    }
  }

  /** Puts a blob in whose hash is given as bytes; else as `put`. */
  putKey(key: HashKey, { sizeBytes, usedMs, home }: Omit<IndexedBlob, "hash">): number {
    const found = this.findKey(key);
    const entry = found < 0 ? this.#addKey(key) : found;
    this.#sizes[entry] = sizeBytes;
    this.#used[entry] = Math.max(usedMs, this.#used[entry]!);
    this.#homes[entry] = home;
    return entry;
  }

  /** Puts a blob in, or gives the one that is there this home, this size, and the later time of use. */
  put({ hash, sizeBytes, usedMs, home }: IndexedBlob): number {
    readHex(hash, 0, this.#key);
    return this.putKey({ bytes: this.#key, at: 0 }, { sizeBytes, usedMs, home });
  }

  /** Takes an entry out. */
  remove(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#slotOf(entry);
    // Whatever was pushed behind it by this one moves up, so that a search still ends at a free slot.
    for (let next = (slot + 1) & mask; this.#slots[next] !== 0; next = (next + 1) & mask) {
      const wanted = this.#hashOfEntry(this.#slots[next]! - 1) & mask;
      if (((next - wanted) & mask) < ((next - slot) & mask)) continue;
      this.#slots[slot] = this.#slots[next]!;
      slot = next;
    }
    this.#slots[slot] = 0;
    this.#homes[entry] = -1;
    this.#free.push(entry);
    this.count--;
  }

  touch(entry: number, usedMs: number): void {
    if (this.#used[entry]! < usedMs) this.#used[entry] = usedMs;
  }

  sizeBytes(entry: number): number {
    return this.#sizes[entry]!;
  }

  usedMs(entry: number): number {
    return this.#used[entry]!;
  }

  home(entry: number): number {
    return this.#homes[entry]!;
  }

  /** First byte of the hash: which directory its file is in. */
  firstByte(entry: number): number {
    return this.#keys[entry * this.#hashBytes]!;
  }

  hash(entry: number): string {
    const at = entry * this.#hashBytes;
    return Buffer.from(this.#keys.buffer, this.#keys.byteOffset + at, this.#hashBytes).toString("hex");
  }

  digest(entry: number): Digest {
    return `${this.fn}:${this.hash(entry)}/${this.#sizes[entry]}` as Digest;
  }

  /** Every number below this may be an entry; those that are none have home -1. */
  get end(): number {
    return this.#end;
  }

  #isKey(entry: number, bytes: Uint8Array, at: number): boolean {
    const start = entry * this.#hashBytes;
    for (let byte = 0; byte < this.#hashBytes; byte++) {
      if (this.#keys[start + byte] !== bytes[at + byte]) return false;
    }
    return true;
  }

  #addKey({ bytes, at }: HashKey): number {
    const entry = this.#free.pop() ?? this.#grown();
    const start = entry * this.#hashBytes;
    for (let byte = 0; byte < this.#hashBytes; byte++) this.#keys[start + byte] = bytes[at + byte]!;
    this.#used[entry] = 0;
    this.#place(entry);
    this.count++;
    return entry;
  }

  #grown(): number {
    if (this.#end === this.#sizes.length) {
      const entries = 2 * this.#end;
      const keys = new Uint8Array(entries * this.#hashBytes);
      keys.set(this.#keys);
      this.#keys = keys;
      this.#words = new Int32Array(keys.buffer);
      this.#sizes = copied(new Float64Array(entries), this.#sizes);
      this.#used = copied(new Float64Array(entries), this.#used);
      this.#homes = copied(new Int32Array(entries), this.#homes);
      this.#slots = new Int32Array(2 * entries);
      for (let entry = 0; entry < this.#end; entry++) if (this.#homes[entry] !== -1) this.#place(entry);
    }
    return this.#end++;
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hashOfEntry(entry) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  #slotOf(entry: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hashOfEntry(entry) & mask;
    while (this.#slots[slot] !== entry + 1) slot = (slot + 1) & mask;
    return slot;
  }

  #hashOfEntry(entry: number): number {
    return mix(this.#keys, entry * this.#hashBytes, this.#seed);
  }

  #lookUp(text: string, from: number): number {
    readHex(text, from, this.#key);
    return this.findKey({ bytes: this.#key, at: 0 });
  }
}

/** The decimal number that a digest ends with. */
function sizeOf(text: string, from: number): number {
  let size = 0;
  for (let at = from; at < text.length; at++) size = size * 10 + text.charCodeAt(at) - 48;
  return size;
}

/** Eight bytes of a hash, mixed: hashes are even already, but whoever makes blobs can choose their first bytes. */
function mix(keys: Uint8Array, at: number, seed: number): number {
  const a = keys[at]! | (keys[at + 1]! << 8) | (keys[at + 2]! << 16) | (keys[at + 3]! << 24);
  const b = keys[at + 4]! | (keys[at + 5]! << 8) | (keys[at + 6]! << 16) | (keys[at + 7]! << 24);
  const mixed = Math.imul(a ^ seed, 0x9e37_79b1) ^ Math.imul(b + seed, 0x85eb_ca6b);
  return mixed ^ (mixed >>> 15);
}

function copied<T extends Float64Array | Int32Array>(into: T, from: T): T {
  into.set(from as never);
  return into;
}
