/**
 * Keeps packs few and full: merges small ones, drops what is garbage or corrupt.
 *
 * Method:    size-tiered. Packs of a size between two powers of four are one tier; four of them are merged into one
 *            together with everything smaller, so a store has at most three packs per tier, and each byte is rewritten
 *            at most once per tier. Garbage is dropped when less than half of a pack lives, or when the store is over
 *            its limit.
 * Invariant: a pack is removed only after all that is to be kept of it has its final name, on the device, in another
 *            one; so this needs no lock. Two processes that merge the same packs leave two copies for the next merge.
 *            A pack is left alone while its owner may append to it.
 */
import type { FileHandle } from "@kahn/core";
import { sleep } from "@kahn/core";
import type { Liveness } from "../process-owner.ts";
import { parseOwner } from "../process-owner.ts";
import { inspectPackInParts } from "./inspect-pack.ts";
import type { Pack } from "./pack.ts";
import type { PackRecord } from "./pack-format.ts";
import { headBytes, packedBytes, putRecord } from "./pack-format.ts";
import type { PackSet } from "./pack-set.ts";

/** Packs up to this size are one tier; each further tier is four times as large. */
const FIRST_TIER_BYTES = 64 * 1024;
const TIER_FACTOR = 4;
const TIER_PACKS_MAX = 4;

/** A merge at the end of a run reads and writes no more than this: some 20 ms. */
export const QUICK_MERGE_MAX_BYTES = 16 * 1024 * 1024;

/** A larger pack is merged no more. */
export const MERGE_MAX_BYTES = 512 * 1024 * 1024;

/** A pack of which nobody can say whether its owner lives is left alone for this long. */
const UNKNOWN_LIVES_MS = 24 * 60 * 60 * 1000;

const OUTPUT_CHUNK_BYTES = 1024 * 1024;

/** A line that names an owner is shorter. */
const HEAD_LINE_MAX_BYTES = 1024;

/** What a collection does with packs. */
export interface PackCollection {
  /** What was last used before this is garbage. */
  readonly cutOffMs: number;
  /** So much has to go, if there is garbage for it. */
  readonly excessBytes: number;
  readonly dryRun: boolean;
}

/** What a collection did; in blobs and in bytes of the limit. */
export interface PackRemoval {
  readonly removed: number;
  readonly kept: number;
  readonly removedBytes: number;
}

interface PackShare {
  readonly pack: Pack;
  readonly dead: number;
  readonly live: number;
  readonly deadBytes: number;
  readonly liveBytes: number;
}

/** Upkeep of one set of packs. */
export class PackUpkeep {
  readonly #set: PackSet;
  readonly #livenessOf: Liveness;

  constructor(set: PackSet, livenessOf: Liveness) {
    this.#set = set;
    this.#livenessOf = livenessOf;
  }

  /** Merges what is due and small enough. */
  async merge(maxBytes: number): Promise<void> {
    const packs = this.#set.packs();
    if (packs.length < TIER_PACKS_MAX) return;
    const tiers = new Map<number, Pack[]>();
    for (const pack of packs) {
      const tier = tierOf(pack.sizeBytes);
      tiers.set(tier, [...(tiers.get(tier) ?? []), pack]);
    }
    if (![...tiers.values()].some((tier) => tier.length >= TIER_PACKS_MAX)) return;
    let due: readonly Pack[] = [];
    let [smaller, totalBytes]: [Pack[], number] = [[], 0];
    for (const [, all] of [...tiers].sort(([a], [b]) => a - b)) {
      const tier = all.filter((pack) => this.isIdle(pack));
      smaller = [...smaller, ...tier];
      for (const pack of tier) totalBytes += pack.sizeBytes;
      if (totalBytes > maxBytes) break;
      if (tier.length >= TIER_PACKS_MAX) due = smaller;
    }
    if (due.length > 0) await this.rewrite(due, () => true);
  }

