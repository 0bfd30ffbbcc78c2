/**
 * All packs of one digest function in one directory, and this process's own one.
 *
 * Owns:      the list of packs as it is now, the pack that this process appends to, and reading from any of them.
 * Invariant: bytes that come out were hashed after they were read. What `append` has taken is seen by every process
 *            from then on; a pack that vanishes, or bytes that are not what they were, are answers, never errors.
 * Cost:      one `lstat` of the directory per call, whatever the number of blobs; when blobs are not found, one more
 *            for each pack whose owner is not done. Nothing is read before the first call.
 */
import type { Clock, Digest, FileHandle, Random } from "@kahn/core";
import { digestHash, digestSizeBytes, FileSystemError, randomHex } from "@kahn/core";
import type { ProcessOwner } from "../process-owner.ts";
import type { PackPorts } from "./pack.ts";
import { Pack } from "./pack.ts";
import type { PackItem, PackRecord } from "./pack-format.ts";
import { headBytes, PACKED_MAX_BYTES, packTimeS, putRecord } from "./pack-format.ts";
import { hashKey } from "./pack-index.ts";
import type { Publisher } from "./publish.ts";

/** A directory that changed less than this before it was listed may change again without a new time. */
const RACY_MS = 50;
/** The same where times seem to be kept in whole seconds. */
const RACY_COARSE_MS = 3000;

/** A pack of this size is sealed and another one begun, so that no owner's life makes one too large to rewrite. */
const PACK_MAX_BYTES = 128 * 1024 * 1024;

/** And a pack of so many blobs, because sorting the index of a million holds everything else up for seconds. */
const PACK_RECORDS_MAX = 65_536;

/** Records of one read may have so many bytes between them, and the read may be so long. */
const GAP_MAX_BYTES = 32 * 1024;
const READ_MAX_BYTES = 4 * 1024 * 1024;

const APPEND_ATTEMPTS_MAX = 3;

/** What a set of packs stands on. */
export interface PackSetPorts extends PackPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly publisher: Publisher;
  readonly directory: string;
  /** This process, written into its pack; left out where nobody asks whether a pack's owner lives. */
  readonly owner: ProcessOwner | undefined;
  /** Whether what was written at this time may have been lost when the machine went down. */
  readonly isDoubtful: (mtimeMs: number) => boolean;
}

/** Where a packed blob is. */
export interface PackedBlob {
  readonly pack: Pack;
  readonly record: PackRecord;
  readonly digest: Digest;
}

/** What reading gave. `gone`: the pack was rewritten since; look again. */
export type PackRead = Uint8Array | "gone" | "corrupt";

interface OwnPack {
  readonly pack: Pack;
  readonly handle: FileHandle;
  readonly ino: number;
}

/** Blobs in packs. */
export class PackSet {
  readonly ports: PackSetPorts;
  #packs: Pack[] = [];
  #own: OwnPack | undefined;
  readonly #raised = new Set<Pack>();
  #listing: { readonly mtimeMs: number; readonly ino: number; readonly isSettled: boolean } | undefined;

  constructor(ports: PackSetPorts) {
    this.ports = ports;
  }

  /** Notes the use of a blob, for `saveTimes` to write down. */
  raiseTime(digest: Digest, timeS: number): "later" | "known" | "missing" {
    const blob = this.find(digest);
    if (blob === undefined) return "missing";
    if (!blob.pack.raiseTime(blob.record.hash, timeS)) return "known";
    this.#raised.add(blob.pack);
    return "later";
  }

