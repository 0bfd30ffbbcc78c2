/**
 * The blobs of a REAPI server as a `BlobStore`.
 *
 * Owns:      the choice between batches and streams, and going on with streams where batches are refused.
 * Invariant: nothing is given out that was not hashed; a blob that is not what its digest says is `corrupt`, and its
 *            file is removed. What is sent, the server verifies.
 * Never:     asks before it sends (`findMissing` is the caller's to call first), or keeps a blob.
 */
import type {
  BlobStore,
  Digest,
  FileSystem,
  IngestRequest,
  MaterializeOutcome,
  MaterializeRequest,
  Result,
  StoreProblem,
} from "@kahn/core";
import { digestSizeBytes, err, FileSystemError, ok, problem } from "@kahn/core";
import type { Status } from "../../grpc/index.ts";
import { StatusCode } from "../../grpc/index.ts";
import { isTransient, remoteProblem, sendingProblem } from "../calls/call-trouble.ts";
import { eachOf } from "../calls/lanes.ts";
import type { RemoteServer } from "../calls/remote-server.ts";
import type { ServerFeatures } from "../calls/server-features.ts";
import type { BatchedBlob, BlobBytes } from "./blob-batches.ts";
import { batchRead, batchUpdate, findMissing, inBatches } from "./blob-batches.ts";
import type { BlobSource } from "./blob-ends.ts";
import { fileSink, fileSource, hasDigest, memorySink, memorySource } from "./blob-ends.ts";
import { readBlob, writeBlob } from "./blob-streams.ts";

/** Batches of one request that are under way at once: their blobs are in memory. */
const BATCHES_AT_ONCE = 4;
const STREAMS_AT_ONCE = 8;
/** Batches that nothing on the way takes for too long. */
const SMALL_BATCH_BYTES = 256 << 10;

/** A blob to be sent, which may be opened more than once. */
export interface BlobUpload {
  readonly digest: Digest;
  readonly open: () => BlobSource | undefined;
  /** For messages. */
  readonly from: string;
}

