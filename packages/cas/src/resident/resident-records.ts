/**
 * Action results as they were sent, with what they stand on.
 *
 * Method:    a small record is appended to a pack (`internal/record-packs.ts`), with others of the same moment; a large
 *            one, and what `DiskActionCache` wrote, is a file of its own. A packed record counts rather than a file.
 * Invariant: bytes come back as they went in, fields that this version does not know included, or not at all. What was
 *            decoded is kept in memory only as long as the record is the same.
 */
import type { ActionResult, Digest, Result } from "@kahn/core";
import { decodeActionResult, digestFunction, encodeActionResult, err, ok } from "@kahn/core";
import { packedResult } from "../internal/packed-record.ts";
import { decodeRecord, encodeRecordOf, recordedAction } from "../internal/record-bytes.ts";
import type { NewRecord, RecordPlace } from "../internal/record-packs.ts";
import type { StoreContext } from "../internal/store-context.ts";
import { storedBytes } from "../internal/store-context.ts";
import { parentOf } from "../internal/store-layout.ts";
import { storedFiles } from "../internal/store-walk.ts";
import type { BlobIndex } from "./blob-index.ts";
import type { KnownRecord, StoredRecord } from "./known-records.ts";
import { KnownRecords } from "./known-records.ts";
import type { PackAppend, PackCommit } from "./pack-commit.ts";
import { isPacked, PACKED, RecordLedger, recordSizeBytes, SETTLED, UNSETTLED } from "./record-ledger.ts";
import type { ResidentBlobs } from "./resident-blobs.ts";
import type { ResidentProblem } from "./resident-problem.ts";
import { residentProblem, residentResult } from "./resident-problem.ts";
import { blobsOfResult } from "./result-blobs.ts";
import type { Room } from "./room.ts";
import type { Turns } from "./turns.ts";

/** What records stand on. */
export interface ResidentRecordPorts {
  readonly context: StoreContext;
  readonly blobs: ResidentBlobs;
  readonly room: Room;
  readonly commits: PackCommit;
}

/** A blob, and the record that is to name it. */
export interface NamedBlob {
  /** Of the record's function, as are all digests that a record names. */
  readonly bytes: Uint8Array;
  /** Makes the record, once the digest of the blob is known. */
  readonly resultOf: (blob: Digest) => ActionResult;
}

const RECORD_MODE = 0o644;

/** More garbage than this in packs of records is dropped before anything that lives goes. */
const GARBAGE_SHARE = 0.5;

/** Records of an open store. */
export class ResidentRecords {
  readonly #ports: ResidentRecordPorts;
  readonly #ledger: RecordLedger;
  readonly #known = new KnownRecords();
  #areFilesKnown = false;

  constructor(ports: ResidentRecordPorts) {
    this.#ports = ports;
    this.#ledger = new RecordLedger(ports.context.clock);
  }

  get usedBytes(): number {
    return this.#ledger.fileBytes + this.#ports.context.recordPacks.usedBytes;
  }

  get count(): number {
    return this.#ledger.count;
  }

  /** Records by time of use: `home` is nothing for others, sizes are those of the files or of what is in packs. */
  get indexes(): readonly BlobIndex[] {
    return this.#ledger.indexes;
  }

