/**
 * The server that is checked: blobs of the checks' own, names, and the steps that many checks begin with.
 *
 * Invariant: every blob is new, so that no outcome rests on what the server holds already.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { CallPlan, Endpoint, Outcome } from "./endpoint.ts";
import { answerOf, Code, expectStatus } from "./endpoint.ts";
import { demand, fail } from "./expectations.ts";
import type { Features } from "./features.ts";
import { Compressor } from "./features.ts";
import type { DigestMessage, FunctionNumber } from "./hashing.ts";
import { digestWith, functionName, mustBeNamed } from "./hashing.ts";

/** A blob and its digest. */
export interface Blob {
  readonly bytes: Buffer;
  readonly digest: DigestMessage;
  readonly fn: FunctionNumber;
}

/** How a blob is named for ByteStream. */
export interface NameOptions {
  /** Default: as it is. */
  readonly compressor?: "zstd" | "deflate" | "brotli" | undefined;
  /** Default: that of the checks. */
  readonly instance?: string;
  /** Default: a new one. */
  readonly upload?: string;
}

/** How bytes are written. */
export interface WritePlan {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Of the first message; default: 0. */
  readonly offset?: number;
  /** Default: 64 KiB. */
  readonly pieceBytes?: number;
  /** Default: true. */
  readonly finish?: boolean;
}

/** What came of a `Read`. */
export interface ReadOutcome extends Outcome<unknown> {
  readonly bytes: Buffer;
}

const PIECE_BYTES = 64 << 10;
/** Larger ones are written by ByteStream. */
const BATCHED_MAX_BYTES = 256 << 10;

/** A server, its features, and helpful steps. */
export class CheckedServer {
  readonly endpoint: Endpoint;
  readonly instance: string;
  readonly features: Features;
  /** Properties that actions need on this server. */
  readonly platform: readonly { readonly name: string; readonly value: string }[];

  constructor(parts: Pick<CheckedServer, "endpoint" | "instance" | "features" | "platform">) {
    this.endpoint = parts.endpoint;
    this.instance = parts.instance;
    this.features = parts.features;
    this.platform = parts.platform;
  }

  /** Fields of most requests. */
  get scope(): { readonly instanceName: string; readonly digestFunction: FunctionNumber } {
    return { instanceName: this.instance, digestFunction: this.features.fn };
  }

  /** A blob: of a text, of bytes, or of so many random bytes. */
  blob(content: string | Uint8Array | number = 100, fn = this.features.fn): Blob {
    const bytes = typeof content === "number" ? randomBytes(content) : Buffer.from(content as string);
    return { bytes, digest: digestWith(fn, bytes), fn };
  }

  /** Text that is nowhere else. */
  unique(prefix = "conform"): string {
    return `${prefix}-${randomUUID()}`;
  }

  /** The name to read a blob by. */
  readName({ digest, fn }: Pick<Blob, "digest" | "fn">, options: NameOptions = {}): string {
    const { compressor, instance = this.instance } = options;
    const kind = compressor === undefined ? "blobs" : `compressed-blobs/${compressor}`;
    const named = mustBeNamed(fn) ? `${functionName(fn)}/` : "";
    return `${instance === "" ? "" : `${instance}/`}${kind}/${named}${digest.hash}/${digest.sizeBytes}`;
  }

  /** A name to write a blob by. */
  writeName(blob: Pick<Blob, "digest" | "fn">, options: NameOptions = {}): string {
    const { instance = this.instance, upload = randomUUID() } = options;
    const rest = this.readName(blob, { ...options, instance: "" });
    return `${instance === "" ? "" : `${instance}/`}uploads/${upload}/${rest}`;
  }

  /** Stores blobs of one function. @throws CheckSkipped for a caller that may not. */
  async put(...blobs: readonly Blob[]): Promise<void> {
    for (const blob of blobs.filter(({ bytes }) => bytes.length > BATCHED_MAX_BYTES)) {
      const outcome = await this.write({ name: this.writeName(blob), bytes: blob.bytes });
      answerOf(outcome);
    }
    const small = blobs.filter(({ bytes }) => bytes.length <= BATCHED_MAX_BYTES);
    for (let from = 0; from < small.length; from += 4) await this.#putBatch(small.slice(from, from + 4));
  }

  async #putBatch(blobs: readonly Blob[]): Promise<void> {
    const requests = blobs.map(({ digest, bytes }) => ({ digest, data: bytes }));
    const digestFunction = blobs[0]!.fn;
    const outcome = await this.endpoint.call("batchUpdate", { ...this.scope, digestFunction, requests });
    for (const { status } of answerOf(outcome).responses) expectStatus(status, "a stored blob", Code.OK);
  }

  /** Hashes of those that the server has not. */
  async missing(digests: readonly DigestMessage[], fn = this.features.fn): Promise<string[]> {
    const request = { ...this.scope, digestFunction: fn, blobDigests: digests };
    const answer = answerOf(await this.endpoint.call("findMissing", request));
    return answer.missingBlobDigests.map(({ hash }) => hash);
  }

  /** Ends the check unless the server has a blob. */
  async demandStored(blob: Blob, what = "the blob"): Promise<void> {
    const missing = await this.missing([blob.digest], blob.fn);
    demand(missing.length === 0, `${what} is not there afterwards`);
  }

  /** Ends the check if the server has a blob. */
  async demandAbsent(blob: Pick<Blob, "digest" | "fn">, what = "the blob"): Promise<void> {
    const missing = await this.missing([blob.digest], blob.fn);
    demand(missing.length === 1, `${what} is there, though it was never rightly stored`);
  }

  /** Reads by a name. */
  async read(name: string, range: { readonly offset?: number; readonly limit?: number } = {}): Promise<ReadOutcome> {
    const request = { resourceName: name, readOffset: range.offset ?? 0, readLimit: range.limit ?? 0 };
    const outcome = await this.endpoint.call("read", request);
    return { ...outcome, bytes: Buffer.concat(outcome.answers.map(({ data }) => data)) };
  }

  /** Writes by a name, in messages as clients send them: the name is in the first one only. */
  async write(plan: WritePlan, call: CallPlan = {}): Promise<Outcome<{ readonly committedSize: number }>> {
    const { name, bytes, offset = 0, pieceBytes = PIECE_BYTES, finish = true } = plan;
    const stream = this.endpoint.start("write", call);
    let at = 0;
    do {
      const data = bytes.subarray(at, at + pieceBytes);
      const resourceName = at === 0 ? name : "";
      stream.send({
        resourceName,
        data,
        writeOffset: offset + at,
        finishWrite: finish && at + data.length >= bytes.length,
      });
      at += pieceBytes;
    } while (at < bytes.length);
    stream.end();
    return await stream.outcome;
  }

  /** Reads one blob in a batch. */
  async batchRead(blob: Blob, acceptableCompressors: readonly number[] = []) {
    const { digest, fn } = blob;
    const request = { ...this.scope, digestFunction: fn, digests: [digest], acceptableCompressors };
    const [response] = answerOf(await this.endpoint.call("batchRead", request)).responses;
    return response ?? fail("BatchReadBlobs answered nothing for a digest");
  }

  /** Stores one blob in a batch; the status that is its own. */
  async batchUpdate(digest: DigestMessage, data: Uint8Array, compressor: number = Compressor.identity) {
    const request = { ...this.scope, requests: [{ digest, data, compressor }] };
    const [response] = answerOf(await this.endpoint.call("batchUpdate", request)).responses;
    return response?.status ?? { code: 0, message: "" };
  }
}
