/**
 * Uploads that are not finished: kept by name and digest, so that a client that lost its connection can go on.
 *
 * Owns:      the writers of unfinished uploads while nobody uses them, and how long, how many and how many bytes are kept.
 * Invariant: one call at a time writes an upload; one that comes back takes it from its earlier self, which a broken
 *            connection may have left waiting. A writer ends in `commit` or `abort`.
 *
 *   (none) ── begin ──▶ held ── release ──▶ kept ── begin ──▶ held
 *                        └── commit, abort ──▶ (none) ◀── too old, too many ──┘ kept
 */
import type { Clock, Digest, Result, Timer } from "@kahn/core";
import { digestSizeBytes, ok } from "@kahn/core";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import type { UploadName } from "../../names/resource-name.ts";
import type { BlobWriter, ServerBlobs, ServerStoreProblem } from "../../store/server-store.ts";

/** What keeping uploads needs. */
export interface UploadsOptions {
  readonly blobs: ServerBlobs;
  readonly clock: Clock;
  readonly keptMs: number;
  readonly keptMax: number;
  /** They take room in the store. The one that was kept last is kept whatever its size. */
  readonly keptMaxBytes: number;
}

/** One upload, in the hands of one call. */
export class Upload {
  readonly digest: Digest;
  readonly #writer: BlobWriter;
  /** What the call does with the writer right now; the next one waits for it. */
  #work: Promise<unknown> = Promise.resolve();
  #isLost = false;

  constructor(writer: BlobWriter) {
    this.#writer = writer;
    this.digest = writer.digest;
  }

  /** Bytes of the blob that are here. */
  get committedBytes(): number {
    return this.#writer.committedBytes;
  }

  /** True when the blob came by another way meanwhile. */
  get isPresent(): boolean {
    return this.#writer.isPresent;
  }

  /** Bytes that are still to come. */
  get missingBytes(): number {
    return digestSizeBytes(this.digest) - this.committedBytes;
  }

  /** Takes the blob's next bytes if they need only be copied; false, and nothing taken, when `write` has to take them. */
  gather(bytes: Uint8Array): boolean {
    return !this.#isLost && this.#writer.gather?.(bytes) === true;
  }

  /** Takes the blob's next bytes. @throws StatusError ABORTED when another call has taken the upload over. */
  write(bytes: Uint8Array): Promise<Result<void, ServerStoreProblem>> {
    this.#mustHold();
    const written = this.#writer.write(bytes);
    this.#work = written;
    return written;
  }

  /** Verifies and publishes. @throws StatusError ABORTED when another call has taken the upload over. */
  commit(): Promise<Result<void, ServerStoreProblem>> {
    this.#mustHold();
    const committed = this.#writer.commit();
    this.#work = committed;
    return committed;
  }

  /** For `Uploads`: takes the writer away, once it rests. */
  async take(): Promise<BlobWriter> {
    this.#isLost = true;
    await this.#work;
    return this.#writer;
  }

  /** For `Uploads`: true while the upload is this call's. */
  get isHeld(): boolean {
    return !this.#isLost;
  }

  #mustHold(): void {
    if (!this.#isLost) return;
    throw new StatusError(StatusCode.aborted, `another call has taken over the upload of ${this.digest}`);
  }
}

interface KeptPlace {
  readonly kind: "kept";
  readonly writer: BlobWriter;
  readonly untilMs: number;
}

type Place = { readonly kind: "held"; readonly upload: Upload } | KeptPlace;

/** All unfinished uploads. */
export class Uploads {
  readonly #options: UploadsOptions;
  /** Those that are kept in the order of their ends. */
  readonly #places = new Map<string, Place>();
  #kept = 0;
  #keptBytes = 0;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** How many bytes of an upload are here; `undefined` when it is unknown. */
  committedBytes(name: UploadName): number | undefined {
    const place = this.#places.get(keyOf(name));
    if (place === undefined) return undefined;
    return place.kind === "held" ? place.upload.committedBytes : place.writer.committedBytes;
  }

