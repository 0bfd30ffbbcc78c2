/**
 * Puts what comes out of an archive into the store.
 *
 * Invariant: little is in memory: a few dozen small files at most, and a piece of each large one. All that is written is
 *            pinned until `close`.
 */
import type { Digest, DigestFunction, Result } from "@kahn/core";
import type { Pin, ServerStore, ServerStoreProblem } from "../../../store/server-store.ts";
import { ArchiveTree } from "./archive-tree.ts";
import type { UnpackMeter } from "./unpack-trouble.ts";
import { NotUnpacked } from "./unpack-trouble.ts";

/** Files that are written at once: a store flushes many together. */
const AT_ONCE = 32;
/** Smaller files are gathered in memory. */
const SMALL_BYTES = 256 * 1024;

/** A file as an archive has it. */
export interface ArchivedFile {
  readonly path: string;
  readonly executable: boolean;
  /** As the archive says: it may be wrong. */
  readonly sizeBytes: number;
  /** Each valid until the next is asked for. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** What the writer stands on. */
export interface TreeWriterOptions {
  readonly store: ServerStore;
  readonly fn: DigestFunction;
  readonly meter: UnpackMeter;
}

/** Writes the files of one archive, and its tree. Everything throws `NotUnpacked`. */
export class TreeWriter {
  readonly #options: TreeWriterOptions;
  readonly #tree: ArchiveTree;
  readonly #written = new Set<Digest>();
  readonly #pins: Pin[] = [];
  readonly #pending = new Set<Promise<void>>();
  /** Of those who wait for the next bytes of a file, which may never come once something is wrong. */
  readonly #stops = new Set<(error: unknown) => void>();
  #failed: { readonly error: unknown } | undefined;

  constructor(options: TreeWriterOptions) {
    this.#options = options;
    this.#tree = new ArchiveTree(() => options.meter.entry());
  }

  /** All blobs of the tree. */
  get written(): readonly Digest[] {
    return [...this.#written];
  }

  folder(path: string): void {
    this.#options.meter.entry();
    this.#tree.folder(path);
  }

  link(path: string, target: string): void {
    this.#options.meter.entry();
    this.#tree.link(path, target);
  }

  sameFile(path: string, earlier: string): void {
    this.#options.meter.entry();
    this.#tree.sameFile(path, earlier);
  }

  /** Begins to write a file, whose place in the tree is taken at once. What goes wrong is told by `room` and `finish`. */
  file(file: ArchivedFile): void {
    this.#options.meter.entry();
    const slot = this.#tree.file(file.path, file.executable);
    const writing = this.#content(file).then(
      (digest) => {
        slot.digest = digest;
      },
      (error: unknown) => this.fail(error),
    );
    this.#pending.add(writing);
    void writing.finally(() => this.#pending.delete(writing));
  }

  /** Something went wrong elsewhere: nothing more is written. */
  fail(error: unknown): void {
    this.#failed ??= { error };
    for (const stop of this.#stops) stop(this.#failed.error);
  }

  /** @param stop is called once something has gone wrong, maybe more than once. */
  onFailure(stop: (error: unknown) => void): void {
    this.#stops.add(stop);
  }

  /** Waits until another file may be begun. */
  async room(): Promise<void> {
    while (this.#pending.size >= AT_ONCE && this.#failed === undefined) await Promise.race(this.#pending);
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  /** Writes the directories. @param below the folder that is the root of the tree. @returns the root's digest. */
  async finish(below: string): Promise<Digest> {
    await Promise.all(this.#pending);
    if (this.#failed !== undefined) throw this.#failed.error;
    return await this.#tree.encode(below, async (bytes) => {
      this.#options.meter.time();
      return this.#kept(await this.#add(bytes));
    });
  }

  /** Ends what is being written, and lets go of what was: it is collected like everything from now on. */
  async close(): Promise<void> {
    this.fail(new NotUnpacked({ kind: "stopped" }));
    await Promise.all(this.#pending);
    for (const pin of this.#pins) pin.release();
  }

  async #content({ sizeBytes, content }: ArchivedFile): Promise<Digest> {
    const { store, fn } = this.#options;
    if (sizeBytes <= SMALL_BYTES) {
      const parts: Buffer[] = [];
      await this.#each(content, async (bytes) => void parts.push(Buffer.from(bytes)));
      return this.#kept(await this.#add(Buffer.concat(parts)));
    }
    const receiver = stored(await store.blobs.receive(fn));
    try {
      await this.#each(content, async (bytes) => stored(await receiver.write(bytes)));
      return this.#kept(stored(await receiver.commit()));
    } finally {
      receiver.abort();
    }
  }

  async #each(content: AsyncIterable<Uint8Array>, take: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    const pieces = content[Symbol.asyncIterator]();
    for (let next = await this.#next(pieces); next.done !== true; next = await this.#next(pieces)) {
      this.#options.meter.bytes(next.value.byteLength);
      await take(next.value);
    }
  }

  #next(pieces: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        // It may still wait for bytes, and then fail: nobody listens any more.
        pieces.return?.().catch(() => {});
        reject(this.#failed?.error);
      };
      if (this.#failed !== undefined) {
        stop();
        return;
      }
      this.#stops.add(stop);
      pieces
        .next()
        .finally(() => this.#stops.delete(stop))
        .then(resolve, reject);
    });
  }

  async #add(bytes: Uint8Array): Promise<Digest> {
    return stored(await this.#options.store.blobs.add(this.#options.fn, bytes));
  }

  #kept(digest: Digest): Digest {
    if (this.#written.has(digest)) return digest;
    this.#written.add(digest);
    this.#pins.push(this.#options.store.pin([digest]));
    return digest;
  }
}

function stored<T>(result: Result<T, ServerStoreProblem>): T {
  if (result.ok) return result.value;
  throw new NotUnpacked({ kind: "store-failed", problem: result.problem });
}
