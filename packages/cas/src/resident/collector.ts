/**
 * Keeps a resident store below its limit, beside everything else that goes on in the process.
 *
 * Method:    times of use are in memory, so the choice of a cut-off is one pass over typed arrays, without a look at the
 *            disk. What has to go leaves the index at once and the disk in pieces of a few milliseconds.
 * Invariant: records go before blobs; a record that stays keeps every blob it names; what is pinned stays, and what
 *            another live process has used since it began. A blob that goes is missing first and removed then.
 */
import type { Digest } from "@kahn/core";
import { digestFunction, HEX_LENGTH } from "@kahn/core";
import { takeCollectorLock } from "../collector-lock.ts";
import type { Pack } from "../internal/pack.ts";
import { packedBytes, packTimeS } from "../internal/pack-format.ts";
import { listSegments, readSegment } from "../internal/segment.ts";
import type { StoreContext } from "../internal/store-context.ts";
import { storedBytes } from "../internal/store-context.ts";
import { Sweep } from "../internal/sweep.ts";
import type { BlobIndex } from "./blob-index.ts";
import { OWN_FILE } from "./blob-index.ts";
import type { Pins } from "./pins.ts";
import type { ResidentBlobs } from "./resident-blobs.ts";
import type { ResidentRecords } from "./resident-records.ts";
import type { Shelf } from "./shelf.ts";
import { Turns } from "./turns.ts";

/** After a collection this much of the limit is in use. */
const TARGET_SHARE = 0.8;

/** Each round looks again at what is there; the first one nearly always does. */
const ROUNDS_MAX = 4;

/** What a collector stands on. */
export interface CollectorPorts {
  readonly context: StoreContext;
  readonly blobs: ResidentBlobs;
  readonly records: ResidentRecords;
  readonly pins: Pins;
  readonly maxSizeBytes: number;
  /** Bytes that are stored or being written. */
  readonly usedBytes: () => number;
  /** Resolves when the records are known. */
  readonly loaded: () => Promise<void>;
}

/** Collects, one collection at a time. */
export class Collector {
  readonly #ports: CollectorPorts;
  #running: Promise<void> | undefined;
  /** Collections so far that removed something. */
  collections = 0;

  constructor(ports: CollectorPorts) {
    this.#ports = ports;
  }

  /** Makes room for so many bytes, as far as it can; joins a collection that is going on. @throws FileSystemError */
  async collect(wantedBytes: number): Promise<void> {
    const running = this.#running;
    if (running !== undefined) {
      await running;
      if (wantedBytes === 0 || this.#ports.usedBytes() + wantedBytes <= this.#ports.maxSizeBytes) return;
    }
    this.#running ??= this.#collect(wantedBytes).finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** Resolves when nothing is being collected. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  async #collect(wantedBytes: number): Promise<void> {
    const { context, loaded, maxSizeBytes, usedBytes } = this.#ports;
    const { fs, layout, owner, livenessOf, clock } = context;
    await loaded();
    const lock = takeCollectorLock({ fs, path: layout.collectorLock, owner, livenessOf });
    const turns = new Turns(clock);
    try {
      const protectedS = await this.#protectedFromS(turns);
      await this.#settleRecords(turns);
      const targetBytes = Math.max(0, Math.min(maxSizeBytes * TARGET_SHARE, maxSizeBytes - wantedBytes));
      for (let round = 0; round < ROUNDS_MAX; round++) {
        const excessBytes = usedBytes() - targetBytes;
        if (excessBytes <= 0 || (await this.#removeOldest({ excessBytes, protectedS, turns })) === 0) break;
        this.collections++;
      }
      new Sweep(context).removeLeftovers(clock.nowMs());
    } finally {
      // Another process collects: two beside each other are slower, never wrong.
      if (lock.kind === "taken") lock.release();
    }
  }

  /** Since when another live process may have used what it relies on; what it has written down counts as used here. */
  async #protectedFromS(turns: Turns): Promise<number> {
    const { context } = this.#ports;
    let fromS = Number.POSITIVE_INFINITY;
    for (const segment of listSegments(context.fs, context.layout.uses)) {
      const content = readSegment(context.fs, `${context.layout.uses}/${segment.name}`);
      if (content.owner === undefined || content.owner.pid === context.owner.pid) continue;
      if (segment.state !== "open" || context.livenessOf(content.owner) === "dead") continue;
      fromS = Math.min(fromS, packTimeS(segment.startMs) - 2);
      for (const [blob, timeMs] of content.blobUses) await this.#touch(blob, packTimeS(timeMs));
      for (const [action, timeMs] of content.uses) {
        await this.#ports.records.usedElsewhere(action, timeMs);
        if (turns.isOver) await turns.pass();
      }
    }
    return fromS;
  }

  async #touch(digest: Digest, usedS: number): Promise<void> {
    const shelf = await this.#ports.blobs.shelf(digestFunction(digest));
    const entry = shelf.index.find(digest);
    if (entry >= 0) shelf.index.touch(entry, usedS);
  }

  async #settleRecords(turns: Turns): Promise<void> {
    for (const index of this.#ports.records.indexes) {
      for (let entry = 0; entry < index.end; entry++) {
        await this.#ports.records.settle(index, entry);
        if (turns.isOver) await turns.pass();
      }
    }
  }

