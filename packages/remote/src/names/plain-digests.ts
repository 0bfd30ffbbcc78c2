/**
 * The digests of a FindMissingBlobsRequest, read where they lie: clients ask for ten thousand at once.
 *
 * Method:    takes the encoding that every known client writes: one byte for each tag and length, hashes of one length.
 * Invariant: bytes that it takes mean what the message's codec says they mean, and are well formed; all others it leaves
 *            to that codec, which knows what is wrong with them.
 */
import type { DigestFunction, DigestList } from "@kahn/core";
import { HEX_LENGTH } from "@kahn/core";
import { emptyHash, requestFunction } from "./digest-function.ts";

/** A request, read. */
export interface PlainDigests {
  readonly instanceName: string;
  readonly list: DigestList;
  /** Where in the message the field of each digest begins, with its tag. */
  readonly starts: Int32Array;
}

const INSTANCE_NAME = 0x0a;
const BLOB_DIGESTS = 0x12;
const DIGEST_FUNCTION = 0x18;
const HASH = 0x0a;
const SIZE_BYTES = 0x10;

/** No length of more than one byte. */
const LENGTH_MAX = 0x7f;
/** More bytes of a size are none that a blob can have: 2^49. */
const SIZE_LENGTH_MAX = 7;

/** Values of hex digits by their codes. */
const NIBBLES = new Uint8Array(256).fill(0x80);
for (let value = 0; value < 16; value++) NIBBLES[value.toString(16).charCodeAt(0)] = value;

/** How many bytes the field of a digest takes, from its tag on. */
export function plainFieldBytes(message: Uint8Array, start: number): number {
  return 2 + message[start + 1]!;
}

/** Reads a request; `undefined` for one that is to be decoded in the ordinary way. */
export function plainDigests(message: Uint8Array): PlainDigests | undefined {
  const reading = new Reading(message);
  return reading.run() ? reading.result() : undefined;
}

class Reading {
  readonly #message: Uint8Array;
  #at = 0;
  #instanceName = "";
  #functionNumber = 0;
  #count = 0;
  /** Hex digits of a hash; 0 before the first. */
  #hexLength = 0;
  #keys = new Uint8Array(0);
  #sizes = new Float64Array(0);
  #starts = new Int32Array(0);

  constructor(message: Uint8Array) {
    this.#message = message;
  }

  /** @returns false when something is not plain. */
  run(): boolean {
    const message = this.#message;
    while (this.#at < message.length) {
      const isPlain = this.#field(message[this.#at]!);
      if (!isPlain) return false;
    }
    return this.#count > 0;
  }

  result(): PlainDigests | undefined {
    const first = Buffer.from(this.#keys.buffer, 0, this.#hexLength / 2).toString("hex");
    const fn = requestFunction(this.#functionNumber, first);
    if (!fn.ok || HEX_LENGTH[fn.value] !== this.#hexLength) return undefined;
    const keys = this.#keys.subarray(0, (this.#count * this.#hexLength) / 2);
    const list = { fn: fn.value, count: this.#count, keys, sizes: this.#sizes.subarray(0, this.#count) };
    if (hasSizedEmpty(list)) return undefined;
    return { instanceName: this.#instanceName, list, starts: this.#starts.subarray(0, this.#count) };
  }

  #field(tag: number): boolean {
    switch (tag) {
      case BLOB_DIGESTS:
        return this.#digest();
      case INSTANCE_NAME:
        return this.#name();
      case DIGEST_FUNCTION:
        this.#functionNumber = this.#message[this.#at + 1] ?? LENGTH_MAX + 1;
        this.#at += 2;
        return this.#functionNumber <= LENGTH_MAX;
      default:
        return false;
    }
  }

  #name(): boolean {
    const length = this.#message[this.#at + 1] ?? LENGTH_MAX + 1;
    const start = this.#at + 2;
    if (length > LENGTH_MAX || start + length > this.#message.length) return false;
    const name = this.#message.subarray(start, start + length);
    this.#instanceName = Buffer.from(name.buffer, name.byteOffset, length).toString("latin1");
    this.#at = start + length;
    return name.every((code) => code <= LENGTH_MAX);
  }

  #digest(): boolean {
    const message = this.#message;
    const start = this.#at;
    const length = message[start + 1]!;
    const end = start + 2 + length;
    const hexLength = message[start + 3]!;
    if (length > LENGTH_MAX || end > message.length || message[start + 2] !== HASH) return false;
    if (this.#hexLength === 0) this.#expect(hexLength);
    if (hexLength !== this.#hexLength || start + 4 + hexLength > end) return false;
    if (!this.#hash(start + 4) || !this.#size(start + 4 + hexLength, end)) return false;
    this.#starts[this.#count++] = start;
    this.#at = end;
    return true;
  }

  /** Room for all digests that the message can have. */
  #expect(hexLength: number): void {
    const most = hexLength < 2 || hexLength % 8 !== 0 ? 0 : Math.floor(this.#message.length / (hexLength + 4)) + 1;
    this.#hexLength = most === 0 ? -1 : hexLength;
    this.#keys = new Uint8Array((most * hexLength) / 2);
    this.#sizes = new Float64Array(most);
    this.#starts = new Int32Array(most);
  }

  #hash(from: number): boolean {
    const message = this.#message;
    const keys = this.#keys;
    const keyBytes = this.#hexLength / 2;
    const start = this.#count * keyBytes;
    let all = 0;
    for (let byte = 0, at = from; byte < keyBytes; byte++, at += 2) {
      const high = NIBBLES[message[at]!]!;
      const low = NIBBLES[message[at + 1]!]!;
      all |= high | low;
      keys[start + byte] = (high << 4) | low;
    }
    return all < 16;
  }

  /** Reads the rest of a digest: its size, or nothing for 0. */
  #size(from: number, end: number): boolean {
    let size = 0;
    if (from < end) {
      const last = end - 1;
      if (this.#message[from] !== SIZE_BYTES || last === from || last - from > SIZE_LENGTH_MAX) return false;
      for (let at = last; at > from; at--) {
        const byte = this.#message[at]!;
        if (byte > LENGTH_MAX !== at < last) return false;
        size = size * 128 + (byte & LENGTH_MAX);
      }
    }
    this.#sizes[this.#count] = size;
    return true;
  }
}

/** True when a list names the empty blob with a size. */
function hasSizedEmpty({ fn, count, keys, sizes }: DigestList): boolean {
  const empty = EMPTY_KEYS.get(fn) ?? Buffer.from(emptyHash(fn), "hex");
  EMPTY_KEYS.set(fn, empty);
  for (let at = 0; at < count; at++) {
    if (keys[at * empty.length] !== empty[0] || sizes[at] === 0) continue;
    if (empty.equals(keys.subarray(at * empty.length, (at + 1) * empty.length))) return true;
  }
  return false;
}

const EMPTY_KEYS = new Map<DigestFunction, Buffer>();
