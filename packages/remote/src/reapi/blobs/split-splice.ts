/**
 * SplitBlob and SpliceBlob: a blob as chunks, so that of a large one only what changed travels.
 *
 * Owns:      the mapping from a blob to its chunks, a blob itself, found by a named entry.
 * Invariant: a mapping is only kept when its chunks, joined, were verified to be the blob. An answer names chunks that
 *            were all there when it was made, and count as used then. A blob is split once at a time, a few blobs at
 *            once, and no longer than somebody waits for it.
 */

import { type HashEngine, loadEngine } from "@kahn/cas";
import type { Digest, Result } from "@kahn/core";
import { digestFunction, digestOf, digestSizeBytes, ok } from "@kahn/core";
import type { Registration } from "../../grpc/index.ts";
import { methodOf, StatusCode, StatusError, serve } from "../../grpc/index.ts";
import { type DigestMessage, digestMessage, messageDigest } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import {
  ChunkingFunctionValue,
  ContentAddressableStorageMethods as Methods,
  type RegisterChunkMappingRequest,
  type SpliceBlobRequest,
  SplitBlobResponse,
} from "../../proto/generated/remote-execution.ts";
import type { BlobReader, BlobWriter, ServerStoreProblem } from "../../store/server-store.ts";
import { blobNotFound, invalidArgument, soundBytes, stored } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { allDigests, oneDigest, permitted, totalBytes } from "../requests/service-context.ts";
import { SharedWork } from "../requests/shared-work.ts";
import { Chunker } from "./fast-cdc.ts";

const NAMESPACE = "chunks";
const READ_BYTES = 1 << 20;
/** Digests of one message, and of one mapping: of 64 GiB in the smallest chunks. */
const PAGE_CHUNKS = 20_000;
const CHUNKS_MAX = 512_000;
/** Blobs that are split at once: it takes the time of the one thread that answers everybody. */
const SPLITS_MAX = 2;

/** The methods that the capabilities announce, and those that only ask for and tell of mappings. */
export function splitSpliceMethods(context: ServiceContext): Registration[] {
  const splits = new SharedWork<Init<SplitBlobResponse>>({
    clock: context.clock,
    atOnceMax: SPLITS_MAX,
    abandonedMs: 0,
  });
  return [
    serve(methodOf("unary", Methods.splitBlob), async (request, call) => {
      permitted(context, call, { what: "cas.read", instance: request.instanceName });
      knownChunking(request.chunkingFunction);
      const digest = oneDigest(context, request.blobDigest, request.digestFunction);
      const kept = await keptChunks(context, digest, request.chunkingFunction);
      if (kept !== undefined) return kept;
      if (stored(await context.store.blobs.findMissing([digest])).length > 0) throw blobNotFound(digest);
      // Splitting writes to the store, in the caller's name.
      permitted(context, call, { what: "cas.write", instance: request.instanceName });
      const { signal } = call;
      return await splits.run(digest, { signal, work: (going) => splitBlob(context, digest, going) });
    }),
    serve(methodOf("server-streaming", Methods.getChunkMapping), async (request, call) => {
      permitted(context, call, { what: "cas.read", instance: request.instanceName });
      knownChunking(request.chunkingFunction);
      const digest = oneDigest(context, request.blobDigest, request.digestFunction);
      const kept = await keptChunks(context, digest, request.chunkingFunction);
      if (kept === undefined) throw new StatusError(StatusCode.notFound, `no chunks of ${digest} are known`);
      const { chunkDigests, chunkingFunction } = kept;
      for (let at = 0; at < chunkDigests.length; at += PAGE_CHUNKS) {
        await call.send({ chunkDigests: chunkDigests.slice(at, at + PAGE_CHUNKS), chunkingFunction });
      }
    }),
    serve(methodOf("unary", Methods.spliceBlob), async (request, call) => {
      permitted(context, call, { what: "cas.write", instance: request.instanceName });
      return { blobDigest: digestMessage(await joinChunks(context, request, call.signal)) };
    }),
    serve(methodOf("client-streaming", Methods.registerChunkMapping), async (requests, call) => {
      let first: RegisterChunkMappingRequest | undefined;
      const chunkDigests: DigestMessage[] = [];
      for await (const request of requests) {
        first ??= request;
        permitted(context, call, { what: "cas.write", instance: first.instanceName });
        if (chunkDigests.length + request.chunkDigests.length > CHUNKS_MAX) {
          throw invalidArgument(`a blob of more than ${CHUNKS_MAX} chunks`);
        }
        // Not spread into one call: there may be more than a call takes.
        for (const each of request.chunkDigests) chunkDigests.push(each);
      }
      if (first === undefined) throw invalidArgument("no mapping was sent");
      return { blobDigest: digestMessage(await joinChunks(context, { ...first, chunkDigests }, call.signal)) };
    }),
  ];
}

/** A mapping as it is kept and answered. */
function mappingOf(chunks: readonly Digest[], chunkingFunction: number): Init<SplitBlobResponse> {
  return { chunkDigests: chunks.map(digestMessage), chunkingFunction };
}

