/**
 * Action results as they were sent, with what they stand on.
 *
 * Method:    a small record is appended to a pack (`internal/record-packs.ts`), with others of the same moment; a large
 *            one, and what `DiskActionCache` wrote, is a file of its own. A packed record counts rather than a file.
 * Size:      one map of records with two homes; what is packed and what is a file have to be judged in one place.
 * Invariant: bytes come back as they went in, fields that this version does not know included, or not at all. What was
 *            decoded is kept in memory only as long as the record is the same.
 */
import type { ActionResult, Digest, DigestFunction, Result } from "@kahn/core";
import { decodeActionResult, digestFunction, digestHash } from "@kahn/core";
import type { Pack } from "../internal/pack.ts";
import { packedBytes } from "../internal/pack-format.ts";
import { packedResult } from "../internal/packed-record.ts";
import { decodeRecord, encodeRecordOf, recordedAction } from "../internal/record-bytes.ts";
import type { NewRecord, RecordPlace } from "../internal/record-packs.ts";
import type { StoreContext } from "../internal/store-context.ts";
import { storedBytes } from "../internal/store-context.ts";
import { parentOf } from "../internal/store-layout.ts";
import { storedFiles } from "../internal/store-walk.ts";
import { namedDigests, treeFileDigests } from "../result-digests.ts";
import { BlobIndex } from "./blob-index.ts";
import type { ResidentBlobs } from "./resident-blobs.ts";
import type { ResidentProblem } from "./resident-problem.ts";
import { residentResult } from "./resident-problem.ts";
import type { Room } from "./room.ts";
import type { Turns } from "./turns.ts";

/** A record. */
export interface StoredRecord {
  /** The encoded ActionResult. */
  readonly bytes: Uint8Array;
  readonly result: ActionResult;
}

/** What records stand on. */
export interface ResidentRecordPorts {
  readonly context: StoreContext;
  readonly blobs: ResidentBlobs;
  readonly room: Room;
}

interface KnownRecord extends StoredRecord {
  readonly token: string;
  /** All its blobs, those in its trees too. */
  readonly digests: readonly Digest[];
}

/** What is decoded is kept up to so many bytes of records and of digests. */
const KNOWN_MAX_BYTES = 32 * 1024 * 1024;
const DIGEST_BYTES = 100;

const RECORD_MODE = 0o644;

/** The home of a record in its index: whether its blobs are known to be used as late as it was, and where it is. */
const UNSETTLED = 0;
const SETTLED = 1;
const PACKED = 2;

const PACK_HASH_BYTES = 32;

/** More garbage than this in packs of records is dropped before anything that lives goes. */
const GARBAGE_SHARE = 0.5;

/** What is gathered for one append. */
interface Gathering {
  readonly records: PackedPut[];
  readonly stored: Promise<void>;
}

interface PackedPut {
  readonly fresh: NewRecord;
  readonly known: KnownRecord | undefined;
  readonly sizeBytes: number;
}

/** Records of an open store. */
export class ResidentRecords {
  readonly #ports: ResidentRecordPorts;
  readonly #indexes = new Map<DigestFunction, BlobIndex>();
  readonly #known = new Map<Digest, KnownRecord>();
  #knownBytes = 0;
  /** Of files. */
  #usedBytes = 0;
  /** Of records in packs that count. */
  #packedBytes = 0;
  #counter = 0;
  #areFilesKnown = false;
  #gathering: Gathering | undefined;
  /** Packs whose names have been flushed. */
  readonly #named = new WeakSet<Pack>();
  readonly #flushing = new Set<Promise<void>>();

  constructor(ports: ResidentRecordPorts) {
    this.#ports = ports;
  }

  get usedBytes(): number {
    return this.#usedBytes + this.#ports.context.recordPacks.usedBytes;
  }

