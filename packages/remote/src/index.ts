/** The server of every build cache and of remote execution, and its client. */
export type { AccessFacts } from "./access/open-access.ts";
export { type PasswordThread, passwordThread } from "./access/password-thread.ts";
export { type NewToken, newToken, tokenHash } from "./access/token.ts";
export {
  Channel,
  type ChannelOptions,
  type ChannelTarget,
  GrpcServer,
  type GrpcServerOptions,
  parseTarget,
  targetText,
} from "./grpc/index.ts";
export type { ConfigSource } from "./operation/config-document.ts";
export { type ImportedConfig, importGoregoConfig } from "./operation/gorego-import.ts";
export { listenAddressText, parseListenAddress } from "./operation/listen-address.ts";
export {
  type ConfigSources,
  resolveServerConfig,
  type SettingReference,
  settingReferences,
} from "./operation/server-config.ts";
export type { ServerConfig } from "./operation/server-settings.ts";
export type { ServerStatus } from "./operation/server-status.ts";
export { openPort, type Port, type PortOptions } from "./port/index.ts";
export { type CheckedConfig, checkServerConfig } from "./server/material/check.ts";
export type { ServerPorts } from "./server/ports.ts";
export { type Reloaded, type RunningServer, startServer } from "./server.ts";
