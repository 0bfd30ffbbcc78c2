/**
 * Many small blobs in few calls: FindMissingBlobs, BatchUpdateBlobs, BatchReadBlobs.
 *
 * Owns:      the cutting of lists into calls that the server takes.
 * Invariant: an answer for each blob; one that the server forgot to answer for counts as not sent, or missing.
 */
import type { Digest, Result } from "@kahn/core";
import { digestHash, digestSizeBytes, err, ok } from "@kahn/core";
import type { Status } from "../../grpc/index.ts";
import { methodOf, StatusCode } from "../../grpc/index.ts";
import { digestFunctionNumber } from "../../names/digest-function.ts";
import { digestMessage, messageDigest } from "../../names/request-digest.ts";
import {
  BatchUpdateBlobsRequest,
  CompressorValue,
  ContentAddressableStorageMethods,
} from "../../proto/generated/remote-execution.ts";
import type { Zstd } from "../../store/zstd.ts";
import { eachOf } from "../calls/lanes.ts";
import type { RemoteServer } from "../calls/remote-server.ts";

const FIND_MISSING = methodOf("unary", ContentAddressableStorageMethods.findMissingBlobs);
const BATCH_READ = methodOf("unary", ContentAddressableStorageMethods.batchReadBlobs);
const BATCH_UPDATE = {
  ...methodOf("unary", ContentAddressableStorageMethods.batchUpdateBlobs),
  request: { encode: BatchUpdateBlobsRequest.encodeParts, decode: BatchUpdateBlobsRequest.decode },
};

/** Digests of one FindMissingBlobs: about 600 KiB. */
const FIND_MAX = 8000;
/** What a blob's digest, status and framing take in a message, at most. */
export const BLOB_OVERHEAD_BYTES = 200;
/** Blobs below this are not worth compressing one by one. */
const COMPRESS_MIN_BYTES = 1024;

/** A blob in memory. */
export interface BlobBytes {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** The digests that the server does not have; each once. */
export async function findMissing(server: RemoteServer, digests: readonly Digest[]): Promise<Result<Digest[], Status>> {
  // Every server has the empty blob.
  const asked = [...new Set(digests)].filter((digest) => digestSizeBytes(digest) > 0);
  const calls: Digest[][] = [];
  for (let at = 0; at < asked.length; at += FIND_MAX) calls.push(asked.slice(at, at + FIND_MAX));
  const answers = await eachOf(calls, 4, (call) =>
    server.unary(FIND_MISSING, {
      instanceName: server.instance,
      blobDigests: call.map(digestMessage),
      digestFunction: digestFunctionNumber(server.digestFunction),
    }),
  );
  const byHash = new Map(asked.map((digest) => [digestHash(digest), digest]));
  const missing: Digest[] = [];
  for (const answer of answers) {
    if (!answer.ok) return answer;
    for (const { hash } of answer.value.missingBlobDigests) {
      const digest = byHash.get(hash);
      if (digest !== undefined) missing.push(digest);
    }
  }
  return ok(missing);
}

/** Cuts a list into batches of at most this many bytes each; a larger item is a batch of its own. */
export function inBatches<Item>(items: readonly Item[], sizeOf: (item: Item) => number, maxBytes: number): Item[][] {
  const batches: Item[][] = [];
  let batchBytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const sizeBytes = sizeOf(item) + BLOB_OVERHEAD_BYTES;
    if (batchBytes + sizeBytes > maxBytes) {
      batches.push([]);
      batchBytes = 0;
    }
    batches.at(-1)!.push(item);
    batchBytes += sizeBytes;
  }
  return batches;
}

/** Sends blobs in one call. @returns a status for each blob, in order, or that of the call. */
export async function batchUpdate(
  server: RemoteServer,
  blobs: readonly BlobBytes[],
  zstd: Zstd | undefined,
): Promise<Result<Status[], Status>> {
  const requests = await Promise.all(blobs.map((blob) => updateRequest(blob, zstd)));
  const { instance: instanceName, digestFunction } = server;
  const fn = digestFunctionNumber(digestFunction);
  const request = { instanceName, requests, digestFunction: fn };
  const answer = await server.unary(BATCH_UPDATE, request, server.deadlines.batchMs);
  if (!answer.ok) return answer;
  const statuses = new Map<string, Status>();
  for (const { digest, status } of answer.value.responses) {
    const { code = 0, message = "" } = status ?? {};
    if (digest !== undefined) statuses.set(digest.hash, { code: code as StatusCode, message });
  }
  const unanswered: Status = { code: StatusCode.internal, message: "the server answered for other blobs" };
  return ok(blobs.map(({ digest }) => statuses.get(digestHash(digest)) ?? unanswered));
}

async function updateRequest({ digest, bytes }: BlobBytes, zstd: Zstd | undefined) {
  const plain = { digest: digestMessage(digest), data: bytes };
  if (zstd === undefined || bytes.byteLength < COMPRESS_MIN_BYTES) return plain;
  const data = await zstd.compress(bytes);
  return data.byteLength < bytes.byteLength ? { ...plain, data, compressor: CompressorValue.ZSTD } : plain;
}

/** One blob of a batch that was read. The bytes are not verified. */
export type BatchedBlob = Result<Uint8Array, Pick<Status, "code" | "message">>;

/** Reads blobs in one call. @returns an answer for each digest, in order, or the status of the call. */
export async function batchRead(
  server: RemoteServer,
  digests: readonly Digest[],
  zstd: Zstd | undefined,
): Promise<Result<BatchedBlob[], Status>> {
  const answer = await server.unary(
    BATCH_READ,
    {
      instanceName: server.instance,
      digests: digests.map(digestMessage),
      acceptableCompressors: zstd === undefined ? [] : [CompressorValue.IDENTITY, CompressorValue.ZSTD],
      digestFunction: digestFunctionNumber(server.digestFunction),
    },
    server.deadlines.batchMs,
  );
  if (!answer.ok) return answer;
  const blobs = new Map<Digest, BatchedBlob>();
  for (const { digest: message, data, status, compressor } of answer.value.responses) {
    const digest = messageDigest(message, server.digestFunction);
    if (!digest.ok) continue;
    const { code = 0, message: why = "" } = status ?? {};
    if (code !== StatusCode.ok) blobs.set(digest.value, err({ code: code as StatusCode, message: why }));
    else blobs.set(digest.value, unpacked(data, { digest: digest.value, compressor, zstd }));
  }
  const forgotten: BatchedBlob = err({ code: StatusCode.notFound, message: "the server did not answer for it" });
  return ok(digests.map((digest) => blobs.get(digest) ?? forgotten));
}

function unpacked(
  data: Uint8Array,
  {
    digest,
    compressor,
    zstd,
  }: { readonly digest: Digest; readonly compressor: number; readonly zstd: Zstd | undefined },
): BatchedBlob {
  if (compressor === CompressorValue.IDENTITY) return ok(data);
  const bytes = compressor === CompressorValue.ZSTD ? zstd?.decompress(data, digestSizeBytes(digest)) : undefined;
  return bytes === undefined ? err({ code: StatusCode.dataLoss, message: "it cannot be decompressed" }) : ok(bytes);
}
