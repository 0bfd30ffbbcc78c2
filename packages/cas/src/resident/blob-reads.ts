/**
 * Where reads of blobs go: to memory, to packs, or to files.
 *
 * Invariant: bytes that come from memory were hashed when they came in, and are given out as long as their blob is there.
 */
import type { Digest, Random } from "@kahn/core";
import { randomBelow } from "@kahn/core";
import type { StoreContext } from "../internal/store-context.ts";
import type { BlobReader, FileReader, ReadPorts } from "./blob-reader.ts";
import { bytesReader, openBlobFile } from "./blob-reader.ts";
import { HotBlobs } from "./hot-blobs.ts";
import type { Shelf } from "./shelf.ts";

/** One of so many reads of a large blob is hashed as it goes by. */
const SAMPLED_ONE_IN = 32;

/** What reads stand on. */
export interface BlobReadPorts {
  readonly context: StoreContext;
  readonly random: Random;
}

/** Reads of one store. Each counts as a use. */
export class BlobReads {
  readonly #ports: BlobReadPorts;
  readonly #hot = new HotBlobs();

  constructor(ports: BlobReadPorts) {
    this.#ports = ports;
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
    const file = await openBlobFile(digest, this.#filePorts(shelf));
    if (file === undefined) return this.#gone(shelf, digest);
    shelf.used(digest, this.#ports.context.clock.nowMs());
    if (!this.#hot.isWanted(digest)) return file;
    const bytes = await this.#readWhole(shelf, digest, file);
    if (bytes === undefined) return undefined;
    this.#hot.keep(digest, bytes);
    return bytesReader(bytes);
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
