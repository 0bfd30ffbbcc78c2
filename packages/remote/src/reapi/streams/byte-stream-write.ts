/**
 * ByteStream.Write of blobs, plain and compressed.
 *
 * Owns:      the rules of offsets and names, and the gathering of compressed bytes: clients send messages of 4 bytes and
 *            of 1 MiB. Those of plain blobs are gathered by the store.
 * Invariant: a call ends as soon as the blob is there, whoever brought it. What was received before a connection broke
 *            is kept; what cannot become the blob is not.
 */
import { digestSizeBytes } from "@kahn/core";
import type { MessageReader } from "../../grpc/index.ts";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import type { UploadName } from "../../names/resource-name.ts";
import type { WriteRequest } from "../../proto/generated/bytestream.ts";
import { invalidArgument, stored, storeRefusal, wellFormed } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { zstdOf } from "../requests/service-context.ts";
import type { ZstdDecompressor } from "../wire/zstd-port.ts";
import type { Upload, Uploads } from "./uploads.ts";

/** Compressed bytes that are gathered before they are unpacked. */
const GATHER_BYTES = 256 << 10;
/** Messages from this size on are worth unpacking by themselves. */
const DIRECT_BYTES = 64 << 10;

/** One call. */
export interface BlobWrite {
  readonly context: ServiceContext;
  readonly uploads: Uploads;
  readonly name: UploadName;
  /** As the first message has it. */
  readonly resourceName: string;
  readonly first: WriteRequest;
  readonly rest: MessageReader<WriteRequest>;
}

/** Serves the call. @returns `committed_size`. @throws StatusError */
export async function writeBlob(call: BlobWrite): Promise<number> {
  const { context, uploads, name, first } = call;
  const sizeBytes = digestSizeBytes(name.digest);
  if (sizeBytes > context.store.blobs.maxBlobBytes) {
    throw invalidArgument(`${name.digest} is larger than any blob may be: ${context.store.blobs.maxBlobBytes} bytes`);
  }
  if (first.writeOffset < 0) throw invalidArgument(`write_offset ${first.writeOffset} is negative`);
  if (first.writeOffset > 0) continuable(uploads, name, first.writeOffset);
  // Offset 0 begins anew under the same name: clients that retry without asking for the status do so.
  const begun = stored(await uploads.begin(name, first.writeOffset === 0 ? "restart" : "continue"));
  if (begun === "present") return presentSize(name, sizeBytes);
  return await new BlobWriteRun(call, begun).run();
}

/** @throws StatusError unless an upload can go on at this offset, or need not since the blob is there. */
function continuable(uploads: Uploads, name: UploadName, offset: number): void {
  const committed = uploads.committedBytes(name);
  // Of an unknown upload nothing is committed; `begin` still finds out whether the blob is there.
  if (committed !== undefined && committed !== offset) {
    throw invalidArgument(`write_offset is ${offset}, but ${committed} bytes of this upload are committed`);
  }
}

function presentSize(name: UploadName, sizeBytes: number): number {
  return name.compressor === "identity" ? sizeBytes : -1;
}

class BlobWriteRun {
  readonly #call: BlobWrite;
  readonly #upload: Upload;
  readonly #decompressor: ZstdDecompressor | undefined;
  readonly #startOffset: number;
  /** Compressed bytes. Made when there is something to gather: most uploads are one message. */
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;
  /** Bytes on the wire so far, which offsets count. */
  #receivedBytes = 0;

  constructor(call: BlobWrite, upload: Upload) {
    this.#call = call;
    this.#upload = upload;
    this.#startOffset = call.first.writeOffset;
    const isPlain = call.name.compressor === "identity";
    this.#decompressor = isPlain ? undefined : zstdOf(call.context).decompressor(upload.missingBytes);
  }