  /**
   * Begins an upload, or goes on with one.
   *
   * @param how `restart` drops what is here.
   * @returns `present` when the blob is there already.
   */
  async begin(name: UploadName, how: "restart" | "continue"): Promise<Result<Upload | "present", ServerStoreProblem>> {
    const key = keyOf(name);
    const old = await this.#takeOver(key);
    if (old !== undefined && how === "continue" && (await this.#isMissing(name.digest))) {
      return ok(this.#hold(key, old));
    }
    old?.abort();
    const created = await this.#options.blobs.create(name.digest);
    if (!created.ok) return created;
    return ok(created.value === "present" ? "present" : this.#hold(key, created.value));
  }

  /** The call is over and the upload is not: keeps it for a while. */
  async release(name: UploadName, upload: Upload): Promise<void> {
    if (!upload.isHeld) return;
    const key = keyOf(name);
    const isPlaced = this.#unplace(key, upload);
    const writer = await upload.take();
    // One that cannot even rest is over.
    const rested = writer.committedBytes === 0 ? undefined : await writer.rest?.();
    if (rested?.ok === false) return;
    // What has not even begun is not worth keeping, a newer one of the same name is better, and the server may be going.
    if (writer.committedBytes === 0 || !isPlaced || this.#isClosed || this.#places.has(key)) {
      writer.abort();
      return;
    }
    this.#kept++;
    this.#keptBytes += writer.committedBytes;
    this.#places.set(key, { kind: "kept", writer, untilMs: this.#options.clock.monotonicMs() + this.#options.keptMs });
    this.#sweep();
  }

  /** The upload is committed, or cannot be: forgets it. `abort` has no effect after `commit`. */
  async drop(name: UploadName, upload: Upload): Promise<void> {
    if (!upload.isHeld) return;
    this.#unplace(keyOf(name), upload);
    (await upload.take()).abort();
  }

  /** Gives up what is kept. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const [key, place] of this.#places) {
      if (place.kind !== "kept") continue;
      this.#forget(key, place).abort();
    }
  }

  #hold(key: string, writer: BlobWriter): Upload {
    const upload = new Upload(writer);
    this.#places.set(key, { kind: "held", upload });
    return upload;
  }

  /** @returns false when another upload has its place. */
  #unplace(key: string, upload: Upload): boolean {
    const place = this.#places.get(key);
    if (place?.kind !== "held" || place.upload !== upload) return false;
    return this.#places.delete(key);
  }

  async #isMissing(digest: Digest): Promise<boolean> {
    const missing = await this.#options.blobs.findMissing([digest]);
    return !missing.ok || missing.value.length > 0;
  }

  async #takeOver(key: string): Promise<BlobWriter | undefined> {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    if (place.kind === "kept") return this.#forget(key, place);
    this.#places.delete(key);
    return await place.upload.take();
  }

  /** One that was kept is so no more. */
  #forget(key: string, { writer }: KeptPlace): BlobWriter {
    this.#places.delete(key);
    this.#kept--;
    this.#keptBytes -= writer.committedBytes;
    return writer;
  }

  /** Drops what is too old or too much, and comes back when the next one is too old. */
  #sweep(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#timer?.cancel();
    this.#timer = undefined;
    let tooMany = this.#places.size - this.#options.keptMax;
    for (const [key, place] of this.#places) {
      if (place.kind === "held") continue;
      const isTooMuch = tooMany > 0 || (this.#keptBytes > this.#options.keptMaxBytes && this.#kept > 1);
      if (place.untilMs > nowMs && !isTooMuch) {
        this.#timer = this.#options.clock.setTimer(place.untilMs - nowMs, () => this.#sweep());
        return;
      }
      tooMany--;
      this.#forget(key, place).abort();
    }
  }
}

/** Compressed or not, the bytes that are kept are the blob's; but offsets of one kind mean nothing in the other. */
function keyOf({ instance, upload, compressor, digest }: UploadName): string {
  return `${instance}\0${upload}\0${compressor}\0${digest}`;
}
