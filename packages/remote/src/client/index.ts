/** The client of REAPI servers and of plain HTTP caches. An entry of its own: a run does not load the server. */
export { type Asked, type RemoteTrouble, remoteProblem } from "./calls/call-trouble.ts";
export { Lanes } from "./calls/lanes.ts";
export { type Deadlines, RemoteServer, type RemoteServerOptions } from "./calls/remote-server.ts";
export { CACHE_RETRIES, type RetryPolicy } from "./calls/retry.ts";
export { functionsOf, type ServerFeatures } from "./calls/server-features.ts";
export { type RemoteExecutorOptions, remoteExecutor } from "./executor/remote-executor.ts";
export { type ClientOptions, checkAddress, openClient, type RemoteClient } from "./open-client.ts";
export { reapiTier } from "./tiers/remote-tier.ts";
