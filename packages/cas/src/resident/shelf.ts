/**
 * All blobs of one digest function as a resident process knows them: an index in memory over packs and files.
 *
 * Owns:      filling the index when the store is opened, and noticing what other processes have changed since.
 * Invariant: a blob that `missing` does not name was there when it looked, as far as the times of directories tell: what
 *            a foreign process adds, removes or damages by replacing is seen at the next question, not later.
 * Cost:      a question costs one `lstat` of the packs' directory, and one for each folder of a 256th that a blob in a
 *            file of its own, or a missing one, would be in: 0.6 ms at most, however many blobs are asked for.
 */
import type { Digest, DigestList, FileStat } from "@kahn/core";
import { digestAt, digestHash, digestList, digestSizeBytes, HEX_LENGTH } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import type { Pack } from "../internal/pack.ts";
import { packTimeS } from "../internal/pack-format.ts";
import type { PackSet } from "../internal/pack-set.ts";
import type { StoreContext } from "../internal/store-context.ts";
import { storedBytes } from "../internal/store-context.ts";
import { parentOf } from "../internal/store-layout.ts";
import { BlobIndex, OWN_FILE } from "./blob-index.ts";
import type { Turns } from "./turns.ts";

const SHARDS = 256;

/** A directory may change again without a new time for so long: a tick of the kernel, or where seconds are kept two. */
const TICK_MS = 20;
const COARSE_TICK_MS = 2000;

/** So many files are worth the listing of a directory for one that is asked for. */
const FILES_PER_PROBE = 8;

/** What became of a folder that was looked at. */
const UNCHANGED = 0;
const RELISTED = 1;
const PROBED = 2;

interface KnownPack {
  readonly serial: number;
  seenBytes: number;
}

/** Blobs of one function. */
export class Shelf {
  readonly engine: HashEngine;
  readonly packs: PackSet;
  index: BlobIndex;
  /** Whole blocks of blobs in files of their own. */
  fileBytes = 0;
  readonly #context: StoreContext;
  readonly #known = new Map<Pack, KnownPack>();
  /** Bytes of executable variants, by hash: second inodes of blobs that are there otherwise too. */
  readonly #variants = new Map<string, number>();
  readonly #fileCounts = new Int32Array(SHARDS);
  readonly #mtimes = new Float64Array(SHARDS);
  readonly #checkedMs = new Float64Array(SHARDS);
  /** For `missing` alone: how many blobs were asked for in each folder, and whether each has to be looked at. */
  readonly #asked = new Int32Array(SHARDS);
  readonly #probed = new Uint8Array(SHARDS);
  #serials = OWN_FILE;

  constructor(context: StoreContext, engine: HashEngine, seed: number) {
    this.#context = context;
    this.engine = engine;
    this.packs = context.packs.of(engine);
    this.index = new BlobIndex(engine.fn, seed);
  }

  /** Reads what there is. */
  async load(turns: Turns): Promise<void> {
    for (const pack of this.packs.grown()) {
      this.#take(pack);
      if (turns.isOver) await turns.pass();
    }
    for (let shard = 0; shard < SHARDS; shard++) {
      this.#relist(shard);
      if (turns.isOver) await turns.pass();
    }
  }

