/**
 * The stores of a run: the local one, a scratch one, or either with a remote cache behind it.
 *
 * Owns:      their order and their end.
 * Never:     loads what speaks to servers unless a run asks for one.
 * Invariant: a run that asks for nothing remote gets the session's own store, as it is.
 */
import { type DiskStore, openDiskStore } from "@kahn/cas";
import { type ActionCache, err, ok, type Problem, ProblemError, type Result, type RunId } from "@kahn/core";
import { livenessOf, ownIdentity } from "@kahn/system";
import { cacheSection } from "../cache-limits.ts";
import type { WorkspaceSession } from "../workspace-session.ts";
import { type CacheChoice, cacheChoice, execUnset } from "./cache-choice.ts";
import type { RunRequest } from "./request.ts";
import type { LocalStores, RemoteAsked, RunStores } from "./store-set.ts";

/** Opens the stores that a request asks for. @throws ProblemError when the local store cannot be opened. */
export async function openRunStores(
  session: WorkspaceSession,
  request: Pick<RunRequest, "cache" | "remoteExec" | "live" | "force">,
  run: RunId,
): Promise<Result<RunStores, Problem>> {
  const choice = cacheChoice({ option: request.cache, config: cacheSection(session.model), env: session.host.env });
  if (!choice.ok) return choice;
  const { remote, server } = choice.value;
  const execute = request.remoteExec ?? "off";
  const local = openLocal(session, choice.value);
  if (server === undefined || (remote === "off" && execute === "off")) {
    if (execute === "off") return ok(localOnly(local, choice.value));
    await local.close();
    return err(execUnset());
  }
  const { openRemoteStores } = await import("../remote/stores.ts");
  const asked: RemoteAsked = {
    server,
    read: remote !== "off",
    write: remote === "rw",
    execute,
    force: request.force,
    live: request.live,
    run,
  };
  const opened = await openRemoteStores(session, local, asked);
  if (!opened.ok) await local.close();
  return opened;
}

function localOnly({ blobs, actions, close }: LocalStores, { local }: CacheChoice): RunStores {
  return {
    blobs,
    actions,
    read: local !== "off",
    write: local === "rw",
    warnings: [],
    warn: () => {},
    executor: (executor) => executor,
    sent: async () => {},
    cancel: () => {},
    close,
  };
}

function openLocal(session: WorkspaceSession, { local }: CacheChoice): LocalStores {
  if (local === "off") return openScratch(session);
  const { blobs, actions, temporary } = session.store;
  return { blobs, actions: local === "rw" ? actions : readOnly(actions), temporary, close: async () => {} };
}

/** Outputs have to be somewhere between the command and the upload: in a store that goes with the run. */
function openScratch({ ports, locations, host }: WorkspaceSession): LocalStores {
  const { fs, clock, random } = ports;
  const root = `${locations.streams}/${host.pid}/store`;
  const opened: Result<DiskStore, Problem> = openDiskStore({
    fs,
    clock,
    random,
    root,
    owner: ownIdentity(),
    livenessOf,
  });
  if (!opened.ok) throw new ProblemError(opened.problem);
  const { blobs, temporary } = opened.value;
  const close = async () => {
    await opened.value.close({ sync: false });
    fs.removeTree(root);
  };
  return { blobs, actions: NO_ACTIONS, temporary, close };
}

/** Remembers nothing. */
const NO_ACTIONS: ActionCache = {
  lookup: async () => ok({ kind: "miss", reason: "no-entry" }),
  record: async () => ok(undefined),
  forget: async () => ok(undefined),
};

function readOnly(actions: ActionCache): ActionCache {
  return {
    lookup: (action) => actions.lookup(action),
    record: async () => ok(undefined),
    forget: async () => ok(undefined),
    ...(actions.recordToken === undefined ? {} : { recordToken: actions.recordToken.bind(actions) }),
  };
}
