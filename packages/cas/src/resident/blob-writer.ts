/**
 * An upload into a file of its own.
 *
 * Invariant: a name is given to bytes only that have the digest's size and hash. Of several uploads of one blob the
 *            first that is whole wins, and the others end well.
 */
import type { Digest, Result } from "@kahn/core";
import { digestFunction, digestHash, digestSizeBytes, err, ok, problem } from "@kahn/core";
import { StoreFailure } from "../internal/store-problem.ts";
import type { ResidentProblem } from "./resident-problem.ts";
import { residentProblem } from "./resident-problem.ts";
import type { StagingPorts } from "./staged-file.ts";
import { StagedFile } from "./staged-file.ts";

/** An upload. Bytes come in order; what was written before a break can be continued. */
export interface BlobWriter {
  readonly digest: Digest;
  /** Bytes taken so far. */
  readonly committedBytes: number;
  /** Somebody else has stored the blob meanwhile: nothing more need be sent, and `commit` succeeds. */
  readonly isPresent: boolean;
  /**
   * Takes bytes that need only be copied, at once: false, and nothing taken, when `write` has to take them. Not while a
   * `write` is under way.
   */
  gather(bytes: Uint8Array): boolean;
  /** Takes bytes, which the caller may reuse once this resolves. `blob-mismatch` when there are more than the size. */
  write(bytes: Uint8Array): Promise<Result<void, ResidentProblem>>;
  /** Nothing comes for a while: lets go of what others can use meanwhile. Left out where there is nothing of the kind. */
  rest?(): Promise<Result<void, ResidentProblem>>;
  /** Verifies size and hash, makes the blob durable and readable. `blob-mismatch` drops it. */
  commit(): Promise<Result<void, ResidentProblem>>;
  /** Gives up: what was written is removed. No effect after `commit`. */
  abort(): void;
}

/** An upload whose bytes go to a temporary file. */
export class FileUpload implements BlobWriter {
  readonly digest: Digest;
  readonly #ports: StagingPorts;
  readonly #ended: (upload: FileUpload) => void;
  readonly #file: StagedFile;
  readonly #sizeBytes: number;
  #state: "open" | "present" | "dropped" = "open";

  /** @param ended told once, when the upload is over. */
  constructor(digest: Digest, ports: StagingPorts, ended: (upload: FileUpload) => void) {
    this.digest = digest;
    this.#ports = ports;
    this.#ended = ended;
    this.#sizeBytes = digestSizeBytes(digest);
    this.#file = new StagedFile(ports, this.#sizeBytes);
  }

  get committedBytes(): number {
    return this.#file.sizeBytes;
  }

  get isPresent(): boolean {
    return this.#state === "present";
  }

  gather(bytes: Uint8Array): boolean {
    if (this.#state !== "open" || this.committedBytes + bytes.byteLength > this.#sizeBytes) return false;
    return this.#file.gather(bytes);
  }

  async write(bytes: Uint8Array): Promise<Result<void, ResidentProblem>> {
    return await this.#step(async () => {
      const endBytes = this.committedBytes + bytes.byteLength;
      if (endBytes > this.#sizeBytes) throw new StoreFailure(mismatch(this.digest, `${endBytes} bytes and more`));
      await this.#file.write(bytes);
    });
  }

  async rest(): Promise<Result<void, ResidentProblem>> {
    return await this.#step(() => this.#file.rest());
  }

  async commit(): Promise<Result<void, ResidentProblem>> {
    return await this.#step(async () => {
      const hash = await this.#file.finish();
      const found = `${digestFunction(this.digest)}:${hash}/${this.committedBytes}`;
      if (this.isPresent) return;
      if (found !== this.digest) throw new StoreFailure(mismatch(this.digest, found));
      if (!this.#ports.isPresent(this.digest)) await this.#file.publish(this.digest);
      this.supersede();
    });
  }

  abort(): void {
    this.#end("dropped");
  }

  /** The blob is there: this upload is over, and well. */
  supersede(): void {
    this.#end("present");
  }

  async #step(work: () => Promise<void>): Promise<Result<void, ResidentProblem>> {
    if (this.#state === "open") {
      try {
        await work();
      } catch (error) {
        this.abort();
        // One that was superseded while its last piece was refused is well all the same.
        return this.isPresent ? ok(undefined) : err(residentProblem(error));
      }
    }
    return this.#isDropped() ? err(givenUp(this.digest)) : ok(undefined);
  }

  /** Asked again after every wait: somebody may have given it up meanwhile. */
  #isDropped(): boolean {
    return this.#state === "dropped";
  }

  #end(state: "present" | "dropped"): void {
    if (this.#state !== "open") return;
    this.#state = state;
    this.#file.end();
    this.#ended(this);
  }
}

/** Bytes that are others than they were promised to be. */
export function mismatch(digest: Digest | string, found: string) {
  return problem("blob-mismatch" as const, `bytes that were sent as ${digest} are ${found}`, {
    next: "Send them again; if it happens again, the sender's memory, disk or connection is at fault.",
  });
}

function givenUp(digest: Digest) {
  return problem("blob-mismatch" as const, `the upload of ${digestHash(digest)} was given up before it was whole`, {
    next: "Begin it again.",
  });
}
