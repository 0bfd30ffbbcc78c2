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
import { recordSizeBytes } from "./record-ledger.ts";
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
      const protectedMs = await this.#protectedFromMs(turns);
      await this.#settleRecords(turns);
      if (this.#ports.records.isMostlyGarbage) await this.#ports.records.drop(turns);
      const targetBytes = Math.max(0, Math.min(maxSizeBytes * TARGET_SHARE, maxSizeBytes - wantedBytes));
      for (let round = 0; round < ROUNDS_MAX; round++) {
        const excessBytes = usedBytes() - targetBytes;
        if (excessBytes <= 0 || (await this.#removeOldest({ excessBytes, protectedMs, turns })) === 0) break;
        this.collections++;
      }
      new Sweep(context).removeLeftovers(clock.nowMs());
    } finally {
      // Another process collects: two beside each other are slower, never wrong.
      if (lock.kind === "taken") lock.release();
    }
  }

  /** Since when another live process may have used what it relies on; what it has written down counts as used here. */
  async #protectedFromMs(turns: Turns): Promise<number> {
    const { context, blobs, records } = this.#ports;
    // What is used from now on stays, whatever the limit says: a result that comes in meanwhile must find its blobs.
    let fromMs = context.clock.nowMs();
    for (const segment of listSegments(context.fs, context.layout.uses)) {
      const content = readSegment(context.fs, `${context.layout.uses}/${segment.name}`);
      if (content.owner === undefined || content.owner.pid === context.owner.pid) continue;
      if (segment.state !== "open" || context.livenessOf(content.owner) === "dead") continue;
      fromMs = Math.min(fromMs, segment.startMs - 2000);
      for (const [blob, timeMs] of content.blobUses) {
        const { index } = await blobs.shelf(digestFunction(blob));
        const entry = index.find(blob);
        if (entry >= 0) index.touch(entry, timeMs);
      }
      for (const [action, timeMs] of content.uses) {
        await records.usedElsewhere(action, timeMs);
        if (turns.isOver) await turns.pass();
      }
    }
    return fromMs;
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
  async #removeOldest({ excessBytes, protectedMs, turns }: Removal): Promise<number> {
    const { blobs, records, context } = this.#ports;
    const cutOffMs = this.#cutOff(excessBytes, protectedMs);
    if (cutOffMs === undefined) return 0;
    let removedBytes = 0;
    for (const index of records.indexes) {
      for (let entry = 0; entry < index.end; entry++) {
        if (isOlder(index, entry, cutOffMs)) removedBytes += records.remove(index, entry);
        if (turns.isOver) await turns.pass();
      }
    }
    // Off the disk too before any blob: after a death in between they would be found again, without their blobs.
    if (removedBytes > 0) await records.drop(turns);
    for (const shelf of blobs.shelves) removedBytes += await this.#removeBlobs(shelf, cutOffMs, turns);
    context.uses.flush();
    return removedBytes;
  }

  async #removeBlobs(shelf: Shelf, cutOffMs: number, turns: Turns): Promise<number> {
    const { pins } = this.#ports;
    const { index } = shelf;
    const idle = this.#idlePacks(shelf);
    const garbage: Garbage = { gone: [], packs: new Set() };
    let removedBytes = 0;
    // Looking and removing are one step each time: whoever uses a blob meanwhile either comes before, and it stays, or
    // finds that it is missing.
    for (let entry = 0; entry < index.end; entry++) {
      if (turns.isOver) await turns.pass();
      if (!isOlder(index, entry, cutOffMs) || pins.has(index, entry)) continue;
      if (index.home(entry) === OWN_FILE) {
        if (!this.#isUsedElsewhere(shelf, entry)) removedBytes += shelf.removeFile(entry);
        continue;
      }
      const pack = idle.get(index.home(entry));
      if (pack === undefined) continue;
      garbage.packs.add(pack);
      garbage.gone.push(index.digest(entry));
      index.remove(entry);
    }
    return removedBytes + (await this.#rewritePacks(shelf, garbage, turns));
  }

  /** The packs that may be rewritten, by their numbers. */
  #idlePacks(shelf: Shelf): ReadonlyMap<number, Pack> {
    const upkeep = this.#ports.context.packs.upkeep(shelf.packs);
    const own = shelf.packs.ownPack;
    const idle = shelf.knownPacks.filter((pack) => pack === own || upkeep.isIdle(pack));
    return new Map(idle.map((pack) => [shelf.serialOf(pack), pack]));
  }

  /** Another process writes uses of files into their stamps. */
  #isUsedElsewhere(shelf: Shelf, entry: number): boolean {
    const { fs, layout } = this.#ports.context;
    const stat = fs.lstat(layout.blob(shelf.index.digest(entry)));
    if (stat === undefined || stat.mtimeMs <= shelf.index.usedMs(entry)) return false;
    shelf.index.touch(entry, stat.mtimeMs);
    return true;
  }

  /** Writes packs anew without what has gone from them. */
  async #rewritePacks(shelf: Shelf, { gone, packs }: Garbage, turns: Turns): Promise<number> {
    const before = shelf.usedBytes;
    const upkeep = this.#ports.context.packs.upkeep(shelf.packs);
    const pause = async () => {
      if (turns.isOver) await turns.pass();
    };
    for (const pack of packs) {
      if (pack === shelf.packs.ownPack) shelf.packs.seal();
      await this.#ports.blobs.known(pack);
      const serial = shelf.serialOf(pack);
      const keep = ({ hash }: { readonly hash: string }) => {
        const entry = shelf.index.findHash(hash);
        if (entry < 0 || shelf.index.home(entry) !== serial) return false;
        pack.raiseTime(hash, packTimeS(shelf.index.usedMs(entry)));
        return true;
      };
      await upkeep.rewrite([pack], keep, pause);
      shelf.followPacks();
      await pause();
    }
    for (const digest of gone) {
      if (shelf.index.find(digest) < 0) shelf.removeStray(digest);
      await pause();
    }
    return before - shelf.usedBytes;
  }

  /** The last use of the youngest that has to go for so many bytes; `undefined` when nothing may go. */
  #cutOff(excessBytes: number, protectedMs: number): number | undefined {
    const bySecond = new Map<number, number>();
    for (const { usedMs, sizeBytes } of this.#removable(protectedMs)) {
      const second = Math.floor(usedMs / 1000);
      bySecond.set(second, (bySecond.get(second) ?? 0) + sizeBytes);
    }
    let leftBytes = excessBytes;
    for (const [second, bytes] of [...bySecond].sort(([a], [b]) => a - b)) {
      if (bytes < leftBytes) {
        leftBytes -= bytes;
        continue;
      }
      const last = [...this.#removable(Math.min(protectedMs, (second + 1) * 1000))].filter(
        ({ usedMs }) => usedMs >= second * 1000,
      );
      for (const { usedMs, sizeBytes } of last.sort((a, b) => a.usedMs - b.usedMs)) {
        leftBytes -= sizeBytes;
        if (leftBytes <= 0) return usedMs;
      }
    }
    return bySecond.size === 0 ? undefined : protectedMs - 1;
  }

  /** What may go, in no order. */
  *#removable(protectedMs: number): Iterable<{ readonly usedMs: number; readonly sizeBytes: number }> {
    const { records, blobs, pins } = this.#ports;
    for (const index of records.indexes) {
      for (let entry = 0; entry < index.end; entry++) {
        if (!isOlder(index, entry, protectedMs - 1)) continue;
        yield { usedMs: index.usedMs(entry), sizeBytes: recordSizeBytes(index, entry) };
      }
    }
    for (const { index, engine } of blobs.shelves) {
      const hashBytes = HEX_LENGTH[engine.fn] / 2;
      for (let entry = 0; entry < index.end; entry++) {
        if (!isOlder(index, entry, protectedMs - 1) || pins.has(index, entry)) continue;
        const isFile = index.home(entry) === OWN_FILE;
        const sizeBytes = index.sizeBytes(entry);
        yield {
          usedMs: index.usedMs(entry),
          sizeBytes: isFile ? storedBytes(sizeBytes) : packedBytes(sizeBytes, hashBytes),
        };
      }
    }
  }
}

function isOlder(index: BlobIndex, entry: number, cutOffMs: number): boolean {
  return index.home(entry) !== -1 && index.usedMs(entry) <= cutOffMs;
}

/** What has gone from packs, and the packs that still have it. */
interface Garbage {
  readonly gone: Digest[];
  readonly packs: Set<Pack>;
}

interface Removal {
  readonly excessBytes: number;
  readonly protectedMs: number;
  readonly turns: Turns;
}
