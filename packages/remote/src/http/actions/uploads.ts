/**
 * Uploads of GitHub Actions that are under way: what was reserved, and which blocks have come.
 *
 * Invariant: bounded in number, and in the bytes that they keep from being collected: of three quarters of the store each
 *            has at most twice what is left, so that one alone may have half of the store, and many leave room for more.
 *            One that nobody touches is dropped, and so are the pins of its blocks. One key has one upload at a time.
 */
import type { Clock, Digest, Random } from "@kahn/core";
import { digestSizeBytes, randomHex } from "@kahn/core";
import { ByteBudget } from "../../grpc/index.ts";
import type { Pin, ServerStore } from "../../store/server-store.ts";
import type { HttpLimits } from "../exchange/exchange.ts";

/** As many as Azure's protocol allows. */
const BLOCKS_MAX = 50_000;
/** Of the store, what unfinished uploads may pin. */
const PINNED_SHARE = 0.75;

/** An upload. */
export interface ActionsUpload {
  readonly id: string;
  /** Whose key it is, and which. */
  readonly key: string;
  /** Blocks by their names in base64. */
  readonly blocks: Map<string, { readonly digest: Digest; readonly pin: Pin }>;
  /** The whole, once it is. */
  whole: { readonly digest: Digest; readonly pin: Pin } | undefined;
  /** Of its blocks, or of the whole. */
  pinnedBytes: number;
  usedMs: number;
}

/** What became of a part: `over` with the upload, `crowded` when there are too many blocks or bytes of unfinished uploads. */
export type PartOutcome = "taken" | "over" | "crowded";

/** What uploads stand on. */
export interface ActionsUploadPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: ServerStore;
  readonly limits: HttpLimits;
}

/** All of them. */
export class ActionsUploads {
  readonly #ports: ActionsUploadPorts;
  /** By id, the one that was used least recently first. */
  readonly #uploads = new Map<string, ActionsUpload>();
  readonly #idByKey = new Map<string, string>();
  readonly #pinned: ByteBudget;

  constructor(ports: ActionsUploadPorts) {
    this.#ports = ports;
    this.#pinned = new ByteBudget(ports.store.status().maxSizeBytes * PINNED_SHARE);
  }

  /** Begins one; `taken` while another of the same key is under way, `crowded` when there are too many. */
  begin(key: string): ActionsUpload | "taken" | "crowded" {
    this.#dropIdle();
    if (this.#idByKey.has(key)) return "taken";
    if (this.#uploads.size >= this.#ports.limits.actionsUploadsMax) return "crowded";
    const id = randomHex(this.#ports.random, 32);
    const usedMs = this.#ports.clock.monotonicMs();
    const upload: ActionsUpload = { id, key, blocks: new Map(), whole: undefined, pinnedBytes: 0, usedMs };
    this.#uploads.set(id, upload);
    this.#idByKey.set(key, id);
    return upload;
  }

  /** Looks one up; it then counts as used. */
  byId(id: string): ActionsUpload | undefined {
    this.#dropIdle();
    const upload = this.#uploads.get(id);
    if (upload === undefined) return undefined;
    upload.usedMs = this.#ports.clock.monotonicMs();
    this.#uploads.delete(id);
    this.#uploads.set(id, upload);
    return upload;
  }

  byKey(key: string): ActionsUpload | undefined {
    const id = this.#idByKey.get(key);
    return id === undefined ? undefined : this.byId(id);
  }

  /** A block has been stored. */
  addBlock(upload: ActionsUpload, name: string, digest: Digest): PartOutcome {
    if (!this.#uploads.has(upload.id)) return "over";
    const old = upload.blocks.get(name);
    if (old === undefined && upload.blocks.size >= BLOCKS_MAX) return "crowded";
    const change = digestSizeBytes(digest) - (old === undefined ? 0 : digestSizeBytes(old.digest));
    if (!this.#mayPin(upload, change)) return "crowded";
    old?.pin.release();
    upload.blocks.set(name, { digest, pin: this.#ports.store.pin([digest]) });
    return "taken";
  }

  /** The whole has been stored: the blocks have done their service. */
  setWhole(upload: ActionsUpload, digest: Digest): PartOutcome {
    if (!this.#uploads.has(upload.id)) return "over";
    if (!this.#mayPin(upload, digestSizeBytes(digest) - upload.pinnedBytes)) return "crowded";
    const pin = this.#ports.store.pin([digest]);
    releaseAll(upload);
    upload.whole = { digest, pin };
    return "taken";
  }

  /** Ends one. No effect when it is over. */
  end(upload: ActionsUpload): void {
    if (!this.#uploads.delete(upload.id)) return;
    this.#idByKey.delete(upload.key);
    this.#pinned.take(-upload.pinnedBytes);
    releaseAll(upload);
  }

  /** Counts bytes that are about to be pinned; false when there is no room for them. */
  #mayPin(upload: ActionsUpload, bytes: number): boolean {
    const { limitBytes, heldBytes } = this.#pinned;
    if (bytes > 0 && upload.pinnedBytes + bytes > 2 * (limitBytes - heldBytes)) return false;
    if (!this.#pinned.take(bytes)) return false;
    upload.pinnedBytes += bytes;
    return true;
  }

  #dropIdle(): void {
    const oldestMs = this.#ports.clock.monotonicMs() - this.#ports.limits.actionsUploadKeptMs;
    for (const upload of this.#uploads.values()) {
      if (upload.usedMs >= oldestMs) return;
      this.end(upload);
    }
  }
}

function releaseAll(upload: ActionsUpload): void {
  for (const { pin } of upload.blocks.values()) pin.release();
  upload.blocks.clear();
  upload.whole?.pin.release();
  upload.whole = undefined;
}
