/** gRPC on `node:http2`: server and client. Knows no service but health and reflection. */
export { ByteBudget } from "./byte-budget.ts";
export {
  type CallContext,
  type CallEnd,
  type CallEndObserver,
  type CallKey,
  callKey,
  type HandlerKinds,
  type Interceptor,
  type Registration,
  type SendingCall,
  serve,
} from "./call-context.ts";
export { CALL_SHARE } from "./call-shares.ts";
export {
  type CallOptions,
  type Calls,
  Channel,
  type ChannelOptions,
  type ChannelTls,
  isAboutCertificate,
} from "./channel.ts";
export type { ClientCall } from "./client-call.ts";
export { HealthService, type ServingState } from "./health.ts";
export { type KeepaliveOptions, SERVER_KEEPALIVE } from "./keepalive.ts";
export { DEFAULT_SERVER_LIMITS, type ServerLimits } from "./limits.ts";
export type { EncodedMessage } from "./message-encoding.ts";
export { decoded, type MessageReader } from "./message-reader.ts";
export type { Metadata, MetadataValue, OutgoingMetadata } from "./metadata.ts";
export {
  type Codec,
  type DescribedMethod,
  type Method,
  type MethodKind,
  methodOf,
  RAW_BYTES,
  RAW_PARTS,
} from "./method.ts";
export { networkOf, type Peer, type PeerCertificate, UNKNOWN_PEER } from "./peer.ts";
export { type ReflectionOptions, reflectionService } from "./reflection.ts";
export { GrpcServer, type GrpcServerCounts, type GrpcServerOptions } from "./server.ts";
export { OK, type Status, StatusCode, StatusError } from "./status.ts";
export { type ChannelTarget, parseTarget, targetText } from "./target.ts";
