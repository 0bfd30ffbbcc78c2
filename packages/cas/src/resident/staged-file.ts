/**
 * Bytes on their way into the store: hashed as they come in, in a temporary file.
 *
 * Method:    bytes are gathered into a buffer, so that messages of four bytes cost a copy and no call; a full buffer is
 *            written off the event loop while it is hashed and the next one fills. Large pieces are not copied but waited
 *            for. Memory: two buffers. Where pieces are hashed beside this thread, buffers are lent from there, and are
 *            larger: each piece costs a message and a call, bytes cost nothing.
 * Invariant: whatever ends it, the temporary file is gone or has its name, what it took of the limit is given back, and
 *            so is memory that was lent, once neither the file nor the hash reads it.
 */
import type { Digest, FileHandle, PieceHasher, PieceHashers } from "@kahn/core";
import { copyBytes, FileSystemError, hashedHere, isNativeDigestFunction } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import { stampMs } from "../internal/stamp.ts";
import type { StoreContext } from "../internal/store-context.ts";
import { BLOB_MODE, storedBytes } from "../internal/store-context.ts";
import { parentOf } from "../internal/store-layout.ts";
import type { GroupCommit } from "./group-commit.ts";

/** Bytes are written and hashed in pieces of this size. */
const CHUNK_BYTES = 256 * 1024;
/** And of this one from the second on, in memory that is lent. */
const LENT_BYTES = 1024 * 1024;
/** Pieces from this size on are written as they are. */
const DIRECT_BYTES = CHUNK_BYTES / 2;

const NOTHING = Buffer.alloc(0);

/** What a staged file stands on. */
export interface StagingPorts {
  readonly context: StoreContext;
  readonly engine: HashEngine;
  /** Hashes what is larger than one piece; left out, the engine does. */
  readonly hashers?: PieceHashers | undefined;
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
  /** For what is larger than one piece. */
  readonly #hashers: PieceHashers | undefined;
  #hasher: PieceHasher | undefined;
  #staged: { readonly path: string; readonly handle: FileHandle } | undefined;
  readonly #sizeBytesMax: number;
  /** Made when something has to be gathered. */
  #filling: Buffer = NOTHING;
  /** The buffer that is in flight, and the one that was before. */
  #sent: Buffer = NOTHING;
  #free: Buffer = NOTHING;
  #filledBytes = 0;
  #reservedBytes = 0;
  #flying: Promise<void> | undefined;
  #isOver = false;

  /** @param sizeBytesMax what will come at most, for the size of the buffers. */
  constructor(ports: StagingPorts, sizeBytesMax: number) {
    this.#ports = ports;
    const isLarge = sizeBytesMax > CHUNK_BYTES && isNativeDigestFunction(ports.engine.fn);
    this.#hashers = isLarge ? ports.hashers : undefined;
    this.#sizeBytesMax = sizeBytesMax;
  }

  /** What was taken, as long as nothing of it has been written: then it is all in memory. */
  get gathered(): Uint8Array | undefined {
    return this.sizeBytes === this.#filledBytes ? this.#filling.subarray(0, this.#filledBytes) : undefined;
  }

