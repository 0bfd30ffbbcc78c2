/** The cache services of REAPI on a server's store. */

export type { ActionCacheOptions } from "./actions/action-cache.ts";
export type { OriginAnswer, OriginPolicy, OriginPort } from "./assets/origin.ts";
export type { ExecutionOffer } from "./capabilities.ts";
export {
  type Access,
  type AccessAnswer,
  type AccessQuestion,
  ANONYMOUS,
  CALLER,
  type Caller,
  OPEN_ACCESS,
} from "./requests/access-port.ts";
export { missingBlobs, refusal, storeRefusal } from "./requests/refusal.ts";
export { requestMetadata } from "./requests/request-metadata.ts";
export { DEFAULT_REAPI_LIMITS, type ReapiLimits } from "./requests/service-context.ts";
export { type ReapiOptions, type ReapiServices, reapiServices } from "./services.ts";
export { LogStream, LogStreams, type LogStreamsOptions } from "./streams/log-streams.ts";
export { loadWireZstd } from "./wire/zstd.ts";
export type { Zstd, ZstdDecompressor, ZstdProblem } from "./wire/zstd-port.ts";