  /** Learns which records are in packs; they are not found before. */
  async loadPacks(turns: Turns): Promise<void> {
    const { recordPacks } = this.#ports.context;
    recordPacks.onTaken = (action, place, { sizeBytes, timeS }) => {
      if (!place.isGone) this.#ledger.note(action, { sizeBytes, usedMs: timeS * 1000, home: PACKED });
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
        this.#ledger.note(action, { sizeBytes: stat.sizeBytes, usedMs: stat.mtimeMs, home: UNSETTLED });
      }
      if (turns.isOver) await turns.pass();
    }
    this.#areFilesKnown = true;
  }

  /** The record of an action; `undefined` when there is none, or a blob that it names is gone. A use of all of them. */
  async get(action: Digest): Promise<Result<StoredRecord | undefined, ResidentProblem>> {
    try {
      const place = this.#ports.context.recordPacks.find(action);
      const isPacked = place !== undefined && !place.isGone;
      // What is asked for most is known, and costs no wait.
      const kept = isPacked ? this.#known.get(action, place.digest) : undefined;
      const known = kept ?? (await (isPacked ? this.#lookUpPacked(action, place) : this.#lookUpFile(action)));
      if (known === undefined) return ok(undefined);
      const areThere = this.#ports.blobs.areThere(known.digests) ?? (await this.#areThere(known.digests));
      if (!areThere) return ok(undefined);
      this.#ledger.used(action, SETTLED);
      return ok(known);
    } catch (error) {
      return err(residentProblem(error));
    }
  }

  async #areThere(digests: readonly Digest[]): Promise<boolean> {
    const missing = await this.#ports.blobs.findMissing(digests);
    return missing.ok && missing.value.length === 0;
  }

  /**
   * Stores an encoded result; of two for one action the one counts that was asked for later. Resolves when it is durable.
   */
  put(action: Digest, bytes: Uint8Array): Promise<Result<void, ResidentProblem>> {
    return residentResult(() => this.#put(action, { bytes, result: resultOf(action, bytes) }));
  }

  /**
   * Stores a blob and a record that names it; durable at once, together if the blob is small. Until both are there the
   * record is a miss.
   */
  async putNamed(action: Digest, { bytes, resultOf }: NamedBlob): Promise<Result<void, ResidentProblem>> {
    return await residentResult(async () => {
      await this.#ports.blobs.withBlob(digestFunction(action), bytes, async (blob, append) => {
        const result = resultOf(blob);
        await this.#put(action, { bytes: encodeActionResult(result), result }, append);
      });
    });
  }

  /** @param before is to be known before the record is. */
  async #put(action: Digest, { bytes, result }: NewResult, before?: PackAppend): Promise<void> {
    const { context, commits } = this.#ports;
    // Gets its time now: what is asked for later counts.
    const fresh = context.recordPacks.encode(action, bytes);
    const digests = result && (await blobsOfResult(result, this.#ports.blobs));
    const { item, place } = fresh;
    if (item.bytes.byteLength > context.packs.packedMaxBytes) {
      if (before !== undefined) await commits.stored([before]);
      return await this.#putFile(action, bytes, digests);
    }
    const body = item.bytes.subarray(item.bytes.byteLength - bytes.byteLength);
    const known = result && digests && { bytes: body, result, digests, token: place.digest };
    const append = { to: context.recordPacks, item, publish: () => this.#publishPacked(fresh, known) };
    await commits.stored(before === undefined ? [append] : [before, append]);
  }

  #publishPacked({ action, item, place }: NewRecord, known: KnownRecord | undefined): void {
    const { context, blobs } = this.#ports;
    const wasPacked = this.#isPacked(action);
    if (!context.recordPacks.publish(action, place)) return;
    // A file of that action is older.
    if (!wasPacked && (!this.#areFilesKnown || this.#ledger.find(action) !== undefined)) {
      context.fs.remove(context.layout.record(action));
    }
    this.#known.forget(action);
    // In the same moment: no collection can come between a record and the uses of what it names.
    const home = known === undefined ? PACKED : PACKED | SETTLED;
    this.#ledger.note(action, { sizeBytes: item.bytes.byteLength, usedMs: context.clock.nowMs(), home });
    if (known === undefined) return;
    this.#known.remember(action, known);
    blobs.touch(known.digests);
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
            this.#known.forget(action);
            const isPacked = this.#isPacked(action);
            this.#ledger.note(action, { sizeBytes: file.length, usedMs: context.clock.nowMs(), home: UNSETTLED });
            if (isPacked) this.#appendGone(action);
            // In the same moment: no collection can come between a record and the uses of what it names.
            if (digests === undefined) return;
            blobs.touch(digests);
            this.#ledger.used(action, SETTLED);
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
    recordPacks.append([gone.item]);
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
    const found = this.#ledger.find(action);
    if (found === undefined || found.index.usedMs(found.entry) >= timeMs) return;
    const { index, entry } = found;
    const hash = index.hash(entry);
    index.put({ hash, sizeBytes: index.sizeBytes(entry), usedMs: timeMs, home: index.home(entry) & ~SETTLED });
  }

  /** Removes a record; answers with the bytes that this gives back, those in packs with the next `drop`. */
  remove(index: BlobIndex, entry: number): number {
    const { fs, layout, recordPacks } = this.#ports.context;
    const action = `${index.fn}:${index.hash(entry)}/0` as Digest;
    const sizeBytes = recordSizeBytes(index, entry);
    if (!isPacked(index, entry)) fs.remove(layout.record(action));
    else recordPacks.remove(action);
    this.#ledger.remove(index, entry);
    return sizeBytes;
  }

  /** True when packs of records are mostly garbage: records that were replaced or removed. */
  get isMostlyGarbage(): boolean {
    return this.#ledger.packedBytes < this.#ports.context.recordPacks.usedBytes * GARBAGE_SHARE;
  }

  /** Rewrites packs without what was removed or replaced. */
  async drop(turns: Turns): Promise<void> {
    const { recordPacks } = this.#ports.context;
    recordPacks.set.seal();
    // What is not known yet would be taken for garbage.
    await this.#ports.commits.known();
    this.#raiseTimes(Number.NEGATIVE_INFINITY);
    await recordPacks.drop(
      () => true,
      async () => {
        if (turns.isOver) await turns.pass();
      },
    );
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
        if (home === -1 || !isPacked(index, entry) || index.usedMs(entry) <= sinceMs) continue;
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
    const known = this.#known.get(action, place.digest);
    if (known !== undefined) return known;
    const packed = this.#ports.context.recordPacks.read(action);
    if (packed === undefined) this.#leavePack(action);
    // Of an action with this hash and another size, maybe.
    if (packed?.action !== action) return undefined;
    const result = packedResult(packed);
    if (result === undefined || packed.body === undefined) {
      this.#drop(action);
      return undefined;
    }
    const digests = await blobsOfResult(result, this.#ports.blobs);
    if (digests === undefined) return undefined;
    const fresh = { bytes: packed.body, result, token: place.digest, digests };
    this.#known.remember(action, fresh);
    return fresh;
  }

  async #lookUpFile(action: Digest): Promise<KnownRecord | undefined> {
    const { fs, layout } = this.#ports.context;
    const path = layout.record(action);
    const stat = fs.lstat(path);
    if (stat === undefined) return undefined;
    const token = `${stat.ino}/${stat.sizeBytes}/${stat.ctimeMs}`;
    const known = this.#known.get(action, token);
    if (known !== undefined) return known;
    const file = fs.readFile(path);
    const content = file && decodeRecord(action, file);
    if (content?.kind === "corrupt") this.#drop(action);
    if (content?.kind !== "record") return undefined;
    this.#ledger.note(action, { sizeBytes: file!.byteLength, usedMs: stat.mtimeMs, home: UNSETTLED });
    const digests = await blobsOfResult(content.result, this.#ports.blobs);
    if (digests === undefined) return undefined;
    const fresh = { bytes: content.body, result: content.result, token, digests };
    this.#known.remember(action, fresh);
    return fresh;
  }

  #drop(action: Digest): void {
    const { fs, layout } = this.#ports.context;
    this.#known.forget(action);
    const found = this.#ledger.find(action);
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

  /** A record is in no pack any more. */
  #leavePack(action: Digest): void {
    const found = this.#ledger.find(action);
    if (found !== undefined && isPacked(found.index, found.entry)) this.#ledger.remove(found.index, found.entry);
  }
}

interface NewResult {
  readonly bytes: Uint8Array;
  /** What the bytes say; `undefined` when they do not read. */
  readonly result: ActionResult | undefined;
}

function resultOf(action: Digest, bytes: Uint8Array): ActionResult | undefined {
  const result = decodeActionResult(bytes, digestFunction(action));
  return result.ok ? result.value : undefined;
}
