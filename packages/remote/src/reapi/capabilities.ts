/**
 * Capabilities: what a client may ask of this server, told to each caller by its rights.
 *
 * Note: Bazel up to 4.2 refuses a `low_api_version` above 2.0, reads only the singular `digest_function` of execution,
 *       where it must be SHA256, and refuses any priority without a range.
 */
import type { Registration } from "../grpc/index.ts";
import { methodOf, serve } from "../grpc/index.ts";
import { digestFunctionNumber } from "../names/digest-function.ts";
import { parseInstanceName } from "../names/resource-name.ts";
import type { Init } from "../proto/codec.ts";
import {
  CapabilitiesMethods,
  CompressorValue,
  DigestFunctionValue,
  type ServerCapabilities,
  SymlinkAbsolutePathStrategyValue,
} from "../proto/generated/remote-execution.ts";
import { CHUNK_AVERAGE_BYTES, CHUNK_SEED } from "./blobs/fast-cdc.ts";
import { wellFormed } from "./requests/refusal.ts";
import type { ServiceContext } from "./requests/service-context.ts";
import { ask } from "./requests/service-context.ts";

/** What a server that executes has to add. */
export interface ExecutionOffer {
  readonly supportedNodeProperties: readonly string[];
}

const PRIORITIES = { priorities: [{ minPriority: -1_000_000, maxPriority: 1_000_000 }] };

/** The Capabilities service. `execution` is `undefined` on a server that only caches. */
export function capabilitiesService(context: ServiceContext, execution: ExecutionOffer | undefined): Registration[] {
  const cache = cacheCapabilities(context);
  const functions = cache.digestFunctions;
  return [
    serve(methodOf("unary", CapabilitiesMethods.getCapabilities), (request, call): Init<ServerCapabilities> => {
      const instance = wellFormed(parseInstanceName(request.instanceName));
      // No right is needed to ask: a client without any gives up with a better message than ours could be.
      const may = (what: "ac.write" | "exec") => ask(context, call, { what, instance }).kind !== "denied";
      return {
        cacheCapabilities: { ...cache, actionCacheUpdateCapabilities: { updateEnabled: may("ac.write") } },
        executionCapabilities: execution && {
          digestFunction: DigestFunctionValue.SHA256,
          digestFunctions: functions,
          execEnabled: may("exec"),
          executionPriorityCapabilities: PRIORITIES,
          supportedNodeProperties: execution.supportedNodeProperties,
        },
        deprecatedApiVersion: { major: 2, minor: 0 },
        lowApiVersion: { major: 2, minor: 0 },
        highApiVersion: { major: 2, minor: 3 },
      };
    }),
  ];
}

function cacheCapabilities(context: ServiceContext) {
  const compressors = context.zstd === undefined ? [] : [CompressorValue.ZSTD];
  return {
    digestFunctions: context.digestFunctions.map(digestFunctionNumber),
    cachePriorityCapabilities: PRIORITIES,
    maxBatchTotalSizeBytes: context.limits.batchMaxBytes,
    symlinkAbsolutePathStrategy: SymlinkAbsolutePathStrategyValue.ALLOWED,
    supportedCompressors: compressors,
    supportedBatchUpdateCompressors: compressors,
    maxCasBlobSizeBytes: context.store.blobs.maxBlobBytes,
    splitBlobSupport: true,
    spliceBlobSupport: true,
    fastCdc2020Params: { avgChunkSizeBytes: CHUNK_AVERAGE_BYTES, seed: CHUNK_SEED },
  } satisfies Init<ServerCapabilities["cacheCapabilities"]>;
}
