/**
 * Reads protobuf wire format that anybody may have sent; the generated decoders are its only callers.
 *
 * Invariant: never reads past the end of the message it is in; every call consumes at least one byte, so reading ends;
 *            nesting and the number of nested messages are limited, so what is decoded takes memory in proportion to
 *            the bytes: at most about a hundred megabytes beyond them.
 * Errors:    throws `DecodeError` and nothing else.
 * Lifetime:  `bytes` answers views into what was given, which must not be written to while the message is in use; who
 *            keeps a small field for long copies it, or it keeps the whole buffer alive.
 * Note:      what is not a field of the message, or has another wire type, is skipped. Of a field that should occur
 *            once, the last one counts; a message is then replaced, not merged.
 */
import { isUtf8 } from "node:buffer";
import { DecodeError } from "./decode-error.ts";

/** Deeper nesting is refused; protobuf implementations agree on this number. */
const DEPTH_MAX = 100;

/** More nested messages than this in one message are refused: two bytes each on the wire, a hundred in memory. */
const MESSAGES_MAX = 1_000_000;

const TWO_32 = 0x1_0000_0000;

/** A cursor over one encoded message. */
export class WireReader {
  readonly #buffer: Buffer;
  #at = 0;
  #end: number;
  #tag = 0;
  #messages = 0;
  /** Names of the fields whose messages are being read. */
  readonly #trail: string[] = [];
  /** The upper half of the last `#varint`. */
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.byteLength;
  }

  /** Moves to the next field: its number times eight plus its wire type, or 0 at the end of the message. */
  next(): number {
    if (this.#at === this.#end) return 0;
    const byte = this.#buffer[this.#at]!;
    if (byte < 0x80 && byte >= 8) {
      this.#at++;
      this.#tag = byte;
      return byte;
    }
    const tag = this.#varint("");
    if (this.#high !== 0 || tag < 8) throw this.#error("", "a tag names no field");
    this.#tag = tag;
    return tag;
  }

  /** Passes over the value of the current field. */
  skip(): void {
    const tag = this.#tag;
    const name = String(tag >>> 3);
    switch (tag & 7) {
      case 0:
        this.#varint(name);
        return;
      case 1:
        this.#advance(8, name);
        return;
      case 2:
        this.#takeLength(name);
        return;
      case 3:
        this.#skipGroup(name);
        return;
      case 5:
        this.#advance(4, name);
        return;
      default:
        throw this.#error(name, "wire type that does not exist");
    }
  }

  /** Opens a message field; answers what `leave` takes. */
  enter(name: string): number {
    const start = this.#takeLength(name);
    if (this.#trail.push(name) > DEPTH_MAX) throw this.#error("", `nested more than ${DEPTH_MAX} levels deep`);
    if (++this.#messages > MESSAGES_MAX) throw this.#error("", `more than ${MESSAGES_MAX} nested messages`);
    const outerEnd = this.#end;
    this.#end = this.#at;
    this.#at = start;
    return outerEnd;
  }

  /** Closes a message field that was read to its end. */
  leave(outerEnd: number): void {
    this.#trail.pop();
    this.#end = outerEnd;
  }

  /** A 32-bit number or enum: the low half of the varint, as every protobuf reader takes it. */
  int32(name: string): number {
    return this.#varint(name) | 0;
  }

  /** A 32-bit number without a sign. */
  uint32(name: string): number {
    return this.#varint(name);
  }

  /** A 64-bit number. Beyond 2^53 it is an error, never a neighbour. */
  int64(name: string): number {
    const low = this.#varint(name);
    const high = this.#high;
    if (high === 0) return low;
    const value = (high | 0) * TWO_32 + low;
    if (!Number.isSafeInteger(value)) throw this.#error(name, "number beyond 2^53");
    return value;
  }

  /** A 64-bit number without a sign. Beyond 2^53 it is an error, never a neighbour. */
  uint64(name: string): number {
    const low = this.#varint(name);
    const value = this.#high * TWO_32 + low;
    if (!Number.isSafeInteger(value)) throw this.#error(name, "number beyond 2^53");
    return value;
  }

  bool(name: string): boolean {
    return this.#varint(name) !== 0 || this.#high !== 0;
  }

  double(name: string): number {
    this.#advance(8, name);
    return this.#buffer.readDoubleLE(this.#at - 8);
  }

  float(name: string): number {
    this.#advance(4, name);
    return this.#buffer.readFloatLE(this.#at - 4);
  }

  /** A string; its bytes must be UTF-8. */
  string(name: string): string {
    const start = this.#takeLength(name);
    const buffer = this.#buffer;
    const end = this.#at;
    if (start === end) return "";
    let at = start;
    while (at < end && buffer[at]! < 0x80) at++;
    // Nearly all strings are ASCII, and then neither need checking nor decoding.
    if (at === end) return buffer.toString("latin1", start, end);
    if (!isUtf8(buffer.subarray(start, end))) throw this.#error(name, "string that is not UTF-8");
    return buffer.toString("utf8", start, end);
  }

  /** A view of a bytes field: see Lifetime above. */
  bytes(name: string): Uint8Array {
    const start = this.#takeLength(name);
    return this.#buffer.subarray(start, this.#at);
  }

  /** Calls `read` until a packed list of numbers is used up. */
  packed(name: string, read: () => void): void {
    const start = this.#takeLength(name);
    const outerEnd = this.#end;
    this.#end = this.#at;
    this.#at = start;
    while (this.#at < this.#end) read();
    this.#end = outerEnd;
  }

  /** The low 32 bits of a varint, unsigned; the others are in `#high`. */
  #varint(name: string): number {
    const buffer = this.#buffer;
    const end = this.#end;
    let at = this.#at;
    let byte = at < end ? buffer[at++]! : this.#cut(name);
    let low = byte & 0x7f;
    this.#high = 0;
    for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
      byte = at < end ? buffer[at++]! : this.#cut(name);
      low |= (byte & 0x7f) << shift;
    }
    if (byte >= 0x80) {
      byte = at < end ? buffer[at++]! : this.#cut(name);
      low |= byte << 28;
      let high = (byte & 0x7f) >>> 4;
      for (let shift = 3; byte >= 0x80; shift += 7) {
        if (shift > 31) throw this.#error(name, "number longer than ten bytes");
        byte = at < end ? buffer[at++]! : this.#cut(name);
        high |= (byte & 0x7f) << shift;
      }
      this.#high = high >>> 0;
    }
    this.#at = at;
    return low >>> 0;
  }

  /** Reads a length, moves behind what it measures and answers where that starts. */
  #takeLength(name: string): number {
    const byte = this.#at < this.#end ? this.#buffer[this.#at]! : 0x80;
    let length = byte;
    if (byte < 0x80) this.#at++;
    else {
      length = this.#varint(name);
      if (this.#high !== 0) this.#cut(name);
    }
    const start = this.#at;
    this.#advance(length, name);
    return start;
  }

  #advance(count: number, name: string): void {
    if (count > this.#end - this.#at) this.#cut(name);
    this.#at += count;
  }

  /** Groups are of an older protobuf; only a stranger can send one. A loop, so that depth costs no stack. */
  #skipGroup(name: string): void {
    const open = [this.#tag >>> 3];
    while (open.length > 0) {
      const tag = this.next();
      if (tag === 0) this.#cut(name);
      if ((tag & 7) === 3) {
        if (open.push(tag >>> 3) > DEPTH_MAX) throw this.#error(name, `nested more than ${DEPTH_MAX} levels deep`);
      } else if ((tag & 7) === 4) {
        if (open.pop() !== tag >>> 3) throw this.#error(name, "group that ends as another one");
      } else this.skip();
    }
  }

  #cut(name: string): never {
    throw this.#error(name, "cut off");
  }

  #error(name: string, reason: string): DecodeError {
    const path = (name === "" ? this.#trail : [...this.#trail, name]).slice(0, DEPTH_MAX).join(".");
    return new DecodeError({ typeName: "", path, reason });
  }
}

/** What a bytes field is that was not sent. */
export const NO_BYTES: Uint8Array = Buffer.alloc(0);
