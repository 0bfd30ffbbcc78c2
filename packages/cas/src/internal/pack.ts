/**
 * One pack as a process knows it: its index, and what was scanned or appended behind it.
 *
 * Invariant: `find` answers with records whose heads were read or written by this process, or that an index names; the
 *            bytes are hashed by whoever reads them, and what turned out corrupt is not found again.
 */
import type { FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import type { PackRecord } from "./pack-format.ts";
import { scanPack } from "./pack-format.ts";
import { hashKey, type PackEntry, PackIndex } from "./pack-index.ts";

/** What reading packs stands on. */
export interface PackPorts {
  readonly fs: FileSystem;
  readonly engine: HashEngine;
  /** Bytes of a hash of the engine's function. */
  readonly hashBytes: number;
}

/** A pack and its blobs. */
export class Pack {
  readonly name: string;
  readonly path: string;
  readonly indexPath: string;
  /** Nobody appends to it any more. */
  isSealed = false;
  /** The index was read, or there is nothing more to read in it. */
  hasIndex = false;
  readonly #ports: PackPorts;
  #index: PackIndex;
  readonly #tail = new Map<string, PackRecord>();
  readonly #dead = new Set<number>();
  #seenBytes = 0;
  #endBytes = 0;

  /** @param name its file's name without `.pack`. */
  constructor(ports: PackPorts, directory: string, name: string) {
    this.#ports = ports;
    this.name = name;
    this.path = `${directory}/${name}.pack`;
    this.indexPath = `${directory}/${name}.idx`;
    this.#index = PackIndex.of([], ports.hashBytes);
  }

  /** Size of the file as far as it is known. */
  get sizeBytes(): number {
    return this.#seenBytes;
  }

  /** How many blobs no index covers yet. */
  get tailCount(): number {
    return this.#tail.size;
  }

  /** Reads the index and scans what it does not cover. */
  load(): void {
    const { fs, hashBytes } = this.#ports;
    const stat = fs.lstat(this.path);
    if (stat === undefined) return;
    const bytes = fs.readFile(this.indexPath);
    const found = bytes && PackIndex.decode(bytes, hashBytes);
    this.hasIndex = bytes !== undefined;
    // A pack that is shorter than its index says was cut by a power loss.
    if (found !== undefined && found.cover.coveredBytes <= stat.sizeBytes) {
      this.#index = found.index;
      this.isSealed = found.cover.isSealed;
      this.#endBytes = found.cover.coveredBytes;
      this.#seenBytes = found.cover.coveredBytes;
      this.#tail.clear();
    }
    this.#scanTo(stat.sizeBytes);
  }

  /** Looks whether the file has grown; true when that brought new blobs. */
  catchUp(): boolean {
    if (this.isSealed) return false;
    const stat = this.#ports.fs.lstat(this.path);
    return stat !== undefined && this.#scanTo(stat.sizeBytes);
  }

  /** Hashes every record, whatever the index says; from then on only sound ones are found. */
  distrust(): void {
    const times = new Map<number, number>();
    for (const { offset, timeS } of this.records()) times.set(offset, timeS);
    this.#index = PackIndex.of([], this.#ports.hashBytes);
    this.#tail.clear();
    this.#endBytes = 0;
    this.#seenBytes = 0;
    const stat = this.#ports.fs.lstat(this.path);
    if (stat !== undefined) this.#scanTo(stat.sizeBytes);
    for (const record of [...this.#tail.values()]) this.raiseTime(record.hash, times.get(record.offset) ?? 0);
  }

  #scanTo(sizeBytes: number): boolean {
    if (sizeBytes === this.#seenBytes) return false;
    const scan = scanPack({ ...this.#ports, path: this.path, fromBytes: this.#endBytes });
    if (scan === undefined) return false;
    for (const record of scan.sound) this.#tail.set(record.hash, record);
    this.#endBytes = scan.endBytes;
    this.#seenBytes = sizeBytes;
    return scan.sound.length > 0;
  }

  /** Knows of records that this process has appended. */
  appended(records: readonly PackRecord[], endBytes: number): void {
    for (const record of records) this.#tail.set(record.hash, record);
    this.#endBytes = endBytes;
    this.#seenBytes = endBytes;
  }

  /** @param key `hashKey(hash)`. */
  find(hash: string, key = hashKey(hash)): PackRecord | undefined {
    const recent = this.#tail.get(hash);
    if (recent !== undefined && !this.#dead.has(recent.offset)) return recent;
    const entry = this.#index.find(hash, key);
    if (entry < 0) return undefined;
    const record = this.#index.record(entry);
    return this.#dead.has(record.offset) ? undefined : record;
  }

  /** The bytes there are not the blob's. */
  markDead(record: PackRecord): void {
    this.#dead.add(record.offset);
  }

  /** Notes a use; true when it is later than what was known. */
  raiseTime(hash: string, timeS: number): boolean {
    const recent = this.#tail.get(hash);
    if (recent !== undefined) {
      if (recent.timeS >= timeS) return false;
      this.#tail.set(hash, { ...recent, timeS });
      return true;
    }
    const entry = this.#index.find(hash, hashKey(hash));
    if (entry < 0 || this.#index.record(entry).timeS >= timeS) return false;
    this.#index.setTime(entry, timeS);
    return true;
  }

  /** Calls for every blob once, with an object that is valid during the call: a million of them leave no garbage. */
  scan(visit: (entry: PackEntry) => void): void {
    const { hashBytes } = this.#ports;
    this.#index.scan((entry) => {
      if (this.#dead.has(entry.offset)) return;
      if (this.#tail.size > 0 && this.#tail.has(hexOf(entry, hashBytes))) return;
      visit(entry);
    });
    for (const { hash, ...place } of this.#tail.values()) {
      if (!this.#dead.has(place.offset)) visit({ bytes: Buffer.from(hash, "hex"), at: 0, ...place });
    }
  }

  /** Every blob once. */
  *records(): Iterable<PackRecord> {
    for (const record of this.#index.records()) {
      if (!this.#dead.has(record.offset) && !this.#tail.has(record.hash)) yield record;
    }
    for (const record of this.#tail.values()) if (!this.#dead.has(record.offset)) yield record;
  }

  /** The bytes of an index of all that is known, and times at least as late as those on disk now. */
  indexBytes(isSealed: boolean): Uint8Array {
    const { fs, hashBytes } = this.#ports;
    const bytes = fs.readFile(this.indexPath);
    const before = bytes && PackIndex.decode(bytes, hashBytes)?.index;
    if (before !== undefined) for (const { hash, timeS } of before.records()) this.raiseTime(hash, timeS);
    this.#index = PackIndex.of(this.records(), hashBytes);
    this.#tail.clear();
    this.isSealed = isSealed;
    this.hasIndex = true;
    return this.#index.encode({ isSealed, coveredBytes: this.#endBytes });
  }

  /** Removes the file, then its index: an index without a pack is swept up, a pack without one is scanned. */
  remove(): void {
    for (const path of [this.path, this.indexPath]) {
      try {
        this.#ports.fs.remove(path);
      } catch (error) {
        // Another user's: it stays, and is a copy of what is elsewhere.
        if (!(error instanceof FileSystemError)) throw error;
      }
    }
  }
}

function hexOf({ bytes, at }: PackEntry, hashBytes: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, hashBytes).toString("hex");
}
