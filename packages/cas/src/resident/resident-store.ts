/**
 * A store for a process that lives long and serves others: the same files as `openDiskStore`, with an index in memory.
 *
 * Owns:      opening, the limit, the turning of epochs, and the end.
 * Invariant: what holds for the files holds beside any other process. An epoch is closed, by a flush of everything,
 *            within minutes: after a power loss only what was written in the last one is hashed before it is used.
 */
import type { BlobStore, DigestFunction, PieceHashers, Random, Result } from "@kahn/core";
import { digestFunction, FileSystemError, HEX_LENGTH, isDigestFunction } from "@kahn/core";
import type { DiskStore, DiskStoreOptions } from "../disk-store.ts";
import { contextOf, openDiskStore } from "../disk-store.ts";
import { listSegments, readSegment } from "../internal/segment.ts";
import type { StoreContext } from "../internal/store-context.ts";
import { storeResult } from "../internal/store-problem.ts";
import { Collector } from "./collector.ts";
import type { WriteDurability } from "./group-commit.ts";
import { removeOverSegments } from "./over-segments.ts";
import { PackCommit } from "./pack-commit.ts";
import { Pins } from "./pins.ts";
import { ResidentBlobs } from "./resident-blobs.ts";
import type { ResidentProblem } from "./resident-problem.ts";
import { residentProblem, residentResult } from "./resident-problem.ts";
import { ResidentRecords } from "./resident-records.ts";
import { Room } from "./room.ts";
import { Turns } from "./turns.ts";

/** An epoch is closed when it is this old and somebody writes. */
const EPOCH_MS = 5 * 60_000;

/** A blob larger than this is not taken unless it is said otherwise: 16 GB. */
const MAX_BLOB_BYTES = 16_000_000_000;
const MEMORY_BYTES = 256 * 1024 * 1024;

/** How a resident store is opened. */
export interface ResidentStoreOptions extends DiskStoreOptions {
  readonly random: Random;
  /** Never exceeded; a collection begins at nine tenths of it. */
  readonly maxSizeBytes: number;
  /** No larger blob is taken. Default: 16 GB. */
  readonly maxBlobBytes?: number;
  /** Default: `batched`. */
  readonly durability?: WriteDurability;
  /** Hash large uploads beside this thread; left out, it does. */
  readonly hashers?: PieceHashers | undefined;
  /** Memory for blobs that are asked for again, of which none takes more than half. Default: 256 MiB. */
  readonly memoryBytes?: number;
}

/** Taking files in and giving them out as files, as any store does it. */
export type StoreFiles = Pick<BlobStore, "ingest" | "materialize">;

/** An open resident store. */
export interface ResidentStore {
  readonly disk: DiskStore;
  readonly blobs: ResidentBlobs;
  readonly records: ResidentRecords;
  readonly files: StoreFiles;
  readonly pins: Pins;
  readonly usedBytes: number;
  readonly maxSizeBytes: number;
  /** What the last write was refused for; `undefined` when it was well. */
  readonly trouble: ResidentProblem | undefined;
  /** Removes what was longest not used until there is room for so many bytes. */
  collect(wantedBytes: number): Promise<Result<void, ResidentProblem>>;
  /** Lets writes finish, writes down uses, flushes, and ends. */
  close(): Promise<Result<void, ResidentProblem>>;
}

/** Opens a store and reads what blobs there are. */
export async function openResidentStore(
  options: ResidentStoreOptions,
): Promise<Result<ResidentStore, ResidentProblem>> {
  const disk = openDiskStore(options);
  if (!disk.ok) return disk;
  return await residentResult(async () => {
    const store = new OpenStore(disk.value, options);
    await store.load();
    return store;
  });
}

class OpenStore implements ResidentStore {
  readonly disk: DiskStore;
  readonly blobs: ResidentBlobs;
  readonly records: ResidentRecords;
  readonly files: StoreFiles;
  readonly pins = new Pins();
  trouble: ResidentProblem | undefined;
  readonly #context: StoreContext;
  readonly #room: Room;
  readonly #collector: Collector;
  #recordsLoaded: Promise<void> = Promise.resolve();
  #epochStartMs: number;
  #turning: Promise<void> | undefined;
  readonly #openedMs: number;

