/**
 * A remote cache behind a run's stores. Loaded only by runs that ask for one.
 *
 * Owns:      from the configuration to a connection: address, credentials, certificates.
 * Invariant: a secret comes out of the environment or a file, and goes nowhere but to the server.
 */
import { type RemoteConfig, type RemoteTier, tiered } from "@kahn/cas";
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import { type ClientOptions, openClient, type RemoteClient, remoteExecutor } from "@kahn/remote/client";
import { VERSION } from "../version.ts";
import type { LocalStores, RemoteAsked, RunStores } from "./store-set.ts";
import type { WorkspaceSession } from "./workspace-session.ts";

const NO_ENTRY = ok({ kind: "miss", reason: "no-entry" } as const);

/** Results that are sent at once, and that may wait to be. */
const UPLOADS = { atOnceMax: 4, waitingMax: 256 };

/** Puts a remote cache behind the local stores. */
export async function openRemoteStores(
  session: WorkspaceSession,
  local: LocalStores,
  asked: RemoteAsked,
): Promise<Result<RunStores, Problem>> {
  const options = clientOptions(session, asked);
  if (!options.ok) return options;
  const opened = openClient(options.value);
  if (!opened.ok) return opened;
  const client = opened.value;
  const refused = asked.execute ? await executionRefused(client) : undefined;
  if (refused === undefined) return ok(storesOf(session, local, { client, asked }));
  client.close();
  return err(refused);
}

/** Why a server cannot run tasks. */
async function executionRefused({ server, tier }: RemoteClient): Promise<Problem | undefined> {
  const next = "Leave --remote-exec out, or name a server that executes (`kahn serve` does).";
  if (server === undefined) {
    return problem("remote-exec-unsupported", `${tier.name} is a plain HTTP cache, which runs nothing`, { next });
  }
  const features = await server.features();
  if (!features.ok) {
    const { message } = features.problem;
    return problem("remote-exec-unavailable", `${server.name} cannot be asked to run tasks: ${message}`, {
      next: "Check its address and your network, or leave --remote-exec out.",
    });
  }
  if (features.value.executes) return undefined;
  return problem("remote-exec-unsupported", `${server.name} does not run actions`, { next });
}

function storesOf(
  { ports, states }: WorkspaceSession,
  local: LocalStores,
  { client, asked }: { readonly client: RemoteClient; readonly asked: RemoteAsked },
): RunStores {
  const { fs, clock, random } = ports;
  const tier: RemoteTier = {
    ...client.tier,
    // What a server has run is fetched from it, also where its cache is not to be used.
    read: asked.read || asked.execute,
    write: asked.write,
    actions: asked.read ? client.tier.actions : { ...client.tier.actions, lookup: async () => NO_ENTRY },
  };
  const store = tiered({
    local,
    remotes: [tier],
    fs,
    clock,
    random,
    temporary: local.temporary,
    onWarning: (warned) => stores.warn(warned),
    uploads: UPLOADS,
    downloads: "when-needed",
  });
  const stores: RunStores = {
    blobs: store.blobs,
    actions: store.actions,
    read: true,
    write: true,
    warn: () => {},
    executor: (executor) => {
      if (!asked.execute || client.server === undefined) return executor;
      const { blobs } = store;
      const onWarning = (warned: Problem) => stores.warn(warned);
      return remoteExecutor({ server: client.server, fs, states, blobs, local: executor, live: asked.live, onWarning });
    },
    sent: () => store.sent(),
    cancel: (how) => {
      store.abandonUploads();
      if (how === "kill") client.close();
    },
    close: async () => {
      client.close();
      await local.close();
    },
  };
  return stores;
}

function clientOptions(session: WorkspaceSession, { server, run }: RemoteAsked): Result<ClientOptions, Problem> {
  const { fs, clock, random } = session.ports;
  const headers = headersOf(server, session.host.env);
  if (!headers.ok) return headers;
  const tls = tlsOf(server, session);
  if (!tls.ok) return tls;
  return ok({
    url: server.url,
    fs,
    clock,
    random,
    instance: server.instance,
    headers: headers.value,
    caller: { tool: "kahn", version: VERSION, invocation: run },
    ...(tls.value === undefined ? {} : { tls: tls.value }),
  });
}

/** The token, and headers in which `${NAME}` stands for a variable. */
function headersOf(
  { headers, tokenEnv }: RemoteConfig,
  env: Readonly<Record<string, string | undefined>>,
): Result<Readonly<Record<string, string>>, Problem> {
  const all: Record<string, string> = {};
  const token = env[tokenEnv];
  if (token !== undefined && token !== "") all.authorization = `Bearer ${token}`;
  for (const [name, written] of Object.entries(headers)) {
    const absent: string[] = [];
    const value = written.replace(/\$\{(\w+)\}/g, (_, variable: string) => {
      const found = env[variable];
      if (found === undefined) absent.push(variable);
      return found ?? "";
    });
    if (absent.length > 0) {
      return err(
        problem(
          "remote-cache-variable-unset",
          `header "${name}" of cache.remote needs ${absent.join(", ")}, which is not set`,
          {
            next: "Set it, or take the header out of the configuration.",
          },
        ),
      );
    }
    all[name.toLowerCase()] = value;
  }
  return ok(all);
}

function tlsOf({ tls }: RemoteConfig, session: WorkspaceSession): Result<ClientOptions["tls"], Problem> {
  if (tls === undefined) return ok(undefined);
  const read: Record<string, Buffer> = {};
  for (const [member, path] of [
    ["authorities", tls.ca],
    ["certificate", tls.cert],
    ["key", tls.key],
  ] as const) {
    if (path === undefined) continue;
    const absolute = path.startsWith("/") ? path : `${session.model.root}/${path}`;
    const bytes = session.ports.fs.readFile(absolute);
    if (bytes === undefined) {
      const next = "Correct the path, which starts from the workspace's root.";
      return err(
        problem("remote-cache-file-missing", `${absolute}, named by cache.remote.tls, is not there`, { next }),
      );
    }
    read[member] = Buffer.from(bytes);
  }
  return ok({ ...read, ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }) });
}