/** Thrown inside, and caught at the border of this file: the answer of the whole request. */
class Refused extends Error {
  readonly problem: StoreProblem;
  constructor(problem: StoreProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** Blobs of a server. `fs` holds the files that are sent and made. */
export function remoteBlobs(server: RemoteServer, fs: FileSystem): BlobStore {
  const transfers = new Transfers(server, fs);
  return {
    findMissing: (digests) => guarded(() => transfers.findMissing(digests)),
    read: (digest) => guarded(() => transfers.read(digest)),
    write: async (digest, bytes) => {
      if (!(await hasDigest(bytes, digest))) {
        return err(problem("blob-mismatch", `bytes that were to be stored as ${digest} are not that`));
      }
      return guarded(() => transfers.send([{ digest, open: () => memorySource(bytes), from: digest }]));
    },
    ingest: (requests) => guarded(() => transfers.ingest(requests)),
    materialize: (requests) => guarded(() => transfers.materialize(requests)),
  };
}

/** Uploads for those who have more than files to send. */
export class RemoteUploads {
  readonly #transfers: Transfers;

  constructor(server: RemoteServer, fs: FileSystem) {
    this.#transfers = new Transfers(server, fs);
  }

  /** Sends what the server lacks. @param action that needs it. @returns what kept it from that. */
  async sendMissing(uploads: readonly BlobUpload[], action: Digest): Promise<StoreProblem | undefined> {
    const transfers = this.#transfers.about(action);
    const sent = await guarded(async () => {
      const missing = new Set(await transfers.findMissing(uploads.map(({ digest }) => digest)));
      await transfers.send(uploads.filter(({ digest }) => missing.has(digest)));
    });
    return sent.ok ? undefined : sent.problem;
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<Result<T, StoreProblem>> {
  try {
    return ok(await work());
  } catch (error) {
    if (error instanceof Refused) return err(error.problem);
    if (error instanceof FileSystemError) return err(problem("store-io", error.message, { next: "Check the disk." }));
    throw error;
  }
}

/** What a server turned out to take, beside what it says. */
interface Learned {
  batchMaxBytes: number;
  /** Cleared once the server says that it has no batches. */
  hasBatches: boolean;
}

class Transfers {
  readonly #server: RemoteServer;
  readonly #fs: FileSystem;
  readonly #learned: Learned;

  constructor(server: RemoteServer, fs: FileSystem, learned?: Learned) {
    this.#server = server;
    this.#fs = fs;
    this.#learned = learned ?? { batchMaxBytes: Number.POSITIVE_INFINITY, hasBatches: true };
  }

  /** The same for blobs of an action. */
  about(action: Digest): Transfers {
    return new Transfers(this.#server.about(action), this.#fs, this.#learned);
  }

  async findMissing(digests: readonly Digest[]): Promise<Digest[]> {
    await this.#features();
    return this.#value(await findMissing(this.#server, digests));
  }

  async read(digest: Digest): Promise<Uint8Array | undefined> {
    const features = await this.#features();
    if (digestSizeBytes(digest) === 0) return new Uint8Array();
    const batched = this.#learned.hasBatches && digestSizeBytes(digest) <= features.batchMaxBytes;
    const found = batched ? await this.#batchRead([digest], features) : undefined;
    const [first] = found ?? [];
    if (first !== undefined) return first.ok && (await hasDigest(first.value, digest)) ? first.value : undefined;
    const sink = await memorySink(digest);
    const zstd = await this.#server.zstd(features);
    const outcome = this.#value(await readBlob(this.#server, { digest, sink, zstd }));
    return outcome === "done" ? sink.bytes() : undefined;
  }

  async ingest(requests: readonly IngestRequest[]): Promise<Digest[]> {
    const digests = requests.map(({ expected }) => expected);
    const unknown = requests.flatMap(({ path, expected }, index) => (expected === undefined ? [{ path, index }] : []));
    const hashed = this.#fs.hashMany(unknown.map(({ path }) => path));
    for (const [at, { path, index }] of unknown.entries()) {
      const outcome = hashed[at]!;
      if (outcome.kind !== "file") throw new Refused(problem("store-io", `${path} cannot be read (${outcome.kind})`));
      digests[index] = outcome.digest;
    }
    const uploads = new Map<Digest, BlobUpload>();
    for (const [index, { path }] of requests.entries()) {
      const digest = digests[index]!;
      uploads.set(digest, { digest, open: () => fileSource(this.#fs, path), from: path });
    }
    await this.send([...uploads.values()]);
    return digests as Digest[];
  }

  /** Sends blobs that the server is thought to lack. */
  async send(uploads: readonly BlobUpload[]): Promise<void> {
    const features = await this.#features();
    const wanted = uploads.filter(({ digest }) => digestSizeBytes(digest) > 0);
    const tooLarge = wanted.find(({ digest }) => digestSizeBytes(digest) > features.blobMaxBytes);
    if (tooLarge !== undefined) throw new Refused(this.#tooLarge(tooLarge, features));
    const { small, large } = this.#sorted(wanted, features, ({ digest }) => digest);
    const batches = inBatches(small, ({ digest }) => digestSizeBytes(digest), features.batchMaxBytes);
    const left = await eachOf(batches, BATCHES_AT_ONCE, (batch) => this.#sendBatch(batch, features));
    const zstd = await this.#server.zstd(features);
    await eachOf([...large, ...left.flat()], STREAMS_AT_ONCE, async (upload) => {
      const source = this.#open(upload);
      try {
        const sent = await writeBlob(this.#server, { digest: upload.digest, source, zstd });
        if (!sent.ok) throw new Refused(sendingProblem(this.#server, sent.problem));
      } finally {
        source.close();
      }
    });
  }

  async materialize(requests: readonly MaterializeRequest[]): Promise<MaterializeOutcome[]> {
    const features = await this.#features();
    const outcomes = new Map<MaterializeRequest, MaterializeOutcome>();
    const { small, large } = this.#sorted(requests, features, ({ digest }) => digest);
    const batches = inBatches(small, ({ digest }) => digestSizeBytes(digest), features.batchMaxBytes);
    const left = await eachOf(batches, BATCHES_AT_ONCE, (batch) => this.#readBatch(batch, features, outcomes));
    const zstd = await this.#server.zstd(features);
    await eachOf([...large, ...left.flat()], STREAMS_AT_ONCE, async (request) => {
      const sink = await fileSink(this.#fs, request.path, request.digest);
      const outcome = this.#value(await readBlob(this.#server, { digest: request.digest, sink, zstd }));
      if (outcome === "done" && request.executable) this.#fs.chmod(request.path, 0o755);
      outcomes.set(request, outcome);
    });
    return requests.map((request) => outcomes.get(request)!);
  }

  /** Sends a batch. @returns those that have to be streamed instead. */
  async #sendBatch(batch: readonly BlobUpload[], features: ServerFeatures): Promise<readonly BlobUpload[]> {
    if (!this.#learned.hasBatches) return batch;
    const blobs: BlobBytes[] = [];
    for (const upload of batch) {
      const source = this.#open(upload);
      const bytes = await source.read(0, digestSizeBytes(upload.digest));
      source.close();
      blobs.push({ digest: upload.digest, bytes });
    }
    const zstd = features.hasBatchZstd ? await this.#server.zstd(features) : undefined;
    const sent = await batchUpdate(this.#server, blobs, zstd);
    if (!sent.ok) {
      const { code } = sent.problem;
      if (code === StatusCode.permissionDenied || code === StatusCode.unauthenticated) {
        throw new Refused(sendingProblem(this.#server, sent.problem));
      }
      this.#giveUpBatches(
        sent.problem,
        blobs.map(({ digest }) => digest),
      );
      return batch;
    }
    const left: BlobUpload[] = [];
    for (const [index, status] of sent.value.entries()) {
      if (status.code === StatusCode.ok || status.code === StatusCode.alreadyExists) continue;
      if (!isTransient(status)) throw new Refused(sendingProblem(this.#server, status));
      left.push(batch[index]!);
    }
    return left;
  }

  /** Makes the files of a batch. @returns those that have to be streamed instead. */
  async #readBatch(
    batch: readonly MaterializeRequest[],
    features: ServerFeatures,
    outcomes: Map<MaterializeRequest, MaterializeOutcome>,
  ): Promise<readonly MaterializeRequest[]> {
    const distinct = [...new Set(batch.map(({ digest }) => digest))].filter((digest) => digestSizeBytes(digest) > 0);
    const answers = distinct.length === 0 ? [] : await this.#batchRead(distinct, features);
    if (answers === undefined) return batch;
    const found = new Map(distinct.map((digest, index) => [digest, answers[index]!]));
    const left: MaterializeRequest[] = [];
    for (const request of batch) {
      const blob: BatchedBlob = found.get(request.digest) ?? ok(new Uint8Array());
      if (blob.ok) outcomes.set(request, await this.#writeFile(request, blob.value));
      else if (blob.problem.code === StatusCode.notFound) outcomes.set(request, "missing");
      else left.push(request);
    }
    return left;
  }

  async #writeFile({ digest, path, executable }: MaterializeRequest, bytes: Uint8Array): Promise<MaterializeOutcome> {
    if (!(await hasDigest(bytes, digest))) return "corrupt";
    this.#fs.remove(path);
    this.#fs.writeFile(path, bytes, { mode: executable ? 0o755 : 0o644 });
    return "done";
  }

  /** `undefined`: not in batches. */
  async #batchRead(digests: readonly Digest[], features: ServerFeatures): Promise<BatchedBlob[] | undefined> {
    if (!this.#learned.hasBatches) return undefined;
    const read = await batchRead(this.#server, digests, await this.#server.zstd(features));
    if (read.ok) return read.value;
    this.#giveUpBatches(read.problem, digests);
    return undefined;
  }

  /** A call with many blobs was refused: by a server without batches for good, else this once. */
  #giveUpBatches(status: Status, digests: readonly Digest[]): void {
    const sizeBytes = digests.reduce((sum, digest) => sum + digestSizeBytes(digest), 0);
    switch (status.code) {
      case StatusCode.unimplemented:
        this.#learned.hasBatches = false;
        return;
      case StatusCode.resourceExhausted:
      case StatusCode.invalidArgument:
      case StatusCode.outOfRange:
        // Too much for one call, whatever the server had said.
        return;
      case StatusCode.unavailable:
      case StatusCode.unknown:
      case StatusCode.internal:
        // Something on the way may cut long answers: streams go on where they were cut. Not so when nobody is there.
        if (status.unprocessed !== true && sizeBytes > SMALL_BATCH_BYTES) {
          this.#learned.batchMaxBytes = SMALL_BATCH_BYTES;
          return;
        }
        throw new Refused(remoteProblem(this.#server, status));
      default:
        throw new Refused(remoteProblem(this.#server, status));
    }
  }

  #sorted<Item>(items: readonly Item[], { batchMaxBytes }: ServerFeatures, digestOf: (item: Item) => Digest) {
    const small: Item[] = [];
    const large: Item[] = [];
    for (const item of items) {
      const sizeBytes = digestSizeBytes(digestOf(item));
      const fits = sizeBytes === 0 || (this.#learned.hasBatches && sizeBytes <= batchMaxBytes);
      (fits ? small : large).push(item);
    }
    return { small, large };
  }

  #open(upload: BlobUpload): BlobSource {
    const source = upload.open();
    if (source === undefined) throw new Refused(problem("store-io", `${upload.from} is gone`));
    return source;
  }

  #tooLarge({ digest }: BlobUpload, { blobMaxBytes }: ServerFeatures): StoreProblem {
    // Not `from`: it may be the name of a link that is gone when somebody reads this.
    const message = `${digest}: ${digestSizeBytes(digest)} bytes are more than ${this.#server.name} takes (${blobMaxBytes})`;
    return problem("blob-too-large", message, { next: "Leave it out of the task's outputs, or raise its limit." });
  }

  async #features(): Promise<ServerFeatures> {
    const features = this.#value(await this.#server.features());
    return { ...features, batchMaxBytes: Math.min(features.batchMaxBytes, this.#learned.batchMaxBytes) };
  }

  #value<T>(answer: Result<T, Status>): T {
    if (answer.ok) return answer.value;
    throw new Refused(remoteProblem(this.#server, answer.problem));
  }
}
