/** gRPC on `node:http2`: server and client. Knows no service but health and reflection. */

export {
  type CallOptions,
  type Calls,
  Channel,
  type ChannelOptions,
  type ChannelTls,
  isAboutCertificate,
} from "./client/channel.ts";
export type { ClientCall } from "./client/client-call.ts";
export { type ChannelTarget, parseTarget, targetText } from "./client/target.ts";
export { type KeepaliveOptions, SERVER_KEEPALIVE } from "./connection/keepalive.ts";
export { networkOf, type Peer, type PeerCertificate, UNKNOWN_PEER } from "./connection/peer.ts";
export { HealthService, type ServingState } from "./health.ts";
export { ByteBudget } from "./messages/byte-budget.ts";
export type { EncodedMessage } from "./messages/message-encoding.ts";
export { decoded, type MessageReader } from "./messages/message-reader.ts";
export type { Metadata, MetadataValue, OutgoingMetadata } from "./messages/metadata.ts";
export {
  type Codec,
  type DescribedMethod,
  type Method,
  type MethodKind,
  methodOf,
  RAW_BYTES,
  RAW_PARTS,
} from "./messages/method.ts";
export { OK, type Status, StatusCode, StatusError } from "./messages/status.ts";
export { type ReflectionOptions, reflectionService } from "./reflection.ts";
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
} from "./server/call-context.ts";
export { CALL_SHARE } from "./server/call-shares.ts";
export { DEFAULT_SERVER_LIMITS, type ServerLimits } from "./server/limits.ts";
export { GrpcServer, type GrpcServerCounts, type GrpcServerOptions } from "./server/server.ts";
