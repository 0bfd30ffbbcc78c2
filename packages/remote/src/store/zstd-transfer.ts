/** Blobs that are compressed on the wire: what comes in is written as it is, what goes out is made as it is read. */
import type { Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { BlobReader, BlobWriter, ServerStoreProblem } from "./server-store.ts";
import type { Zstd, ZstdDecompressor } from "./zstd.ts";
import { FRAME_BYTES } from "./zstd.ts";

/** An upload of compressed bytes. */
export class ZstdUpload {
  /** Takes the bytes as they are. */
  readonly writer: BlobWriter;
  /** Compressed bytes taken so far. */
  wireBytes = 0;
  readonly #decompressor: ZstdDecompressor;

  constructor(writer: BlobWriter, zstd: Zstd) {
    this.writer = writer;
    this.#decompressor = zstd.decompressor();
  }

  /** Uncompressed bytes taken so far. */
  get committedBytes(): number {
    return this.writer.committedBytes;
  }

  /** See `BlobWriter`. */
  get isPresent(): boolean {
    return this.writer.isPresent;
  }

  /**
   * Takes compressed bytes; frames may begin and end anywhere in them.
   *
   * @returns `blob-mismatch` when they are malformed, ask for too large a window, or come to more than the size; no byte
   *   beyond the size is decompressed but what one step of the decoder gives, 128 KiB.
   */
  async write(bytes: Uint8Array): Promise<Result<void, ServerStoreProblem>> {
    this.wireBytes += bytes.byteLength;
    if (this.isPresent) return ok(undefined);
    for (const piece of this.#decompressor.push(bytes)) {
      if (piece === "malformed") return this.#refuse("is no zstd stream, or asks for a window above 8 MiB");
      const written = await this.writer.write(piece);
      if (!written.ok) return written;
      if (this.isPresent) return ok(undefined);
    }
    return ok(undefined);
  }

  /** See `BlobWriter`; a stream that ends in the middle of a frame is a `blob-mismatch`. */
  async commit(): Promise<Result<void, ServerStoreProblem>> {
    if (!this.isPresent && !this.#decompressor.isAtFrameEnd) return this.#refuse("ends in the middle of a frame");
    return await this.writer.commit();
  }

  /** See `BlobWriter`. */
  abort(): void {
    this.writer.abort();
  }

  #refuse(what: string): Result<never, ServerStoreProblem> {
    this.writer.abort();
    const message = `what was sent compressed as ${this.writer.digest} ${what}, after ${this.wireBytes} bytes of it`;
    return err(
      problem("blob-mismatch", message, {
        next: "Send it again, compressed at a level below 20, or as it is.",
      }),
    );
  }
}

/** A blob from some offset on, as a row of independent frames. */
export class ZstdDownload {
  readonly #reader: BlobReader;
  readonly #zstd: Zstd;
  #offset: number;

  /** @param offset in uncompressed bytes. The reader is closed by whoever opened it. */
  constructor(reader: BlobReader, zstd: Zstd, offset = 0) {
    this.#reader = reader;
    this.#zstd = zstd;
    this.#offset = offset;
  }

  /** The next frame; `undefined` at the end. Of nothing there is one frame, too. */
  async next(): Promise<Result<Uint8Array | undefined, ServerStoreProblem>> {
    const isFirstOfNothing = this.#reader.sizeBytes === 0 && this.#offset === 0;
    if (this.#offset >= this.#reader.sizeBytes && !isFirstOfNothing) return ok(undefined);
    const bytes = await this.#reader.read(this.#offset, FRAME_BYTES);
    if (!bytes.ok) return bytes;
    this.#offset += isFirstOfNothing ? 1 : bytes.value.byteLength;
    return ok(await this.#zstd.compress(bytes.value));
  }
}
