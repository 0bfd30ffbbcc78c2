/**
 * FastCDC of 2020: cuts bytes where their content says so, so that an edit moves few cuts.
 *
 * Invariant: the cuts depend on the bytes alone, not on how they arrive, and are those of every other implementation
 *            with these parameters; else clients' chunks and ours would never be the same.
 * Source:    Xia et al., "The Design of Fast Content-Defined Chunking …" (2020), as REAPI fixes it: gear table = first
 *            eight bytes of MD5 over 64 times the byte, normalisation level 2, min = average / 4, max = average * 4.
 * Note:      masks have no bit above 2^47, and a carry only goes up: 48 bits of the 64-bit hash suffice, held in two
 *            halves of 24 bits since a number in JavaScript shifts 32.
 */
import { createHash } from "node:crypto";
import { InvariantError } from "@kahn/core";

/** What the capabilities announce. */
export const CHUNK_AVERAGE_BYTES = 512 << 10;
/** XORed to the gear table; 0 leaves it alone. */
export const CHUNK_SEED = 0;

/** Sizes of chunks. */
export interface ChunkSizes {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
}

/** Sizes for an average that is a power of two from 1 KiB to 1 MiB. */
export function chunkSizes(averageBytes: number): ChunkSizes {
  return { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4 };
}

/** The sizes of REAPI's default. */
export const DEFAULT_CHUNK_SIZES = chunkSizes(CHUNK_AVERAGE_BYTES);

/** Masks by the logarithm of the size that they aim at; from 2^8 to 2^22. */
const MASKS: readonly bigint[] = [
  ...[0x1800035300n, 0x19000353000n, 0x590003530000n, 0xd90003530000n, 0xd90103530000n, 0xd90303530000n],
  ...[0xd90313530000n, 0xd90f03530000n, 0xd90303537000n, 0xd90703537000n, 0xd90707537000n, 0xd91707537000n],
  ...[0xd91747537000n, 0xd91767537000n, 0xd93767537000n],
];

interface Gear {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

let table: Gear | undefined;

function gear(): Gear {
  if (table !== undefined) return table;
  table = { low: new Int32Array(256), high: new Int32Array(256) };
  for (let byte = 0; byte < 256; byte++) {
    const digest = createHash("md5").update(Buffer.alloc(64, byte)).digest();
    table.low[byte] = digest.readUIntBE(5, 3);
    table.high[byte] = digest.readUIntBE(2, 3);
  }
  return table;
}

function maskOf(log2: number): { readonly low: number; readonly high: number } {
  const mask = MASKS[log2 - 8];
  if (mask === undefined) throw new InvariantError(`no mask for chunks of 2^${log2} bytes`);
  return { low: Number(mask & 0xffffffn), high: Number(mask >> 24n) };
}

/**
 * How long the first chunk of these bytes is.
 *
 * @param bytes at least `maxBytes` of them, or all that are left.
 */
export function cutChunk(bytes: Uint8Array, sizes: ChunkSizes): number {
  const { minBytes, averageBytes, maxBytes } = sizes;
  if (bytes.length <= minBytes) return bytes.length;
  const end = Math.min(bytes.length, maxBytes);
  const log2 = Math.round(Math.log2(averageBytes));
  // The original goes by pairs: an odd last byte is never looked at.
  const center = Math.min(averageBytes, end) & ~1;
  const state = { low: 0, high: 0 };
  const strict = roll(bytes, { from: minBytes, to: center, mask: maskOf(log2 + 2) }, state);
  if (strict >= 0) return strict;
  const loose = roll(bytes, { from: Math.max(center, minBytes), to: end & ~1, mask: maskOf(log2 - 2) }, state);
  return loose >= 0 ? loose : end;
}

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly mask: { readonly low: number; readonly high: number };
}

/** Rolls the hash over a stretch. @returns where the mask is met, or -1. */
function roll(bytes: Uint8Array, { from, to, mask }: Stretch, state: { low: number; high: number }): number {
  const { low: gearLow, high: gearHigh } = gear();
  const { low: maskLow, high: maskHigh } = mask;
  let { low, high } = state;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    const sum = (low << 1) + gearLow[byte]!;
    low = sum & 0xffffff;
    high = ((high << 1) + gearHigh[byte]! + (sum >>> 24)) & 0xffffff;
    if (((low & maskLow) | (high & maskHigh)) === 0) return at;
  }
  state.low = low;
  state.high = high;
  return -1;
}

/** Cuts bytes that arrive in pieces. */
export class Chunker {
  readonly #sizes: ChunkSizes;
  #held: Uint8Array;
  #start = 0;
  #end = 0;

  constructor(sizes: ChunkSizes = DEFAULT_CHUNK_SIZES) {
    this.#sizes = sizes;
    this.#held = new Uint8Array(sizes.maxBytes * 2);
  }

  /** Takes the next bytes, which may be reused at once. Each chunk is valid until the next one is asked for. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      this.#compact();
      const taken = Math.min(bytes.length - at, this.#held.length - this.#end);
      this.#held.set(bytes.subarray(at, at + taken), this.#end);
      this.#end += taken;
      at += taken;
      while (this.#end - this.#start >= this.#sizes.maxBytes) yield this.#cut();
    }
  }

  /** No more bytes come: the rest in chunks. */
  *end(): Generator<Uint8Array> {
    while (this.#end > this.#start) yield this.#cut();
  }

  #cut(): Uint8Array {
    const rest = this.#held.subarray(this.#start, this.#end);
    const chunk = rest.subarray(0, cutChunk(rest, this.#sizes));
    this.#start += chunk.length;
    return chunk;
  }

  #compact(): void {
    this.#held.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }
}
