/**
 * Records of a process that serves others, appended to packs like small blobs: a file for each costs twenty times as much.
 *
 * Owns:      which of the records of an action in all packs is the one that counts: the one with the latest time.
 * Method:    to a pack a record is a blob: appended, verified by its hash, torn tails passed over, sealed, merged. Which
 *            blob is the record of which action is kept in memory, and read from the blobs themselves when a pack is new.
 * Invariant: times that this process gives are later than all that it has seen. What another process appends, merges or
 *            removes shows at the next look-up.
 */
import type { Digest } from "@kahn/core";
import { digestHash, digestSizeBytes, FileSystemError } from "@kahn/core";
import type { Liveness } from "../process-owner.ts";
import type { UseLog } from "../use-log.ts";
import type { Pack } from "./pack.ts";
import type { PackItem, PackRecord } from "./pack-format.ts";
import { digestOfRecord, drained, packedBytes, packTimeS } from "./pack-format.ts";
import type { PackedBlob, PackSet } from "./pack-set.ts";
import type { PackRemoval } from "./pack-upkeep.ts";
import { PackUpkeep, packedRecords, QUICK_MERGE_MAX_BYTES } from "./pack-upkeep.ts";
import type { PackedRecord } from "./packed-record.ts";
import { decodePackedRecord, encodePackedRecord } from "./packed-record.ts";

/** So many records of a new pack are read before others have their turn. */
const TAKEN_AT_ONCE = 2000;

/** Times differ by at least this much; it is more than what is lost of the fraction of a time of day. */
const TIME_STEP_MS = 0.001;

/** Where the record of an action is. */
export interface RecordPlace {
  readonly timeMs: number;
  /** Of the packed record. */
  readonly digest: Digest;
  /** There is none: it was removed. */
  readonly isGone: boolean;
}

/** What these packs stand on. */
export interface RecordPackPorts {
  /** Of SHA-256, in a directory of its own. */
  readonly set: PackSet;
  readonly livenessOf: Liveness;
  readonly uses: UseLog;
}

/** A record that is to be appended. */
export interface NewRecord {
  readonly action: Digest;
  readonly item: PackItem;
  readonly place: RecordPlace;
}

/** A record that counts. */
export interface CurrentRecord {
  /** Function and hash of the action. */
  readonly key: string;
  /** Of the packed record. */
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly usedMs: number;
}

/** Records in packs. */
export class RecordPacks {
  readonly set: PackSet;
  readonly #ports: RecordPackPorts;
  /** By the action's function and hash. */
  readonly #places = new Map<string, RecordPlace>();
  readonly #seen = new Map<Pack, number>();
  #lastMs = 0;
  /** Hears of records that others have put. */
  onTaken: ((action: Digest, place: RecordPlace, record: PackRecord) => void) | undefined;

  constructor(ports: RecordPackPorts) {
    this.#ports = ports;
    this.set = ports.set;
  }

