/**
 * Writes protobuf wire format into one growing buffer.
 *
 * Owns:      varints, tags, lengths and UTF-8; which fields a message has is `reapi/encode.ts`'s business.
 * Invariant: bytes are appended in the order of the calls; nothing is re-ordered or left out here.
 * Note:      tags are written in octal: the last digit is the wire type (0 varint, 2 length-delimited), the digits
 *            before it are the field number. `0o12` is field 1 with a length, `0o142` is field 12 with a length.
 */
import type { Digest } from "../digest.ts";

/** A reusable buffer of wire format. `reset` keeps the memory, so a writer held for long costs no allocation. */
export class WireWriter {
  #bytes = Buffer.allocUnsafeSlow(512);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Forgets what was written. */
  reset(): void {
    this.#length = 0;
  }

  /** What was written, without a copy: valid until the next write or reset. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** What was written, as bytes of its own. */
  copy(): Uint8Array {
    return new Uint8Array(this.view());
  }

  /** Appends bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A varint field; `value` is a whole number, negative ones as 64-bit two's complement. */
  number(tag: number, value: number): void {
    this.#varint(tag);
    if (value >= 0) this.#varint(value);
    else this.#negative(value);
  }

  /** A string field, also when empty. Lone surrogates become U+FFFD. */
  string(tag: number, text: string): void {
    this.#varint(tag);
    const length = text.length;
    this.#reserve(length * 3 + 5);
    if (length < 0x80) {
      // Names are short and nearly always ASCII; a call into the native writer costs more than this loop.
      const bytes = this.#bytes;
      const start = this.#length + 1;
      let index = 0;
      for (; index < length; index++) {
        const unit = text.charCodeAt(index);
        if (unit >= 0x80) break;
        bytes[start + index] = unit;
      }
      if (index === length) {
        bytes[start - 1] = length;
        this.#length = start + length;
        return;
      }
    }
    this.#varint(Buffer.byteLength(text));
    this.#length += this.#bytes.write(text, this.#length, "utf8");
  }

  /** A bytes field, also when empty. */
  bytes(tag: number, bytes: Uint8Array): void {
    this.#varint(tag);
    this.#varint(bytes.length);
    this.raw(bytes);
  }

  /** Opens a message field; `end` takes what this returns. */
  begin(tag: number): number {
    this.#varint(tag);
    this.#reserve(1);
    return ++this.#length;
  }

  /** Closes a message field: puts its length before it, moving it when the length takes more than one byte. */
  end(start: number): void {
    const size = this.#length - start;
    if (size < 0x80) {
      this.#bytes[start - 1] = size;
      return;
    }
    const extra = varintLength(size) - 1;
    this.#reserve(extra);
    this.#bytes.copyWithin(start + extra, start, this.#length);
    this.#length = start - 1;
    this.#varint(size);
    this.#length += size;
  }

  /** A `Digest` field: hash and size are read from the digest's text without cutting it up. */
  digest(tag: number, digest: Digest): void {
    const start = this.begin(tag);
    this.digestFields(digest);
    this.end(start);
  }

  /** The fields of a `Digest` message without its tag. */
  digestFields(digest: Digest): void {
    const slash = digest.lastIndexOf("/");
    let at = digest.indexOf(":") + 1;
    this.#reserve(160);
    this.#varint(0o12);
    this.#varint(slash - at);
    const bytes = this.#bytes;
    let length = this.#length;
    while (at < slash) bytes[length++] = digest.charCodeAt(at++);
    this.#length = length;
    let sizeBytes = 0;
    for (at = slash + 1; at < digest.length; at++) sizeBytes = sizeBytes * 10 + digest.charCodeAt(at) - 48;
    if (sizeBytes > 0) this.number(0o20, sizeBytes);
  }

  #varint(value: number): void {
    this.#reserve(10);
    const bytes = this.#bytes;
    let rest = value;
    // Not shifts: sizes go beyond 32 bits.
    while (rest >= 0x80) {
      bytes[this.#length++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[this.#length++] = rest;
  }

  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    this.#reserve(10);
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) + 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}