  /** Bytes that count against the limit: whole packs, and whole blocks of files. */
  get usedBytes(): number {
    let bytes = this.fileBytes;
    for (const pack of this.#known.keys()) bytes += pack.sizeBytes;
    return bytes;
  }

  /** The number that stands for a pack as the home of blobs. */
  serialOf(pack: Pack): number {
    return this.#knownPack(pack).serial;
  }

  /** The packs as they were last seen. */
  get knownPacks(): readonly Pack[] {
    return [...this.#known.keys()];
  }

  /** Those that are not there. The others count as used now. */
  missing(digests: readonly Digest[], nowMs: number): Digest[] {
    return this.missingOf(digestList(this.index.fn, digests), nowMs).map((at) => digests[at]!);
  }

  /** Numbers of those in a list that are not there, in order. The others count as used now. */
  missingOf(list: DigestList, nowMs: number): number[] {
    this.followPacks();
    const unsure: number[] = [];
    const entries = this.index.findAll(list);
    const keyBytes = HEX_LENGTH[list.fn] / 2;
    const asked = this.#asked.fill(0);
    for (let at = 0; at < list.count; at++) {
      const entry = entries[at]!;
      if (entry >= 0 && this.index.home(entry) !== OWN_FILE) this.index.touch(entry, nowMs);
      else {
        unsure.push(at);
        asked[list.keys[at * keyBytes]!]!++;
      }
    }
    if (unsure.length === 0) return [];
    const probed = this.#probed.fill(0);
    for (let shard = 0; shard < SHARDS; shard++)
      if (asked[shard] !== 0) probed[shard] = this.#catchUp(shard, asked[shard]!);
    return unsure.filter((at) => {
      const state = probed[list.keys[at * keyBytes]!];
      if (state === PROBED) this.#probe(digestAt(list, at));
      // Nothing has changed since it was looked up: a question for ten thousand that are missing is mostly this.
      const entry = state === UNCHANGED ? entries[at]! : this.index.find(digestAt(list, at));
      if (entry >= 0) this.index.touch(entry, nowMs);
      return entry < 0;
    });
  }

  /** Somebody has read a blob; of one that is not known nothing follows. */
  used(digest: Digest, nowMs: number): void {
    const entry = this.index.find(digest);
    if (entry >= 0) this.index.touch(entry, nowMs);
  }

  /** The digest that has this hash, as far as is known. */
  digestOf(hash: string): Digest | undefined {
    const entry = this.index.findHash(hash);
    return entry < 0 ? undefined : this.index.digest(entry);
  }

  /** A blob has been stored by this process, in a pack. */
  addPacked(digest: Digest, pack: Pack, usedMs: number): void {
    const hash = digestHash(digest);
    this.#leaveFile(hash);
    const known = this.#knownPack(pack);
    known.seenBytes = pack.sizeBytes;
    this.index.put({ hash, sizeBytes: digestSizeBytes(digest), usedMs, home: known.serial });
  }

  /** Lets `publish` put a blob into a file of its own, and knows of it. */
  addFile(digest: Digest, usedMs: number, publish: () => void): void {
    this.#ownChange(shardOf(digest), publish);
    this.#putFile(digestHash(digest), digestSizeBytes(digest), usedMs);
  }

  /** Removes the files of a blob; answers with the bytes that this gave back. */
  removeFile(entry: number): number {
    const { fs, layout } = this.#context;
    const digest = this.index.digest(entry);
    const variantBytes = this.#variants.get(digestHash(digest));
    this.#ownChange(shardOf(digest), () => {
      fs.remove(layout.blob(digest));
      if (variantBytes !== undefined) fs.remove(layout.blob(digest, true));
    });
    const before = this.fileBytes;
    this.#dropFile(entry);
    return before - this.fileBytes;
  }

  /** Removes what files there are of a blob that was known by its pack, and left it. */
  removeStray(digest: Digest): void {
    const { fs, layout } = this.#context;
    const paths = [layout.blob(digest), layout.blob(digest, true)];
    fs.statMany(paths).forEach((stat, at) => {
      if (stat !== undefined) this.#ownChange(shardOf(digest), () => void fs.remove(paths[at]!));
    });
  }

  /** Writes uses later than `sinceMs` into stamps and into the indexes of packs, where other processes look for them. */
  async saveTimes(sinceMs: number, turns: Turns): Promise<void> {
    const { layout, check } = this.#context;
    for (let entry = 0; entry < this.index.end; entry++) {
      const usedMs = this.index.usedMs(entry);
      if (this.index.home(entry) === -1 || usedMs <= sinceMs) continue;
      const digest = this.index.digest(entry);
      if (this.index.home(entry) !== OWN_FILE) this.packs.raiseTime(digest, packTimeS(usedMs));
      else check.stamp(layout.blob(digest), usedMs);
      if (turns.isOver) await turns.pass();
    }
    this.packs.saveTimes();
  }

  /** Whoever read a blob found that it is gone, or damaged and set aside. */
  vanished(digest: Digest): void {
    this.followPacks();
    const entry = this.index.find(digest);
    if (entry < 0) return;
    if (this.index.home(entry) === OWN_FILE) this.#probe(digest);
    else if (this.packs.find(digest) === undefined) this.index.remove(entry);
  }