  get count(): number {
    let count = 0;
    for (const index of this.#indexes.values()) count += index.count;
    return count;
  }

  /** Records by time of use: `home` is nothing for others, sizes are those of the files or of what is in packs. */
  get indexes(): readonly BlobIndex[] {
    return [...this.#indexes.values()];
  }

  /** What a record takes of the limit. */
  static sizeBytes(index: BlobIndex, entry: number): number {
    const sizeBytes = index.sizeBytes(entry);
    return (index.home(entry) & PACKED) === 0 ? storedBytes(sizeBytes) : packedBytes(sizeBytes, PACK_HASH_BYTES);
  }

  /** Learns which records are in packs; they are not found before. */
  async loadPacks(turns: Turns): Promise<void> {
    const { recordPacks } = this.#ports.context;
    recordPacks.onTaken = (action, place, { sizeBytes, timeS }) => {
      if (!place.isGone) this.#note(action, { sizeBytes, usedMs: timeS * 1000, home: PACKED });
      else this.#leavePack(action);
    };
    await recordPacks.load(async () => {
      if (turns.isOver) await turns.pass();
    });
  }

  /** Learns of the files. Records are found without; collecting them is not possible before. */
  async load(turns: Turns): Promise<void> {
    for await (const files of storedFiles(this.#ports.context, this.#ports.context.layout.records)) {
      for (const { fn, hash, stat } of files) {
        const action = `${fn}:${hash}/0` as Digest;
        if (this.#isPacked(action)) continue;
        this.#note(action, { sizeBytes: stat.sizeBytes, usedMs: stat.mtimeMs, home: UNSETTLED });
      }
      if (turns.isOver) await turns.pass();
    }
    this.#areFilesKnown = true;
  }

  /** The record of an action; `undefined` when there is none, or a blob that it names is gone. A use of all of them. */
  get(action: Digest): Promise<Result<StoredRecord | undefined, ResidentProblem>> {
    return residentResult(async () => {
      const known = await this.#lookUp(action);
      if (known === undefined) return undefined;
      const missing = await this.#ports.blobs.findMissing(known.digests);
      if (!missing.ok || missing.value.length > 0) return undefined;
      this.#used(action, SETTLED);
      return known;
    });
  }

  /**
   * Stores an encoded result; of two for one action the one counts that was asked for later. Resolves when it is durable.
   *
   * @param known what the bytes say, for a caller who has just encoded it.
   */
  async put(action: Digest, bytes: Uint8Array, known?: ActionResult): Promise<Result<void, ResidentProblem>> {
    return await residentResult(async () => {
      const { recordPacks, packs } = this.#ports.context;
      const fresh = recordPacks.encode(action, bytes);
      const result = known ?? resultOf(action, bytes);
      const digests = result && (await this.#digestsOf(result));
      const { item, place } = fresh;
      if (item.bytes.byteLength > packs.packedMaxBytes) return await this.#putFile(action, bytes, digests);
      const body = item.bytes.subarray(item.bytes.byteLength - bytes.byteLength);
      const record = result && digests && { bytes: body, result, digests, token: place.digest };
      await this.#putPacked(fresh, record);
    });
  }

  async #putPacked(fresh: NewRecord, known: KnownRecord | undefined): Promise<void> {
    const { room } = this.#ports;
    const sizeBytes = packedBytes(fresh.item.bytes.byteLength, PACK_HASH_BYTES);
    await room.reserve(sizeBytes);
    if (this.#gathering === undefined) {
      const records: PackedPut[] = [];
      this.#gathering = { records, stored: this.#storeGathered(records) };
    }
    this.#gathering.records.push({ fresh, known, sizeBytes });
    await this.#gathering.stored;
  }

  /** Appends what was put in one turn of the event loop at once. */
  async #storeGathered(puts: readonly PackedPut[]): Promise<void> {
    await Promise.resolve();
    this.#gathering = undefined;
    let pack: Pack;
    try {
      pack = this.#ports.context.recordPacks.append(puts.map(({ fresh }) => fresh));
    } finally {
      // From now on the bytes count as those of a pack.
      for (const { sizeBytes } of puts) this.#ports.room.release(sizeBytes);
    }
    await this.#flushPacked(pack, () => {
      for (const each of puts) this.#publishPacked(each);
    });
  }

  async #flushPacked(pack: Pack, publish: () => void): Promise<void> {
    const { set } = this.#ports.context.recordPacks;
    const isNew = !this.#named.has(pack);
    this.#named.add(pack);
    const flushed = this.#ports.blobs.flushes.done({
      key: pack,
      sync: () => set.sync(pack),
      publish,
      ...(isNew ? { directory: set.ports.directory } : {}),
    });
    this.#flushing.add(flushed);
    try {
      await flushed;
    } finally {
      this.#flushing.delete(flushed);
    }
  }

  #publishPacked({ fresh: { action, item, place }, known }: PackedPut): void {
    const { context, blobs } = this.#ports;
    const wasPacked = this.#isPacked(action);
    if (!context.recordPacks.publish(action, place)) return;
    // A file of that action is older.
    if (!wasPacked && (!this.#areFilesKnown || this.#entryOf(action) !== undefined)) {
      context.fs.remove(context.layout.record(action));
    }
    this.#forgetKnown(action);
    const usedMs = context.clock.nowMs();
    this.#note(action, { sizeBytes: item.bytes.byteLength, usedMs, home: PACKED });
    // In the same moment: no collection can come between a record and the uses of what it names.
    if (known === undefined) return;
    this.#remember(action, known);
    blobs.touch(known.digests);
    this.#used(action, SETTLED);
  }

  async #putFile(action: Digest, bytes: Uint8Array, digests: readonly Digest[] | undefined): Promise<void> {
    const { context, blobs, room } = this.#ports;
    const file = encodeRecordOf(action, bytes);
    await room.reserve(storedBytes(file.length));
    try {
      const path = context.layout.record(action);
      context.uses.writing();
      const temporary = context.publisher.temporary((to) => context.fs.writeFile(to, file, { mode: RECORD_MODE }));
      const handle = context.fs.openAppend(temporary);
      try {
        await blobs.flushes.done({
          key: {},
          sync: () => handle.sync(),
          publish: () => {
            context.publisher.rename(temporary, { path });
            this.#forgetKnown(action);
            const isPacked = this.#isPacked(action);
            this.#note(action, { sizeBytes: file.length, usedMs: context.clock.nowMs(), home: UNSETTLED });
            if (isPacked) this.#appendGone(action);
            // In the same moment: no collection can come between a record and the uses of what it names.
            if (digests === undefined) return;
            blobs.touch(digests);
            this.#used(action, SETTLED);
          },
          directory: parentOf(path),
        });
      } catch (error) {
        context.publisher.discard(temporary);
        throw error;
      } finally {
        handle.close();
      }
      context.uses.wrote(storedBytes(file.length));
    } finally {
      room.release(storedBytes(file.length));
    }
  }

  /** Says in the packs that there is no record of an action in them any more. */
  #appendGone(action: Digest): void {
    const { recordPacks } = this.#ports.context;
    const gone = recordPacks.encode(action, undefined);
    recordPacks.append([gone]);
    recordPacks.publish(action, gone.place);
  }

  /** Forgets a record; no effect when there is none. */
  forget(action: Digest): Promise<Result<void, ResidentProblem>> {
    return residentResult(() => this.#drop(action));
  }

  /** Makes sure that everything which a record stands on counts as used as late as the record itself. */
  async settle(index: BlobIndex, entry: number): Promise<void> {
    if (index.home(entry) !== UNSETTLED && index.home(entry) !== PACKED) return;
    const hash = index.hash(entry);
    const usedMs = index.usedMs(entry);
    const action = this.#actionOf(`${index.fn}:${hash}/0` as Digest);
    const known = action && (await this.#lookUp(action));
    const now = index.findHash(hash);
    if (now < 0) return;
    if (known === undefined) return void this.remove(index, now);
    for (const digest of known.digests) {
      const shelf = await this.#ports.blobs.shelf(digestFunction(digest));
      const blob = shelf.index.find(digest);
      if (blob >= 0) shelf.index.touch(blob, usedMs);
    }
    const settled = index.findHash(hash);
    if (settled < 0) return;
    index.put({ hash, sizeBytes: index.sizeBytes(settled), usedMs, home: index.home(settled) | SETTLED });
  }

  /** Another process has used a record and all that it names. */
  async usedElsewhere(action: Digest, timeMs: number): Promise<void> {
    const index = this.#indexes.get(digestFunction(action));
    const entry = index?.findHash(digestHash(action)) ?? -1;
    if (index === undefined || entry < 0 || index.usedMs(entry) >= timeMs) return;
    index.touch(entry, timeMs);
    const known = { hash: digestHash(action), sizeBytes: index.sizeBytes(entry), usedMs: timeMs };
    index.put({ ...known, home: index.home(entry) & ~SETTLED });
  }

  /** Removes a record; answers with the bytes that this gives back, those in packs with the next `drop`. */
  remove(index: BlobIndex, entry: number): number {
    const { fs, layout, recordPacks } = this.#ports.context;
    const action = `${index.fn}:${index.hash(entry)}/0` as Digest;
    const sizeBytes = ResidentRecords.sizeBytes(index, entry);
    if ((index.home(entry) & PACKED) === 0) fs.remove(layout.record(action));
    else recordPacks.remove(action);
    this.#uncount(index, entry);
    index.remove(entry);
    return sizeBytes;
  }

  /** True when packs of records are mostly garbage: records that were replaced or removed. */
  get isMostlyGarbage(): boolean {
    return this.#packedBytes < this.#ports.context.recordPacks.usedBytes * GARBAGE_SHARE;
  }

  /** Rewrites packs without what was removed or replaced. */
  async drop(turns: Turns): Promise<void> {
    const { recordPacks } = this.#ports.context;
    recordPacks.set.seal();
    // What is not known yet would be taken for garbage.
    await Promise.allSettled([...this.#flushing]);
    this.#raiseTimes(Number.NEGATIVE_INFINITY);
    await recordPacks.drop(
      () => true,
      async () => {
        if (turns.isOver) await turns.pass();
      },
    );
  }

  /** Resolves when nothing is being flushed. */
  async idle(): Promise<void> {
    await this.#gathering?.stored.catch(() => undefined);
    await Promise.allSettled([...this.#flushing]);
  }

  /** Writes uses later than `sinceMs` into the indexes of packs, where the next process looks for them. */
  saveTimes(sinceMs: number): void {
    this.#raiseTimes(sinceMs);
    this.#ports.context.recordPacks.set.saveTimes();
  }

  #raiseTimes(sinceMs: number): void {
    for (const index of this.indexes) {
      for (let entry = 0; entry < index.end; entry++) {
        const home = index.home(entry);
        if (home === -1 || (home & PACKED) === 0 || index.usedMs(entry) <= sinceMs) continue;
        this.#ports.context.recordPacks.raiseTime(`${index.fn}:${index.hash(entry)}/0` as Digest, index.usedMs(entry));
      }
    }
  }

  /** The whole digest of an action whose hash is known. */
  #actionOf(action: Digest): Digest | undefined {
    const { fs, layout, recordPacks } = this.#ports.context;
    if (this.#isPacked(action)) return recordPacks.read(action)?.action;
    const file = fs.readFile(layout.record(action));
    return file && recordedAction(file);
  }

  async #lookUp(action: Digest): Promise<KnownRecord | undefined> {
    const place = this.#ports.context.recordPacks.find(action);
    return place === undefined || place.isGone
      ? await this.#lookUpFile(action)
      : await this.#lookUpPacked(action, place);
  }

  async #lookUpPacked(action: Digest, place: RecordPlace): Promise<KnownRecord | undefined> {
    const known = this.#known.get(action);
    if (known?.token === place.digest) return known;
    const packed = this.#ports.context.recordPacks.read(action);
    if (packed === undefined) this.#leavePack(action);
    // Of an action with this hash and another size, maybe.
    if (packed?.action !== action) return undefined;
    const result = packedResult(packed);
    if (result === undefined || packed.body === undefined) {
      this.#drop(action);
      return undefined;
    }
    const digests = await this.#digestsOf(result);
    if (digests === undefined) return undefined;
    const fresh = { bytes: packed.body, result, token: place.digest, digests };
    this.#remember(action, fresh);
    return fresh;
  }

  async #lookUpFile(action: Digest): Promise<KnownRecord | undefined> {
    const { fs, layout } = this.#ports.context;
    const path = layout.record(action);
    const stat = fs.lstat(path);
    if (stat === undefined) return undefined;
    const token = `${stat.ino}/${stat.sizeBytes}/${stat.ctimeMs}`;
    const known = this.#known.get(action);
    if (known?.token === token) return known;
    const file = fs.readFile(path);
    const content = file && decodeRecord(action, file);
    if (content?.kind === "corrupt") this.#drop(action);
    if (content?.kind !== "record") return undefined;
    this.#note(action, { sizeBytes: file!.byteLength, usedMs: stat.mtimeMs, home: UNSETTLED });
    const digests = await this.#digestsOf(content.result);
    if (digests === undefined) return undefined;
    const fresh = { bytes: content.body, result: content.result, token, digests };
    this.#remember(action, fresh);
    return fresh;
  }

  /** All blobs of a result; `undefined` when a tree is missing or is none. */
  async #digestsOf(result: ActionResult): Promise<Digest[] | undefined> {
    const digests = new Set(namedDigests(result));
    for (const { tree } of result.outputDirectories) {
      const bytes = await this.#ports.blobs.read(tree);
      if (!bytes.ok || bytes.value === undefined) return undefined;
      const { engine } = await this.#ports.blobs.shelf(digestFunction(tree));
      const files = treeFileDigests(bytes.value, { fn: engine.fn, digest: engine.digest });
      if (!files.ok) return undefined;
      for (const digest of files.value) digests.add(digest);
    }
    return [...digests];
  }

  #drop(action: Digest): void {
    const { fs, layout } = this.#ports.context;
    this.#forgetKnown(action);
    const found = this.#entryOf(action);
    if (this.#isPacked(action)) {
      this.#appendGone(action);
      // And a file that is older.
      fs.remove(layout.record(action));
    } else if (found === undefined) fs.remove(layout.record(action));
    if (found !== undefined) this.remove(found.index, found.entry);
  }

  #isPacked(action: Digest): boolean {
    const place = this.#ports.context.recordPacks.known(action);
    return place !== undefined && !place.isGone;
  }

  #entryOf(action: Digest): { readonly index: BlobIndex; readonly entry: number } | undefined {
    const index = this.#indexes.get(digestFunction(action));
    const entry = index?.findHash(digestHash(action)) ?? -1;
    return index === undefined || entry < 0 ? undefined : { index, entry };
  }

  /** A record is in no pack any more. */
  #leavePack(action: Digest): void {
    const found = this.#entryOf(action);
    if (found === undefined || (found.index.home(found.entry) & PACKED) === 0) return;
    this.#uncount(found.index, found.entry);
    found.index.remove(found.entry);
  }

  #uncount(index: BlobIndex, entry: number): void {
    const sizeBytes = ResidentRecords.sizeBytes(index, entry);
    if ((index.home(entry) & PACKED) === 0) this.#usedBytes -= sizeBytes;
    else this.#packedBytes -= sizeBytes;
  }

  #note(action: Digest, noted: { sizeBytes: number; usedMs: number; home: number }): void {
    const fn = digestFunction(action);
    let index = this.#indexes.get(fn);
    if (index === undefined) {
      index = new BlobIndex(fn, ++this.#counter);
      this.#indexes.set(fn, index);
    }
    const hash = digestHash(action);
    const before = index.findHash(hash);
    if (before >= 0) this.#uncount(index, before);
    const usedMs = Math.min(noted.usedMs, this.#ports.context.clock.nowMs());
    const entry = index.put({ ...noted, hash, usedMs });
    const sizeBytes = ResidentRecords.sizeBytes(index, entry);
    if (noted.home === PACKED) this.#packedBytes += sizeBytes;
    else this.#usedBytes += sizeBytes;
  }

  #used(action: Digest, home: number): void {
    const found = this.#entryOf(action);
    if (found === undefined) return;
    const { index, entry } = found;
    const usedMs = this.#ports.context.clock.nowMs();
    index.put({ hash: digestHash(action), sizeBytes: index.sizeBytes(entry), usedMs, home: index.home(entry) | home });
  }

  #remember(action: Digest, record: KnownRecord): void {
    this.#forgetKnown(action);
    this.#known.set(action, record);
    this.#knownBytes += costOf(record);
    for (const oldest of this.#known.keys()) {
      if (this.#knownBytes <= KNOWN_MAX_BYTES) return;
      this.#forgetKnown(oldest);
    }
  }

  #forgetKnown(action: Digest): void {
    const known = this.#known.get(action);
    if (known === undefined) return;
    this.#knownBytes -= costOf(known);
    this.#known.delete(action);
  }
}

function costOf({ bytes, digests }: KnownRecord): number {
  return bytes.byteLength + DIGEST_BYTES * digests.length;
}

function resultOf(action: Digest, bytes: Uint8Array): ActionResult | undefined {
  const result = decodeActionResult(bytes, digestFunction(action));
  return result.ok ? result.value : undefined;
}
