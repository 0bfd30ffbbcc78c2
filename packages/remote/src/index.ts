/** The server of every build cache and of remote execution, and its client. */
export {
  Channel,
  type ChannelOptions,
  type ChannelTarget,
  GrpcServer,
  type GrpcServerOptions,
  parseTarget,
  targetText,
} from "./grpc/index.ts";
export { openPort, type Port, type PortOptions } from "./port/index.ts";
