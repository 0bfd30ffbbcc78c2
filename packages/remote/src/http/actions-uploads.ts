/**
 * Uploads of GitHub Actions that are under way: what was reserved, and which blocks have come.
 *
 * Invariant: bounded in number; one that nobody touches is dropped, and so are the pins of its blocks. One key has one
 *            upload at a time.
 */
import type { Clock, Digest, Random } from "@kahn/core";
import { randomHex } from "@kahn/core";
import type { Pin, ServerStore } from "../store/server-store.ts";
import type { HttpLimits } from "./exchange.ts";

/** As many as Azure's protocol allows. */
const BLOCKS_MAX = 50_000;

/** An upload. */
export interface ActionsUpload {
  readonly id: string;
  /** Whose key it is, and which. */
  readonly key: string;
  /** Blocks by their names in base64. */
  readonly blocks: Map<string, { readonly digest: Digest; readonly pin: Pin }>;
  /** The whole, once it is. */
  whole: { readonly digest: Digest; readonly pin: Pin } | undefined;
  usedMs: number;
}

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

  constructor(ports: ActionsUploadPorts) {
    this.#ports = ports;
  }

  /** Begins one; `taken` while another of the same key is under way, `crowded` when there are too many. */
  begin(key: string): ActionsUpload | "taken" | "crowded" {
    this.#dropIdle();
    if (this.#idByKey.has(key)) return "taken";
    if (this.#uploads.size >= this.#ports.limits.actionsUploadsMax) return "crowded";
    const id = randomHex(this.#ports.random, 32);
    const usedMs = this.#ports.clock.monotonicMs();
    const upload: ActionsUpload = { id, key, blocks: new Map(), whole: undefined, usedMs };
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

  /** A block has been stored. False when there are too many, or when the upload is over. */
  addBlock(upload: ActionsUpload, name: string, digest: Digest): boolean {
    if (!this.#uploads.has(upload.id)) return false;
    if (upload.blocks.size >= BLOCKS_MAX && !upload.blocks.has(name)) return false;
    upload.blocks.get(name)?.pin.release();
    upload.blocks.set(name, { digest, pin: this.#ports.store.pin([digest]) });
    return true;
  }

  /** The whole has been stored: the blocks have done their service. False when the upload is over. */
  setWhole(upload: ActionsUpload, digest: Digest): boolean {
    if (!this.#uploads.has(upload.id)) return false;
    const pin = this.#ports.store.pin([digest]);
    releaseAll(upload);
    upload.whole = { digest, pin };
    return true;
  }

  /** Ends one. No effect when it is over. */
  end(upload: ActionsUpload): void {
    if (!this.#uploads.delete(upload.id)) return;
    this.#idByKey.delete(upload.key);
    releaseAll(upload);
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