/** UNKNOWN leaves the choice to the server; it must always be taken. */
function knownChunking(chunkingFunction: number): void {
  const known: readonly number[] = [ChunkingFunctionValue.UNKNOWN, ChunkingFunctionValue.FAST_CDC_2020];
  if (!known.includes(chunkingFunction))
    throw invalidArgument(`chunking function ${chunkingFunction} is not served here`);
}

/** The mapping of a blob as kept, when it is of the wanted kind and all its chunks are still there. */
async function keptChunks(
  context: ServiceContext,
  digest: Digest,
  wanted: number,
): Promise<SplitBlobResponse | undefined> {
  const { blobs, entries } = context.store;
  const entry = stored(await entries.get(NAMESPACE, digest));
  const bytes = entry && stored(await blobs.read(entry.digest));
  if (bytes === undefined) return undefined;
  const mapping = SplitBlobResponse.decode(bytes);
  if (wanted !== ChunkingFunctionValue.UNKNOWN && mapping.chunkingFunction !== wanted) return undefined;
  const chunks: Digest[] = [];
  for (const message of mapping.chunkDigests) {
    const chunk = messageDigest(message, digestFunction(digest));
    if (!chunk.ok) return undefined;
    chunks.push(chunk.value);
  }
  // The blob itself, if it is there, counts as used with them.
  const missing = stored(await blobs.findMissing([...chunks, digest]));
  return missing.some((each) => each !== digest) ? undefined : mapping;
}

async function splitBlob(
  context: ServiceContext,
  digest: Digest,
  signal: AbortSignal,
): Promise<Init<SplitBlobResponse>> {
  const reader = stored(await context.store.blobs.open(digest));
  if (reader === undefined) throw blobNotFound(digest);
  try {
    const engine = await loadEngine(digestFunction(digest));
    const chunks: Digest[] = [];
    const chunker = new Chunker();
    for await (const bytes of piecesOf(reader, digest)) {
      stopIfLeft(signal);
      for (const chunk of chunker.push(bytes)) chunks.push(await storeChunk(context, engine, chunk));
    }
    for (const chunk of chunker.end()) chunks.push(await storeChunk(context, engine, chunk));
    const mapping = mappingOf(chunks, ChunkingFunctionValue.FAST_CDC_2020);
    await keepMapping(context, digest, mapping);
    return mapping;
  } finally {
    reader.close();
  }
}

async function* piecesOf(reader: BlobReader, digest: Digest): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < reader.sizeBytes; ) {
    const bytes = soundBytes(await reader.read(offset, READ_BYTES), digest);
    if (bytes.length === 0) return;
    yield bytes;
    offset += bytes.length;
  }
}

/** @throws StatusError CANCELLED */
function stopIfLeft(signal: AbortSignal): void {
  if (signal.aborted) throw new StatusError(StatusCode.cancelled, "nobody waits for it any more");
}

async function storeChunk(context: ServiceContext, engine: HashEngine, chunk: Uint8Array): Promise<Digest> {
  const digest = engine.digest(chunk);
  stored(await context.store.blobs.write(digest, chunk));
  return digest;
}

async function keepMapping(context: ServiceContext, digest: Digest, mapping: Init<SplitBlobResponse>): Promise<void> {
  const bytes = SplitBlobResponse.encode(mapping);
  const kept = digestOf(bytes);
  stored(await context.store.blobs.write(kept, bytes));
  stored(await context.store.entries.put(NAMESPACE, digest, { digest: kept, facts: {} }));
}

/** Makes a blob of its chunks unless it is there; in both cases a mapping is kept that was verified. */
async function joinChunks(
  context: ServiceContext,
  request: Pick<SpliceBlobRequest, "blobDigest" | "chunkDigests" | "digestFunction" | "chunkingFunction">,
  signal: AbortSignal,
): Promise<Digest> {
  const digest = oneDigest(context, request.blobDigest, request.digestFunction);
  const chunks = allDigests(context, request.chunkDigests, request.digestFunction);
  if (chunks.length === 0) throw invalidArgument("a blob is spliced of one chunk or more, none is named");
  if (digestFunction(chunks[0]!) !== digestFunction(digest)) {
    throw invalidArgument("blob and chunks have digests of different functions");
  }
  const chunkBytes = totalBytes(chunks);
  if (chunkBytes !== digestSizeBytes(digest)) {
    throw invalidArgument(`the chunks have ${chunkBytes} bytes, the blob has ${digestSizeBytes(digest)}`);
  }
  const writer = stored(await context.store.blobs.create(digest));
  if (writer === "present") return digest;
  try {
    for (const chunk of chunks) {
      stopIfLeft(signal);
      stored(await appendChunk(context, writer, chunk));
    }
    stored(await writer.commit());
  } catch (error) {
    writer.abort();
    throw error;
  }
  await keepMapping(context, digest, mappingOf(chunks, request.chunkingFunction));
  return digest;
}

async function appendChunk(
  context: ServiceContext,
  writer: BlobWriter,
  chunk: Digest,
): Promise<Result<void, ServerStoreProblem>> {
  const reader = stored(await context.store.blobs.open(chunk));
  if (reader === undefined) throw blobNotFound(chunk);
  try {
    for await (const bytes of piecesOf(reader, chunk)) {
      const written = await writer.write(bytes);
      if (!written.ok) return written;
    }
    return ok(undefined);
  } finally {
    reader.close();
  }
}
