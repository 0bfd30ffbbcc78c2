/**
 * Port: zstd. Frames that stand alone, so that a blob can be sent compressed from any offset.
 *
 * Invariant: unpacking never holds or gives more bytes than it was allowed, whatever the packed bytes claim.
 */
import type { Problem, Result } from "@kahn/core";

/** Bytes that are no zstd, or that unpack to more than was allowed. */
export type ZstdProblem = Problem<"zstd-malformed"> | Problem<"zstd-too-large">;

/** Packs and unpacks. */
export interface Zstd {
  /** One frame that holds these bytes. */
  compress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** All frames of these bytes, at most `maxBytes` unpacked. */
  decompress(
    bytes: Uint8Array,
    maxBytes: number,
  ): Result<Uint8Array, ZstdProblem> | Promise<Result<Uint8Array, ZstdProblem>>;
  /** Unpacks what arrives in pieces. At most `maxBytes` come out in all. */
  decompressor(maxBytes: number): ZstdDecompressor;
}

/** One stream of frames being unpacked. */
export interface ZstdDecompressor {
  /**
   * Takes the next packed bytes. What they unpack to goes out in pieces, each valid until `take` has resolved: little may
   * unpack to much, and is never held as a whole. What `take` throws comes out; nothing may be pushed after that.
   */
  push(bytes: Uint8Array, take: (piece: Uint8Array) => Promise<void>): Promise<Result<void, ZstdProblem>>;
  /** No more bytes come. `zstd-malformed` when a frame is unfinished. */
  end(): Result<void, ZstdProblem>;
  /** Gives up; lets go of memory. May be called twice, and after `end`. */
  close(): void;
}
