/** What the parts of one open disk store share. */
import type { Clock, DigestFunction, FileSystem } from "@kahn/core";
import type { Liveness, ProcessOwner } from "../process-owner.ts";
import type { UseLog } from "../use-log.ts";
import type { BlobCheck } from "./blob-check.ts";
import type { BlobPacks } from "./blob-packs.ts";
import type { Engines } from "./engines.ts";
import type { Publisher } from "./publish.ts";
import type { RecordPacks } from "./record-packs.ts";
import { stampMs } from "./stamp.ts";
import type { StoreLayout } from "./store-layout.ts";

/** What a store context is made of. */
export interface StoreParts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly layout: StoreLayout;
  readonly publisher: Publisher;
  readonly check: BlobCheck;
  readonly packs: BlobPacks;
  readonly recordPacks: RecordPacks;
  readonly engines: Engines;
  readonly uses: UseLog;
  /** The function of blobs that are ingested without an expected digest. */
  readonly digestFunction: DigestFunction;
  readonly owner: ProcessOwner;
  readonly livenessOf: Liveness;
}

/** Mode of a blob, and of its executable variant. */
export const BLOB_MODE = 0o444;
export const EXECUTABLE_MODE = 0o555;

/** A file of the store takes whole blocks: what counts against the limit. */
export function storedBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 4096) * 4096;
}

/** Everything that the blob store, the action cache, garbage collection and scrub need of a store. */
export class StoreContext {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly layout: StoreLayout;
  readonly publisher: Publisher;
  readonly check: BlobCheck;
  readonly packs: BlobPacks;
  readonly recordPacks: RecordPacks;
  readonly engines: Engines;
  readonly uses: UseLog;
  readonly digestFunction: DigestFunction;
  readonly owner: ProcessOwner;
  readonly livenessOf: Liveness;

  constructor(parts: StoreParts) {
    this.fs = parts.fs;
    this.clock = parts.clock;
    this.layout = parts.layout;
    this.publisher = parts.publisher;
    this.check = parts.check;
    this.packs = parts.packs;
    this.recordPacks = parts.recordPacks;
    this.engines = parts.engines;
    this.uses = parts.uses;
    this.digestFunction = parts.digestFunction;
    this.owner = parts.owner;
    this.livenessOf = parts.livenessOf;
  }

  /** Publishes verified bytes as a blob. */
  writeBlob(path: string, bytes: Uint8Array): void {
    this.publishBlob((temporary) => this.fs.writeFile(temporary, bytes, { mode: BLOB_MODE }), path, bytes.byteLength);
  }

  /** Publishes what `make` writes, which the caller knows to be the blob's bytes. */
  publishBlob(make: (temporary: string) => void, path: string, sizeBytes: number): void {
    this.uses.writing();
    this.publisher.fill(make, { path, stampMs: stampMs(this.clock.nowMs()) });
    this.uses.wrote(storedBytes(sizeBytes));
  }
}
