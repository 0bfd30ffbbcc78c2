/** A remote cache behind a run's stores. Loaded only by runs that ask for one. */
import { type RemoteTier, tiered } from "@kahn/cas";
import { err, ok, type Problem, type Result, warning } from "@kahn/core";
import { type HermeticRunner, hermeticRunner } from "@kahn/exec";
import { openClient, type RemoteClient, remoteExecutor } from "@kahn/remote/client";
import type { LocalStores, RemoteAsked, RunStores } from "../run/store-set.ts";
import type { WorkspaceSession } from "../workspace-session.ts";
import { clientOptions, executionRefused } from "./client.ts";
import { placeOf } from "./keyed-there.ts";

const NO_ENTRY = ok({ kind: "miss", reason: "no-entry" } as const);

/** What a side of a race that is here sees: its inputs, as far as the machine can see to it. */
const SANDBOX = { mode: "preferred", network: "never" } as const;

/** Results that are sent at once, and that may wait to be. */
const UPLOADS = { atOnceMax: 4, waitingMax: 256 };

/** Puts a remote cache behind the local stores. */
export async function openRemoteStores(
  session: WorkspaceSession,
  local: LocalStores,
  asked: RemoteAsked,
): Promise<Result<RunStores, Problem>> {
  const { ports, model, host } = session;
  const options = clientOptions({ ports, root: model.root, env: host.env }, asked);
  if (!options.ok) return options;
  const opened = openClient(options.value);
  if (!opened.ok) return opened;
  const client = opened.value;
  const refused = asked.execute === "off" ? undefined : await executionRefused(client, "Leave --remote-exec out");
  if (refused === undefined) return ok(storesOf(session, local, { client, asked }));
  // One that cannot be reached may be back for the next run, and here everything can run as well.
  if (refused.code === "remote-exec-unavailable") {
    const notAsked = { ...asked, execute: "off" } as const;
    return ok(storesOf(session, local, { client, asked: notAsked, warnings: [notReached(client.tier.name, refused)] }));
  }
  client.close();
  return err(refused);
}

interface RemoteParts {
  readonly client: RemoteClient;
  readonly asked: RemoteAsked;
  /** Known before the run. */
  readonly warnings?: readonly Problem[];
}

function notReached(server: string, cause: Problem): Problem {
  const next = `${cause.next} What runs here sees the whole workspace.`;
  return warning("remote-exec-down", `${server} is not asked for anything; tasks run here: ${cause.message}`, { next });
}

function storesOf(
  { ports, states }: WorkspaceSession,
  local: LocalStores,
  { client, asked, warnings = [] }: RemoteParts,
): RunStores {
  const { fs, clock, random } = ports;
  const tier: RemoteTier = {
    ...client.tier,
    // What a server has run is fetched from it, also where its cache is not to be used.
    read: asked.read || asked.execute !== "off",
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
    // What is wrong with the server was said already.
    onWarning: (warned) => (warnings.length > 0 ? undefined : stores.warn(warned)),
    uploads: UPLOADS,
    downloads: "when-needed",
  });
  let runner: HermeticRunner | undefined;
  const stores: RunStores = {
    blobs: store.blobs,
    actions: store.actions,
    read: true,
    write: true,
    warnings,
    ...(asked.execute === "only" ? { there: { place: placeOf(asked.server), name: client.tier.name } } : {}),
    warn: () => {},
    executor: (executor, { processes, slots, scratch }) => {
      const { server } = client;
      if (asked.execute === "off" || server === undefined) return executor;
      const { blobs } = store;
      if (asked.execute === "race") {
        runner = hermeticRunner({ fs, clock, blobs, processes, root: scratch, sandbox: SANDBOX, graceMs: 0 });
      }
      return remoteExecutor({
        ...{ server, fs, states, blobs, local: executor, live: asked.live, skipCacheLookup: asked.force },
        ...(runner === undefined ? {} : { race: { runner, slots } }),
        onWarning: (warned) => stores.warn(warned),
      });
    },
    sent: () => store.sent(),
    cancel: (how) => {
      store.abandonUploads();
      if (how === "kill") client.close();
    },
    close: async () => {
      runner?.close();
      client.close();
      await local.close();
    },
  };
  return stores;
}
