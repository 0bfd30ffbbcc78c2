/** One port for gRPC and HTTP, with or without TLS. */
export { checkTls, type ListenProblem } from "./listener.ts";
export { type DrainOutcome, openPort, type Port, type PortCounts } from "./port.ts";
export {
  DEFAULT_PORT_LIMITS,
  type HttpHandler,
  type ListenAddress,
  type PortLimits,
  type PortOptions,
  type PortTls,
  type StreamHandler,
} from "./port-options.ts";
