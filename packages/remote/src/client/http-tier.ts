/**
 * A cache of plain HTTP as a tier: `cas/<sha256>` holds blobs, `ac/<sha256>` encoded `ActionResult` messages.
 *
 * Invariant: what comes is hashed before it is given out.
 * Source:    Bazel's HTTP caching protocol; bazel-remote, nginx and others serve it.
 */
import { Readable } from "node:stream";
import type { RemoteTier } from "@kahn/cas";
import type { ActionCache, BlobStore, Digest, FileSystem, MaterializeOutcome, Result, StoreProblem } from "@kahn/core";
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
import type { Status } from "../grpc/index.ts";
import type { BlobSource } from "./blob-ends.ts";
import { type BlobSink, fileSink, fileSource, hasDigest, memorySink, memorySource } from "./blob-ends.ts";
import { remoteProblem } from "./call-trouble.ts";
import type { HttpAnswer, HttpQuestion } from "./http-server.ts";
import { HttpServer, type HttpServerOptions } from "./http-server.ts";
import { eachOf } from "./lanes.ts";
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
    blobs: httpBlobs(server, options.fs),
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
      if (!answer.ok) return err(remoteProblem(server.name, answer.problem));
      if (answer.value === "missing") return ok({ kind: "miss", reason: "no-entry" });
      const result = decodeActionResult(Buffer.concat(parts), digestFunction(action));
      return ok(result.ok ? { kind: "hit", result: result.value } : { kind: "miss", reason: "corrupt-entry" });
    },
    record: async (action, result) => {
      const source = memorySource(encodeActionResult(result));
      return discard(server, await put(server, pathOf(action), () => source));
    },
    forget: async () => ok(undefined),
  };
}

function httpBlobs(server: HttpServer, fs: FileSystem): BlobStore {
  const get = async (digest: Digest, sink: BlobSink & { restart(): Promise<void> }) => {
    const answer = await server.ask({
      method: "GET",
      path: pathOf(digest),
      begin: () => sink.restart(),
      take: (bytes) => sink.write(bytes),
    });
    if (answer.ok && answer.value === "found") return ok(sink.finish() ? ("done" as const) : ("corrupt" as const));
    sink.abort();
    if (!answer.ok) return err(remoteProblem(server.name, answer.problem));
    return ok(answer.value === "missing" ? ("missing" as const) : ("corrupt" as const));
  };
  return {
    findMissing: async (digests) => {
      const asked = [...new Set(digests)].filter((digest) => digestSizeBytes(digest) > 0);
      const answers = await eachOf(asked, AT_ONCE, (digest) => server.ask({ method: "HEAD", path: pathOf(digest) }));
      const refused = answers.find((answer) => !answer.ok);
      if (refused?.ok === false) return err(remoteProblem(server.name, refused.problem));
      return ok(asked.filter((_, index) => (answers[index] as { value?: HttpAnswer }).value === "missing"));
    },
    read: async (digest) => {
      if (digestSizeBytes(digest) === 0) return ok(new Uint8Array());
      const { sink, current } = await restartable(() => memorySink(digest));
      const outcome = await get(digest, sink);
      if (!outcome.ok) return outcome;
      return ok(outcome.value === "done" ? current().bytes() : undefined);
    },
    write: async (digest, bytes) => {
      if (!(await hasDigest(bytes, digest))) {
        return err(problem("blob-mismatch", `bytes that were to be stored as ${digest} are not that`));
      }
      return discard(server, await put(server, pathOf(digest), () => memorySource(bytes)));
    },
    ingest: async (requests) => {
      const hashed = fs.hashMany(requests.flatMap(({ path, expected }) => (expected === undefined ? [path] : [])));
      let at = 0;
      const digests = requests.map(({ expected }) => {
        const outcome = expected === undefined ? hashed[at++] : undefined;
        return outcome?.kind === "file" ? outcome.digest : expected;
      });
      const answers = await eachOf(
        [...requests.keys()],
        AT_ONCE,
        async (index): Promise<Result<void, StoreProblem>> => {
          const digest = digests[index];
          const { path } = requests[index]!;
          const gone = err(problem("store-io", `${path} is gone`));
          if (digest === undefined) return gone;
          if (digestSizeBytes(digest) === 0) return ok(undefined);
          const source = fileSource(fs, path);
          if (source === undefined) return gone;
          try {
            return discard(server, await put(server, pathOf(digest), () => source));
          } finally {
            source.close();
          }
        },
      );
      const refused = answers.find((answer) => !answer.ok);
      return refused?.ok === false ? refused : ok(digests as Digest[]);
    },
    materialize: async (requests) => {
      const answers = await eachOf(
        requests,
        AT_ONCE,
        async (request): Promise<Result<MaterializeOutcome, StoreProblem>> => {
          try {
            const { sink } = await restartable(() => fileSink(fs, request.path, request.digest));
            const outcome =
              digestSizeBytes(request.digest) === 0
                ? ok(sink.finish() ? ("done" as const) : ("corrupt" as const))
                : await get(request.digest, sink);
            if (outcome.ok && outcome.value === "done" && request.executable) fs.chmod(request.path, 0o755);
            return outcome;
          } catch (error) {
            if (error instanceof FileSystemError) return err(problem("store-io", error.message));
            throw error;
          }
        },
      );
      const refused = answers.find((answer) => !answer.ok);
      if (refused?.ok === false) return refused;
      return ok(answers.map((answer) => (answer as { value: MaterializeOutcome }).value));
    },
  };
}

function pathOf(digest: Digest): string {
  return `cas/${digestHash(digest)}`;
}

function put(server: HttpServer, path: string, open: () => BlobSource): Promise<Result<HttpAnswer, Status>> {
  const source = open();
  const question: HttpQuestion = {
    method: "PUT",
    path,
    body: { sizeBytes: source.sizeBytes, open: () => Readable.from(piecesOf(source), { objectMode: false }) },
  };
  return server.ask(question);
}

async function* piecesOf(source: BlobSource): AsyncIterable<Uint8Array> {
  for (let at = 0; at < source.sizeBytes; ) {
    const piece = await source.read(at, PIECE_BYTES);
    if (piece.byteLength === 0) return;
    at += piece.byteLength;
    yield piece;
  }
}

function discard(server: HttpServer, answer: Result<HttpAnswer, Status>): Result<void, StoreProblem> {
  if (!answer.ok) return err(remoteProblem(server.name, answer.problem));
  if (answer.value === "found") return ok(undefined);
  return err(
    problem("store-remote", `${server.name} takes nothing: it answers a PUT with 404`, { next: "Check the address." }),
  );
}

/** A sink that begins anew at each attempt: plain HTTP does not go on where it broke. */
async function restartable<Sink extends BlobSink>(open: () => Promise<Sink>) {
  let inner = await open();
  let isFresh = true;
  const sink: BlobSink & { restart(): Promise<void> } = {
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