  /** Answers with the bytes that went. */
  async #removeOldest({ excessBytes, protectedS, turns }: Removal): Promise<number> {
    const { blobs, records, pins, context } = this.#ports;
    const cut = this.#cut(excessBytes, protectedS);
    if (cut === undefined) return 0;
    let removedBytes = 0;
    let atCutBytes = 0;
    const goes = (index: BlobIndex, entry: number, sizeBytes: number): boolean => {
      const usedS = index.usedS(entry);
      if (index.home(entry) === -1 || usedS > cut.cutOffS) return false;
      if (usedS < cut.cutOffS) return true;
      // Of what was used in the very last second only as much goes as has to.
      if (atCutBytes >= cut.atCutBytes) return false;
      atCutBytes += sizeBytes;
      return true;
    };
    for (const index of records.indexes) {
      for (let entry = 0; entry < index.end; entry++) {
        // All of the last second: none of them may keep its name when its blobs go.
        if (index.home(entry) === -1 || index.usedS(entry) > cut.cutOffS) continue;
        removedBytes += records.remove(index, entry);
        if (turns.isOver) await turns.pass();
      }
    }
    for (const shelf of blobs.shelves) {
      const { index } = shelf;
      const packed: number[] = [];
      for (let entry = 0; entry < index.end; entry++) {
        if (!goes(index, entry, storedBytes(index.sizeBytes(entry)))) continue;
        if (pins.has(index, entry)) continue;
        if (index.home(entry) !== OWN_FILE) packed.push(entry);
        else if (!this.#isUsedElsewhere(shelf, entry)) removedBytes += shelf.removeFile(entry);
        if (turns.isOver) await turns.pass();
      }
      removedBytes += await this.#removePacked(shelf, packed, turns);
    }
    context.uses.flush();
    return removedBytes;
  }

  /** Another process writes uses of files into their stamps. */
  #isUsedElsewhere(shelf: Shelf, entry: number): boolean {
    const { fs, layout } = this.#ports.context;
    const stat = fs.lstat(layout.blob(shelf.index.digest(entry)));
    const stampS = stat === undefined ? 0 : packTimeS(stat.mtimeMs);
    if (stampS <= shelf.index.usedS(entry)) return false;
    shelf.index.touch(entry, stampS);
    return true;
  }

  /** Rewrites the packs that the entries are in without them. */
  async #removePacked(shelf: Shelf, entries: readonly number[], turns: Turns): Promise<number> {
    if (entries.length === 0) return 0;
    const before = shelf.usedBytes;
    const { index } = shelf;
    const homes = new Set(entries.map((entry) => index.home(entry)));
    const gone: Digest[] = [];
    for (const entry of entries) {
      gone.push(index.digest(entry));
      index.remove(entry);
    }
    const own = shelf.packs.ownPack;
    if (own !== undefined && homes.has(shelf.serialOf(own))) shelf.packs.seal();
    const upkeep = this.#ports.context.packs.upkeep(shelf.packs);
    for (const pack of shelf.knownPacks) {
      const serial = shelf.serialOf(pack);
      if (!homes.has(serial) || !upkeep.isIdle(pack)) continue;
      const keeps = this.#keeper(shelf, pack, serial);
      await upkeep.rewrite([pack], keeps, async () => {
        if (turns.isOver) await turns.pass();
      });
      shelf.followPacks();
      if (turns.isOver) await turns.pass();
    }
    for (const digest of gone) {
      if (index.find(digest) < 0) shelf.removeStray(digest);
      if (turns.isOver) await turns.pass();
    }
    return before - shelf.usedBytes;
  }

  #keeper(shelf: Shelf, pack: Pack, serial: number) {
    return ({ hash }: { readonly hash: string }) => {
      const entry = shelf.index.findHash(hash);
      if (entry < 0 || shelf.index.home(entry) !== serial) return false;
      pack.raiseTime(hash, shelf.index.usedS(entry));
      return true;
    };
  }

  /** Where to cut for so many bytes to go; `undefined` when nothing may go. */
  #cut(excessBytes: number, protectedS: number): Cut | undefined {
    const bySecond = new Map<number, number>();
    const count = (index: BlobIndex, size: (entry: number) => number) => {
      for (let entry = 0; entry < index.end; entry++) {
        const usedS = index.usedS(entry);
        if (index.home(entry) === -1 || usedS >= protectedS) continue;
        bySecond.set(usedS, (bySecond.get(usedS) ?? 0) + size(entry));
      }
    };
    for (const index of this.#ports.records.indexes) count(index, (entry) => storedBytes(index.sizeBytes(entry)));
    for (const { index, engine } of this.#ports.blobs.shelves) {
      const hashBytes = HEX_LENGTH[engine.fn] / 2;
      count(index, (entry) => {
        if (this.#ports.pins.has(index, entry)) return 0;
        const sizeBytes = index.sizeBytes(entry);
        return index.home(entry) === OWN_FILE ? storedBytes(sizeBytes) : packedBytes(sizeBytes, hashBytes);
      });
    }
    let goneBytes = 0;
    let last: Cut | undefined;
    for (const [cutOffS, bytes] of [...bySecond].sort(([a], [b]) => a - b)) {
      last = { cutOffS, atCutBytes: excessBytes - goneBytes };
      goneBytes += bytes;
      if (goneBytes >= excessBytes) break;
    }
    return last;
  }
}

interface Removal {
  readonly excessBytes: number;
  readonly protectedS: number;
  readonly turns: Turns;
}

/** What was last used before this goes, and of what was used in this very second so many bytes. */
interface Cut {
  readonly cutOffS: number;
  readonly atCutBytes: number;
}