  /** Drops garbage where that is worth its price. */
  async collect({ cutOffMs, excessBytes, dryRun }: PackCollection): Promise<PackRemoval> {
    const isLive = ({ timeS }: PackRecord) => timeS * 1000 >= cutOffMs;
    const shares = this.#set.packs().map((pack) => this.#share(pack, isLive));
    const rewritten: PackShare[] = [];
    let removedBytes = 0;
    for (const share of shares.sort((a, b) => b.deadBytes - a.deadBytes)) {
      const isDue = share.deadBytes > share.liveBytes || removedBytes < excessBytes;
      if (share.dead === 0 || !isDue || !this.isIdle(share.pack)) continue;
      rewritten.push(share);
      removedBytes += share.deadBytes;
    }
    if (!dryRun) {
      await this.#rewriteInParts(rewritten, isLive);
      await this.merge(MERGE_MAX_BYTES);
      this.#removeStrayIndexes();
    }
    let [removed, total] = [0, 0];
    for (const { dead } of rewritten) removed += dead;
    for (const { dead, live } of shares) total += dead + live;
    return { removed, kept: total - removed, removedBytes };
  }

  /** Rewrites each idle pack that has something not to be kept. */
  async drop(keep: (record: PackRecord) => boolean): Promise<PackRemoval> {
    const shares = this.#set.packs().map((pack) => this.#share(pack, keep));
    const due = shares.filter(({ pack, dead }) => dead > 0 && this.isIdle(pack));
    await this.#rewriteInParts(due, keep);
    await this.merge(MERGE_MAX_BYTES);
    const total = { removed: 0, kept: 0, removedBytes: 0 };
    for (const { live, dead } of shares) total.kept += live + dead;
    for (const { dead, deadBytes } of due) {
      total.removed += dead;
      total.removedBytes += deadBytes;
    }
    return { ...total, kept: total.kept - total.removed };
  }

  /**
   * Writes what is sound and to be kept into one new pack, then removes the old ones. Of equal blobs one is kept.
   *
   * @param pause called after each piece of a pack; who has others to serve lets them.
   * @throws FileSystemError, with all old packs in place.
   */
  async rewrite(
    packs: readonly Pack[],
    keep: (record: PackRecord) => boolean,
    pause?: () => Promise<void>,
  ): Promise<void> {
    const oldestFirst = [...packs].sort((a, b) => (a.name < b.name ? -1 : 1));
    // An owner that died may have appended more since it was looked at.
    for (const pack of packs) pack.catchUp();
    const output = new PackOutput(this.#set);
    try {
      for (const [index, pack] of oldestFirst.entries()) {
        const copying = this.#copy({ pack, newer: oldestFirst.slice(index + 1), keep, output });
        while (copying.next().done !== true) await pause?.();
      }
      await output.publish();
    } catch (error) {
      output.discard();
      throw error;
    }
    for (const pack of packs) pack.remove();
    this.#set.forget(packs);
  }

  /** True when nobody will append to the pack any more. */
  isIdle(pack: Pack): boolean {
    if (pack === this.#set.ownPack) return false;
    if (pack.isSealed) return true;
    const { fs, clock } = this.#set.ports;
    const liveness = this.#livenessOfOwner(pack);
    if (liveness !== "unknown") return liveness === "dead";
    const stat = fs.lstat(pack.path);
    return stat !== undefined && clock.nowMs() - stat.mtimeMs > UNKNOWN_LIVES_MS;
  }

  #livenessOfOwner(pack: Pack): ReturnType<Liveness> {
    const bytes = this.#set.ports.fs.readRange(pack.path, 0, HEAD_LINE_MAX_BYTES);
    const line = Buffer.from(bytes ?? [])
      .toString("utf8")
      .split("\n")[0]!;
    const owner = parseOwner(line.split(" ").slice(3).join(" "));
    return owner === undefined ? "unknown" : this.#livenessOf(owner);
  }

  #share(pack: Pack, isLive: (record: PackRecord) => boolean): PackShare {
    const { hashBytes } = this.#set.ports;
    const share = { pack, dead: 0, live: 0, deadBytes: 0, liveBytes: 0 };
    for (const record of pack.records()) {
      if (isLive(record)) {
        share.live++;
        share.liveBytes += packedBytes(record.sizeBytes, hashBytes);
      } else {
        share.dead++;
        share.deadBytes += packedBytes(record.sizeBytes, hashBytes);
      }
    }
    return share;
  }

