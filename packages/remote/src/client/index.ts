/** The client of REAPI servers and of plain HTTP caches. An entry of its own: a run does not load the server. */
export { type Asked, type RemoteTrouble, remoteProblem } from "./call-trouble.ts";
export { Lanes } from "./lanes.ts";
export { type ClientOptions, openClient, type RemoteClient } from "./open-client.ts";
export { type RemoteExecutorOptions, remoteExecutor } from "./remote-executor.ts";
export { type Deadlines, RemoteServer, type RemoteServerOptions } from "./remote-server.ts";
export { reapiTier } from "./remote-tier.ts";
export { CACHE_RETRIES, type RetryPolicy } from "./retry.ts";
export { functionsOf, type ServerFeatures } from "./server-features.ts";
