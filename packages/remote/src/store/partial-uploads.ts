/**
 * Uploads that broke off and may be gone on with.
 *
 * Owns:      how long they are kept, and how many.
 * Invariant: one that is thrown away, for its age or because there are too many, is aborted; an upload is either here or
 *            in the hands of one call, never both.
 */
import type { Clock, Digest, Timer } from "@kahn/core";

/** What is kept: a writer, or whatever stands before one. */
export interface Resumable {
  abort(): void;
}

/** How uploads are kept. */
export interface PartialUploadOptions {
  readonly clock: Clock;
  /** Default: 10 minutes since the upload broke off. */
  readonly keptMs?: number;
  /** Default: 1,000; the one that broke off first goes. */
  readonly uploadsMax?: number;
}

const KEPT_MS = 10 * 60_000;
const UPLOADS_MAX = 1000;

/** Uploads by the sender's id and the digest. */
export class PartialUploads<Upload extends Resumable> {
  readonly #clock: Clock;
  readonly #keptMs: number;
  readonly #uploadsMax: number;
  readonly #kept = new Map<string, { readonly upload: Upload; readonly untilMs: number }>();
  readonly #active = new Map<string, Upload>();
  #timer: Timer | undefined;

  constructor(options: PartialUploadOptions) {
    this.#clock = options.clock;
    this.#keptMs = options.keptMs ?? KEPT_MS;
    this.#uploadsMax = options.uploadsMax ?? UPLOADS_MAX;
  }

  /** Takes an upload that broke off, to go on with it; `busy` while another call has it; `undefined` when there is none. */
  resume(id: string, digest: Digest): Upload | "busy" | undefined {
    const key = keyOf(id, digest);
    if (this.#active.has(key)) return "busy";
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    this.#active.set(key, kept.upload);
    return kept.upload;
  }

  /** A call has begun an upload. Of two with one name the first one stays known. */
  begin(id: string, digest: Digest, upload: Upload): void {
    const key = keyOf(id, digest);
    if (!this.#active.has(key)) this.#active.set(key, upload);
  }

  /** The call broke off: somebody may go on with the upload. */
  suspend(id: string, digest: Digest, upload: Upload): void {
    const key = keyOf(id, digest);
    if (this.#active.get(key) !== upload) {
      upload.abort();
      return;
    }
    this.#active.delete(key);
    this.#kept.set(key, { upload, untilMs: this.#clock.monotonicMs() + this.#keptMs });
    while (this.#kept.size > this.#uploadsMax) this.#drop(this.#kept.keys().next().value!);
    this.#schedule();
  }

  /** The upload is over, well or not. */
  end(id: string, digest: Digest, upload: Upload): void {
    const key = keyOf(id, digest);
    if (this.#active.get(key) === upload) this.#active.delete(key);
  }

  /** An upload that is going on or has broken off, to be asked how far it is. */
  find(id: string, digest: Digest): Upload | undefined {
    const key = keyOf(id, digest);
    return this.#active.get(key) ?? this.#kept.get(key)?.upload;
  }

  /** Aborts what is kept. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const key of [...this.#kept.keys()]) this.#drop(key);
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    kept?.upload.abort();
  }

  /** One timer, for the one that broke off first. */
  #schedule(): void {
    if (this.#timer !== undefined) return;
    const [first] = this.#kept.values();
    if (first === undefined) return;
    this.#timer = this.#clock.setTimer(Math.max(0, first.untilMs - this.#clock.monotonicMs()), () => {
      this.#timer = undefined;
      const nowMs = this.#clock.monotonicMs();
      for (const [key, { untilMs }] of [...this.#kept]) if (untilMs <= nowMs) this.#drop(key);
      this.#schedule();
    });
  }
}

function keyOf(id: string, digest: Digest): string {
  return `${digest} ${id}`;
}
