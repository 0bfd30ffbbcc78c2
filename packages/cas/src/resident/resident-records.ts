/**
 * Action results as they were sent, with what they stand on.
 *
 * Invariant: bytes come back as they went in, fields that this version does not know included, or not at all. What was
 *            decoded is kept in memory only as long as the record's file is the same.
 */
import type { ActionResult, Digest, DigestFunction, Result } from "@kahn/core";
import { decodeActionResult, digestFunction, digestHash } from "@kahn/core";
import { decodeRecord, encodeRecordOf, recordedAction } from "../internal/record-bytes.ts";
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

/** The home of a record in its index: whether its blobs are known to be used as late as it was. */
const UNSETTLED = 0;
const SETTLED = 1;

/** Records of an open store. */
export class ResidentRecords {
  readonly #ports: ResidentRecordPorts;
  readonly #indexes = new Map<DigestFunction, BlobIndex>();
  readonly #known = new Map<Digest, KnownRecord>();
  #knownBytes = 0;
  #usedBytes = 0;
  #counter = 0;

  constructor(ports: ResidentRecordPorts) {
    this.#ports = ports;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get count(): number {
    let count = 0;
    for (const index of this.#indexes.values()) count += index.count;
    return count;
  }

  /** Records by time of use: `home` is nothing, sizes are those of the files. */
  get indexes(): readonly BlobIndex[] {
    return [...this.#indexes.values()];
  }

  /** Learns of what is on disk. Records are found without; collecting them is not possible before. */
  async load(turns: Turns): Promise<void> {
    for await (const files of storedFiles(this.#ports.context, this.#ports.context.layout.records)) {
      for (const { fn, hash, stat } of files) this.#note(fn, hash, { sizeBytes: stat.sizeBytes, usedMs: stat.mtimeMs });
      if (turns.isOver) await turns.pass();
    }
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

  /** Stores an encoded result. Resolves when it is durable. */
  async put(action: Digest, bytes: Uint8Array): Promise<Result<void, ResidentProblem>> {
    return await residentResult(async () => {
      const { context, blobs, room } = this.#ports;
      const file = encodeRecordOf(action, bytes);
      const result = decodeActionResult(bytes, digestFunction(action));
      const digests = result.ok ? await this.#digestsOf(result.value) : undefined;
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
              this.#note(digestFunction(action), digestHash(action), {
                sizeBytes: file.length,
                usedMs: context.clock.nowMs(),
              });
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
    });
  }

  /** Forgets a record; no effect when there is none. */
  forget(action: Digest): Promise<Result<void, ResidentProblem>> {
    return residentResult(() => this.#drop(action));
  }

  /** Makes sure that everything which a record stands on counts as used as late as the record itself. */
  async settle(index: BlobIndex, entry: number): Promise<void> {
    if (index.home(entry) !== UNSETTLED) return;
    const hash = index.hash(entry);
    const usedMs = index.usedMs(entry);
    const path = this.#ports.context.layout.record(`${index.fn}:${hash}/0` as Digest);
    const file = this.#ports.context.fs.readFile(path);
    const action = file && recordedAction(file);
    const known = action && (await this.#lookUp(action));
    const now = index.findHash(hash);
    if (now < 0) return;
    if (known === undefined) return this.#removeFile(index, now, path);
    for (const digest of known.digests) {
      const shelf = await this.#ports.blobs.shelf(digestFunction(digest));
      const blob = shelf.index.find(digest);
      if (blob >= 0) shelf.index.touch(blob, usedMs);
    }
    const settled = index.findHash(hash);
    if (settled >= 0) index.put({ hash, sizeBytes: index.sizeBytes(settled), usedMs, home: SETTLED });
  }

  /** Another process has used a record and all that it names. */
  async usedElsewhere(action: Digest, timeMs: number): Promise<void> {
    const index = this.#indexes.get(digestFunction(action));
    const entry = index?.findHash(digestHash(action)) ?? -1;
    if (index === undefined || entry < 0 || index.usedMs(entry) >= timeMs) return;
    index.touch(entry, timeMs);
    const known = { hash: digestHash(action), sizeBytes: index.sizeBytes(entry), usedMs: timeMs };
    index.put({ ...known, home: UNSETTLED });
  }

  /** Removes a record; answers with the bytes that this gave back. */
  remove(index: BlobIndex, entry: number): number {
    const before = this.#usedBytes;
    this.#removeFile(index, entry, this.#ports.context.layout.record(`${index.fn}:${index.hash(entry)}/0` as Digest));
    return before - this.#usedBytes;
  }

  #removeFile(index: BlobIndex, entry: number, path: string): void {
    this.#ports.context.fs.remove(path);
    this.#usedBytes -= storedBytes(index.sizeBytes(entry));
    index.remove(entry);
  }

  async #lookUp(action: Digest): Promise<KnownRecord | undefined> {
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
    this.#note(digestFunction(action), digestHash(action), { sizeBytes: file!.byteLength, usedMs: stat.mtimeMs });
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
    this.#forgetKnown(action);
    const index = this.#indexes.get(digestFunction(action));
    const entry = index?.findHash(digestHash(action)) ?? -1;
    const path = this.#ports.context.layout.record(action);
    if (index !== undefined && entry >= 0) this.#removeFile(index, entry, path);
    else this.#ports.context.fs.remove(path);
  }

  #note(fn: DigestFunction, hash: string, { sizeBytes, usedMs }: { sizeBytes: number; usedMs: number }): void {
    let index = this.#indexes.get(fn);
    if (index === undefined) {
      index = new BlobIndex(fn, ++this.#counter);
      this.#indexes.set(fn, index);
    }
    const before = index.findHash(hash);
    if (before >= 0) this.#usedBytes -= storedBytes(index.sizeBytes(before));
    this.#usedBytes += storedBytes(sizeBytes);
    index.put({ hash, sizeBytes, usedMs: Math.min(usedMs, this.#ports.context.clock.nowMs()), home: UNSETTLED });
  }

  #used(action: Digest, home: number): void {
    const index = this.#indexes.get(digestFunction(action));
    const entry = index?.findHash(digestHash(action)) ?? -1;
    if (index === undefined || entry < 0) return;
    const usedMs = this.#ports.context.clock.nowMs();
    index.put({ hash: digestHash(action), sizeBytes: index.sizeBytes(entry), usedMs, home });
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
