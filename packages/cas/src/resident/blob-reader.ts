/**
 * Blobs to be read in pieces.
 *
 * Invariant: a file without the mark of an untouched one, or of an epoch in doubt, is hashed before its first byte is
 *            given out. Some of the others are hashed as they go by: then the last piece says what is wrong.
 */
import type { Digest, Hasher, ReadHandle, Result } from "@kahn/core";
import { digestSizeBytes, err, ok, problem } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import { isStamped } from "../internal/stamp.ts";
import type { StoreContext } from "../internal/store-context.ts";
import type { ResidentProblem } from "./resident-problem.ts";
import { residentProblem } from "./resident-problem.ts";
import { Turns } from "./turns.ts";

const CHUNK_BYTES = 1024 * 1024;

/** An open blob. */
export interface BlobReader {
  readonly sizeBytes: number;
  /**
   * At most `lengthBytes` from `offset`; shorter only at the end. The bytes are valid until the next call.
   *
   * @param into of at least `lengthBytes`; the bytes that are read into it are valid as long as nobody writes there.
   *             They may lie elsewhere, of a blob in memory for one; then nobody may change them.
   * @returns `blob-mismatch` when the blob turned out damaged: it is in quarantine, and missing, from now on.
   */
  read(offset: number, lengthBytes: number, into?: Uint8Array): Promise<Result<Uint8Array, ResidentProblem>>;
  close(): void;
  /** All bytes, for a blob that is in memory. Nobody may change them. */
  readonly inMemory?: Uint8Array;
}

/** A blob that is in memory. */
export function bytesReader(bytes: Uint8Array): BlobReader {
  return {
    sizeBytes: bytes.byteLength,
    read: async (offset, lengthBytes) => ok(bytes.subarray(offset, offset + lengthBytes)),
    close: () => undefined,
    inMemory: bytes,
  };
}

/** What reading a file stands on. */
export interface ReadPorts {
  readonly context: StoreContext;
  readonly engine: HashEngine;
  /** The blob was damaged, and is gone. */
  readonly vanished: (digest: Digest) => void;
  /** Whether this reading is one of those that are hashed on the way. */
  readonly isSampled: () => boolean;
}

/** Opens the file of a blob; `undefined` when there is none that is sound. @throws FileSystemError */
export async function openBlobFile(digest: Digest, ports: ReadPorts): Promise<FileReader | undefined> {
  const { layout } = ports.context;
  for (const path of [layout.blob(digest), layout.blob(digest, true)]) {
    const handle = ports.context.fs.openRead(path);
    if (handle === undefined) continue;
    try {
      const soundness = await soundnessOf({ digest, path, handle }, ports);
      if (soundness === "sound") return new FileReader({ digest, path, handle }, ports);
      handle.close();
    } catch (error) {
      handle.close();
      throw error;
    }
  }
  return undefined;
}

interface OpenBlob {
  readonly digest: Digest;
  readonly path: string;
  readonly handle: ReadHandle;
}

async function soundnessOf(blob: OpenBlob, ports: ReadPorts): Promise<"sound" | "other"> {
  const { fs, check, clock } = ports.context;
  const stat = fs.lstat(blob.path);
  const isUntouched = stat !== undefined && isStamped(stat) && !check.isDoubtful(stat.mtimeMs);
  // As it was stored, under its hash: if the size is another one, the digest is another blob's, which is not here.
  if (isUntouched) return stat.sizeBytes === digestSizeBytes(blob.digest) ? "sound" : "other";
  const found = await hashOf(blob.handle, ports);
  if (found === blob.digest) {
    check.stamp(blob.path, clock.nowMs());
    return "sound";
  }
  // The right bytes for the name: whoever asked has the size wrong, which makes it another digest.
  if (found.slice(0, found.lastIndexOf("/")) !== blob.digest.slice(0, blob.digest.lastIndexOf("/"))) {
    check.quarantine(blob.digest, blob.path);
    ports.vanished(blob.digest);
  }
  return "other";
}

async function hashOf(handle: ReadHandle, { context, engine }: ReadPorts): Promise<string> {
  const turns = new Turns(context.clock);
  const hasher = engine.start();
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let doneBytes = 0;
  for (;;) {
    const got = await handle.read(doneBytes, buffer);
    hasher.update(buffer.subarray(0, got));
    doneBytes += got;
    if (got < buffer.length) return `${engine.fn}:${hasher.hex()}/${doneBytes}`;
    if (turns.isOver) await turns.pass();
  }
}

/** Reads a file that stays open, whatever becomes of its name. */
export class FileReader implements BlobReader {
  readonly sizeBytes: number;
  readonly #blob: OpenBlob;
  readonly #ports: ReadPorts;
  #buffer = Buffer.alloc(0);
  #hasher: Hasher | undefined;
  #hashedBytes = 0;

  constructor(blob: OpenBlob, ports: ReadPorts) {
    this.sizeBytes = digestSizeBytes(blob.digest);
    this.#blob = blob;
    this.#ports = ports;
    this.#hasher = ports.isSampled() ? ports.engine.start() : undefined;
  }

  async read(offset: number, lengthBytes: number, into?: Uint8Array): Promise<Result<Uint8Array, ResidentProblem>> {
    const wantedBytes = Math.max(0, Math.min(lengthBytes, this.sizeBytes - offset));
    const bytes = (into ?? this.#room(wantedBytes)).subarray(0, wantedBytes);
    try {
      const got = await this.#blob.handle.read(offset, bytes);
      // Somebody cut the file since it was opened.
      if (got < wantedBytes) return err(this.#setAside(`${this.sizeBytes - wantedBytes + got} bytes long`));
    } catch (error) {
      return err(residentProblem(error));
    }
    const found = this.#hash(offset, bytes);
    return found === undefined ? ok(bytes) : err(this.#setAside(found));
  }

  /** The whole blob, hashed; `undefined` when it is damaged, and then it is set aside. @throws FileSystemError */
  async whole(): Promise<Uint8Array | undefined> {
    const bytes = Buffer.allocUnsafe(this.sizeBytes);
    const got = await this.#blob.handle.read(0, bytes);
    if (got === this.sizeBytes && this.#ports.engine.digest(bytes) === this.#blob.digest) return bytes;
    this.#setAside("something else");
    return undefined;
  }

  close(): void {
    this.#blob.handle.close();
  }

  #room(sizeBytes: number): Buffer {
    if (this.#buffer.length < sizeBytes) this.#buffer = Buffer.allocUnsafe(sizeBytes);
    return this.#buffer;
  }

  /** Answers with what the blob is instead, once that is known. */
  #hash(offset: number, bytes: Uint8Array): string | undefined {
    if (this.#hasher === undefined) return undefined;
    // Read in order, or not hashed at all.
    if (offset !== this.#hashedBytes) this.#hasher = undefined;
    this.#hasher?.update(bytes);
    this.#hashedBytes += bytes.byteLength;
    if (this.#hasher === undefined || this.#hashedBytes < this.sizeBytes) return undefined;
    const found = `${this.#ports.engine.fn}:${this.#hasher.hex()}/${this.sizeBytes}`;
    this.#hasher = undefined;
    return found === this.#blob.digest ? undefined : found;
  }

  #setAside(found: string) {
    const { digest, path } = this.#blob;
    this.#ports.context.check.quarantine(digest, path);
    this.#ports.vanished(digest);
    return problem("blob-mismatch" as const, `${digest} is damaged on disk: it is ${found}`, {
      facts: [["file", path]],
      next: "Ask again: it is missing now, and whoever can will make it anew. Check the disk if it happens often.",
    });
  }
}
