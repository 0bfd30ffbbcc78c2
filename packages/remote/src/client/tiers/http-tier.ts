/**
 * A cache of plain HTTP as a tier: `cas/<sha256>` holds blobs, `ac/<sha256>` encoded `ActionResult` messages.
 *
 * Invariant: what comes is hashed before it is given out.
 * Source:    Bazel's HTTP caching protocol; bazel-remote, nginx and others serve it.
 */
import { Readable } from "node:stream";
import type { RemoteTier } from "@kahn/cas";
import type {
  ActionCache,
  BlobStore,
  Digest,
  FileSystem,
  IngestRequest,
  MaterializeOutcome,
  MaterializeRequest,
  Result,
  StoreProblem,
} from "@kahn/core";
import {
  decodeActionResult,
  digestFunction,
  digestHash,
  digestSizeBytes,
  encodeActionResult,
  err,
  FileSystemError,
  ok,
  problem,
} from "@kahn/core";
import type { BlobSource } from "../blobs/blob-ends.ts";
import { type BlobSink, fileSink, fileSource, hasDigest, memorySink, memorySource } from "../blobs/blob-ends.ts";
import { remoteProblem, sendingProblem } from "../calls/call-trouble.ts";
import { eachOf } from "../calls/lanes.ts";
import type { HttpQuestion } from "./http-server.ts";
import { HttpServer, type HttpServerOptions } from "./http-server.ts";
import type { OpenTier, TierModes } from "./remote-tier.ts";

/** Larger records are none. */
const RECORD_MAX_BYTES = 16 << 20;
const PIECE_BYTES = 256 << 10;
const AT_ONCE = 16;

/** Opens a tier. Connects at the first question. */
export function openHttpTier(options: HttpServerOptions & TierModes & { readonly fs: FileSystem }): OpenTier {
  const server = new HttpServer(options);
  const tier: RemoteTier = {
    name: server.name,
    blobs: new HttpBlobs(server, options.fs),
    actions: httpActions(server),
    read: options.read,
    write: options.write,
  };
  return { tier, close: () => void server.close() };
}

function httpActions(server: HttpServer): ActionCache {
  const pathOf = (action: Digest) => `ac/${digestHash(action)}`;
  return {
    lookup: async (action) => {
      const parts: Buffer[] = [];
      let sizeBytes = 0;
      const answer = await server.ask({
        method: "GET",
        path: pathOf(action),
        begin: async () => {
          parts.length = 0;
          sizeBytes = 0;
        },
        take: (bytes) => {
          sizeBytes += bytes.byteLength;
          parts.push(Buffer.from(bytes));
          return sizeBytes <= RECORD_MAX_BYTES;
        },
      });
      if (!answer.ok) return err(remoteProblem(server, answer.problem));
      if (answer.value === "missing") return ok({ kind: "miss", reason: "no-entry" });
      const result = decodeActionResult(Buffer.concat(parts), digestFunction(action));
      return ok(result.ok ? { kind: "hit", result: result.value } : { kind: "miss", reason: "corrupt-entry" });
    },
    record: (action, result) => put(server, pathOf(action), memorySource(encodeActionResult(result))),
    forget: async () => ok(undefined),
  };
}

/** Blobs below `cas/`. */
class HttpBlobs implements BlobStore {
  readonly #server: HttpServer;
  readonly #fs: FileSystem;

  constructor(server: HttpServer, fs: FileSystem) {
    this.#server = server;
    this.#fs = fs;
  }