  /** Rewrites packs together as long as the new one does not get too large. */
  async #rewriteInParts(shares: readonly PackShare[], keep: (record: PackRecord) => boolean): Promise<void> {
    let [part, partBytes]: [Pack[], number] = [[], 0];
    for (const { pack, liveBytes, live } of shares) {
      if (live === 0 && !pack.catchUp()) {
        pack.remove();
        this.#set.forget([pack]);
        continue;
      }
      if (partBytes > 0 && partBytes + liveBytes > MERGE_MAX_BYTES) {
        await this.rewrite(part, keep);
        [part, partBytes] = [[], 0];
        // A signal must not wait for a large store.
        await sleep(this.#set.ports.clock, 0);
      }
      part.push(pack);
      partBytes += liveBytes;
    }
    if (part.length > 0) await this.rewrite(part, keep);
  }

  /** Removes indexes whose packs are gone: whoever removed them died before the index. */
  #removeStrayIndexes(): void {
    const { fs, directory, publisher } = this.#set.ports;
    const names = new Set((fs.readDirectory(directory) ?? []).map(({ name }) => name));
    for (const name of names) {
      if (name.endsWith(".idx") && !names.has(`${name.slice(0, -4)}.pack`)) publisher.discard(`${directory}/${name}`);
    }
  }

  *#copy({ pack, newer, keep, output }: CopyRequest): Generator<void, void> {
    yield* inspectPackInParts(this.#set, pack, (record, bytes) => {
      if (!keep(record)) return;
      const other = newer.find((each) => each.find(record.hash) !== undefined)?.find(record.hash);
      if (other === undefined || !keep(other)) output.add(record, bytes);
    });
  }
}

interface CopyRequest {
  readonly pack: Pack;
  /** Packs whose copy of a blob is to be kept rather than this one's. */
  readonly newer: readonly Pack[];
  readonly keep: (record: PackRecord) => boolean;
  readonly output: PackOutput;
}

/** A new pack that appears whole, with its index, or not at all. */
class PackOutput {
  readonly #set: PackSet;
  readonly #records: PackRecord[] = [];
  readonly #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #offset = 0;
  #file: { readonly path: string; readonly handle: FileHandle } | undefined;

  constructor(set: PackSet) {
    this.#set = set;
  }

  add({ hash, timeS, sizeBytes }: PackRecord, bytes: Uint8Array): void {
    if (this.#offset === 0) this.#push(this.#set.headLine());
    const buffer = Buffer.allocUnsafe(headBytes(this.#set.ports.hashBytes) + bytes.byteLength);
    putRecord(buffer, { hash, timeS, sizeBytes, offset: 0 }, bytes);
    this.#records.push({ hash, timeS, sizeBytes, offset: this.#offset });
    this.#push(buffer);
    if (this.#chunkBytes >= OUTPUT_CHUNK_BYTES) this.#flush();
  }

  async publish(): Promise<void> {
    if (this.#records.length === 0) return;
    this.#flush();
    const { handle, path } = this.#opened();
    // The old packs go next: what was on the device must stay there.
    await handle.sync();
    handle.close();
    this.#file = undefined;
    this.#set.adopt(path, this.#records, this.#offset);
  }

  discard(): void {
    if (this.#file === undefined) return;
    this.#file.handle.close();
    this.#set.ports.publisher.discard(this.#file.path);
  }

  #push(buffer: Buffer): void {
    this.#chunks.push(buffer);
    this.#chunkBytes += buffer.length;
    this.#offset += buffer.length;
  }

  #flush(): void {
    this.#opened().handle.append(Buffer.concat(this.#chunks));
    this.#chunks.length = 0;
    this.#chunkBytes = 0;
  }

  #opened(): { readonly path: string; readonly handle: FileHandle } {
    if (this.#file === undefined) {
      const { fs, publisher } = this.#set.ports;
      let handle: FileHandle | undefined;
      const path = publisher.temporary((to) => {
        handle = fs.openAppend(to);
      });
      this.#file = { path, handle: handle! };
    }
    return this.#file;
  }
}

/** Every packed blob, once for each pack that has it. */
export function* packedRecords(
  sets: readonly PackSet[],
): Iterable<{ readonly set: PackSet; readonly record: PackRecord }> {
  for (const set of sets) {
    for (const pack of set.packs()) for (const record of pack.records()) yield { set, record };
  }
}

function tierOf(sizeBytes: number): number {
  return Math.max(0, Math.ceil(Math.log(sizeBytes / FIRST_TIER_BYTES) / Math.log(TIER_FACTOR)));
}