  constructor(disk: DiskStore, options: ResidentStoreOptions) {
    const context = contextOf(disk);
    this.disk = disk;
    this.#context = context;
    this.#epochStartMs = context.clock.monotonicMs();
    this.#openedMs = context.clock.nowMs();
    this.#room = new Room({
      maxSizeBytes: options.maxSizeBytes,
      usedBytes: () => this.#storedBytes(),
      collect: (wantedBytes) => this.#collect(wantedBytes),
      onReserve: () => this.#turnEpoch(),
      onRefused: (problem) => {
        this.trouble = problem;
      },
    });
    const durability = options.durability ?? "batched";
    const commits = new PackCommit({ fs: context.fs, clock: context.clock, durability, room: this.#room });
    this.blobs = new ResidentBlobs({
      ...{ context, durability, commits, hashers: options.hashers },
      random: options.random,
      memoryBytes: options.memoryBytes ?? MEMORY_BYTES,
      maxBlobBytes: Math.min(options.maxBlobBytes ?? MAX_BLOB_BYTES, options.maxSizeBytes),
      room: this.#room,
    });
    this.records = new ResidentRecords({ context, blobs: this.blobs, room: this.#room, commits });
    this.files = {
      ingest: async (requests) => {
        const digests = await disk.blobs.ingest(requests);
        if (!digests.ok) return digests;
        const known = await storeResult(() => this.blobs.ingested(digests.value));
        return known.ok ? digests : known;
      },
      materialize: (requests) => disk.blobs.materialize(requests),
    };
    this.#collector = new Collector({
      context,
      blobs: this.blobs,
      records: this.records,
      pins: this.pins,
      maxSizeBytes: options.maxSizeBytes,
      usedBytes: () => this.#room.usedBytes,
      loaded: () => this.#recordsLoaded,
    });
  }

  get usedBytes(): number {
    return this.#room.usedBytes;
  }

  get maxSizeBytes(): number {
    return this.#room.maxSizeBytes;
  }

  async load(): Promise<void> {
    const { fs, layout } = this.#context;
    this.#removeLeftovers();
    const functions = new Set<DigestFunction>(["sha256"]);
    for (const { name } of fs.readDirectory(layout.blobs) ?? []) if (isDigestFunction(name)) functions.add(name);
    for (const fn of Object.keys(HEX_LENGTH) as DigestFunction[]) if (functions.has(fn)) await this.blobs.shelf(fn);
    await this.records.loadPacks(new Turns(this.#context.clock));
    // Only a collection has to know the others; it hears of the trouble that reading them may have.
    this.#recordsLoaded = this.records.load(new Turns(this.#context.clock));
    this.#recordsLoaded.catch(() => undefined);
  }

  collect(wantedBytes: number): Promise<Result<void, ResidentProblem>> {
    return residentResult(() => this.#collect(wantedBytes));
  }

  async close(): Promise<Result<void, ResidentProblem>> {
    const saved = await residentResult(async () => {
      await this.#recordsLoaded;
      await this.blobs.idle();
      await this.#collector.idle();
      await this.#turning;
      const turns = new Turns(this.#context.clock);
      for (const shelf of this.blobs.shelves) await shelf.saveTimes(this.#openedMs, turns);
      this.records.saveTimes(this.#openedMs);
    });
    const closed = await this.disk.close();
    return saved.ok ? closed : saved;
  }

  async #collect(wantedBytes: number): Promise<void> {
    await this.#collector.collect(wantedBytes);
    await this.#removeOverSegments();
  }

  async #removeOverSegments(): Promise<void> {
    await this.#recordsLoaded;
    await removeOverSegments(this.#context, async ({ uses, blobUses }) => {
      for (const [action, timeMs] of uses) await this.records.usedElsewhere(action, timeMs);
      for (const [blob, timeMs] of blobUses) {
        const { index } = await this.blobs.shelf(digestFunction(blob));
        const entry = index.find(blob);
        if (entry >= 0) index.touch(entry, timeMs);
      }
    });
  }

  #storedBytes(): number {
    let bytes = this.records.usedBytes;
    for (const shelf of this.blobs.shelves) bytes += shelf.usedBytes;
    return bytes;
  }

  #turnEpoch(): void {
    this.trouble = undefined;
    const { clock, uses } = this.#context;
    if (this.#turning !== undefined || clock.monotonicMs() - this.#epochStartMs < EPOCH_MS) return;
    this.#epochStartMs = clock.monotonicMs();
    this.#turning = uses
      .endEpoch(true)
      .then(() => this.#removeOverSegments())
      .catch((error: unknown) => {
        this.trouble = residentProblem(error);
      })
      .finally(() => {
        this.#turning = undefined;
      });
  }

  /** Unless another process may be writing, what is in `tmp/` belongs to the dead. */
  #removeLeftovers(): void {
    const { fs, layout, owner, livenessOf } = this.#context;
    const leftovers = fs.readDirectory(layout.temporary) ?? [];
    if (leftovers.length === 0) return;
    for (const { name, state } of listSegments(fs, layout.uses)) {
      if (state !== "open") continue;
      const other = readSegment(fs, `${layout.uses}/${name}`).owner;
      if (other !== undefined && other.pid !== owner.pid && livenessOf(other) !== "dead") return;
    }
    for (const { name } of leftovers) {
      try {
        fs.remove(`${layout.temporary}/${name}`);
      } catch (error) {
        // Another user's, or in use in some way: a collection tries again.
        if (!(error instanceof FileSystemError)) throw error;
      }
    }
  }
}