  async findMissing(digests: readonly Digest[]): Promise<Result<Digest[], StoreProblem>> {
    const asked = [...new Set(digests)].filter((digest) => digestSizeBytes(digest) > 0);
    const answers = await eachOf(asked, AT_ONCE, (digest) =>
      this.#server.ask({ method: "HEAD", path: pathOf(digest) }),
    );
    const all = allOf(answers);
    if (!all.ok) return err(remoteProblem(this.#server, all.problem));
    return ok(asked.filter((_, index) => all.value[index] === "missing"));
  }

  async read(digest: Digest): Promise<Result<Uint8Array | undefined, StoreProblem>> {
    if (digestSizeBytes(digest) === 0) return ok(new Uint8Array());
    const { sink, current } = await restartable(() => memorySink(digest));
    const outcome = await this.#get(digest, sink);
    if (!outcome.ok) return outcome;
    return ok(outcome.value === "done" ? current().bytes() : undefined);
  }

  async write(digest: Digest, bytes: Uint8Array): Promise<Result<void, StoreProblem>> {
    if (await hasDigest(bytes, digest)) return put(this.#server, pathOf(digest), memorySource(bytes));
    return err(problem("blob-mismatch", `bytes that were to be stored as ${digest} are not that`));
  }

  async ingest(requests: readonly IngestRequest[]): Promise<Result<Digest[], StoreProblem>> {
    const unknown = requests.filter(({ expected }) => expected === undefined).map(({ path }) => path);
    const hashed = new Map(this.#fs.hashMany(unknown).map((outcome, index) => [unknown[index]!, outcome]));
    const answers = await eachOf(requests, AT_ONCE, ({ path, expected }) => {
      const outcome = hashed.get(path);
      return this.#send(path, expected ?? (outcome?.kind === "file" ? outcome.digest : undefined));
    });
    return allOf(answers);
  }

  async materialize(requests: readonly MaterializeRequest[]): Promise<Result<MaterializeOutcome[], StoreProblem>> {
    return allOf(await eachOf(requests, AT_ONCE, (request) => this.#makeFile(request)));
  }

  async #send(path: string, digest: Digest | undefined): Promise<Result<Digest, StoreProblem>> {
    const source = digest === undefined ? undefined : fileSource(this.#fs, path);
    if (digest === undefined || source === undefined) return err(problem("store-io", `${path} is gone`));
    try {
      if (source.sizeBytes === 0) return ok(digest);
      const sent = await put(this.#server, pathOf(digest), source);
      return sent.ok ? ok(digest) : sent;
    } finally {
      source.close();
    }
  }

  async #makeFile({ digest, path, executable }: MaterializeRequest): Promise<Result<MaterializeOutcome, StoreProblem>> {
    try {
      const { sink } = await restartable(() => fileSink(this.#fs, path, digest));
      const isEmpty = digestSizeBytes(digest) === 0;
      const outcome = isEmpty ? finished(sink) : await this.#get(digest, sink);
      if (outcome.ok && outcome.value === "done" && executable) this.#fs.chmod(path, 0o755);
      return outcome;
    } catch (error) {
      if (error instanceof FileSystemError) return err(problem("store-io", error.message));
      throw error;
    }
  }

  async #get(digest: Digest, sink: RestartableSink): Promise<Result<MaterializeOutcome, StoreProblem>> {
    const answer = await this.#server.ask({
      method: "GET",
      path: pathOf(digest),
      begin: () => sink.restart(),
      take: (bytes) => sink.write(bytes),
    });
    if (answer.ok && answer.value === "found") return finished(sink);
    sink.abort();
    if (!answer.ok) return err(remoteProblem(this.#server, answer.problem));
    return ok(answer.value === "missing" ? "missing" : "corrupt");
  }
}

function finished(sink: BlobSink): Result<MaterializeOutcome, never> {
  return ok(sink.finish() ? "done" : "corrupt");
}

/** All values, or the first problem. */
function allOf<T, P>(answers: readonly Result<T, P>[]): Result<T[], P> {
  const values: T[] = [];
  for (const answer of answers) {
    if (!answer.ok) return answer;
    values.push(answer.value);
  }
  return ok(values);
}

function pathOf(digest: Digest): string {
  return `cas/${digestHash(digest)}`;
}

/** Sends bytes; an answer of 404 to a PUT is trouble. */
async function put(server: HttpServer, path: string, source: BlobSource): Promise<Result<void, StoreProblem>> {
  const question: HttpQuestion = {
    method: "PUT",
    path,
    body: { sizeBytes: source.sizeBytes, open: () => Readable.from(piecesOf(source), { objectMode: false }) },
  };
  const answer = await server.ask(question);
  if (!answer.ok) return err(sendingProblem(server, answer.problem));
  if (answer.value === "found") return ok(undefined);
  const message = `${server.name} takes nothing: it answers a PUT with 404`;
  return err(problem("store-remote", message, { next: "Check the address." }));
}

async function* piecesOf(source: BlobSource): AsyncIterable<Uint8Array> {
  for (let at = 0; at < source.sizeBytes; ) {
    const piece = await source.read(at, PIECE_BYTES);
    if (piece.byteLength === 0) return;
    at += piece.byteLength;
    yield piece;
  }
}

interface RestartableSink extends BlobSink {
  restart(): Promise<void>;
}

/** A sink that begins anew at each attempt: plain HTTP does not go on where it broke. */
async function restartable<Sink extends BlobSink>(open: () => Promise<Sink>) {
  let inner = await open();
  let isFresh = true;
  const sink: RestartableSink = {
    get receivedBytes() {
      return inner.receivedBytes;
    },
    restart: async () => {
      if (!isFresh) {
        inner.abort();
        inner = await open();
      }
      isFresh = false;
    },
    write: (bytes) => inner.write(bytes),
    finish: () => inner.finish(),
    abort: () => inner.abort(),
  };
  return { sink, current: () => inner };
}
