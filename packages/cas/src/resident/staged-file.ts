/**
 * Bytes on their way into the store: hashed as they come in, in a temporary file.
 *
 * Method:    bytes are gathered into a buffer, so that messages of four bytes cost a copy and no call; a full buffer is
 *            written off the event loop while it is hashed and the next one fills. Large pieces are not copied but waited
 *            for. Memory: two buffers.
 * Invariant: whatever ends it, the temporary file is gone or has its name, and what it took of the limit is given back.
 */
import type { Digest, FileHandle, Hasher } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import { stampMs } from "../internal/stamp.ts";
import type { StoreContext } from "../internal/store-context.ts";
import { BLOB_MODE, storedBytes } from "../internal/store-context.ts";
import { parentOf } from "../internal/store-layout.ts";
import type { GroupCommit } from "./group-commit.ts";

/** Bytes are written and hashed in pieces of this size. */
const CHUNK_BYTES = 256 * 1024;
/** Pieces from this size on are written as they are. */
const DIRECT_BYTES = CHUNK_BYTES / 2;

const NOTHING = Buffer.alloc(0);

/** What a staged file stands on. */
export interface StagingPorts {
  readonly context: StoreContext;
  readonly engine: HashEngine;
  readonly flushes: GroupCommit;
  /** Takes bytes of the limit, or throws. */
  readonly reserve: (sizeBytes: number) => Promise<void>;
  /** Gives them back. */
  readonly release: (sizeBytes: number) => void;
  readonly isPresent: (digest: Digest) => boolean;
  /** Gives the temporary file its name, by `publish`, and makes the blob known. */
  readonly stored: (digest: Digest, publish: () => void) => void;
}

/** A file that is being written. Calls wait for each other; after `end` none has an effect. */
export class StagedFile {
  /** Bytes taken. */
  sizeBytes = 0;
  readonly #ports: StagingPorts;
  readonly #hasher: Hasher;
  #staged: { readonly path: string; readonly handle: FileHandle } | undefined;
  readonly #bufferBytes: number;
  /** Made when something has to be gathered. */
  #filling: Buffer = NOTHING;
  #other: Buffer | undefined;
  #filledBytes = 0;
  #reservedBytes = 0;
  #flying: Promise<void> | undefined;
  #isOver = false;

  /** @param sizeBytesMax what will come at most, for the size of the buffers. */
  constructor(ports: StagingPorts, sizeBytesMax: number) {
    this.#ports = ports;
    this.#hasher = ports.engine.start();
    this.#bufferBytes = Math.min(CHUNK_BYTES, sizeBytesMax);
  }

  /** What was taken, as long as nothing of it has been written: then it is all in memory. */
  get gathered(): Uint8Array | undefined {
    return this.sizeBytes === this.#filledBytes ? this.#filling.subarray(0, this.#filledBytes) : undefined;
  }

  /** Takes bytes, which the caller may reuse afterwards. @throws FileSystemError, LimitFailure */
  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.byteLength && !this.#isOver; ) {
      if (this.#filledBytes === 0 && bytes.byteLength - from >= DIRECT_BYTES) {
        const piece = bytes.subarray(from);
        this.sizeBytes += piece.byteLength;
        await this.#pass(piece);
        return await this.#landed();
      }
      if (this.#filling.length === 0) this.#filling = Buffer.allocUnsafe(this.#bufferBytes);
      const taken = Math.min(bytes.byteLength - from, this.#filling.length - this.#filledBytes);
      this.#filling.set(bytes.subarray(from, from + taken), this.#filledBytes);
      this.#filledBytes += taken;
      this.sizeBytes += taken;
      from += taken;
      if (this.#filledBytes === this.#filling.length) await this.#flush();
    }
  }

  /** Writes the rest; answers with the hash of all. @throws FileSystemError, LimitFailure */
  async finish(): Promise<string> {
    await this.#flush();
    await this.#landed();
    return this.#hasher.hex();
  }

  /** Makes the file durable and gives it its name; false when it had ended before that. @throws FileSystemError */
  async publish(digest: Digest): Promise<boolean> {
    const { context, flushes } = this.#ports;
    if (this.#isOver) return false;
    const staged = this.#opened();
    const path = context.layout.blob(digest);
    context.fs.chmod(staged.path, BLOB_MODE);
    let isPublished = false;
    await flushes.done({
      key: this,
      sync: () => staged.handle.sync(),
      directory: parentOf(path),
      publish: () => {
        if (this.#isOver) return;
        const publication = { path, stampMs: stampMs(context.clock.nowMs()) };
        this.#ports.stored(digest, () => context.publisher.rename(staged.path, publication));
        // It is counted as stored from now on.
        this.#giveBack();
        context.uses.wrote(storedBytes(this.sizeBytes));
        this.#staged = undefined;
        closeQuietly(staged.handle);
        isPublished = true;
      },
    });
    return isPublished;
  }

  /** Lets go of everything; what has not got its name is removed. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#giveBack();
    this.#filling = NOTHING;
    this.#other = undefined;
    const staged = this.#staged;
    this.#staged = undefined;
    if (staged === undefined) return;
    closeQuietly(staged.handle);
    this.#ports.context.publisher.discard(staged.path);
  }

  /** Hands over what has been gathered. */
  async #flush(): Promise<void> {
    if (this.#filledBytes === 0) return;
    await this.#pass(this.#filling.subarray(0, this.#filledBytes));
    if (this.#isOver) return;
    const next = this.#other ?? Buffer.allocUnsafe(this.#filling.length);
    this.#other = this.#filling;
    this.#filling = next;
    this.#filledBytes = 0;
  }

  /** Hashes a piece while it is being written, once the one before has been. */
  async #pass(piece: Uint8Array): Promise<void> {
    const takenBytes = storedBytes(piece.byteLength);
    await this.#ports.reserve(takenBytes);
    if (this.#isOver) return this.#ports.release(takenBytes);
    this.#reservedBytes += takenBytes;
    await this.#landed();
    if (this.#isOver) return;
    const { handle } = this.#opened();
    if (handle.appendLater === undefined) handle.append(piece);
    else this.#flying = handle.appendLater(piece);
    // It is awaited with the next piece; until then nobody may call its failure unhandled.
    this.#flying?.catch(() => undefined);
    this.#hasher.update(piece);
  }

  #giveBack(): void {
    this.#ports.release(this.#reservedBytes);
    this.#reservedBytes = 0;
  }

  async #landed(): Promise<void> {
    const flying = this.#flying;
    this.#flying = undefined;
    await flying;
  }

  #opened(): { readonly path: string; readonly handle: FileHandle } {
    if (this.#staged === undefined) {
      const { fs, publisher, uses } = this.#ports.context;
      uses.writing();
      let handle: FileHandle | undefined;
      const path = publisher.temporary((to) => {
        handle = fs.openAppend(to);
      });
      this.#staged = { path, handle: handle! };
    }
    return this.#staged;
  }
}

function closeQuietly(handle: FileHandle): void {
  try {
    handle.close();
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
  }
}
