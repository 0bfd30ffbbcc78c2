/** Blobs in memory: the least that satisfies the port, for tests of what stands on a store. */
import type {
  BlobStore,
  Digest,
  FileSystem,
  IngestRequest,
  MaterializeOutcome,
  MaterializeRequest,
  Result,
  StoreProblem,
} from "@kahn/core";
import { digestFunction, digestOf, err, FileSystemError, ok, problem } from "@kahn/core";

/** A `BlobStore` in memory; its work tree is the given file system. Knows SHA-256 only. */
export class MemoryBlobStore implements BlobStore {
  readonly #fs: FileSystem;
  readonly #blobs = new Map<Digest, Uint8Array>();
  readonly #corrupt = new Set<Digest>();
  #trouble: StoreProblem | undefined;

  /** See `memoryBlobStore`. */
  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /** How many blobs there are. */
  get size(): number {
    return this.#blobs.size;
  }

  /** Loses a blob, as garbage collection by another process would. */
  evict(digest: Digest): void {
    this.#blobs.delete(digest);
  }

  /** Damages a blob: it is found out at the next read or materialize. */
  corrupt(digest: Digest): void {
    this.#corrupt.add(digest);
  }

  /** Every call answers with this problem until it is taken back. */
  failWith(trouble: StoreProblem | undefined): void {
    this.#trouble = trouble;
  }

  async findMissing(digests: readonly Digest[]): Promise<Result<Digest[], StoreProblem>> {
    return this.#trouble ? err(this.#trouble) : ok(digests.filter((digest) => !this.#blobs.has(digest)));
  }

  async read(digest: Digest): Promise<Result<Uint8Array | undefined, StoreProblem>> {
    if (this.#trouble) return err(this.#trouble);
    this.#setAside(digest);
    return ok(this.#blobs.get(digest)?.slice());
  }

  async write(digest: Digest, bytes: Uint8Array): Promise<Result<void, StoreProblem>> {
    if (this.#trouble) return err(this.#trouble);
    const actual = digestOf(bytes, digestFunction(digest) as "sha256");
    if (actual !== digest) return err(problem("blob-mismatch", `${digest} was promised and ${actual} was given`));
    // Not `slice`: of a Buffer it shares the memory.
    this.#blobs.set(digest, new Uint8Array(bytes));
    return ok(undefined);
  }

  async ingest(requests: readonly IngestRequest[]): Promise<Result<Digest[], StoreProblem>> {
    if (this.#trouble) return err(this.#trouble);
    return this.#guarded(() => {
      const contents = requests.map(({ path }) => {
        const bytes = this.#fs.readFile(path);
        if (bytes === undefined) throw new FileSystemError("ENOENT", "open", path);
        return bytes;
      });
      const digests = contents.map((bytes) => digestOf(bytes));
      for (const [index, digest] of digests.entries()) this.#blobs.set(digest, new Uint8Array(contents[index]!));
      for (const { path, adopt, executable } of requests) {
        if (adopt === true) this.#fs.chmod(path, executable ? 0o555 : 0o444);
      }
      return digests;
    });
  }

  async materialize(requests: readonly MaterializeRequest[]): Promise<Result<MaterializeOutcome[], StoreProblem>> {
    if (this.#trouble) return err(this.#trouble);
    return this.#guarded(() => requests.map((request) => this.#materializeOne(request)));
  }

  #materializeOne({ digest, path, executable, how }: MaterializeRequest): MaterializeOutcome {
    if (this.#setAside(digest)) return "corrupt";
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) return "missing";
    // A new inode: what was there may be a link to somebody else's file.
    this.#fs.remove(path);
    const writable = executable ? 0o755 : 0o644;
    this.#fs.writeFile(path, bytes, { mode: how === "copy" ? writable : writable & 0o555 });
    return "done";
  }

  /** Removes a damaged blob; true when there was one. */
  #setAside(digest: Digest): boolean {
    return this.#corrupt.delete(digest) && this.#blobs.delete(digest);
  }

  #guarded<T>(work: () => T): Result<T, StoreProblem> {
    try {
      return ok(work());
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      const code = error.code === "ENOSPC" ? "store-full" : error.code === "EACCES" ? "store-denied" : "store-io";
      return err(problem(code, error.message));
    }
  }
}

/** Blobs in memory, whose files lie in `fs`. */
export function memoryBlobStore(fs: FileSystem): MemoryBlobStore {
  return new MemoryBlobStore(fs);
}
