/**
 * Reads protobuf wire format from bytes that anybody may have sent.
 *
 * Owns:      varints, tags, lengths and UTF-8 validity.
 * Invariant: never reads past the end of the bytes or of the message it is in; every step consumes at least one byte,
 *            so reading ends; nesting is as deep as the callers' code, never as deep as the input wishes.
 * Errors:    throws `MalformedWire`, which `reapi/decode.ts` catches at its border; nothing else may see it.
 */
import { isUtf8 } from "node:buffer";

/** The bytes are not what they should be; the message says which rule they break. */
export class MalformedWire extends Error {
  override readonly name = "MalformedWire";
}

/** A cursor over wire format. Tags read as in `wire-writer.ts`: octal, last digit the wire type. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;
  #end: number;
  #tag = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.byteLength;
  }

  /** Field number and wire type of the field that `next` moved to. */
  get tag(): number {
    return this.#tag;
  }

  /** Moves to the next field of the current message; false at its end. */
  next(): boolean {
    if (this.#at === this.#end) return false;
    this.#tag = this.number();
    if (this.#tag < 8 || this.#tag > 0xffff_ffff) throw new MalformedWire("a tag names no field");
    return true;
  }

  /** Passes over the value of the current field. */
  skip(): void {
    switch (this.#tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.#advance(this.number());
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw new MalformedWire("a field has an unknown wire type");
    }
  }

  /** A whole number from 0 to 2^53 - 1. */
  number(): number {
    const byte = this.#at < this.#end ? this.#bytes[this.#at]! : 0x80;
    if (byte < 0x80) {
      this.#at++;
      return byte;
    }
    const value = this.varint();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedWire("a number is out of range");
    return Number(value);
  }

  /** A signed 64-bit number that fits a double exactly. */
  int64(): number {
    const value = BigInt.asIntN(64, this.varint());
    if (value !== BigInt(Number(value))) throw new MalformedWire("a number is out of range");
    return Number(value);
  }

  /** A signed 32-bit number: the low half of the varint, as every protobuf reader takes it. */
  int32(): number {
    return Number(BigInt.asIntN(32, this.varint()));
  }

  bool(): boolean {
    return this.varint() !== 0n;
  }

  /** The 64 bits of a varint. */
  varint(): bigint {
    let low = 0;
    let high = 0;
    // Two halves of 28 and 36 bits: plain numbers are exact to 53, and a bigint per byte would be slow.
    for (let index = 0; index < 10; index++) {
      if (this.#at >= this.#end) throw new MalformedWire("a number is cut off");
      const byte = this.#bytes[this.#at++]!;
      if (index < 4) low += (byte & 0x7f) * 2 ** (7 * index);
      else high += (byte & 0x7f) * 2 ** (7 * (index - 4));
      if (byte < 0x80) return BigInt.asUintN(64, (BigInt(high) << 28n) | BigInt(low));
    }
    throw new MalformedWire("a number is longer than ten bytes");
  }

  /** A string; its bytes must be UTF-8. */
  string(): string {
    const start = this.#takeLength();
    const bytes = this.#bytes;
    let at = start;
    while (at < this.#at && bytes[at]! < 0x80) at++;
    // Nearly all strings are ASCII, and then neither need checking nor decoding.
    if (at === this.#at) return bytes.toString("latin1", start, at);
    const text = bytes.subarray(start, this.#at);
    if (!isUtf8(text)) throw new MalformedWire("a string is not UTF-8");
    return text.toString("utf8");
  }

  /** A copy of a bytes field. */
  bytes(): Uint8Array {
    const start = this.#takeLength();
    return new Uint8Array(this.#bytes.subarray(start, this.#at));
  }

  /** The bytes of a message field, unread and without a copy. */
  view(): Uint8Array {
    const start = this.#takeLength();
    return this.#bytes.subarray(start, this.#at);
  }

  /** Reads a message field with `read`, which loops over `next` until it answers false. */
  message<T>(read: () => T): T {
    const start = this.#takeLength();
    const outerEnd = this.#end;
    this.#end = this.#at;
    this.#at = start;
    const value = read();
    this.#at = this.#end;
    this.#end = outerEnd;
    return value;
  }

  /** Reads a length, moves behind what it measures and answers where that starts. */
  #takeLength(): number {
    const length = this.number();
    const start = this.#at;
    this.#advance(length);
    return start;
  }

  #advance(count: number): void {
    if (count > this.#end - this.#at) throw new MalformedWire("a field is cut off");
    this.#at += count;
  }
}
