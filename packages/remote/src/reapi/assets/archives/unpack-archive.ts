/**
 * From an archive in the store to a tree in the store.
 *
 * Owns:      reading the archive, undoing what it is packed with, and the bounds of all that.
 * Invariant: nothing outside of the store is touched. Whatever an archive claims, what comes of it is bounded in bytes,
 *            entries and time, and little of it is in memory.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Digest, DigestFunction } from "@kahn/core";
import type { BlobReader, ServerStore } from "../../../store/server-store.ts";
import type { Zstd } from "../../wire/zstd-port.ts";
import type { ArchiveKind } from "./archive-kind.ts";
import { tarReader } from "./tar-archive.ts";
import { TreeWriter } from "./tree-writer.ts";
import type { UnpackBounds, UnpackTrouble } from "./unpack-trouble.ts";
import { asMalformed, malformed, NotUnpacked, UnpackMeter } from "./unpack-trouble.ts";
import type { ArchiveBytes } from "./zip-archive.ts";
import { readZip } from "./zip-archive.ts";

/** What to unpack. */
export interface UnpackRequest {
  readonly archive: Digest;
  readonly kind: ArchiveKind;
  /** Of the tree. */
  readonly fn: DigestFunction;
  /** The folder of the archive that becomes the root; "" for all. */
  readonly below: string;
  readonly bounds: UnpackBounds;
}

/** What came of it. `written` is held until `close`. */
export type UnpackOutcome =
  | { readonly kind: "unpacked"; readonly root: Digest; readonly written: readonly Digest[]; close(): Promise<void> }
  | UnpackTrouble;

const PIECE_BYTES = 256 * 1024;
/** Blocks of a tar that are no content: headers and padding, of which an entry has a few. */
const TAR_ENTRY_BYTES = 4096;

/** Unpacks. */
export async function unpackArchive(
  { store, zstd }: { readonly store: ServerStore; readonly zstd: Zstd | undefined },
  request: UnpackRequest,
): Promise<UnpackOutcome> {
  const opened = await store.blobs.open(request.archive);
  if (!opened.ok) return { kind: "store-failed", problem: opened.problem };
  if (opened.value === undefined) return { kind: "not-found", message: "the archive is not stored any more" };
  const meter = new UnpackMeter(request.bounds);
  const writer = new TreeWriter({ store, fn: request.fn, meter });
  const bytes = new StoredBytes(opened.value);
  let isUnpacked = false;
  try {
    if (request.kind === "zip") await readZip(bytes, writer);
    else await readTar(bytes, writer, { zstd, request });
    const root = await writer.finish(request.below);
    isUnpacked = true;
    return { kind: "unpacked", root, written: writer.written, close: () => writer.close() };
  } catch (error) {
    if (error instanceof NotUnpacked) return error.trouble;
    throw error;
  } finally {
    if (!isUnpacked) await writer.close();
    await bytes.close();
  }
}

async function readTar(
  bytes: StoredBytes,
  writer: TreeWriter,
  { zstd, request }: { readonly zstd: Zstd | undefined; readonly request: UnpackRequest },
): Promise<void> {
  const reader = await tarReader(writer);
  const { bytesMax, entriesMax } = request.bounds;
  const streamMax = bytesMax + entriesMax * TAR_ENTRY_BYTES;
  let streamed = 0;
  const take = async (piece: Buffer): Promise<void> => {
    streamed += piece.byteLength;
    if (streamed > streamMax) {
      throw new NotUnpacked({ kind: "too-large", message: `the archive unpacks to more than ${bytesMax} bytes` });
    }
    await reader.write(piece);
  };
  switch (request.kind) {
    case "tar.gz":
      await gunzip(bytes, take);
      break;
    case "tar.zst":
      await unzstd(bytes, zstd, { take, streamMax });
      break;
    default:
      for await (const piece of bytes.all()) await take(piece);
  }
  await reader.end();
}

async function gunzip(bytes: StoredBytes, take: (piece: Buffer) => Promise<void>): Promise<void> {
  // What `take` throws ends the pipeline, which then may tell only that it was ended.
  let refused: unknown;
  const taking = async (pieces: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of pieces) {
      try {
        await take(piece);
      } catch (error) {
        refused = error;
        throw error;
      }
    }
  };
  try {
    await pipeline(Readable.from(bytes.all()), createGunzip({ chunkSize: PIECE_BYTES }), taking);
  } catch (error) {
    if (refused !== undefined) throw refused;
    throw String((error as NodeJS.ErrnoException).code).startsWith("Z_") ? asMalformed(error) : error;
  }
}

async function unzstd(
  bytes: StoredBytes,
  zstd: Zstd | undefined,
  { take, streamMax }: { readonly take: (piece: Buffer) => Promise<void>; readonly streamMax: number },
): Promise<void> {
  if (zstd === undefined) throw malformed("is packed with zstd, which this server has not");
  const decompressor = zstd.decompressor(streamMax);
  try {
    for await (const piece of bytes.all()) {
      // What comes out is used again for the next piece.
      const pushed = await decompressor.push(piece, (out) => take(Buffer.from(out)));
      if (!pushed.ok) throw malformed(`cannot be read: ${pushed.problem.message}`);
    }
    const ended = decompressor.end();
    if (!ended.ok) throw malformed(`cannot be read: ${ended.problem.message}`);
  } finally {
    decompressor.close();
  }
}

/** The archive, one read at a time. */
class StoredBytes implements ArchiveBytes {
  readonly #reader: BlobReader;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(reader: BlobReader) {
    this.#reader = reader;
  }

  get sizeBytes(): number {
    return this.#reader.sizeBytes;
  }

  read(offset: number, lengthBytes: number): Promise<Buffer> {
    const read = this.#last.then(async () => {
      // Whoever still reads is not listened to any more.
      if (this.#isClosed) return Buffer.alloc(0);
      const into = Buffer.allocUnsafe(lengthBytes);
      const found = await this.#reader.read(offset, lengthBytes, into);
      if (!found.ok) throw new NotUnpacked({ kind: "store-failed", problem: found.problem });
      const { buffer, byteOffset, byteLength } = found.value;
      return Buffer.from(buffer, byteOffset, byteLength);
    });
    this.#last = read.catch(() => {});
    return read;
  }

  async *all(): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.sizeBytes; ) {
      const piece = await this.read(at, Math.min(PIECE_BYTES, this.sizeBytes - at));
      if (piece.length === 0) return;
      at += piece.length;
      yield piece;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
    this.#reader.close();
  }
}
