/** The packs of a store: one set per digest function, opened when a blob of that function is asked for. */
import type { Clock, Digest, DigestFunction, FileSystem, Random } from "@kahn/core";
import { FileSystemError, HEX_LENGTH, isDigestFunction } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import { loadEngine } from "../hasher.ts";
import type { Liveness, ProcessOwner } from "../process-owner.ts";
import type { UseLog } from "../use-log.ts";
import type { BlobCheck } from "./blob-check.ts";
import { USE_SLACK_MS } from "./blob-check.ts";
import type { Pack } from "./pack.ts";
import type { PackItem } from "./pack-format.ts";
import { packedBytes, packTimeS } from "./pack-format.ts";
import type { PackedBlob } from "./pack-set.ts";
import { PackSet } from "./pack-set.ts";
import { PackUpkeep, QUICK_MERGE_MAX_BYTES } from "./pack-upkeep.ts";
import type { Publisher } from "./publish.ts";
import type { StoreLayout } from "./store-layout.ts";

/** What the packs of a store stand on. */
export interface BlobPackPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly layout: StoreLayout;
  readonly publisher: Publisher;
  readonly check: BlobCheck;
  readonly owner: ProcessOwner;
  readonly livenessOf: Liveness;
  readonly uses: UseLog;
  /** Blobs up to this size are put into packs; what is in packs is found whatever its size. 0: none. */
  readonly packedMaxBytes: number;
}

/** Sets of packs by function. */
export class BlobPacks {
  readonly packedMaxBytes: number;
  readonly #ports: BlobPackPorts;
  readonly #sets = new Map<DigestFunction, PackSet>();

  constructor(ports: BlobPackPorts) {
    this.#ports = ports;
    this.packedMaxBytes = ports.packedMaxBytes;
  }

  /** The set of the engine's function. Reads nothing yet. */
  of(engine: HashEngine): PackSet {
    const known = this.#sets.get(engine.fn);
    if (known !== undefined) return known;
    const { fs, clock, random, layout, publisher, check, owner } = this.#ports;
    const set = new PackSet({
      fs,
      clock,
      random,
      publisher,
      engine,
      owner,
      hashBytes: HEX_LENGTH[engine.fn] / 2,
      directory: layout.packs(engine.fn),
      isDoubtful: (mtimeMs) => check.isDoubtful(mtimeMs),
    });
    this.#sets.set(engine.fn, set);
    return set;
  }

  /** Where blobs are, in order, `undefined` for each that is in no pack. */
  findMany(digests: readonly Digest[], engineOf: (digest: Digest) => HashEngine): (PackedBlob | undefined)[] {
    const engines = new Map<HashEngine, number[]>();
    digests.forEach((digest, index) => {
      const indices = engines.get(engineOf(digest));
      if (indices === undefined) engines.set(engineOf(digest), [index]);
      else indices.push(index);
    });
    const found: (PackedBlob | undefined)[] = digests.map(() => undefined);
    for (const [engine, indices] of engines) {
      const blobs = this.of(engine).findMany(indices.map((index) => digests[index]!));
      blobs.forEach((blob, at) => {
        found[indices[at]!] = blob;
      });
    }
    return found;
  }

  /** Notes a use, unless it was noted a short time ago. */
  noteUse({ pack, record, digest }: PackedBlob): void {
    const { clock, uses } = this.#ports;
    const nowMs = clock.nowMs();
    if (record.timeS * 1000 >= nowMs - USE_SLACK_MS) return;
    pack.raiseTime(record.hash, packTimeS(nowMs));
    uses.usedBlob(digest);
  }

  /** Takes in blobs that the caller has hashed and that are small enough; answers with the pack that has them. */
  append(engine: HashEngine, items: readonly PackItem[]): Pack | undefined {
    if (items.length === 0) return undefined;
    const { uses } = this.#ports;
    uses.writing();
    const pack = this.of(engine).append(items);
    for (const { bytes } of items) uses.wrote(packedBytes(bytes.byteLength, HEX_LENGTH[engine.fn] / 2));
    return pack;
  }

  /** Every set that has packs, read anew; this process's own packs are sealed before. */
  async all(): Promise<readonly PackSet[]> {
    const { fs, layout } = this.#ports;
    for (const { name } of fs.readDirectory(layout.blobs) ?? []) {
      if (isDigestFunction(name) && fs.lstat(layout.packs(name)) !== undefined) this.of(await loadEngine(name));
    }
    for (const set of this.#sets.values()) {
      set.seal();
      set.reload();
    }
    return [...this.#sets.values()];
  }

  /** Writes down the times that were raised in any set. */
  saveTimes(): void {
    for (const set of this.#sets.values()) set.saveTimes();
  }

  upkeep(set: PackSet): PackUpkeep {
    return new PackUpkeep(set, this.#ports.livenessOf);
  }

  /** Seals this process's packs, and merges small ones when there are many. */
  async close(): Promise<void> {
    for (const set of this.#sets.values()) {
      if (set.ownPack === undefined) continue;
      set.seal();
      try {
        await this.upkeep(set).merge(QUICK_MERGE_MAX_BYTES);
      } catch (error) {
        // Nothing is lost: the next process tries again.
        if (!(error instanceof FileSystemError)) throw error;
      }
    }
  }
}
