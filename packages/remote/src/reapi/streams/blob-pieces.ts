/**
 * A blob in pieces that are sent without a copy: each is read while the one before is on its way.
 *
 * Owns:      the buffers that pieces are read into. New memory for each piece costs several times the copy that fills it,
 *            for the kernel clears every page of it.
 * Invariant: a buffer comes back only once its bytes have left; when a call breaks off its buffers are forgotten.
 */
import type { Result } from "@kahn/core";
import type { BlobReader, ServerStoreProblem } from "../../store/server-store.ts";

/** Bytes of one piece: fewer cost time for each, more cost memory for nothing. */
const PIECE_BYTES = 1 << 20;
/** Buffers that are kept for later calls. */
const KEPT_MAX = 16;

/** Buffers of one piece each, used again and again. */
export class PieceBuffers {
  readonly #kept: Buffer[] = [];

  take(): Buffer {
    return this.#kept.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
  }

  give(buffer: Buffer): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(buffer);
  }
}

/** Some bytes of a blob, or why they cannot be had. */
export interface BlobPiece {
  readonly bytes: Result<Uint8Array, ServerStoreProblem>;
  /** To be called once nobody needs the bytes any more. */
  readonly done: () => void;
}

/** What of a blob is read, and where to. */
export interface PieceOptions {
  readonly from: number;
  readonly to: number;
  readonly buffers: PieceBuffers;
}

/** Reads a range of a blob, in order. */
export class BlobPieces {
  readonly #reader: BlobReader;
  readonly #to: number;
  readonly #buffers: PieceBuffers;
  #offset: number;
  #ahead: Promise<BlobPiece> | undefined;

  /** @param reader is closed by `close`. */
  constructor(reader: BlobReader, { from, to, buffers }: PieceOptions) {
    this.#reader = reader;
    this.#offset = from;
    this.#to = to;
    this.#buffers = buffers;
  }

  /** The next piece; `undefined` at the end. After one that is no bytes nothing should be asked for. */
  async next(): Promise<BlobPiece | undefined> {
    const piece = await (this.#ahead ?? this.#read());
    this.#ahead = piece?.bytes.ok === true ? this.#read() : undefined;
    return piece;
  }

  /** Lets go of the blob, once it is not being read. */
  async close(): Promise<void> {
    await this.#ahead?.catch(() => undefined);
    this.#reader.close();
  }

  #read(): Promise<BlobPiece> | undefined {
    const lengthBytes = Math.min(PIECE_BYTES, this.#to - this.#offset);
    if (lengthBytes <= 0) return undefined;
    const offset = this.#offset;
    this.#offset += lengthBytes;
    return this.#readInto(this.#buffers.take(), offset, lengthBytes);
  }

  async #readInto(buffer: Buffer, offset: number, lengthBytes: number): Promise<BlobPiece> {
    const bytes = await this.#reader.read(offset, lengthBytes, buffer);
    return { bytes, done: () => this.#buffers.give(buffer) };
  }
}
