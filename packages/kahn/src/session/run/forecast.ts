/**
 * What a run would find: forecasts with the caches that a run would ask.
 *
 * Never:     changes a cache, or loads what speaks to servers when a run would ask none.
 */
import type { ActionCache, ActionProvider, Problem, Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import { explainGraph, type NodeForecast } from "@kahn/exec";
import { painter, problemText } from "@kahn/report";
import { cacheSection } from "../cache-limits.ts";
import { keyedThere, placeOf } from "../remote/keyed-there.ts";
import type { WorkspaceSession } from "../workspace-session.ts";
import { type CacheOption, cacheChoice } from "./cache-choice.ts";
import { describeExternal } from "./external-packages.ts";
import type { RemoteExec } from "./store-set.ts";

/** A run that is only asked about. */
export interface ForecastRequest {
  readonly provider: ActionProvider;
  /** What `--cache` says. */
  readonly cache: CacheOption | undefined;
  /** True for a run that would not ask a server what it has. */
  readonly force: boolean;
  readonly remoteExec: RemoteExec;
}

/** Forecasts of every node, each after what it requires. A server in trouble costs one warning on standard error. */
export async function forecastRun(
  session: WorkspaceSession,
  { provider, cache, force, remoteExec }: ForecastRequest,
): Promise<Result<readonly NodeForecast[], readonly Problem[]>> {
  const opened = await openLookup(session, cache, force);
  if (!opened.ok) return err([opened.problem]);
  const { values, history } = session;
  try {
    return await explainGraph({
      provider: keyedThere(provider, remoteExec === "only" ? opened.value.place : undefined),
      actions: opened.value,
      records: values,
      history,
      describeExternal: describeExternal(session),
    });
  } finally {
    opened.value.close();
  }
}

interface Lookup extends Pick<ActionCache, "lookup"> {
  /** How keys name the server, if there is one. */
  readonly place?: string;
  close(): void;
}

const NO_ENTRY = ok({ kind: "miss", reason: "no-entry" } as const);

async function openLookup(
  session: WorkspaceSession,
  option: CacheOption | undefined,
  force: boolean,
): Promise<Result<Lookup, Problem>> {
  const { host, model } = session;
  const choice = cacheChoice({ option, config: cacheSection(model), env: host.env });
  if (!choice.ok) return choice;
  const { local: mode, remote, server } = choice.value;
  const local = mode === "off" ? undefined : session.store;
  const place = server === undefined ? {} : { place: placeOf(server) };
  if (server === undefined || remote === "off" || force) {
    return ok({
      lookup: async (action) => (await local?.actions.lookup(action)) ?? NO_ENTRY,
      close: () => {},
      ...place,
    });
  }
  const { openRemoteLookup } = await import("../remote/lookup.ts");
  const opened = await openRemoteLookup(session, {
    server,
    local,
    onWarning: (warned) => host.stderr.write(problemText(warned, painter(host.stderr.colour))),
  });
  if (!opened.ok) return opened;
  const lookup = opened.value;
  return ok({ lookup: (action) => lookup.lookup(action), close: () => lookup.close(), ...place });
}
