/**
 * Both ends of a transfer on this side: where a blob's bytes come from, and where they go.
 *
 * Invariant: a sink never takes more bytes than its digest has, and says "verified" only for bytes that have that digest.
 */
import { loadEngine } from "@kahn/cas";
import type { Digest, FileHandle, FileSystem, Hasher } from "@kahn/core";
import { digestFunction, digestHash, digestSizeBytes } from "@kahn/core";

/** Bytes to be sent. */
export interface BlobSource {
  readonly sizeBytes: number;
  /** Up to `lengthBytes` from `offset`; the bytes must not change. */
  read(offset: number, lengthBytes: number): Promise<Uint8Array>;
  close(): void;
}

/** Bytes in memory. */
export function memorySource(bytes: Uint8Array): BlobSource {
  return {
    sizeBytes: bytes.byteLength,
    read: async (offset, lengthBytes) => bytes.subarray(offset, offset + lengthBytes),
    close: () => {},
  };
}

/** A file; `undefined` when it is not there. */
export function fileSource(fs: FileSystem, path: string): BlobSource | undefined {
  const handle = fs.openRead(path);
  if (handle === undefined) return undefined;
  return {
    sizeBytes: handle.sizeBytes(),
    read: async (offset, lengthBytes) => {
      const into = Buffer.allocUnsafe(lengthBytes);
      return into.subarray(0, await handle.read(offset, into));
    },
    close: () => handle.close(),
  };
}

/** Takes a blob's bytes in order. */
export interface BlobSink {
  /** How many came so far: where a broken transfer goes on. */
  readonly receivedBytes: number;
  /** Takes the next ones; false when they are more than the digest says. */
  write(bytes: Uint8Array): boolean;
  /** No more come. @returns true if they are what the digest says; what came is dropped otherwise. */
  finish(): boolean;
  /** Drops what came. */
  abort(): void;
}

/** What holds the bytes of a sink. */
interface Holder {
  put(bytes: Uint8Array): void;
  close(): void;
  drop(): void;
}

class VerifyingSink implements BlobSink {
  receivedBytes = 0;
  readonly #digest: Digest;
  readonly #sizeBytes: number;
  readonly #hasher: Hasher;
  readonly #holder: Holder;

  constructor(digest: Digest, hasher: Hasher, holder: Holder) {
    this.#digest = digest;
    this.#sizeBytes = digestSizeBytes(digest);
    this.#hasher = hasher;
    this.#holder = holder;
  }

  write(bytes: Uint8Array): boolean {
    if (this.receivedBytes + bytes.byteLength > this.#sizeBytes) return false;
    this.receivedBytes += bytes.byteLength;
    this.#hasher.update(bytes);
    this.#holder.put(bytes);
    return true;
  }

  finish(): boolean {
    this.#holder.close();
    const isWhole = this.receivedBytes === this.#sizeBytes && this.#hasher.hex() === digestHash(this.#digest);
    if (!isWhole) this.#holder.drop();
    return isWhole;
  }

  abort(): void {
    this.#holder.close();
    this.#holder.drop();
  }
}

/** A sink into memory; `bytes` are whole once it is finished. */
export async function memorySink(digest: Digest): Promise<BlobSink & { bytes(): Uint8Array }> {
  const parts: Uint8Array[] = [];
  const hasher = await hasherOf(digest);
  const holder: Holder = {
    put: (bytes) => void parts.push(Buffer.from(bytes)),
    close: () => {},
    drop: () => void parts.splice(0),
  };
  return Object.assign(new VerifyingSink(digest, hasher, holder), { bytes: () => Buffer.concat(parts) });
}

/** A sink into a file, which is replaced if it is there. @throws FileSystemError, from every member. */
export async function fileSink(fs: FileSystem, path: string, digest: Digest): Promise<BlobSink> {
  const hasher = await hasherOf(digest);
  fs.remove(path);
  let handle: FileHandle | undefined = fs.openAppend(path);
  const holder: Holder = {
    put: (bytes) => void handle?.append(bytes),
    close: () => {
      handle?.close();
      handle = undefined;
    },
    drop: () => void fs.remove(path),
  };
  return new VerifyingSink(digest, hasher, holder);
}

/** True if the bytes have this digest. */
export async function hasDigest(bytes: Uint8Array, digest: Digest): Promise<boolean> {
  return (await loadEngine(digestFunction(digest))).digest(bytes) === digest;
}

async function hasherOf(digest: Digest): Promise<Hasher> {
  return (await loadEngine(digestFunction(digest))).start();
}
