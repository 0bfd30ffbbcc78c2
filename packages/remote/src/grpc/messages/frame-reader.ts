/**
 * From chunks of bytes to messages: the length-prefix framing of gRPC.
 *
 * Owns:      the bytes of at most one unfinished message.
 * Invariant: holds at most four times as many bytes as have arrived of that message, whatever length it claims to have
 *            (2 MiB of untouched address space, and what was given back, apart); a message that arrives in one chunk is
 *            not copied.
 * Source:    "PROTOCOL-HTTP2": one byte of flags (bit 0: compressed), four bytes of length, big-endian, message.
 */

import { copyBytes, type PieceHashers } from "@kahn/core";

/** Bytes of the prefix of each message. */
export const PREFIX_BYTES = 5;

/** Largest first allocation for a message in pieces: many clients send 1 MiB of a blob and a few bytes around it. */
const FIRST_ALLOCATION_BYTES = 2 << 20;
const GROWTH = 4;
/** Memory given back that is kept for later messages. */
const SPARE_MAX_BYTES = 4 << 20;

/** Messages from this size on are put together in memory that is lent. */
const LENT_MIN_BYTES = 128 << 10;

/** Lends memory that others can work on where it is; it has to come back. */
export type MessageMemory = Pick<PieceHashers, "lend" | "takeBack">;

/** What is wrong with the bytes. */
export type FramingFault =
  | { readonly kind: "too-large"; readonly sizeBytes: number }
  | { readonly kind: "bad-flag"; readonly flag: number };

/** Told of each message; `message` may be a view of the chunk it came in. */
export type MessageSink = (message: Buffer, isCompressed: boolean) => void;

/** Takes a stream of frames apart. After a fault it must not be used again. */
export class FrameReader {
  readonly #messageMaxBytes: number;
  readonly #sink: MessageSink;
  /** An unfinished prefix; made when first needed. */
  #prefix: Buffer | undefined;
  #prefixFilled = 0;
  /** The length of the message that has begun, -1 between messages. */
  #sizeBytes = -1;
  #isCompressed = false;
  #body: Buffer | undefined;
  #bodyFilled = 0;
  /** Memory of messages that came in pieces: ours alone, as a chunk's is not. */
  readonly #own = new WeakSet<ArrayBufferLike>();
  #spares: Buffer[] = [];
  #spareBytes = 0;
  readonly #lender: MessageMemory | undefined;
  /** What was lent: an unfinished message, and those that were not given back. */
  #lent: Buffer[] = [];

  /** @param lender of memory for large messages; then `letGo` must be called in the end. */
  constructor(messageMaxBytes: number, sink: MessageSink, lender?: MessageMemory) {
    this.#messageMaxBytes = messageMaxBytes;
    this.#sink = sink;
    this.#lender = lender;
  }

  /** Bytes held of an unfinished message. */
  get heldBytes(): number {
    return this.#bodyFilled + this.#prefixFilled;
  }

  /** True if the bytes so far end within a message or its prefix. */
  get isInsideMessage(): boolean {
    return this.#sizeBytes >= 0 || this.#prefixFilled > 0;
  }

