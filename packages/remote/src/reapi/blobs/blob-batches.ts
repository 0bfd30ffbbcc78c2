/**
 * BatchUpdateBlobs, BatchReadBlobs; FindMissingBlobs is beside it.
 *
 * Invariant: each blob of a batch has a status of its own; a bad one spoils no other. What a batch may hold is bounded
 *            before anything is unpacked or read.
 */
import type { Digest, DigestFunction } from "@kahn/core";
import { digestSizeBytes } from "@kahn/core";
import type { Registration } from "../../grpc/index.ts";
import { methodOf, StatusError, serve } from "../../grpc/index.ts";
import { requestFunction } from "../../names/digest-function.ts";
import { digestMessage, messageDigest } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import {
  type BatchReadBlobsRequest,
  BatchReadBlobsResponse,
  type BatchReadBlobsResponseResponse,
  type BatchUpdateBlobsRequest,
  type BatchUpdateBlobsRequestRequest,
  type BatchUpdateBlobsResponse,
  CompressorValue,
  ContentAddressableStorageMethods as Methods,
} from "../../proto/generated/remote-execution.ts";
import type { Status } from "../../proto/generated/status.ts";
import { blobNotFound, invalidArgument, rpcStatus, stored, storeRefusal, wellFormed } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import {
  allDigests,
  isServedCompressor,
  permitted,
  servedDigest,
  totalBytes,
  zstdOf,
} from "../requests/service-context.ts";
import { inParts } from "../wire/message-codecs.ts";
import { findMissingMethod } from "./find-missing.ts";

/** Smaller blobs are not worth packing. */
const PACK_MIN_BYTES = 512;
/** How much more than a batch its blobs may unpack to; beyond it is a bomb and not a build. */
const UNPACKED_RATIO_MAX = 32;

/** The three methods. */
export function blobBatchMethods(context: ServiceContext): Registration[] {
  const read = {
    ...methodOf("unary", Methods.batchReadBlobs),
    response: inParts(BatchReadBlobsResponse),
  };
  return [
    findMissingMethod(context),
    serve(methodOf("unary", Methods.batchUpdateBlobs), (request, call) => {
      permitted(context, call, { what: "cas.write", instance: request.instanceName });
      return updateBlobs(context, request);
    }),
    serve(read, (request, call) => {
      permitted(context, call, { what: "cas.read", instance: request.instanceName });
      return readBlobs(context, request);
    }),
  ];
}

async function updateBlobs(
  context: ServiceContext,
  request: BatchUpdateBlobsRequest,
): Promise<Init<BatchUpdateBlobsResponse>> {
  const { batchMaxBytes } = context.limits;
  let bytes = 0;
  let unpackedBytes = 0;
  for (const { data, digest, compressor } of request.requests) {
    bytes += data.length;
    if (compressor !== CompressorValue.IDENTITY) unpackedBytes += Math.max(0, digest?.sizeBytes ?? 0);
  }
  if (bytes > batchMaxBytes) throw tooMuch("blobs", bytes, batchMaxBytes);
  const unpackedMax = batchMaxBytes * UNPACKED_RATIO_MAX;
  if (unpackedBytes > unpackedMax) throw tooMuch("unpacked blobs", unpackedBytes, unpackedMax);
  const fn = batchFunction(request);
  const update = async (each: BatchUpdateBlobsRequestRequest) => ({
    digest: each.digest,
    status: await statusOf(async () => {
      const digest = servedDigest(context, wellFormed(messageDigest(each.digest, fn)));
      stored(await context.store.blobs.write(digest, await unpacked(context, each, digest)));
    }),
  });
  // Small packed blobs could unpack to much: one at a time. Plain ones are here already.
  if (unpackedBytes === 0) return { responses: await Promise.all(request.requests.map(update)) };
  const responses = [];
  for (const each of request.requests) responses.push(await update(each));
  return { responses };
}

/** The one function of a batch: its hashes may be malformed, so the first that tells decides. */
function batchFunction(request: BatchUpdateBlobsRequest): DigestFunction {
  if (request.digestFunction !== 0) return wellFormed(requestFunction(request.digestFunction, ""));
  for (const { digest } of request.requests) {
    const fn = requestFunction(0, digest?.hash ?? "");
    if (fn.ok) return fn.value;
  }
  return "sha256";
}

async function unpacked(
  context: ServiceContext,
  { data, compressor }: BatchUpdateBlobsRequestRequest,
  digest: Digest,
): Promise<Uint8Array> {
  if (compressor === CompressorValue.IDENTITY) return data;
  if (!isServedCompressor(context, compressor)) throw invalidArgument(`compressor ${compressor} is not served here`);
  const sizeBytes = digestSizeBytes(digest);
  if (sizeBytes > context.store.blobs.maxBlobBytes) throw invalidArgument(`${digest} is larger than any blob may be`);
  const bytes = await zstdOf(context).decompress(data, sizeBytes);
  return wellFormed(bytes);
}

async function readBlobs(
  context: ServiceContext,
  request: BatchReadBlobsRequest,
): Promise<Init<BatchReadBlobsResponse>> {
  const digests = allDigests(context, request.digests, request.digestFunction);
  const { batchMaxBytes } = context.limits;
  const bytes = totalBytes(digests);
  if (bytes > batchMaxBytes) throw tooMuch("blobs", bytes, batchMaxBytes);
  const mayPack = context.zstd !== undefined && request.acceptableCompressors.includes(CompressorValue.ZSTD);
  const answers = new Map<Digest, Promise<Init<BatchReadBlobsResponseResponse>>>();
  const read = (digest: Digest) => {
    let answer = answers.get(digest);
    if (answer === undefined) {
      answer = readBlob(context, digest, mayPack);
      answers.set(digest, answer);
    }
    return answer;
  };
  return { responses: await Promise.all(digests.map(read)) };
}

async function readBlob(
  context: ServiceContext,
  digest: Digest,
  mayPack: boolean,
): Promise<Init<BatchReadBlobsResponseResponse>> {
  const message = digestMessage(digest);
  const bytes = await context.store.blobs.read(digest);
  if (!bytes.ok) return { digest: message, status: rpcStatus(storeRefusal(bytes.problem)) };
  if (bytes.value === undefined) return { digest: message, status: rpcStatus(blobNotFound(digest)) };
  const data = bytes.value;
  if (mayPack && data.length >= PACK_MIN_BYTES) {
    const packed = await zstdOf(context).compress(data);
    if (packed.length < data.length)
      return { digest: message, data: packed, compressor: CompressorValue.ZSTD, status: {} };
  }
  return { digest: message, data, status: {} };
}

/** What became of one blob, as a `google.rpc.Status`. */
async function statusOf(work: () => Promise<void>): Promise<Init<Status>> {
  try {
    await work();
    return {};
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return rpcStatus(error);
  }
}

function tooMuch(what: string, bytes: number, maxBytes: number): StatusError {
  return invalidArgument(
    `the ${what} of the batch have ${bytes} bytes, more than ${maxBytes}; use ByteStream or more batches`,
  );
}