  /** Notices packs that came, grew or went. */
  followPacks(): void {
    const packs = this.packs.grown();
    for (const pack of packs) if (this.#known.get(pack)?.seenBytes !== pack.sizeBytes) this.#take(pack);
    if (packs.length === this.#known.size) return;
    const there = new Set(packs);
    for (const [pack, { serial }] of this.#known) {
      if (there.has(pack)) continue;
      this.#known.delete(pack);
      for (let entry = 0; entry < this.index.end; entry++) {
        if (this.index.home(entry) === serial) this.#rehome(entry);
      }
    }
  }

  /** A blob that left its pack may be in another one, or in a file. */
  #rehome(entry: number): void {
    const digest = this.index.digest(entry);
    const found = this.packs.find(digest);
    if (found !== undefined) {
      const known = { hash: digestHash(digest), sizeBytes: digestSizeBytes(digest), usedMs: this.index.usedMs(entry) };
      this.index.put({ ...known, home: this.serialOf(found.pack) });
    } else {
      this.index.remove(entry);
      this.#probe(digest);
    }
  }

  #knownPack(pack: Pack): KnownPack {
    let known = this.#known.get(pack);
    if (known === undefined) {
      known = { serial: ++this.#serials, seenBytes: 0 };
      this.#known.set(pack, known);
    }
    return known;
  }

  /** Puts into the index what of a pack is new. This process's own pack is known of as it grows. */
  #take(pack: Pack): void {
    const known = this.#knownPack(pack);
    if (pack === this.packs.ownPack) return;
    // Times in packs are rounded up.
    const nowMs = this.#context.clock.nowMs();
    pack.scan((entry) => {
      if (entry.offset < known.seenBytes) return;
      const before = this.index.findKey(entry);
      if (before >= 0 && this.index.home(before) === OWN_FILE) this.#dropFile(before);
      const { sizeBytes, timeS } = entry;
      this.index.putKey(entry, { sizeBytes, usedMs: Math.min(timeS * 1000, nowMs), home: known.serial });
    });
    known.seenBytes = pack.sizeBytes;
  }

  /** Makes sure of one folder, or says that its blobs have to be looked at one by one. */
  #catchUp(shard: number, askedCount: number): number {
    const mtimeMs = this.#mtime(shard);
    if (mtimeMs === this.#mtimes[shard]) {
      const tickMs = mtimeMs % 1000 === 0 ? COARSE_TICK_MS : TICK_MS;
      if (mtimeMs === 0 || this.#checkedMs[shard]! - mtimeMs > tickMs) return UNCHANGED;
    }
    if (askedCount * FILES_PER_PROBE < this.#fileCounts[shard]!) return PROBED;
    this.#relist(shard);
    return RELISTED;
  }

  /** Looks for the files of one blob. */
  #probe(digest: Digest): void {
    const { fs, layout } = this.#context;
    const hash = digestHash(digest);
    const stats = fs.statMany([layout.blob(digest), layout.blob(digest, true)]);
    this.#judge(hash, stats, digest);
  }

