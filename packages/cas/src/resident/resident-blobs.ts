/**
 * The blobs of a process that serves others: found in memory, written and read in pieces, durable when it says so.
 *
 * Owns:      which upload of a digest wins, and where reads go.
 * Invariant: the empty blob of every function is there. A blob is known here only after it is as durable as promised.
 */
import type { Digest, DigestFunction, DigestList, PieceHashers, Random, Result } from "@kahn/core";
import {
  digestAt,
  digestFunction,
  digestOfParts,
  digestSizeBytes,
  distinctDigests,
  invariant,
  ok,
  randomBelow,
} from "@kahn/core";
import { loadEngine } from "../hasher.ts";
import type { Pack } from "../internal/pack.ts";
import type { PackItem } from "../internal/pack-format.ts";
import type { StoreContext } from "../internal/store-context.ts";
import { parentOf } from "../internal/store-layout.ts";
import { StoreFailure } from "../internal/store-problem.ts";
import type { BlobReader } from "./blob-reader.ts";
import { bytesReader } from "./blob-reader.ts";
import { BlobReads } from "./blob-reads.ts";
import { BlobReceiver, tooLarge } from "./blob-receiver.ts";
import type { BlobWriter } from "./blob-writer.ts";
import { FileUpload, mismatch } from "./blob-writer.ts";
import { isEmptyBlob } from "./empty-blob.ts";
import type { WriteDurability } from "./group-commit.ts";
import { GroupCommit } from "./group-commit.ts";
import type { Appender, PackAppend, PackCommit } from "./pack-commit.ts";
import { PackedUpload } from "./packed-upload.ts";
import type { ResidentProblem } from "./resident-problem.ts";
import { residentResult } from "./resident-problem.ts";
import type { Room } from "./room.ts";
import { Shelf } from "./shelf.ts";
import type { StagingPorts } from "./staged-file.ts";
import { Turns } from "./turns.ts";

/** What resident blobs stand on. */
export interface ResidentBlobPorts {
  readonly context: StoreContext;
  readonly random: Random;
  readonly durability: WriteDurability;
  readonly maxBlobBytes: number;
  /** For blobs that are asked for again. */
  readonly memoryBytes: number;
  readonly room: Room;
  readonly commits: PackCommit;
  /** Hash large uploads; left out, the functions' engines do. */
  readonly hashers?: PieceHashers | undefined;
}

/** Blobs of an open store. */
export class ResidentBlobs {
  readonly maxBlobBytes: number;
  readonly #ports: ResidentBlobPorts;
  readonly #shelves = new Map<DigestFunction, Promise<Shelf>>();
  readonly #open = new Map<DigestFunction, Shelf>();
  readonly #uploads = new Map<Digest, Set<FileUpload>>();
  readonly #appenders = new Map<Shelf, Appender>();
  readonly #reads: BlobReads;
  readonly #packing = new Map<Digest, Promise<unknown>>();
  readonly #smallFlushes: GroupCommit;
  readonly #largeFlushes: GroupCommit;
  /** What of a pack that was taken in beside this is being flushed. */
  readonly #flushing = new WeakMap<Pack, Set<Promise<void>>>();

  constructor(ports: ResidentBlobPorts) {
    this.#ports = ports;
    this.maxBlobBytes = ports.maxBlobBytes;
    this.#reads = new BlobReads(ports);
    this.#smallFlushes = new GroupCommit(ports.context.fs, ports.durability);
    this.#largeFlushes = new GroupCommit(ports.context.fs, ports.durability);
  }