  /** Takes the next bytes; the sink is called for every message they complete. */
  push(chunk: Buffer): FramingFault | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#sizeBytes < 0) {
        const fault = this.#readPrefix(chunk, at);
        if (fault !== undefined) return fault;
        at += this.#consumed;
        if (this.#sizeBytes < 0) continue;
      }
      at += this.#readBody(chunk, at);
    }
    return undefined;
  }

  /** Nobody needs the message with these bytes any more: where it was put together, later ones may be. */
  giveBack(bytes: Uint8Array): void {
    if (this.#lent.length > 0) this.#return(bytes);
    if (!this.#own.has(bytes.buffer) || this.#spareBytes + bytes.buffer.byteLength > SPARE_MAX_BYTES) return;
    // Once given back it is ours to give back no more, until it is used again.
    this.#own.delete(bytes.buffer);
    this.#spares.push(Buffer.from(bytes.buffer));
    this.#spareBytes += bytes.buffer.byteLength;
  }

  /** Nothing more will be read, and nobody needs any message: what was lent goes back. */
  letGo(): void {
    const lent = this.#lent;
    this.#lent = [];
    for (const memory of lent) this.#lender?.takeBack(memory);
  }

  /** Finds what was lent for a message; what is not there any more went back already. */
  #return({ buffer, byteOffset, byteLength }: Uint8Array): void {
    // Nothing, at the end of one message, may lie at the beginning of another one.
    if (byteLength === 0) return;
    const at = this.#lent.findIndex((lent) => {
      return lent.buffer === buffer && byteOffset >= lent.byteOffset && byteOffset < lent.byteOffset + lent.length;
    });
    if (at >= 0) for (const memory of this.#lent.splice(at, 1)) this.#lender?.takeBack(memory);
  }

  /** How many bytes the last `#readPrefix` took. */
  #consumed = 0;

  #readPrefix(chunk: Buffer, at: number): FramingFault | undefined {
    if (this.#prefixFilled === 0 && chunk.length - at >= PREFIX_BYTES) {
      this.#consumed = PREFIX_BYTES;
      return this.#begin(chunk, at);
    }
    this.#prefix ??= Buffer.allocUnsafe(PREFIX_BYTES);
    this.#consumed = chunk.copy(this.#prefix, this.#prefixFilled, at);
    this.#prefixFilled += this.#consumed;
    if (this.#prefixFilled < PREFIX_BYTES) return undefined;
    this.#prefixFilled = 0;
    return this.#begin(this.#prefix, 0);
  }

  #begin(prefix: Buffer, at: number): FramingFault | undefined {
    const flag = prefix[at]!;
    if (flag > 1) return { kind: "bad-flag", flag };
    const sizeBytes = prefix.readUInt32BE(at + 1);
    if (sizeBytes > this.#messageMaxBytes) return { kind: "too-large", sizeBytes };
    this.#isCompressed = flag === 1;
    if (sizeBytes === 0) this.#sink(EMPTY, this.#isCompressed);
    else this.#sizeBytes = sizeBytes;
    return undefined;
  }

  /** @returns how many bytes of the chunk it took. */
  #readBody(chunk: Buffer, at: number): number {
    const missing = this.#sizeBytes - this.#bodyFilled;
    const available = chunk.length - at;
    if (this.#bodyFilled === 0 && available >= missing) {
      this.#finish(chunk.subarray(at, at + missing));
      return missing;
    }
    if (available === 0) return 0;
    const take = Math.min(missing, available);
    const body = this.#room(take);
    copyBytes(chunk.subarray(at, at + take), body, this.#bodyFilled);
    this.#bodyFilled += take;
    if (take === missing) this.#finish(body.subarray(0, this.#sizeBytes));
    return take;
  }

  #finish(message: Buffer): void {
    this.#body = undefined;
    this.#bodyFilled = 0;
    this.#sizeBytes = -1;
    this.#sink(message, this.#isCompressed);
  }

  /** The body's buffer with room for so many more bytes. */
  #room(bytes: number): Buffer {
    const needed = this.#bodyFilled + bytes;
    const held = this.#body;
    if (held !== undefined && held.length >= needed) return held;
    const wanted = held === undefined ? FIRST_ALLOCATION_BYTES : held.length * GROWTH;
    const grown = this.#memory(Math.min(this.#sizeBytes, Math.max(wanted, needed)));
    if (held !== undefined) {
      copyBytes(held.subarray(0, this.#bodyFilled), grown, 0);
      this.#return(held);
    }
    this.#body = grown;
    return grown;
  }

  #memory(sizeBytes: number): Buffer {
    const lent = sizeBytes < LENT_MIN_BYTES ? undefined : this.#lender?.lend(sizeBytes);
    if (lent !== undefined) {
      this.#lent.push(lent);
      return lent;
    }
    const spare = this.#spares.pop();
    if (spare !== undefined) this.#spareBytes -= spare.length;
    // Messages of one call are of one size as a rule, so another one would not be large enough either.
    const memory = spare !== undefined && spare.length >= sizeBytes ? spare : Buffer.allocUnsafeSlow(sizeBytes);
    this.#own.add(memory.buffer);
    return memory;
  }
}

const EMPTY = Buffer.alloc(0);