  #judge(hash: string, [plain, variant]: readonly (FileStat | undefined)[], asked?: Digest): void {
    const { layout, check } = this.#context;
    const sizeBytes = (plain ?? variant)?.sizeBytes;
    const digest = (sizeBytes === undefined ? asked : `${this.engine.fn}:${hash}/${sizeBytes}`) as Digest | undefined;
    if (digest === undefined) return;
    const isSound = (path: string, stat: FileStat | undefined) =>
      check.verdict(digest, path, { stat, engine: this.engine }) === "usable";
    const hasPlain = isSound(layout.blob(digest), plain);
    const hasVariant = isSound(layout.blob(digest, true), variant);
    if (hasVariant && hasPlain) this.#noteVariant(hash, digestSizeBytes(digest));
    const usedMs = Math.max(hasPlain ? plain!.mtimeMs : 0, hasVariant ? variant!.mtimeMs : 0);
    if (hasPlain || hasVariant) this.#putFile(hash, digestSizeBytes(digest), usedMs);
    else this.#leaveFile(hash);
  }

  /** Lists one folder: what is new comes into the index, what is gone leaves it. */
  #relist(shard: number): void {
    const { fs, clock } = this.#context;
    const directory = this.#directory(shard);
    this.#mtimes[shard] = this.#mtime(shard);
    this.#checkedMs[shard] = clock.nowMs();
    if (this.#mtimes[shard] === 0 && this.#fileCounts[shard] === 0) return;
    const names = new Set((fs.readDirectory(directory) ?? []).map(({ name }) => name));
    const fresh: string[] = [];
    const there = new Set<string>();
    for (const name of names) {
      const hash = name.endsWith("x") ? name.slice(0, -1) : name;
      if (hash.length !== HEX_LENGTH[this.engine.fn] || !/^[0-9a-f]+$/.test(hash)) continue;
      if (there.has(hash)) continue;
      there.add(hash);
      const entry = this.index.findHash(hash);
      const isKnown = entry >= 0 && this.index.home(entry) === OWN_FILE;
      // One that is packed as well is found by its pack; its file counts for nothing here.
      if (entry < 0 || (isKnown && names.has(`${hash}x`) !== this.#variants.has(hash))) fresh.push(hash);
    }
    const stats = fs.statMany(fresh.flatMap((hash) => [`${directory}/${hash}`, `${directory}/${hash}x`]));
    for (const [at, hash] of fresh.entries()) this.#judge(hash, [stats[2 * at], stats[2 * at + 1]]);
    if (there.size < this.#fileCounts[shard]!) this.#dropAbsent(shard, there);
  }

  #dropAbsent(shard: number, there: ReadonlySet<string>): void {
    for (let entry = 0; entry < this.index.end; entry++) {
      if (this.index.home(entry) !== OWN_FILE || this.index.firstByte(entry) !== shard) continue;
      if (!there.has(this.index.hash(entry))) this.#dropFile(entry);
    }
  }

  #putFile(hash: string, sizeBytes: number, usedMs: number): void {
    const before = this.index.findHash(hash);
    if (before >= 0 && this.index.home(before) !== OWN_FILE) return;
    const entry = this.index.put({ hash, sizeBytes, usedMs, home: OWN_FILE });
    if (before >= 0) return;
    this.#fileCounts[this.index.firstByte(entry)]!++;
    this.fileBytes += storedBytes(sizeBytes);
  }

  #noteVariant(hash: string, sizeBytes: number): void {
    if (this.#variants.has(hash)) return;
    this.#variants.set(hash, storedBytes(sizeBytes));
    this.fileBytes += storedBytes(sizeBytes);
  }

  #leaveFile(hash: string): void {
    const entry = this.index.findHash(hash);
    if (entry >= 0 && this.index.home(entry) === OWN_FILE) this.#dropFile(entry);
  }

  #dropFile(entry: number): void {
    const hash = this.index.hash(entry);
    this.fileBytes -= storedBytes(this.index.sizeBytes(entry)) + (this.#variants.get(hash) ?? 0);
    this.#variants.delete(hash);
    this.#fileCounts[this.index.firstByte(entry)]!--;
    this.index.remove(entry);
  }

  /** A change of this process's own is no reason to look at a folder again. */
  #ownChange(shard: number, change: () => void): void {
    const isKnown = this.#mtime(shard) === this.#mtimes[shard];
    change();
    if (isKnown) {
      this.#mtimes[shard] = this.#mtime(shard);
      this.#checkedMs[shard] = 0;
    }
  }

  #mtime(shard: number): number {
    return this.#context.fs.lstat(this.#directory(shard))?.mtimeMs ?? 0;
  }

  #directory(shard: number): string {
    const first = shard.toString(16).padStart(2, "0");
    const hash = first.padEnd(HEX_LENGTH[this.engine.fn], "0");
    return parentOf(this.#context.layout.blob(`${this.engine.fn}:${hash}/0` as Digest));
  }
}

function shardOf(digest: Digest): number {
  const at = digest.indexOf(":") + 1;
  return (nibble(digest, at) << 4) | nibble(digest, at + 1);
}

/** Lower-case hex alone, which is all that a digest has. */
function nibble(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 58 ? code - 48 : code - 87;
}
