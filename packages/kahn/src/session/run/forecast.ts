/**
 * What a run would find: forecasts with the caches that a run would ask.
 *
 * Never:     changes a cache, or loads what speaks to servers when a run would ask none.
 */
import type { ActionCache, ActionProvider, Problem, Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import { explainGraph, type NodeForecast, type RunGraphOptions } from "@kahn/exec";
import { painter, problemText } from "@kahn/report";
import { cacheSection } from "../cache-limits.ts";
import { keyedThere, placeOf } from "../remote/keyed-there.ts";
import type { ServerOption } from "../remote/server-choice.ts";
import type { WorkspaceSession } from "../workspace-session.ts";
import { type CacheChoice, type CacheOption, cacheChoice, execUnset, NONE_TO_READ } from "./cache-choice.ts";
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
  /** A server that is asked instead of the configured one; left out for none. */
  readonly named?: ServerOption;
}

/** Forecasts of every node, each after what it requires. A server in trouble costs one warning on standard error. */
export async function forecastRun(
  session: WorkspaceSession,
  request: ForecastRequest,
): Promise<Result<readonly NodeForecast[], readonly Problem[]>> {
  const { provider, remoteExec } = request;
  const opened = await openLookup(session, request);
  if (!opened.ok) return err([opened.problem]);
  const { values, history } = session;
  try {
    return await explainGraph({
      provider: keyedThere(provider, remoteExec === "only" ? opened.value.place : undefined),
      actions: opened.value,
      cache: opened.value.reading,
      records: values,
      history,
      describeExternal: describeExternal(session),
    });
  } finally {
    opened.value.close();
  }
}

interface Lookup extends Pick<ActionCache, "lookup"> {
  readonly reading: Pick<RunGraphOptions["cache"], "read" | "unreadBecause">;
  /** How keys name the server, if there is one. */
  readonly place?: string;
  close(): void;
}

const NO_ENTRY = ok({ kind: "miss", reason: "no-entry" } as const);

async function openLookup(
  session: WorkspaceSession,
  { cache: option, force, named, remoteExec }: ForecastRequest,
): Promise<Result<Lookup, Problem>> {
  const { host, model } = session;
  const choice = cacheChoice({ option, config: cacheSection(model), env: host.env, named });
  if (!choice.ok) return choice;
  const { local: mode, remote, server } = choice.value;
  const local = mode === "off" ? undefined : session.store;
  if (server === undefined && remoteExec !== "off") return err(execUnset());
  const reading = readingOf(choice.value, force);
  const place = server === undefined ? {} : { place: placeOf(server) };
  if (server === undefined || remote === "off" || !reading.read) {
    const lookup: Lookup["lookup"] = async (action) => (await local?.actions.lookup(action)) ?? NO_ENTRY;
    return ok({ reading, lookup, close: () => {}, ...place });
  }
  const { openRemoteLookup } = await import("../remote/lookup.ts");
  const opened = await openRemoteLookup(session, {
    server,
    local,
    onWarning: (warned) => host.stderr.write(problemText(warned, painter(host.stderr.colour))),
  });
  if (!opened.ok) return opened;
  const lookup = opened.value;
  return ok({ reading, lookup: (action) => lookup.lookup(action), close: () => lookup.close(), ...place });
}

function readingOf({ local, remote }: CacheChoice, force: boolean): Lookup["reading"] {
  if (force) return { read: false };
  return local === "off" && remote === "off" ? { read: false, unreadBecause: NONE_TO_READ } : { read: true };
}
