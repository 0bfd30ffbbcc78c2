/** The cache services of REAPI on a server's store. */
export {
  type Access,
  type AccessAnswer,
  type AccessQuestion,
  ANONYMOUS,
  CALLER,
  type Caller,
  OPEN_ACCESS,
} from "./access-port.ts";
export type { ActionCacheOptions } from "./action-cache.ts";
export type { ExecutionOffer } from "./capabilities.ts";
export { LogStream, LogStreams, type LogStreamsOptions } from "./log-streams.ts";
export type { OriginAnswer, OriginPolicy, OriginPort } from "./origin.ts";
export { missingBlobs, refusal, storeRefusal } from "./refusal.ts";
export { requestMetadata } from "./request-metadata.ts";
export { DEFAULT_REAPI_LIMITS, type ReapiLimits } from "./service-context.ts";
export { type ReapiOptions, type ReapiServices, reapiServices } from "./services.ts";
export { loadWireZstd } from "./wire-zstd.ts";
export type { Zstd, ZstdDecompressor, ZstdProblem } from "./zstd-port.ts";