  /** Takes bytes, which the caller may reuse afterwards. @throws FileSystemError, LimitFailure */
  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.byteLength && !this.#isOver; ) {
      const piece = bytes.subarray(from);
      if (this.#isDirect(piece)) {
        this.sizeBytes += piece.byteLength;
        await this.#pass(piece);
        return await this.#landed();
      }
      from += this.#copy(piece);
      if (this.#filledBytes === this.#filling.length) await this.#flush();
    }
  }

  /** The same at once, for bytes that need no more than to be copied: false when `write` has to take them. */
  gather(bytes: Uint8Array): boolean {
    if (this.#isOver || this.#isDirect(bytes)) return false;
    if (this.#filling === NOTHING) this.#filling = this.#next();
    if (bytes.byteLength >= this.#filling.length - this.#filledBytes) return false;
    this.#copy(bytes);
    return true;
  }

  /** Nothing comes for a while: writes what was gathered, and lets go of memory. @throws FileSystemError, LimitFailure */
  async rest(): Promise<void> {
    await this.#flush();
    await this.#landed();
    for (const buffer of this.#takeBuffers()) this.#letGo(buffer);
  }

  /** Writes the rest; answers with the hash of all. @throws FileSystemError, LimitFailure */
  async finish(): Promise<string> {
    // What is in memory as a whole is hashed sooner than somebody else is asked to.
    if (this.gathered !== undefined) this.#hasher ??= hashedHere(this.#ports.engine.start());
    await this.#flush();
    await this.#landed();
    return (await this.#hasherOfAll().hex()) ?? (await this.#hashAgain());
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
    this.#hasher?.abandon();
    const buffers = this.#takeBuffers();
    if (this.#flying === undefined) buffers.forEach(this.#letGo);
    else void this.#flying.catch(() => undefined).then(() => buffers.forEach(this.#letGo));
    const staged = this.#staged;
    this.#staged = undefined;
    if (staged === undefined) return;
    closeQuietly(staged.handle);
    this.#ports.context.publisher.discard(staged.path);
  }

  /** Whether it is passed on as it is: alone it is worth it, and nobody has to copy it in order to hash it. */
  #isDirect(piece: Uint8Array): boolean {
    if (this.#filledBytes > 0 || piece.byteLength < DIRECT_BYTES) return false;
    return this.#hashers === undefined || isLent(piece);
  }

  /** @returns how many bytes there was room for. */
  #copy(bytes: Uint8Array): number {
    if (this.#filling === NOTHING) this.#filling = this.#next();
    const taken = Math.min(bytes.byteLength, this.#filling.length - this.#filledBytes);
    copyBytes(taken === bytes.byteLength ? bytes : bytes.subarray(0, taken), this.#filling, this.#filledBytes);
    this.#filledBytes += taken;
    this.sizeBytes += taken;
    return taken;
  }

  /** Hands over what has been gathered. */
  async #flush(): Promise<void> {
    if (this.#filledBytes === 0) return;
    await this.#pass(this.#filling.subarray(0, this.#filledBytes));
    if (this.#isOver) return;
    this.#letGo(this.#free);
    this.#free = this.#sent;
    this.#sent = this.#filling;
    this.#filling = NOTHING;
    this.#filledBytes = 0;
  }

  /** The next buffer: the one that has landed, or a larger one. */
  #next(): Buffer {
    const free = this.#free;
    this.#free = NOTHING;
    const missingBytes = this.#sizeBytesMax - this.sizeBytes;
    const wantedBytes = Math.min(missingBytes, this.sizeBytes < CHUNK_BYTES ? CHUNK_BYTES : LENT_BYTES);
    if (free.length >= wantedBytes) return free;
    const lent = this.#hashers?.lend(wantedBytes) ?? (isLent(free) ? undefined : this.#hashers?.lend(CHUNK_BYTES));
    if (lent === undefined) return free === NOTHING ? Buffer.allocUnsafe(Math.min(CHUNK_BYTES, missingBytes)) : free;
    this.#letGo(free);
    return lent;
  }

  #takeBuffers(): readonly Buffer[] {
    const buffers = [this.#filling, this.#sent, this.#free];
    this.#filling = NOTHING;
    this.#sent = NOTHING;
    this.#free = NOTHING;
    return buffers;
  }

  readonly #letGo = (buffer: Buffer): void => {
    if (isLent(buffer)) this.#hashers?.takeBack(buffer);
  };

  /** Hashes a piece while it is being written, once the one before has been. */
  async #pass(piece: Uint8Array): Promise<void> {
    const takenBytes = storedBytes(piece.byteLength);
    await this.#ports.reserve(takenBytes);
    if (this.#isOver) return this.#ports.release(takenBytes);
    this.#reservedBytes += takenBytes;
    await this.#landed();
    if (this.#isOver) return;
    const { handle } = this.#opened();
    const written = handle.appendLater === undefined ? void handle.append(piece) : handle.appendLater(piece);
    const hashed = this.#hasherOfAll().update(piece);
    this.#flying = hashed === undefined ? written : bothOver(hashed, written);
    // It is awaited with the next piece; until then nobody may call its failure unhandled.
    this.#flying?.catch(() => undefined);
  }

  #hasherOfAll(): PieceHasher {
    const { engine } = this.#ports;
    const { fn } = engine;
    if (this.#hasher === undefined) {
      const isBeside = this.#hashers !== undefined && isNativeDigestFunction(fn);
      this.#hasher = isBeside ? this.#hashers.start(fn) : hashedHere(engine.start());
    }
    return this.#hasher;
  }

  /** The hash of what has been written: who hashed it has lost it. */
  async #hashAgain(): Promise<string> {
    const hasher = this.#ports.engine.start();
    const path = this.#staged?.path;
    const handle = path === undefined ? undefined : this.#ports.context.fs.openRead(path);
    if (handle === undefined) throw new FileSystemError("ENOENT", "read", path ?? "a file that was given up");
    try {
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let doneBytes = 0, got = buffer.length; got === buffer.length; doneBytes += got) {
        got = await handle.read(doneBytes, buffer);
        hasher.update(buffer.subarray(0, got));
      }
      return hasher.hex();
    } finally {
      handle.close();
    }
  }

  #giveBack(): void {
    this.#ports.release(this.#reservedBytes);
    this.#reservedBytes = 0;
  }

  async #landed(): Promise<void> {
    const flying = this.#flying;
    try {
      await flying;
    } finally {
      if (this.#flying === flying) this.#flying = undefined;
    }
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

/** Fails as `written` does, but not before the hash has been made, too: until then the bytes may not change. */
async function bothOver(hashed: Promise<void>, written: Promise<void> | undefined): Promise<void> {
  written?.catch(() => undefined);
  await hashed;
  await written;
}

function isLent({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

function closeQuietly(handle: FileHandle): void {
  try {
    handle.close();
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
  }
}
