/** The server of every build cache and of remote execution, and its client. */
export { GrpcServer, type GrpcServerOptions } from "./grpc/index.ts";
export { openPort, type Port, type PortOptions } from "./port/index.ts";
