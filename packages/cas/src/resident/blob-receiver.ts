/** An upload of which nobody knows the digest yet: HTTP sends values without one, and some without a size. */
import type { Digest, Result } from "@kahn/core";
import { digestHash, err, makeDigest, ok, problem } from "@kahn/core";
import { StoreFailure } from "../internal/store-problem.ts";
import { mismatch } from "./blob-writer.ts";
import type { ResidentProblem } from "./resident-problem.ts";
import { residentProblem } from "./resident-problem.ts";
import type { StagingPorts } from "./staged-file.ts";
import { StagedFile } from "./staged-file.ts";

/** What a receiver stands on. */
export interface ReceiverPorts extends StagingPorts {
  readonly maxBlobBytes: number;
  readonly packedMaxBytes: number;
  /** Stores a small blob, whose digest has been found out. */
  readonly store: (digest: Digest, bytes: Uint8Array) => Promise<void>;
}

/** Takes bytes in, and tells their digest at the end. */
export class BlobReceiver {
  readonly #ports: ReceiverPorts;
  readonly #file: StagedFile;

  constructor(ports: ReceiverPorts) {
    this.#ports = ports;
    this.#file = new StagedFile(ports, ports.maxBlobBytes);
  }

  /** Takes bytes, which the caller may reuse once this resolves. `blob-too-large` when there are more than is taken. */
  async write(bytes: Uint8Array): Promise<Result<void, ResidentProblem>> {
    try {
      await this.#write(bytes);
      return ok(undefined);
    } catch (error) {
      this.abort();
      return err(residentProblem(error));
    }
  }

  /**
   * Makes the blob durable and readable.
   *
   * @param expectedHash what the sender says it is; `blob-mismatch`, and nothing kept, when it is not.
   */
  async commit(expectedHash?: string): Promise<Result<Digest, ResidentProblem>> {
    try {
      return ok(await this.#commit(expectedHash));
    } catch (error) {
      return err(residentProblem(error));
    } finally {
      this.abort();
    }
  }

  /** Takes all bytes there are, and answers with their digest. @throws FileSystemError, StoreFailure, LimitFailure */
  async take(bytes: Uint8Array): Promise<Digest> {
    try {
      await this.#write(bytes);
      return await this.#commit(undefined);
    } finally {
      this.abort();
    }
  }

  /** Gives up: what was written is removed. No effect after `commit`. */
  abort(): void {
    this.#file.end();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { maxBlobBytes } = this.#ports;
    const endBytes = this.#file.sizeBytes + bytes.byteLength;
    if (endBytes > maxBlobBytes) throw new StoreFailure(tooLarge(`${endBytes} bytes and more`, maxBlobBytes));
    await this.#file.write(bytes);
  }

  async #commit(expectedHash: string | undefined): Promise<Digest> {
    const { engine, packedMaxBytes, isPresent } = this.#ports;
    const { gathered } = this.#file;
    const isSmall = gathered !== undefined && gathered.byteLength <= packedMaxBytes;
    const digest = isSmall
      ? engine.digest(gathered)
      : makeDigest(engine.fn, await this.#file.finish(), this.#file.sizeBytes);
    if (expectedHash !== undefined && digestHash(digest) !== expectedHash) {
      throw new StoreFailure(mismatch(expectedHash, digest));
    }
    if (isSmall) await this.#ports.store(digest, gathered);
    else if (!isPresent(digest)) await this.#file.publish(digest);
    return digest;
  }
}

/** A blob that is too large. */
export function tooLarge(what: string, maxBlobBytes: number) {
  return problem("blob-too-large" as const, `${what} is larger than ${maxBlobBytes} bytes, the most that is taken`, {
    next: "Raise the limit for one blob, or do not cache this one.",
  });
}
