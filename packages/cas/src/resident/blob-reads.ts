/**
 * Where reads of blobs go: to memory, to packs, or to files.
 *
 * Invariant: bytes that come from memory were hashed when they came in, and are given out as long as their blob is there.
 */
import type { Digest, Random } from "@kahn/core";
import { digestSizeBytes, randomBelow } from "@kahn/core";
import type { StoreContext } from "../internal/store-context.ts";
import type { BlobReader, FileReader, ReadPorts } from "./blob-reader.ts";
import { bytesReader, openBlobFile } from "./blob-reader.ts";
import type { HotFill } from "./hot-blobs.ts";
import { HotBlobs } from "./hot-blobs.ts";
import { KeepingReader } from "./keeping-reader.ts";
import type { Shelf } from "./shelf.ts";

/** One of so many reads of a large blob is hashed as it goes by. */
const SAMPLED_ONE_IN = 32;
/** Up to this size a blob that is worth keeping is read at once; a larger one is given out while it is read. */
const AT_ONCE_MAX_BYTES = 2 * 1024 * 1024;

/** What reads stand on. */
export interface BlobReadPorts {
  readonly context: StoreContext;
  readonly random: Random;
  /** Of blobs that are asked for again. */
  readonly memoryBytes: number;
}

/** Reads of one store. Each counts as a use. */
export class BlobReads {
  readonly #ports: BlobReadPorts;
  readonly #hot: HotBlobs;

  constructor(ports: BlobReadPorts) {
    this.#ports = ports;
    this.#hot = new HotBlobs(ports.memoryBytes);
  }

  /** The whole blob, verified; `undefined` when missing. Nobody may change the bytes. @throws FileSystemError */
  async read(shelf: Shelf, digest: Digest): Promise<Uint8Array | undefined> {
    const now = this.#readNow(shelf, digest);
    if (now !== undefined) return now;
    const file = await openBlobFile(digest, this.#filePorts(shelf));
    return file === undefined ? this.#gone(shelf, digest) : await this.#readWhole(shelf, digest, file);
  }

  /** A blob to be read in pieces; `undefined` when missing. It stays readable until it is closed. @throws FileSystemError */
  async open(shelf: Shelf, digest: Digest): Promise<BlobReader | undefined> {
    const now = this.#readNow(shelf, digest);
    if (now !== undefined) return bytesReader(now);
    if (!this.#hot.isWanted(digest)) return await this.#openFile(shelf, digest);
    if (digestSizeBytes(digest) <= AT_ONCE_MAX_BYTES) return await this.#openAndKeep(shelf, digest);
    const fill = this.#hot.fill(digest);
    return fill === undefined ? await this.#openFile(shelf, digest) : await this.#openKeeping(shelf, digest, fill);
  }

  async #openFile(shelf: Shelf, digest: Digest, how?: Partial<ReadPorts>): Promise<FileReader | undefined> {
    const file = await openBlobFile(digest, { ...this.#filePorts(shelf), ...how });
    if (file === undefined) return this.#gone(shelf, digest);
    shelf.used(digest, this.#ports.context.clock.nowMs());
    return file;
  }

  /** A small blob, which is in memory from now on. */
  async #openAndKeep(shelf: Shelf, digest: Digest): Promise<BlobReader | undefined> {
    const file = await this.#openFile(shelf, digest);
    const bytes = file === undefined ? undefined : await this.#readWhole(shelf, digest, file);
    if (bytes === undefined) return undefined;
    this.#hot.keep(digest, bytes);
    return bytesReader(bytes);
  }

  /** A large one, which is in memory once it was read. */
  async #openKeeping(shelf: Shelf, digest: Digest, fill: HotFill): Promise<BlobReader | undefined> {
    let file: FileReader | undefined;
    try {
      file = await this.#openFile(shelf, digest, { isSampled: () => true });
    } finally {
      if (file === undefined) fill.end();
    }
    return file === undefined ? undefined : new KeepingReader(file, fill);
  }

  /** What need not be waited for. */
  #readNow(shelf: Shelf, digest: Digest): Uint8Array | undefined {
    const nowMs = this.#ports.context.clock.nowMs();
    const hot = this.#hot.get(digest);
    if (hot !== undefined && shelf.missing([digest], nowMs).length === 0) return hot;
    const bytes = shelf.packs.read(digest);
    if (bytes === undefined || bytes === "corrupt") return undefined;
    shelf.used(digest, nowMs);
    if (this.#hot.isWanted(digest)) this.#hot.keep(digest, bytes);
    return bytes;
  }

  /** All bytes of a file, which is closed. */
  async #readWhole(shelf: Shelf, digest: Digest, file: FileReader): Promise<Uint8Array | undefined> {
    try {
      const bytes = await file.whole();
      shelf.used(digest, this.#ports.context.clock.nowMs());
      return bytes;
    } finally {
      file.close();
    }
  }

  #gone(shelf: Shelf, digest: Digest): undefined {
    shelf.vanished(digest);
    return undefined;
  }

  #filePorts(shelf: Shelf): ReadPorts {
    return {
      context: this.#ports.context,
      engine: shelf.engine,
      vanished: (digest) => shelf.vanished(digest),
      isSampled: () => randomBelow(this.#ports.random, SAMPLED_ONE_IN) === 0,
    };
  }
}