  /** Writes the times that were raised. */
  saveTimes(): void {
    for (const pack of this.#raised) if (this.#packs.includes(pack)) this.writeIndex(pack, pack.isSealed);
    this.#raised.clear();
  }

  /** The packs there are now, newest first. */
  packs(): readonly Pack[] {
    this.#refresh();
    return this.#packs;
  }

  /** The same, and whatever their owners have appended meanwhile. */
  grown(): readonly Pack[] {
    this.#refresh();
    this.#catchUp();
    return this.#packs;
  }

  /** This process's open pack. */
  get ownPack(): Pack | undefined {
    return this.#own?.pack;
  }

  /** Where these blobs are, in order; `undefined` for each that is in no pack. Does not look at their bytes. */
  findMany(digests: readonly Digest[]): (PackedBlob | undefined)[] {
    if (!digests.some(mayBePacked)) return digests.map(() => undefined);
    this.#refresh();
    const found = digests.map((digest) => this.#find(digest));
    const isComplete = found.every((blob, index) => blob !== undefined || !mayBePacked(digests[index]!));
    if (isComplete || !this.#catchUp()) return found;
    return found.map((blob, index) => blob ?? this.#find(digests[index]!));
  }

  find(digest: Digest): PackedBlob | undefined {
    return this.findMany([digest])[0];
  }

  /** The sound bytes of a blob; `undefined` when it is in no pack; `corrupt` when no copy of it is sound. */
  read(digest: Digest): Uint8Array | "corrupt" | undefined {
    let wasCorrupt = false;
    // Each turn finds another copy, or a pack that came in place of one that went.
    for (let blob = this.find(digest); blob !== undefined; blob = this.find(digest)) {
      let answer: PackRead = "gone";
      this.readMany([blob], (_, read) => {
        answer = read;
      });
      const read = answer as PackRead;
      if (typeof read !== "string") return read;
      if (read === "corrupt") wasCorrupt = true;
    }
    return wasCorrupt ? "corrupt" : undefined;
  }

  /** Reads many blobs, neighbours at once, and hands each out; its bytes are valid during the call only. */
  readMany(blobs: readonly PackedBlob[], use: (index: number, read: PackRead) => void): void {
    const order = blobs.map((_, index) => index).sort((a, b) => comparePlaces(blobs[a]!, blobs[b]!));
    for (let from = 0; from < order.length; ) {
      const { pack, record: first } = blobs[order[from]!]!;
      let until = from + 1;
      let end = this.#endOf(first);
      for (; until < order.length; until++) {
        const next = blobs[order[until]!]!;
        const nextEnd = this.#endOf(next.record);
        const isNear = next.pack === pack && next.record.offset - end <= GAP_MAX_BYTES;
        if (!isNear || nextEnd - first.offset > READ_MAX_BYTES) break;
        end = Math.max(end, nextEnd);
      }
      const bytes = this.ports.fs.readRange(pack.path, first.offset, end - first.offset);
      if (bytes === undefined) this.#forget(pack);
      for (const index of order.slice(from, until)) {
        use(index, bytes === undefined ? "gone" : this.#extract(blobs[index]!, bytes, first.offset));
      }
      from = until;
    }
  }

  /**
   * Appends blobs, at least one, that the caller has hashed. Every process sees them when this returns.
   *
   * @returns the pack that has them now.
   * @throws FileSystemError; some of them may be stored then.
   */
  append(items: readonly PackItem[]): Pack {
    for (let attempt = 1; ; attempt++) {
      const own = (this.#own ??= this.#open());
      this.#appendTo(own, items);
      // Somebody who took this process for dead, or removed the whole store, may have unlinked the pack.
      const isThere = this.ports.fs.lstat(own.pack.path)?.ino === own.ino;
      if (!isThere) this.#forget(own.pack);
      else if (own.pack.sizeBytes > PACK_MAX_BYTES || own.pack.tailCount > PACK_RECORDS_MAX) this.seal();
      if (isThere || attempt === APPEND_ATTEMPTS_MAX) return own.pack;
    }
  }

  /** Flushes a pack to the device; one that is gone was flushed by whoever rewrote it. */
  async sync(pack: Pack): Promise<void> {
    if (pack === this.#own?.pack) return await this.#own.handle.sync();
    if (this.ports.fs.lstat(pack.path) === undefined) return;
    const handle = this.ports.fs.openAppend(pack.path);
    try {
      await handle.sync();
    } finally {
      handle.close();
    }
  }

  /** Closes this process's pack and gives it an index. A later append opens another one. */
  seal(): void {
    const own = this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    own.handle.close();
    if (this.ports.fs.lstat(own.pack.path)?.ino === own.ino) this.writeIndex(own.pack, true);
  }

  /** Writes an index of what is known of a pack. A refusal costs the next reader a scan. */
  writeIndex(pack: Pack, isSealed: boolean): void {
    try {
      this.ports.publisher.write(pack.indexBytes(isSealed), { path: pack.indexPath, mode: 0o644 });
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
    }
  }

  /** Gives a temporary file, which holds these records, its place among the packs, sealed. */
  adopt(temporary: string, records: readonly PackRecord[], sizeBytes: number): void {
    const pack = new Pack(this.ports, this.ports.directory, this.newName());
    pack.appended(records, sizeBytes);
    try {
      this.ports.publisher.rename(temporary, { path: pack.path });
    } catch (error) {
      this.ports.publisher.discard(temporary);
      throw error;
    }
    this.writeIndex(pack, true);
  }

  /** What is where a blob should be, whatever it is. */
  rawBytes(pack: Pack, record: PackRecord): Uint8Array {
    const dataOffset = record.offset + headBytes(this.ports.hashBytes);
    return this.ports.fs.readRange(pack.path, dataOffset, record.sizeBytes) ?? new Uint8Array();
  }

  /** These packs are no more; what came in their place is read at the next call. */
  forget(packs: readonly Pack[]): void {
    for (const pack of packs) this.#forget(pack);
  }

  /** Forgets all that is known, so that the next call reads it anew. */
  reload(): void {
    this.#packs = this.#own === undefined ? [] : [this.#own.pack];
    this.#listing = undefined;
  }

  /** A name for a new pack that sorts behind all older ones. */
  newName(): string {
    const { clock, random } = this.ports;
    return `${String(Math.floor(clock.nowMs())).padStart(14, "0")}-${randomHex(random, 12)}`;
  }

  /** The first line of a pack. */
  headLine(): Buffer {
    return Buffer.from(`kahn-pack 1 ${this.ports.engine.fn} ${JSON.stringify(this.ports.owner ?? null)}\n`);
  }

  #find(digest: Digest): PackedBlob | undefined {
    if (!mayBePacked(digest)) return undefined;
    const hash = digestHash(digest);
    const key = hashKey(hash);
    const sizeBytes = digestSizeBytes(digest);
    for (const pack of this.#packs) {
      const record = pack.find(hash, key);
      // Another size makes it another digest, which nobody has.
      if (record !== undefined && record.sizeBytes === sizeBytes) return { pack, record, digest };
    }
    return undefined;
  }

  #endOf(record: PackRecord): number {
    return record.offset + headBytes(this.ports.hashBytes) + record.sizeBytes;
  }

  #extract({ pack, record, digest }: PackedBlob, bytes: Uint8Array, bytesOffset: number): PackRead {
    const end = this.#endOf(record) - bytesOffset;
    const data = bytes.subarray(end - record.sizeBytes, end);
    if (this.ports.engine.digest(data) === digest) return data;
    pack.markDead(record);
    return "corrupt";
  }

  #open(): OwnPack {
    const { fs, directory } = this.ports;
    const pack = new Pack(this.ports, directory, this.newName());
    const handle = this.#openHandle(pack.path);
    const ino = fs.lstat(pack.path)?.ino ?? -1;
    this.#packs = [pack, ...this.#packs];
    return { pack, handle, ino };
  }

  #openHandle(path: string): FileHandle {
    const { fs, directory } = this.ports;
    try {
      return fs.openAppend(path);
    } catch (error) {
      if (!(error instanceof FileSystemError) || error.code !== "ENOENT") throw error;
      fs.makeDirectory(directory);
      return fs.openAppend(path);
    }
  }

  #appendTo(own: OwnPack, items: readonly PackItem[]): void {
    const { clock, hashBytes } = this.ports;
    const head = own.pack.sizeBytes === 0 ? this.headLine() : Buffer.alloc(0);
    const timeS = packTimeS(clock.nowMs());
    let length = head.length;
    for (const { bytes } of items) length += headBytes(hashBytes) + bytes.byteLength;
    const buffer = Buffer.allocUnsafe(length);
    buffer.set(head);
    const records: PackRecord[] = [];
    let at = head.length;
    for (const { digest, bytes } of items) {
      const record = { hash: digestHash(digest), offset: at, sizeBytes: bytes.byteLength, timeS };
      records.push(record);
      at = putRecord(buffer, record, bytes);
    }
    let endBytes: number;
    try {
      endBytes = own.handle.append(buffer);
    } catch (error) {
      // What landed may end in the middle of a record: nothing must follow it.
      own.handle.close();
      this.#own = undefined;
      throw error;
    }
    const start = endBytes - length;
    own.pack.appended(
      records.map((record) => ({ ...record, offset: record.offset + start })),
      endBytes,
    );
  }

  /** The pack is no more. */
  #forget(pack: Pack): void {
    this.#packs = this.#packs.filter((each) => each !== pack);
    this.#listing = undefined;
    if (this.#own?.pack !== pack) return;
    this.#own.handle.close();
    this.#own = undefined;
  }

  #catchUp(): boolean {
    let hasNew = false;
    for (const pack of this.#packs) if (pack !== this.#own?.pack && pack.catchUp()) hasNew = true;
    return hasNew;
  }

  #refresh(): void {
    const { fs, directory, clock } = this.ports;
    const stat = fs.lstat(directory);
    const before = this.#listing;
    if (before?.isSettled === true && stat?.mtimeMs === before.mtimeMs && stat.ino === before.ino) return;
    const entries = (stat && fs.readDirectory(directory)) ?? [];
    const names = new Set(entries.filter(({ kind }) => kind === "file").map(({ name }) => name));
    this.#listing = stat && {
      mtimeMs: stat.mtimeMs,
      ino: stat.ino,
      isSettled: clock.nowMs() - stat.mtimeMs > (stat.mtimeMs % 1000 === 0 ? RACY_COARSE_MS : RACY_MS),
    };
    const known = new Map(this.#packs.map((pack) => [pack.name, pack]));
    const packs: Pack[] = [];
    for (const file of names) {
      if (!file.endsWith(".pack")) continue;
      const name = file.slice(0, -".pack".length);
      packs.push(this.#known(known.get(name), names.has(`${name}.idx`)) ?? this.#load(name));
    }
    this.#packs = packs.sort((a, b) => (a.name < b.name ? 1 : -1));
    if (this.#own !== undefined && !names.has(`${this.#own.pack.name}.pack`)) this.#forget(this.#own.pack);
  }

  /** A pack that is known stays, unless there is an index now to be read instead of what was scanned. */
  #known(pack: Pack | undefined, hasIndexFile: boolean): Pack | undefined {
    if (pack !== undefined && !pack.hasIndex && hasIndexFile && pack !== this.#own?.pack) pack.load();
    return pack;
  }

  #load(name: string): Pack {
    const { fs, directory, isDoubtful, clock } = this.ports;
    const pack = new Pack(this.ports, directory, name);
    pack.load();
    const stat = fs.lstat(pack.path);
    if (stat === undefined || !isDoubtful(stat.mtimeMs)) return pack;
    // Once only: its new index names what was hashed now, and its new time is of after the boot.
    pack.distrust();
    this.writeIndex(pack, pack.isSealed);
    try {
      fs.setTimes(pack.path, clock.nowMs(), clock.nowMs());
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
    }
    return pack;
  }
}

/** False for a blob that is too large to be in a pack. */
export function mayBePacked(digest: Digest): boolean {
  return digestSizeBytes(digest) <= PACKED_MAX_BYTES;
}

function comparePlaces(a: PackedBlob, b: PackedBlob): number {
  if (a.pack !== b.pack) return a.pack.name < b.pack.name ? -1 : 1;
  return a.record.offset - b.record.offset;
}
