/**
 * What a REAPI server can do, as it says itself, with what follows for requests.
 *
 * Owns:   the reading of `ServerCapabilities`, and the assumptions about servers that say nothing.
 * Source: `CacheCapabilities` and `ExecutionCapabilities` of remote_execution.proto.
 */
import { type DigestFunction, HEX_LENGTH } from "@kahn/core";
import { StatusCode } from "../../grpc/index.ts";
import { digestFunctionNumber } from "../../names/digest-function.ts";
import { CompressorValue, type ServerCapabilities } from "../../proto/generated/remote-execution.ts";

/** What a server can do. */
export interface ServerFeatures {
  /** Numbers of `DigestFunction.Value`. */
  readonly digestFunctions: ReadonlySet<number>;
  /** Bytes of blobs in one batch; blobs that do not fit are streamed. */
  readonly batchMaxBytes: number;
  /** Larger blobs are refused; `Infinity` for no limit. */
  readonly blobMaxBytes: number;
  readonly hasZstd: boolean;
  readonly hasBatchZstd: boolean;
  readonly mayUpdateActions: boolean;
  /** `denied`: it has an execution, and these credentials may not use it. */
  readonly executes: "yes" | "no" | "denied";
}

/**
 * Most implementations of gRPC take messages of 4 MiB; the rest is for digests and statuses, of which blobs of no size
 * at all need the most.
 */
const BATCH_MAX_BYTES = 3_900_000;

/** Of a server that has no Capabilities service. */
export const ASSUMED_FEATURES: ServerFeatures = {
  digestFunctions: new Set([digestFunctionNumber("sha256")]),
  batchMaxBytes: BATCH_MAX_BYTES,
  blobMaxBytes: Number.POSITIVE_INFINITY,
  hasZstd: false,
  hasBatchZstd: false,
  mayUpdateActions: true,
  executes: "no",
};

/** Reads them. */
export function featuresOf({
  cacheCapabilities: cache,
  executionCapabilities: exec,
}: ServerCapabilities): ServerFeatures {
  if (cache === undefined) return { ...ASSUMED_FEATURES, executes: executesOf(exec) };
  const { digestFunctions, maxBatchTotalSizeBytes, maxCasBlobSizeBytes } = cache;
  return {
    // The field is younger than the service: no function at all says nothing.
    digestFunctions: digestFunctions.length === 0 ? ASSUMED_FEATURES.digestFunctions : new Set(digestFunctions),
    batchMaxBytes: maxBatchTotalSizeBytes > 0 ? Math.min(maxBatchTotalSizeBytes, BATCH_MAX_BYTES) : BATCH_MAX_BYTES,
    blobMaxBytes: maxCasBlobSizeBytes > 0 ? maxCasBlobSizeBytes : Number.POSITIVE_INFINITY,
    hasZstd: cache.supportedCompressors.includes(CompressorValue.ZSTD),
    hasBatchZstd: cache.supportedBatchUpdateCompressors.includes(CompressorValue.ZSTD),
    mayUpdateActions: cache.actionCacheUpdateCapabilities?.updateEnabled ?? false,
    executes: executesOf(exec),
  };
}

/** A server without one says nothing of execution: one that speaks of it and does not offer it means the asker. */
function executesOf(exec: ServerCapabilities["executionCapabilities"]): ServerFeatures["executes"] {
  if (exec === undefined) return "no";
  return exec.execEnabled ? "yes" : "denied";
}

/** True for a function that the server computes. */
export function knowsFunction({ digestFunctions }: ServerFeatures, fn: DigestFunction): boolean {
  return digestFunctions.has(digestFunctionNumber(fn));
}

/** The functions that the server computes, of those that are known here. */
export function functionsOf(features: ServerFeatures): readonly DigestFunction[] {
  return (Object.keys(HEX_LENGTH) as DigestFunction[]).filter((fn) => knowsFunction(features, fn));
}

/** Statuses of a server that does not know the method at all. */
export function isUnknownMethod(code: number): boolean {
  return code === StatusCode.unimplemented;
}