  async run(): Promise<number> {
    const { uploads, name } = this.#call;
    try {
      if (this.#upload.committedBytes !== this.#startOffset) {
        throw invalidArgument(`write_offset is ${this.#startOffset}, but nothing of this upload is committed`);
      }
      return await this.#receive();
    } catch (error) {
      if (!(error instanceof StatusError) || !isResumable(error)) await uploads.drop(name, this.#upload);
      throw error;
    } finally {
      this.#decompressor?.close();
      await uploads.release(name, this.#upload);
    }
  }

  async #receive(): Promise<number> {
    const { first, rest } = this.#call;
    try {
      let end = await this.#accept(first);
      while (end === undefined && (await rest.ready())) {
        for (let next = rest.poll(); next !== undefined && end === undefined; next = rest.poll()) {
          const accepted = this.#accept(next);
          // Most messages are only gathered, and of a large blob there are many.
          end = accepted instanceof Promise ? await accepted : accepted;
        }
      }
      return end ?? (await this.#halfClosed());
    } catch (error) {
      // The peer is gone: what it sent is what it can go on from.
      if (error instanceof StatusError && isResumable(error) && this.#upload.isHeld) await this.#flush();
      throw error;
    }
  }

  /** @returns `committed_size` when the call is over. */
  #accept(message: WriteRequest): Promise<number | undefined> | undefined {
    if (!this.#upload.isHeld) return this.#lost();
    const { resourceName, rest } = this.#call;
    const { data, finishWrite, writeOffset } = message;
    if (message.resourceName !== "" && message.resourceName !== resourceName) {
      throw invalidArgument(`resource_name changed from ${resourceName} to ${message.resourceName.slice(0, 200)}`);
    }
    const expected = this.#startOffset + this.#receivedBytes;
    if (writeOffset !== expected) {
      throw invalidArgument(`write_offset is ${writeOffset}, but the next byte is ${expected}`);
    }
    if (this.#decompressor === undefined && this.#upload.missingBytes < data.length) {
      throw invalidArgument(`more bytes than the ${digestSizeBytes(this.#upload.digest)} of the digest were sent`);
    }
    this.#receivedBytes += data.length;
    if (finishWrite || !this.#gather(data)) return this.#take(message);
    rest.giveBack(data);
    return this.#upload.isPresent ? this.#present() : undefined;
  }

  /** Takes a message that cannot just be gathered. */
  async #take({ data, finishWrite }: WriteRequest): Promise<number | undefined> {
    await this.#flush();
    await this.#pass(data);
    this.#call.rest.giveBack(data);
    if (finishWrite) return await this.#finish();
    return this.#upload.isPresent ? await this.#present() : undefined;
  }

  /** Somebody else has brought the blob. */
  async #present(): Promise<number> {
    const { uploads, name } = this.#call;
    await uploads.drop(name, this.#upload);
    return presentSize(name, digestSizeBytes(name.digest));
  }

  /** Takes bytes that need only be copied; false when there is more to do with them. */
  #gather(data: Uint8Array): boolean {
    if (this.#decompressor === undefined) return this.#upload.gather(data);
    if (data.length >= DIRECT_BYTES || this.#gatheredBytes + data.length > GATHER_BYTES) return false;
    this.#gathered ??= Buffer.allocUnsafe(GATHER_BYTES);
    this.#gathered.set(data, this.#gatheredBytes);
    this.#gatheredBytes += data.length;
    return true;
  }

  async #flush(): Promise<void> {
    if (this.#gathered === undefined || this.#gatheredBytes === 0) return;
    const bytes = this.#gathered.subarray(0, this.#gatheredBytes);
    this.#gatheredBytes = 0;
    await this.#pass(bytes);
  }

  /** Unpacks, where that is to be done, and stores. */
  async #pass(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    if (this.#decompressor === undefined) return await this.#store(bytes);
    wellFormed(await this.#decompressor.push(bytes, this.#store));
  }

  readonly #store = async (bytes: Uint8Array): Promise<void> => {
    const written = await this.#upload.write(bytes);
    if (!written.ok) throw storeRefusal(written.problem);
  };

  async #finish(): Promise<number> {
    await this.#flush();
    // What came after somebody else had brought the blob was not taken.
    if (this.#upload.isPresent) return await this.#present();
    if (this.#decompressor !== undefined) wellFormed(this.#decompressor.end());
    const { missingBytes, digest } = this.#upload;
    if (missingBytes > 0) throw invalidArgument(`the upload of ${digest} is finished ${missingBytes} bytes too early`);
    stored(await this.#upload.commit());
    await this.#call.uploads.drop(this.#call.name, this.#upload);
    return this.#startOffset + this.#receivedBytes;
  }

  /** The peer has nothing more to send and did not say so: what is whole is taken, the rest is kept. */
  async #halfClosed(): Promise<number> {
    await this.#flush();
    const { isPresent, missingBytes, committedBytes } = this.#upload;
    return isPresent || missingBytes === 0 ? await this.#finish() : committedBytes;
  }

  /** A newer call of the same name has the upload: well if it has brought the blob. */
  async #lost(): Promise<number> {
    const { context, name } = this.#call;
    const missing = stored(await context.store.blobs.findMissing([name.digest]));
    if (missing.length === 0) return presentSize(name, digestSizeBytes(name.digest));
    throw new StatusError(StatusCode.aborted, `another call has taken over the upload of ${name.digest}`);
  }
}

/** Errors after which what was received is as good as before: the peer left, was slow, or counted wrongly. */
const RESUMABLE: ReadonlySet<StatusCode> = new Set([
  StatusCode.cancelled,
  StatusCode.deadlineExceeded,
  StatusCode.unavailable,
  StatusCode.internal,
]);

function isResumable(error: StatusError): boolean {
  return RESUMABLE.has(error.status.code);
}