  /** The functions whose blobs are in memory. */
  get shelves(): readonly Shelf[] {
    return [...this.#open.values()];
  }

  /** The blobs of a function; read from the disk at the first call. @throws FileSystemError */
  async shelf(fn: DigestFunction): Promise<Shelf> {
    let opening = this.#shelves.get(fn);
    if (opening === undefined) {
      opening = this.#load(fn);
      this.#shelves.set(fn, opening);
      opening.catch(() => this.#shelves.delete(fn));
    }
    return await opening;
  }

  async #load(fn: DigestFunction): Promise<Shelf> {
    const { context, random } = this.#ports;
    const shelf = new Shelf(context, await loadEngine(fn), randomBelow(random, 0x7fff_ffff));
    await shelf.load(new Turns(context.clock));
    this.#open.set(fn, shelf);
    return shelf;
  }

  /**
   * Whether all of these are there: what `findMissing` says of few blobs of one function, without a wait.
   *
   * @returns `undefined` when it has to be asked instead. @throws FileSystemError
   */
  areThere(digests: readonly Digest[]): boolean | undefined {
    const first = digests[0];
    if (first === undefined) return true;
    const fn = digestFunction(first);
    const shelf = this.#open.get(fn);
    const isSimple = digests.length === 1 || digests.every((digest) => digest.startsWith(`${fn}:`));
    if (shelf === undefined || !isSimple) return undefined;
    const named = digests.filter((digest) => !isEmptyBlob(digest));
    return shelf.missing(named, this.#ports.context.clock.nowMs()).length === 0;
  }

  /** Those of the list that are not there, each once. The others count as used now. */
  findMissing(digests: readonly Digest[]): Promise<Result<Digest[], ResidentProblem>> {
    return residentResult(async () => {
      const nowMs = this.#ports.context.clock.nowMs();
      const byFunction = new Map<DigestFunction, Digest[]>();
      let group: Digest[] = [];
      let prefix = "/";
      for (const digest of digests) {
        if (isEmptyBlob(digest)) continue;
        if (!digest.startsWith(prefix)) {
          const fn = digestFunction(digest);
          prefix = `${fn}:`;
          group = byFunction.get(fn) ?? [];
          byFunction.set(fn, group);
        }
        group.push(digest);
      }
      let missing: Digest[] = [];
      for (const [fn, group] of byFunction) missing = missing.concat((await this.shelf(fn)).missing(group, nowMs));
      return missing.length < 2 ? missing : [...new Set(missing)];
    });
  }

  /** Numbers of those in a list that are not there, each digest once. The others count as used now. */
  findMissingIn(list: DigestList): Promise<Result<readonly number[], ResidentProblem>> {
    return residentResult(async () => {
      const missing = (await this.shelf(list.fn)).missingOf(list, this.#ports.context.clock.nowMs());
      const named = missing.filter((at) => list.sizes[at] !== 0 || !isEmptyBlob(digestAt(list, at)));
      return named.length < 2 ? named : distinctDigests(list, named);
    });
  }

  /** The whole blob, verified; `undefined` when missing. Nobody may change the bytes. */
  read(digest: Digest): Promise<Result<Uint8Array | undefined, ResidentProblem>> {
    return residentResult(async () => {
      if (isEmptyBlob(digest)) return new Uint8Array();
      const shelf = await this.shelf(digestFunction(digest));
      return await this.#reads.read(shelf, digest);
    });
  }

  /** A blob to be read in pieces; `undefined` when missing. It stays readable until it is closed. */
  open(digest: Digest): Promise<Result<BlobReader | undefined, ResidentProblem>> {
    return residentResult(async () => {
      if (isEmptyBlob(digest)) return bytesReader(new Uint8Array());
      const shelf = await this.shelf(digestFunction(digest));
      return await this.#reads.open(shelf, digest);
    });
  }

  /** Stores a small blob; `blob-mismatch` when the bytes are others. Resolves when it is durable. Idempotent. */
  async write(digest: Digest, bytes: Uint8Array): Promise<Result<void, ResidentProblem>> {
    if (bytes.byteLength > this.#ports.context.packs.packedMaxBytes) return await this.#writeLarge(digest, bytes);
    return await residentResult(async () => {
      const shelf = await this.shelf(digestFunction(digest));
      const found = shelf.engine.digest(bytes);
      if (found !== digest) throw new StoreFailure(mismatch(digest, found));
      await this.#joined(shelf, { digest, bytes }, this.#storeAlone);
    });
  }

  /** Stores bytes that are in memory under the digest that they have. Resolves when they are durable. */
  add(fn: DigestFunction, bytes: Uint8Array): Promise<Result<Digest, ResidentProblem>> {
    return residentResult(async () => {
      return await this.withBlob(fn, bytes, async (digest, append) => {
        await this.#storeAlone(append);
        return digest;
      });
    });
  }

  /**
   * Lets `store` store a blob with something else.
   *
   * @param store gets what is to be appended; nothing for a blob that is there by now, as all large ones are.
   * @throws FileSystemError, StoreFailure, LimitFailure
   */
  async withBlob<T>(
    fn: DigestFunction,
    bytes: Uint8Array,
    store: (digest: Digest, append: PackAppend | undefined) => Promise<T>,
  ): Promise<T> {
    const shelf = await this.shelf(fn);
    if (bytes.byteLength > this.#ports.context.packs.packedMaxBytes) {
      return await store(await this.#receiver(shelf).take(bytes), undefined);
    }
    const digest = shelf.engine.digest(bytes);
    return await this.#joined(shelf, { digest, bytes }, (append) => store(digest, append));
  }

  /** Begins an upload; `present` when the blob is there already and nothing need be sent. */
  create(digest: Digest): Promise<Result<BlobWriter | "present", ResidentProblem>> {
    return residentResult(async () => {
      if (isEmptyBlob(digest)) return "present";
      const shelf = await this.shelf(digestFunction(digest));
      if (this.#isPresent(shelf, digest)) return "present";
      if (digestSizeBytes(digest) > this.maxBlobBytes) throw new StoreFailure(tooLarge(digest, this.maxBlobBytes));
      if (digestSizeBytes(digest) <= this.#ports.context.packs.packedMaxBytes) {
        return new PackedUpload(digest, (bytes) => this.write(digest, bytes));
      }
      const upload = new FileUpload(digest, this.#stagingPorts(shelf), (ended) => this.#ended(shelf, ended));
      const others = this.#uploads.get(digest);
      if (others === undefined) this.#uploads.set(digest, new Set([upload]));
      else others.add(upload);
      return upload;
    });
  }

  /** The digest of the blob with this hash: HTTP names blobs by their hash alone. Counts as used now. */
  find(fn: DigestFunction, hash: string): Promise<Result<Digest | undefined, ResidentProblem>> {
    return residentResult(async () => {
      const shelf = await this.shelf(fn);
      const empty = digestOfParts(fn, hash, 0);
      if (empty === undefined || isEmptyBlob(empty)) return empty;
      // Looked for with a size that it has not: a blob that another process has stored comes into the index all the same.
      shelf.missing([shelf.digestOf(hash) ?? empty], this.#ports.context.clock.nowMs());
      return shelf.digestOf(hash);
    });
  }

  /** Begins an upload whose end tells its digest. */
  receive(fn: DigestFunction): Promise<Result<BlobReceiver, ResidentProblem>> {
    return residentResult(async () => {
      return this.#receiver(await this.shelf(fn));
    });
  }

  #receiver(shelf: Shelf): BlobReceiver {
    return new BlobReceiver({
      ...this.#stagingPorts(shelf),
      maxBlobBytes: this.maxBlobBytes,
      packedMaxBytes: this.#ports.context.packs.packedMaxBytes,
      store: (digest, bytes) => this.#joined(shelf, { digest, bytes }, this.#storeAlone),
    });
  }

  /** Files were taken in beside this: makes them known, and as durable as everything. @throws FileSystemError */
  async ingested(digests: readonly Digest[]): Promise<void> {
    const { context } = this.#ports;
    const flushes: Promise<void>[] = [];
    for (const digest of new Set(digests)) {
      const shelf = await this.shelf(digestFunction(digest));
      const packed = shelf.packs.find(digest);
      const path = context.layout.blob(digest);
      if (packed !== undefined) {
        flushes.push(this.#flushPacked(shelf, packed.pack, [digest]));
      } else if (!this.#isPresent(shelf, digest) || context.fs.lstat(path) === undefined) continue;
      else
        flushes.push(
          this.#largeFlushes.done({ key: {}, sync: () => context.fs.syncDirectory(path), directory: parentOf(path) }),
        );
    }
    await Promise.all(flushes);
  }

  /** Counts as used now what of these is there, as far as is known. */
  touch(digests: readonly Digest[]): void {
    const nowMs = this.#ports.context.clock.nowMs();
    for (const digest of digests) {
      const shelf = this.#open.get(digestFunction(digest));
      shelf?.used(digest, nowMs);
    }
  }

  /** Resolves when nothing is being flushed. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#packing.values()]);
    await this.#ports.commits.idle();
    await this.#smallFlushes.idle();
    await this.#largeFlushes.idle();
  }

  /** For records, which are small files of their own. */
  get flushes(): GroupCommit {
    return this.#smallFlushes;
  }

  async #writeLarge(digest: Digest, bytes: Uint8Array): Promise<Result<void, ResidentProblem>> {
    // Said at once, and with the digest that was found: an upload would say less.
    const engine = await loadEngine(digestFunction(digest));
    if (bytes.byteLength !== digestSizeBytes(digest)) {
      return { ok: false, problem: mismatch(digest, engine.digest(bytes)) };
    }
    const upload = await this.create(digest);
    if (!upload.ok) return upload;
    if (upload.value === "present") return ok(undefined);
    const written = await upload.value.write(bytes);
    return written.ok ? await upload.value.commit() : written;
  }

  /** Stores a small blob, or lets `store` do so: nothing is left to append when it is there, or is being stored. */
  async #joined<T>(shelf: Shelf, item: PackItem, store: (append: PackAppend | undefined) => Promise<T>): Promise<T> {
    const { digest } = item;
    // Of one that is not known nobody is asked: a second copy that another process may have costs less than looking.
    const isThere = isEmptyBlob(digest) || (shelf.index.find(digest) >= 0 && this.#isPresent(shelf, digest));
    if (isThere) return await store(undefined);
    const under = this.#packing.get(digest);
    if (under !== undefined) {
      await under;
      return await store(undefined);
    }
    const publish = (pack: Pack) => shelf.addPacked(digest, pack, this.#ports.context.clock.nowMs());
    const storing = store({ to: this.#appenderOf(shelf), item, publish });
    this.#packing.set(digest, storing);
    try {
      return await storing;
    } finally {
      this.#packing.delete(digest);
    }
  }

  readonly #storeAlone = async (append: PackAppend | undefined): Promise<void> => {
    if (append !== undefined) await this.#ports.commits.stored([append]);
  };

  #appenderOf(shelf: Shelf): Appender {
    let appender = this.#appenders.get(shelf);
    if (appender === undefined) {
      const append = (items: readonly PackItem[]) => {
        const pack = this.#ports.context.packs.append(shelf.engine, items);
        invariant(pack !== undefined, "nothing was gathered");
        // From now on its bytes are counted.
        shelf.serialOf(pack);
        return pack;
      };
      appender = { set: shelf.packs, append };
      this.#appenders.set(shelf, appender);
    }
    return appender;
  }

  /** Makes what a pack has got durable, and then known. */
  async #flushPacked(shelf: Shelf, pack: Pack, digests: readonly Digest[]): Promise<void> {
    const flushed = this.#smallFlushes.done({
      key: pack,
      sync: () => shelf.packs.sync(pack),
      publish: () => {
        const usedMs = this.#ports.context.clock.nowMs();
        for (const digest of digests) shelf.addPacked(digest, pack, usedMs);
      },
      directory: shelf.packs.ports.directory,
    });
    const pending = this.#flushing.get(pack) ?? new Set<Promise<void>>();
    this.#flushing.set(pack, pending.add(flushed));
    try {
      await flushed;
    } finally {
      pending.delete(flushed);
    }
  }

  /** Resolves when all that a sealed pack has got is known; what is not would be taken for garbage. */
  async known(pack: Pack): Promise<void> {
    await Promise.allSettled([this.#ports.commits.known(), ...(this.#flushing.get(pack) ?? [])]);
  }

  #isPresent(shelf: Shelf, digest: Digest): boolean {
    return shelf.missing([digest], this.#ports.context.clock.nowMs()).length === 0;
  }

  #stagingPorts(shelf: Shelf): StagingPorts {
    const { context, room, hashers } = this.#ports;
    return {
      ...{ context, hashers },
      engine: shelf.engine,
      flushes: this.#largeFlushes,
      reserve: (sizeBytes) => room.reserve(sizeBytes),
      release: (sizeBytes) => room.release(sizeBytes),
      isPresent: (digest) => this.#isPresent(shelf, digest),
      stored: (digest, publish) => shelf.addFile(digest, context.clock.nowMs(), publish),
    };
  }

  /** Others that upload the same learn that the blob is there. */
  #ended(shelf: Shelf, upload: FileUpload): void {
    const others = this.#uploads.get(upload.digest);
    others?.delete(upload);
    if (others === undefined || others.size === 0) this.#uploads.delete(upload.digest);
    else if (shelf.index.find(upload.digest) >= 0) for (const other of [...others]) other.supersede();
  }
}