  /** What the packs take of the limit. */
  get usedBytes(): number {
    let bytes = 0;
    for (const pack of this.#seen.keys()) bytes += pack.sizeBytes;
    return bytes;
  }

  /** Where the record of an action is, whatever its size; reads what is new first. */
  find(action: Digest): RecordPlace | undefined {
    this.follow();
    return this.#places.get(keyOf(action));
  }

  /** As far as is known. */
  known(action: Digest): RecordPlace | undefined {
    return this.#places.get(keyOf(action));
  }

  /** The record that is there; `undefined` when it has gone or is damaged, and then it is known no more. */
  read(action: Digest): PackedRecord | undefined {
    const place = this.find(action);
    if (place === undefined || place.isGone) return undefined;
    const bytes = this.set.read(place.digest);
    if (bytes !== undefined && bytes !== "corrupt") return decodePackedRecord(bytes);
    this.#places.delete(keyOf(action));
    return undefined;
  }

  /** The bytes of a new record, with a time of its own. @param body `undefined` for the news that there is none. */
  encode(action: Digest, body: Uint8Array | undefined): NewRecord {
    // Later than what another process has put before this.
    this.follow();
    const timeMs = Math.max(this.set.ports.clock.nowMs(), this.#lastMs + TIME_STEP_MS);
    this.#lastMs = timeMs;
    const bytes = encodePackedRecord({ action, timeMs, body });
    const digest = this.set.ports.engine.digest(bytes);
    return { action, item: { digest, bytes }, place: { timeMs, digest, isGone: body === undefined } };
  }

  /** Appends in one call; whoever calls makes them known when they are as durable as they have to be. @throws FileSystemError */
  append(items: readonly PackItem[]): Pack {
    const { uses } = this.#ports;
    uses.writing();
    const pack = this.set.append(items);
    this.#seen.set(pack, pack.sizeBytes);
    for (const { bytes } of items) uses.wrote(packedBytes(bytes.byteLength, this.set.ports.hashBytes));
    return pack;
  }

  /** A record counts from now on, unless a later one does. */
  publish(action: Digest, place: RecordPlace): boolean {
    const key = keyOf(action);
    const before = this.#places.get(key);
    if (before !== undefined && before.timeMs > place.timeMs) return false;
    this.#places.set(key, place);
    return true;
  }

  /** Its bytes go with the next `drop`. */
  remove(action: Digest): void {
    this.#places.delete(keyOf(action));
  }

  /** Notes a use, for `drop` or `saveTimes` to write down. */
  raiseTime(action: Digest, timeMs: number): void {
    const place = this.known(action);
    if (place !== undefined) this.set.raiseTime(place.digest, packTimeS(timeMs));
  }

  /** Reads the packs that are there, in parts. */
  async load(pause: () => Promise<void>): Promise<void> {
    for (const pack of this.set.grown()) {
      for (const _ of this.#take(pack)) await pause();
    }
  }

  /** Learns of what others have appended. */
  follow(): void {
    const packs = this.set.grown();
    for (const pack of packs) {
      if (this.#seen.get(pack) !== pack.sizeBytes) drained(this.#take(pack));
    }
    if (packs.length === this.#seen.size) return;
    const there = new Set(packs);
    for (const pack of this.#seen.keys()) if (!there.has(pack)) this.#seen.delete(pack);
  }

  /** Seals this process's own pack and reads all packs anew, for whoever looks at the whole store. */
  async all(): Promise<readonly CurrentRecord[]> {
    this.set.seal();
    this.set.reload();
    this.#places.clear();
    this.#seen.clear();
    await this.load(() => Promise.resolve());
    return this.current();
  }

  /** The records that count, with their last use. One that is in no pack any more is known no more. */
  current(): readonly CurrentRecord[] {
    const usedS = new Map<string, number>();
    for (const { record } of packedRecords([this.set])) {
      usedS.set(record.hash, Math.max(record.timeS, usedS.get(record.hash) ?? 0));
    }
    const current: CurrentRecord[] = [];
    for (const [key, { digest, isGone }] of this.#places) {
      const timeS = usedS.get(digestHash(digest));
      if (timeS === undefined) this.#places.delete(key);
      else if (!isGone) current.push({ key, digest, sizeBytes: digestSizeBytes(digest), usedMs: timeS * 1000 });
    }
    return current;
  }

  /** The bytes of a current record; `undefined` when they are gone or damaged. */
  open({ digest }: CurrentRecord): PackedRecord | undefined {
    const bytes = this.set.read(digest);
    return bytes === undefined || bytes === "corrupt" ? undefined : decodePackedRecord(bytes);
  }

  /**
   * Rewrites the packs that hold something else than records that count. Packs of live processes stay as they are.
   *
   * @param isKept which of the records that count are to stay; those that are not are known no more.
   */
  async drop(isKept: (record: CurrentRecord) => boolean, pause?: () => Promise<void>): Promise<PackRemoval> {
    const live = new Set<string>();
    const upkeep = new PackUpkeep(this.set, this.#ports.livenessOf);
    for (const record of this.current()) {
      if (isKept(record)) live.add(digestHash(record.digest));
      else this.#places.delete(record.key);
    }
    const packs = this.set.packs();
    const due = packs.filter((pack) => hasOther(pack, live));
    const idle = due.filter((pack) => upkeep.isIdle(pack));
    // The news that a record is gone is needed as long as an older record of that action is anywhere.
    for (const [key, place] of this.#places) {
      if (!place.isGone) continue;
      if (idle.length === due.length) this.#places.delete(key);
      else live.add(digestHash(place.digest));
    }
    const total = { removed: 0, kept: live.size, removedBytes: 0 };
    const rewritten = idle.filter((pack) => hasOther(pack, live));
    for (const { record } of recordsOf(rewritten)) {
      if (live.has(record.hash)) continue;
      total.removed++;
      total.removedBytes += packedBytes(record.sizeBytes, this.set.ports.hashBytes);
    }
    if (rewritten.length === 0) return total;
    await upkeep.rewrite(rewritten, ({ hash }) => live.has(hash), pause);
    for (const pack of rewritten) this.#seen.delete(pack);
    // What was written just now need not be read to be known.
    for (const pack of this.set.grown()) if (!this.#seen.has(pack)) drained(this.#take(pack, live));
    return total;
  }

  /** Seals this process's pack, and merges small ones when there are many. */
  async close(): Promise<void> {
    if (this.set.ownPack === undefined) return;
    this.set.seal();
    try {
      await new PackUpkeep(this.set, this.#ports.livenessOf).merge(QUICK_MERGE_MAX_BYTES);
    } catch (error) {
      // Nothing is lost: the next process tries again.
      if (!(error instanceof FileSystemError)) throw error;
    }
  }

  /** Reads what of a pack is new, except what is known to count. This process's own pack is known of as it grows. */
  *#take(pack: Pack, known?: ReadonlySet<string>): Generator<void> {
    const seenBytes = this.#seen.get(pack) ?? 0;
    this.#seen.set(pack, pack.sizeBytes);
    if (pack === this.set.ownPack) return;
    const fresh: PackedBlob[] = [];
    for (const record of pack.records()) {
      if (record.offset < seenBytes || known?.has(record.hash) === true) continue;
      fresh.push({ pack, record, digest: digestOfRecord("sha256", record) });
    }
    // By place, not by hash: each part is then one stretch of the file.
    fresh.sort((a, b) => a.record.offset - b.record.offset);
    for (let from = 0; from < fresh.length; from += TAKEN_AT_ONCE) {
      const some = fresh.slice(from, from + TAKEN_AT_ONCE);
      this.set.readMany(some, (index, read) => {
        const packed = typeof read === "string" ? undefined : decodePackedRecord(read);
        if (packed === undefined) return;
        const { record, digest } = some[index]!;
        this.#lastMs = Math.max(this.#lastMs, packed.timeMs);
        const place = { timeMs: packed.timeMs, digest, isGone: packed.body === undefined };
        if (this.publish(packed.action, place)) this.onTaken?.(packed.action, place, record);
      });
      yield;
    }
  }
}

function keyOf(action: Digest): string {
  return action.slice(0, action.lastIndexOf("/"));
}

function* recordsOf(packs: readonly Pack[]): Iterable<{ readonly record: PackRecord }> {
  for (const pack of packs) for (const record of pack.records()) yield { record };
}

function hasOther(pack: Pack, live: ReadonlySet<string>): boolean {
  for (const { hash } of pack.records()) if (!live.has(hash)) return true;
  return false;
}
