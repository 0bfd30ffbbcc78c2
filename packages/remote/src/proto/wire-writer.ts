/**
 * Writes protobuf wire format from the end of a buffer to its start, so that a length is known when it is written and
 * nothing is measured twice or moved.
 *
 * Owns:   varints, tags, lengths and UTF-8. The generated encoders are the only callers; they write the last field first.
 * Errors: a number that its type cannot hold is a bug of the caller and throws `InvariantError`.
 */
import { invariant } from "@kahn/core";

/** A buffer that grows towards its start. */
export class WireWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Where in the buffer the first byte written so far is, and where those end that are in no part yet. */
  #at = FIRST_BYTES;
  #end = FIRST_BYTES;
  /** What is finished behind the buffer's bytes, last part first. */
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #sharesBytes = false;

  /** How much is written; the lengths of two moments differ by what was written between them. */
  get length(): number {
    return this.#end - this.#at + this.#partsBytes;
  }

  /**
   * Forgets what was written, and a buffer that is larger than most messages need.
   *
   * @param sharesBytes true to put large bytes fields into `takeParts` as they are, false to copy them.
   */
  reset(sharesBytes: boolean): void {
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#at = this.#buffer.length;
    this.#end = this.#at;
    this.#parts = [];
    this.#partsBytes = 0;
    this.#sharesBytes = sharesBytes;
  }

  /** What was written since a `reset(false)`, as bytes of its own. */
  take(): Uint8Array {
    const written = this.#buffer.subarray(this.#at);
    if (this.#buffer.length <= KEPT_BYTES) return Buffer.from(written);
    // A large buffer is given away instead of copied.
    this.#replaceBuffer();
    return written;
  }

  /** What was written since a `reset(true)`: parts that in their order are its bytes. */
  takeParts(): readonly Uint8Array[] {
    if (this.#parts.length === 0) return [this.take()];
    if (this.#end > this.#at) this.#parts.push(this.#buffer.subarray(this.#at, this.#end));
    const parts = this.#parts.reverse();
    this.#replaceBuffer();
    this.reset(false);
    return parts;
  }

  /** Ends a message field: what was written since the writer had `length` is its content. */
  close(tag: number, length: number): void {
    this.#varint(this.length - length);
    this.#varint(tag);
  }

  /** A 32-bit number with a sign, or an enum. */
  int32(tag: number, value: number): void {
    invariant(value === (value | 0), `${value} is no 32-bit number (field ${tag >>> 3})`);
    if (value >= 0) this.#varint(value);
    else this.#negative(value);
    this.#varint(tag);
  }

  uint32(tag: number, value: number): void {
    invariant(value === value >>> 0, `${value} is no 32-bit number without a sign (field ${tag >>> 3})`);
    this.#varint(value);
    this.#varint(tag);
  }

  /** A whole number up to 2^53 either way. */
  int64(tag: number, value: number): void {
    invariant(Number.isSafeInteger(value), `${value} is no exact whole number (field ${tag >>> 3})`);
    if (value >= 0) this.#varint(value);
    else this.#negative(value);
    this.#varint(tag);
  }

  uint64(tag: number, value: number): void {
    invariant(Number.isSafeInteger(value) && value >= 0, `${value} is no size (field ${tag >>> 3})`);
    this.#varint(value);
    this.#varint(tag);
  }

  bool(tag: number, value: boolean): void {
    this.#reserve(1);
    this.#buffer[--this.#at] = value ? 1 : 0;
    this.#varint(tag);
  }

  double(tag: number, value: number): void {
    this.#reserve(8);
    this.#buffer.writeDoubleLE(value, (this.#at -= 8));
    this.#varint(tag);
  }

  float(tag: number, value: number): void {
    this.#reserve(4);
    this.#buffer.writeFloatLE(value, (this.#at -= 4));
    this.#varint(tag);
  }

  /** A string, also when empty. Lone surrogates become U+FFFD. */
  string(tag: number, text: string): void {
    const size = this.#ascii(text) ?? this.#utf8(text);
    this.#varint(size);
    this.#varint(tag);
  }

  /** A bytes field, also when empty. */
  bytes(tag: number, bytes: Uint8Array): void {
    if (this.#sharesBytes && bytes.length >= SHARED_MIN_BYTES) this.#share(bytes);
    else {
      this.#reserve(bytes.length);
      this.#at -= bytes.length;
      this.#buffer.set(bytes, this.#at);
    }
    this.#varint(bytes.length);
    this.#varint(tag);
  }

  /** A list of numbers in one field; `values` is not empty. */
  packed(tag: number, values: readonly (number | boolean)[]): void {
    const length = this.length;
    for (let index = values.length - 1; index >= 0; index--) {
      const value = Number(values[index]);
      invariant(Number.isSafeInteger(value), `${value} is no exact whole number (field ${tag >>> 3})`);
      if (value >= 0) this.#varint(value);
      else this.#negative(value);
    }
    this.close(tag, length);
  }

  /** Writes short ASCII text; `undefined` when it is not that, and then nothing counts as written. */
  #ascii(text: string): number | undefined {
    const size = text.length;
    if (size > ASCII_MAX) return undefined;
    this.#reserve(size);
    // Names and hashes are short and nearly always ASCII: a call into the native writer costs more than this loop.
    const buffer = this.#buffer;
    const start = this.#at - size;
    for (let index = 0; index < size; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return undefined;
      buffer[start + index] = unit;
    }
    this.#at = start;
    return size;
  }

  #utf8(text: string): number {
    const size = Buffer.byteLength(text);
    this.#reserve(size);
    this.#at -= size;
    this.#buffer.write(text, this.#at, size, "utf8");
    return size;
  }

  #varint(value: number): void {
    if (value < 0x80) {
      this.#reserve(1);
      this.#buffer[--this.#at] = value;
      return;
    }
    const size = varintSize(value);
    this.#reserve(size);
    const buffer = this.#buffer;
    let at = (this.#at -= size);
    let rest = value;
    // Not shifts: sizes go beyond 32 bits.
    while (rest > 0x7fff_ffff) {
      buffer[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      buffer[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[at] = rest;
  }

  /** Two's complement of 64 bits: always ten bytes. */
  #negative(value: number): void {
    this.#reserve(10);
    let at = (this.#at -= 10);
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let index = 0; index < 9; index++) {
      this.#buffer[at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[at] = Number(rest);
  }

  /** Ends the part that is being written, and makes one of these bytes. */
  #share(bytes: Uint8Array): void {
    if (this.#end > this.#at) this.#parts.push(this.#buffer.subarray(this.#at, this.#end));
    this.#parts.push(bytes);
    this.#partsBytes += this.#end - this.#at + bytes.length;
    this.#end = this.#at;
  }

  #reserve(count: number): void {
    if (count <= this.#at) return;
    const written = this.#end - this.#at;
    const grown = Buffer.allocUnsafeSlow(Math.max(written + count, this.#buffer.length * 2));
    this.#end = grown.length;
    const at = this.#end - written;
    this.#buffer.copy(grown, at, this.#at, this.#at + written);
    this.#buffer = grown;
    this.#at = at;
  }

  #replaceBuffer(): void {
    this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#at = FIRST_BYTES;
    this.#end = FIRST_BYTES;
  }
}

/** Large enough for most messages. */
const FIRST_BYTES = 1024;

/** Smaller bytes fields are copied also where they might be shared: a part more costs more than the copy. */
const SHARED_MIN_BYTES = 16 * 1024;

/** Longer text is left to the native writer. */
const ASCII_MAX = 128;

/** A writer's buffer that is larger than this is not kept. */
const KEPT_BYTES = 64 * 1024;

function varintSize(value: number): number {
  let size = 1;
  for (let limit = 0x80; value >= limit; limit *= 0x80) size++;
  return size;
}
