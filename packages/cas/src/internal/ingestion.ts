/**
 * Takes files of the work tree into the store.
 *
 * Invariant: the digest that comes out is that of the bytes that went in, whatever the caller expected and whoever
 *            wrote to the file meanwhile: small files are read once and those bytes are stored, large ones are copied
 *            and the copy is hashed, adopted ones carry the stamp before they are hashed, so that a later write shows.
 */
import type { Digest, FileStat, IngestRequest } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import { isStamped, stampMs } from "./stamp.ts";
import type { StoreContext } from "./store-context.ts";
import { BLOB_MODE, EXECUTABLE_MODE, storedBytes } from "./store-context.ts";

/** Up to this size a file is read into memory. */
const SMALL_MAX_BYTES = 1024 * 1024;

const ADOPT_ATTEMPTS_MAX = 3;

/** So many bytes of small blobs are held back to be appended at once. */
const BATCH_BYTES = 4 * 1024 * 1024;

/** Takes in files, one after the other. Small ones are in the store after `flush` only. */
export class Ingestion {
  readonly #context: StoreContext;
  readonly #batches = new Map<HashEngine, Map<Digest, Uint8Array>>();
  #batchBytes = 0;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Stores one file and answers with its digest. @throws FileSystemError, also when it is not a regular file. */
  take(request: IngestRequest, engine: HashEngine): Digest {
    const { fs } = this.#context;
    const stat = fs.lstat(request.path);
    if (stat === undefined) throw new FileSystemError("ENOENT", "read", request.path);
    if (stat.kind !== "file")
      throw new FileSystemError(stat.kind === "directory" ? "EISDIR" : "EINVAL", "read", request.path);
    if (request.adopt === true) {
      const adopted = this.#adopt(request, stat, engine);
      if (adopted !== undefined) return adopted;
    }
    return stat.sizeBytes <= SMALL_MAX_BYTES ? this.#takeSmall(request, engine) : this.#takeLarge(request, engine);
  }

  #takeSmall({ path }: IngestRequest, engine: HashEngine): Digest {
    const { fs, layout, packs } = this.#context;
    const bytes = fs.readFile(path);
    if (bytes === undefined) throw new FileSystemError("ENOENT", "read", path);
    const digest = engine.digest(bytes);
    if (bytes.byteLength <= packs.packedMaxBytes) this.#hold(digest, bytes, engine);
    else if (!this.#has(digest, engine)) this.#context.writeBlob(layout.blob(digest), bytes);
    return digest;
  }

  #hold(digest: Digest, bytes: Uint8Array, engine: HashEngine): void {
    const batch = this.#batches.get(engine) ?? new Map<Digest, Uint8Array>();
    this.#batches.set(engine, batch.set(digest, bytes));
    this.#batchBytes += bytes.byteLength;
    if (this.#batchBytes >= BATCH_BYTES) this.flush();
  }

