/**
 * Port: hashes of what comes in pieces, made beside the calling thread where there is another one.
 *
 * Who hashes gives up no byte of its own for it: pieces in memory that was lent are read where they are, others are copied.
 */
import type { Hasher, NativeDigestFunction } from "../digest.ts";

/** A hash under construction. One use: `update` any number of times, then `hex` or `abandon` once. */
export interface PieceHasher {
  /**
   * Takes the next piece; may be called again before the last call has resolved. Never rejects.
   *
   * @returns resolves when the bytes may change again; `undefined` when they may at once.
   */
  update(piece: Uint8Array): Promise<void> | undefined;
  /** The hash; `undefined` when what was hashed is lost, and whoever has the bytes must hash them again. Never rejects. */
  hex(): Promise<string | undefined>;
  /** Nobody asks for the hash. What `update` has promised is kept. */
  abandon(): void;
}

/** Starts hashes, and has the memory that they read best from. Implementations: `system` (a thread). */
export interface PieceHashers {
  start(fn: NativeDigestFunction): PieceHasher;
  /** Memory for pieces, with anything in it; `undefined` when there is none to be had, and other memory has to do. */
  lend(sizeBytes: number): Buffer | undefined;
  /** Takes back what was lent, as it was lent. Nobody may read or write it any more. */
  takeBack(memory: Buffer): void;
}

/** Hashes pieces on the calling thread, as they come. */
export function hashedHere(hasher: Hasher): PieceHasher {
  return {
    update: (piece) => void hasher.update(piece),
    hex: async () => hasher.hex(),
    abandon: () => {},
  };
}
