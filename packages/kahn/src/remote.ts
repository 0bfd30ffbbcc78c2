/**
 * Servers and clients of build caches for programs: the published entry `kahn/remote`.
 *
 * Owns: the wiring of this machine's ports; everything else is `@kahn/remote`'s own.
 */
import { type Problem, ProblemError } from "@kahn/core";
import { type ConfigSources, type RunningServer, resolveServerConfig, startServer } from "@kahn/remote";
import { type ClientOptions, openClient, type RemoteClient } from "@kahn/remote/client";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { libraryHost } from "./cli/host.ts";
import { serverPorts } from "./session/server-ports.ts";

export type { ConfigSource, ConfigSources, RunningServer, ServerConfig, ServerStatus } from "@kahn/remote";
export { importGoregoConfig, newToken, parseTarget, settingReferences, tokenHash } from "@kahn/remote";
export type { ClientOptions, RemoteClient } from "@kahn/remote/client";

/** How a server is opened. */
export interface ServerOptions extends ConfigSources {
  /** Absolute; relative paths of the configuration are meant from here. */
  readonly directory: string;
  /** Told of trouble while it runs. */
  readonly report?: (problem: Problem) => void;
}

/**
 * Starts a server in this process, with the settings of `kahn serve`: `openServer({ directory, options: { listen:
 * ["127.0.0.1:0"], dir: "cache" } })`. Its actions run in processes of their own.
 *
 * @throws ProblemError with everything that is wrong with the configuration, or why it cannot listen or store.
 */
export async function openServer(options: ServerOptions): Promise<RunningServer> {
  const config = await resolveServerConfig(options);
  if (!config.ok) throw new ProblemError(config.problem);
  const report = options.report ?? (() => {});
  const { ports, close } = serverPorts(libraryHost(options.directory), { base: options.directory, report });
  const started = await startServer(config.value, ports);
  if (!started.ok) {
    await close();
    throw new ProblemError(started.problem);
  }
  void started.value.closed.then(close);
  return started.value;
}

/**
 * Opens a client of a server, any that speaks the Remote Execution API (`grpc://`, `grpcs://`, `unix:`) or Bazel's HTTP
 * cache (`http://`, `https://`).
 *
 * @throws ProblemError when the address or the TLS material is none.
 */
export function openRemote(options: Omit<ClientOptions, "fs" | "clock" | "random">): RemoteClient {
  const opened = openClient({ fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), ...options });
  if (!opened.ok) throw new ProblemError([opened.problem]);
  return opened.value;
}