  /** Stores the small blobs that were held back, unless they are there. @throws FileSystemError */
  flush(): void {
    const { packs } = this.#context;
    for (const [engine, batch] of this.#batches) {
      const digests = [...batch.keys()];
      const packed = packs.of(engine).findMany(digests);
      for (const blob of packed) if (blob !== undefined) packs.noteUse(blob);
      const absent = digests.filter((digest, index) => packed[index] === undefined && !this.#hasFile(digest, engine));
      packs.append(
        engine,
        absent.map((digest) => ({ digest, bytes: batch.get(digest)! })),
      );
    }
    this.#batches.clear();
    this.#batchBytes = 0;
  }

  #takeLarge({ path, expected }: IngestRequest, engine: HashEngine): Digest {
    const { fs, layout, check, publisher, uses, clock } = this.#context;
    if (expected !== undefined && this.#has(expected, engine) && check.hash(path, engine) === expected) return expected;
    uses.writing();
    const temporary = publisher.temporary((to) => fs.copyFile({ from: path, to, mode: BLOB_MODE }));
    try {
      const digest = check.hash(temporary, engine);
      if (digest === undefined) throw new FileSystemError("EIO", "read", temporary);
      if (this.#has(digest, engine)) {
        publisher.discard(temporary);
        return digest;
      }
      publisher.rename(temporary, { path: layout.blob(digest), stampMs: stampMs(clock.nowMs()) });
      uses.wrote(storedBytes(Number(digest.slice(digest.lastIndexOf("/") + 1))));
      return digest;
    } catch (error) {
      publisher.discard(temporary);
      throw error;
    }
  }

  /** Makes the file itself the blob. `undefined` when it cannot be done: it is then copied. */
  #adopt({ path, executable }: IngestRequest, before: FileStat, engine: HashEngine): Digest | undefined {
    const { fs, layout, check, publisher, uses, clock } = this.#context;
    const mode = executable ? EXECUTABLE_MODE : BLOB_MODE;
    const stored = before.nlink > 1 && isStamped(before) ? this.#alreadyAdopted(path, mode, engine) : undefined;
    if (stored !== undefined) return stored;
    uses.writing();
    for (let attempt = 0; attempt < ADOPT_ATTEMPTS_MAX; attempt++) {
      if (before.nlink > 1) return undefined; // Somebody else's hard link: making it read-only would reach them.
      fs.chmod(path, mode);
      const stamp = stampMs(clock.nowMs());
      fs.setTimes(path, stamp, stamp);
      const digest = check.hash(path, engine);
      const after = fs.lstat(path);
      // A process that still has the file open wrote to it: once more, then give up and copy.
      if (digest === undefined || after === undefined || after.mtimeMs !== stamp) continue;
      const blob = layout.blob(digest, executable);
      if (check.verdict(digest, blob, { stat: fs.lstat(blob), engine }) === "usable") {
        if (!this.#replaceByLink(blob, path)) break;
        return digest;
      }
      try {
        publisher.link(path, blob);
      } catch (error) {
        if (!(error instanceof FileSystemError)) throw error;
        // Another process was faster, which the next attempt sees; anything else means that links do not work here.
        if (error.code === "EEXIST") continue;
        break;
      }
      uses.wrote(storedBytes(after.sizeBytes));
      return digest;
    }
    fs.chmod(path, executable ? 0o755 : 0o644);
    return undefined;
  }

  /** The digest of a file that is a blob of this store already. */
  #alreadyAdopted(path: string, mode: number, engine: HashEngine): Digest | undefined {
    const { fs, layout, check } = this.#context;
    const digest = check.hash(path, engine);
    if (digest === undefined) return undefined;
    const own = fs.lstat(path);
    const blob = fs.lstat(layout.blob(digest, mode === EXECUTABLE_MODE));
    return own !== undefined && own.ino === blob?.ino && own.dev === blob.dev && isStamped(own) ? digest : undefined;
  }

  /** Puts a link to the blob in the file's place; the file has the same bytes. False when links do not work here. */
  #replaceByLink(blob: string, path: string): boolean {
    const { fs, publisher } = this.#context;
    let temporary: string | undefined;
    try {
      temporary = publisher.temporary((to) => fs.link(blob, to));
      fs.rename(temporary, path);
      return true;
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      if (temporary !== undefined) publisher.discard(temporary);
      return false;
    }
  }

  /** True when the blob is there; its use is noted. */
  #has(digest: Digest, engine: HashEngine): boolean {
    const { packs } = this.#context;
    const packed = packs.of(engine).find(digest);
    if (packed === undefined) return this.#hasFile(digest, engine);
    packs.noteUse(packed);
    return true;
  }

  /** True when the blob has a file, in either variant, and is sound; its use is noted. */
  #hasFile(digest: Digest, engine: HashEngine): boolean {
    const { fs, layout, check } = this.#context;
    for (const path of [layout.blob(digest), layout.blob(digest, true)]) {
      const stat = fs.lstat(path);
      if (stat === undefined || check.verdict(digest, path, { stat, engine }) !== "usable") continue;
      check.noteUse(path, stat);
      return true;
    }
    return false;
  }
}
