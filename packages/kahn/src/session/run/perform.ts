/**
 * Performs a planned run: the workspace, journal, executor and history of it.
 *
 * Owns:      what a run of this machine stands on.
 * Invariant: on every way out the run is recorded; a run that was not recorded has started nothing.
 */
import {
  err,
  newRunId,
  ok,
  type Problem,
  type ResourceLimits,
  type Result,
  type RunId,
  type RunObserver,
} from "@kahn/core";
import { localExecutor, type RunGraphOptions, type RunOutcome, runGraph } from "@kahn/exec";
import { VERSION } from "../../version.ts";
import { chainEnv } from "../nesting.ts";
import { keyedThere } from "../remote/keyed-there.ts";
import { holdWorkspace, type WorkspaceHold } from "../workspace-hold.ts";
import type { WorkspaceSession } from "../workspace-session.ts";
import { NONE_TO_READ } from "./cache-choice.ts";
import { describeExternal, keepLockFile } from "./external-packages.ts";
import { readableEvents } from "./journal.ts";
import type { PlannedRequest } from "./plan.ts";
import type { RunRequest } from "./request.ts";
import type { ExecutorPlace, RunStores } from "./store-set.ts";
import { openRunStores } from "./stores.ts";

const NOTHING: RunOutcome["counts"] = { executed: 0, cached: 0, failed: 0, errored: 0, skipped: 0, cancelled: 0 };

/** Runs a plan to its end, with the workspace for itself. Problems are those that kept it from starting. */
export async function performRun(
  session: WorkspaceSession,
  planned: PlannedRequest,
  request: RunRequest,
): Promise<Result<RunOutcome, readonly Problem[]>> {
  const hold = await holdWorkspace(session, { label: `kahn ${request.argv.join(" ")}`, ...request.waiting });
  if (!hold.ok) {
    // Waiting was given up, by Ctrl-C for example: nothing was started and nothing has failed.
    if (hold.problem.code === "lock-wait-cancelled") return ok(neverStarted(session, request.observers));
    return err([hold.problem]);
  }
  try {
    return await runHeld(hold.value, planned, request);
  } finally {
    await hold.value.release();
  }
}

/** The end of a run that was given up while it waited: told to those who follow, recorded nowhere. */
function neverStarted({ ports }: WorkspaceSession, observers: readonly RunObserver[]): RunOutcome {
  const run = newRunId(ports.clock, ports.random);
  const end = { run, status: "cancelled", counts: NOTHING, durationMs: 0 } as const;
  const atMs = ports.clock.nowMs();
  for (const each of observers) each.event({ ...end, seq: 1, atMs, kind: "run.finished", savedMs: 0 });
  return end;
}

/** Runs a plan to its end in a workspace that is had. Runs of one hold may overlap; each has slots of its own. */
export async function runHeld(
  hold: WorkspaceHold,
  planned: PlannedRequest,
  request: RunRequest,
): Promise<Result<RunOutcome, readonly Problem[]>> {
  const { session } = hold;
  const run = hold.nextRunId();
  const stores = await openRunStores(session, request, run);
  if (!stores.ok) return err([stores.problem]);
  try {
    return await runIn(stores.value, run, { hold, planned, request });
  } finally {
    await stores.value.close();
  }
}

async function runIn(
  stores: RunStores,
  run: RunId,
  { hold, planned, request }: { hold: WorkspaceHold; planned: PlannedRequest; request: RunRequest },
): Promise<Result<RunOutcome, readonly Problem[]>> {
  const { session, nested } = hold;
  const journal = session.journals.create(run);
  if (!journal.ok) return err([journal.problem]);
  const graphOptions: RunGraphOptions = {
    ...sharedPorts(session, stores),
    run,
    provider: keyedThere(planned.provider, stores.there?.place),
    ...(stores.there === undefined ? {} : { recordedFrom: stores.there.name }),
    executor: stores.executor(executorOf(hold, { request, run, stores }), placeOf(hold, request, run)),
    journal: journal.value,
    durability: "process",
    observers: request.observers,
    limits: limitsOf(hold, request),
    failure: request.failFast ? "fail-fast" : "keep-going",
    cache: {
      ...{ read: !request.force && stores.read, write: stores.write },
      ...(request.force || stores.read ? {} : { unreadBecause: NONE_TO_READ }),
    },
    beforeFinish: () => stores.sent(),
    replay: request.replay,
    describeExternal: describeExternal(session),
    header: { version: VERSION, argv: request.argv, workspace: session.model.root, pid: session.host.pid },
    warnings: [...session.model.warnings, ...hold.takeWarnings(), ...stores.warnings],
  };
  const graphRun = runGraph(graphOptions);
  stores.warn = (problem) => graphRun.warn(problem);
  const stop = request.onCancel((how, by) => {
    graphRun.cancel(how, by);
    stores.cancel(how);
  });
  try {
    const outcome = await graphRun.outcome;
    if (outcome.ok && outcome.value.counts.executed > 0) keepLockFile(session);
    return outcome;
  } finally {
    stop();
    journal.value.close();
    if (!nested) session.history.fold(run, readableEvents(session.journals, run).events);
  }
}

function sharedPorts(session: WorkspaceSession, { blobs, actions }: RunStores) {
  const { fs, clock } = session.ports;
  const { values, history, states, memo } = session;
  return { fs, clock, states, history, memo, blobs, actions, records: values };
}

function executorOf(
  { session, processes }: WorkspaceHold,
  { request, run, stores }: { readonly request: RunRequest; readonly run: RunId; readonly stores: RunStores },
) {
  const { fs, clock } = session.ports;
  return localExecutor({
    fs,
    clock,
    states: session.states,
    blobs: stores.blobs,
    processes,
    streamDirectory: `${session.locations.streams}/${session.host.pid}/${run}`,
    live: request.live,
    extraEnv: (label) => chainEnv(session.chain, session.model.root, label),
  });
}

/** Where a run's tasks run here beside a server: no more at once than the machine is good for. */
function placeOf({ session, processes }: WorkspaceHold, request: RunRequest, run: RunId): ExecutorPlace {
  const { concurrency } = session.model.settings;
  const slots = Math.min(request.concurrency ?? concurrency, concurrency);
  return { processes, slots, scratch: `${session.locations.streams}/${session.host.pid}/${run}.race` };
}

function limitsOf({ session, nested }: WorkspaceHold, request: RunRequest): ResourceLimits {
  const { concurrency, pools, tagCaps } = session.model.settings;
  const wanted = request.concurrency ?? concurrency;
  return { slots: nested ? 1 : wanted, pools, tagCaps, io: 64 };
}
