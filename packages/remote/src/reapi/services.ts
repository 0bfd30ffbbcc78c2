/**
 * The cache services of REAPI, put together.
 *
 * Owns: the defaults, and what lives as long as the server: unfinished uploads, logs, fetches.
 */
import type { Clock, DigestFunction, Random } from "@kahn/core";
import type { Registration } from "../grpc/index.ts";
import type { ServerStore } from "../store/server-store.ts";
import type { ActionCacheOptions } from "./actions/action-cache.ts";
import { actionCacheService } from "./actions/action-cache.ts";
import { AssetFetches } from "./assets/fetches.ts";
import type { OriginPolicy, OriginPort } from "./assets/origin.ts";
import { Origins } from "./assets/origin.ts";
import { assetServices } from "./assets/services.ts";
import { AssetStore } from "./assets/store.ts";
import { blobBatchMethods } from "./blobs/blob-batches.ts";
import { getTreeMethod } from "./blobs/get-tree.ts";
import { splitSpliceMethods } from "./blobs/split-splice.ts";
import type { ExecutionOffer } from "./capabilities.ts";
import { capabilitiesService } from "./capabilities.ts";
import type { Access } from "./requests/access-port.ts";
import { OPEN_ACCESS } from "./requests/access-port.ts";
import type { ReapiLimits, ServiceContext } from "./requests/service-context.ts";
import { DEFAULT_REAPI_LIMITS } from "./requests/service-context.ts";
import { byteStreamService } from "./streams/byte-stream.ts";
import { logStreamService } from "./streams/log-stream-calls.ts";
import { LogStreams } from "./streams/log-streams.ts";
import { Uploads } from "./streams/uploads.ts";
import type { Zstd } from "./wire/zstd-port.ts";

/** What the services need. */
export interface ReapiOptions {
  readonly store: ServerStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: everybody may do everything. */
  readonly access?: Access;
  /** Without it no compressor is announced, and none is taken. */
  readonly zstd?: Zstd;
  /** Default: sha256, blake3, sha1, sha384, sha512. sha256 must be among them: clients know no other for sure. */
  readonly digestFunctions?: readonly DigestFunction[];
  readonly limits?: Partial<ReapiLimits>;
  readonly actionCache?: Partial<ActionCacheOptions>;
  /** Given by a server that executes as well, whose services are registered beside these. */
  readonly execution?: ExecutionOffer;
  /** From where assets may be fetched; default: from nowhere. */
  readonly origins?: { readonly port: OriginPort; readonly policy: OriginPolicy };
}

/** The services, and what a server does with them besides serving. */
export interface ReapiServices {
  /** For `GrpcServer`. */
  readonly services: readonly Registration[];
  /** For those who produce logs: running actions. */
  readonly logs: LogStreams;
  /** Lets go of unfinished uploads, ends logs and fetches. Before the store is closed. */
  close(): void;
}

const DEFAULT_FUNCTIONS: readonly DigestFunction[] = ["sha256", "blake3", "sha1", "sha384", "sha512"];
const DEFAULT_ACTION_CACHE: ActionCacheOptions = { strict: false, cacheFailures: false, workerName: "unknown" };

/** Makes the services: Capabilities, ContentAddressableStorage, ByteStream, ActionCache, LogStream, Fetch, Push. */
export function reapiServices(options: ReapiOptions): ReapiServices {
  const { store, clock, random } = options;
  const limits = { ...DEFAULT_REAPI_LIMITS, ...options.limits };
  const context: ServiceContext = {
    store,
    clock,
    random,
    limits,
    access: options.access ?? OPEN_ACCESS,
    zstd: options.zstd,
    digestFunctions: options.digestFunctions ?? DEFAULT_FUNCTIONS,
  };
  const { logMaxBytes, logKeptMs, logsMax } = limits;
  const logs = new LogStreams({ clock, random, logMaxBytes, logsMax, keptMs: logKeptMs });
  const uploads = uploadsOf(store, clock, limits);
  const assets = new AssetStore(store);
  const fetches = fetchesOf(options, { assets, limits });
  return {
    services: [
      ...capabilitiesService(context, options.execution),
      ...blobBatchMethods(context),
      getTreeMethod(context),
      ...splitSpliceMethods(context),
      ...byteStreamService(context, uploads, logs),
      ...actionCacheService(context, { ...DEFAULT_ACTION_CACHE, ...options.actionCache }),
      ...logStreamService(context, logs),
      ...assetServices(context, { assets, fetches }),
    ],
    logs,
    close: () => {
      uploads.close();
      logs.close();
      fetches?.close();
    },
  };
}

function uploadsOf(store: ServerStore, clock: Clock, limits: ReapiLimits): Uploads {
  const { uploadKeptMs: keptMs, uploadsKeptMax: keptMax, uploadsKeptMaxBytes } = limits;
  const keptMaxBytes = Math.min(uploadsKeptMaxBytes, store.status().maxSizeBytes / 4);
  return new Uploads({ blobs: store.blobs, clock, keptMs, keptMax, keptMaxBytes });
}

function fetchesOf(
  { store, clock, origins, zstd }: ReapiOptions,
  { assets, limits }: { readonly assets: AssetStore; readonly limits: ReapiLimits },
): AssetFetches | undefined {
  if (origins === undefined) return undefined;
  const fetched = new Origins(origins.port, origins.policy, clock);
  return new AssetFetches({ store, assets, origins: fetched, clock, limits, zstd });
}
