/**
 * Performs a planned run: lock, journal, guardian, signals, reporters, and the tidying afterwards.
 *
 * Owns:      the order in which these begin and end.
 * Invariant: on every way out the processes are ended, the run is recorded and the lock is free; what costs time after
 *            the last result (indexes, history, pruning) comes after the summary is shown.
 */

import { gcIfDue } from "@kahn/cas";
import {
  err,
  FileSystemError,
  newRunId,
  ok,
  type Problem,
  type ProcessRunner,
  type ResourceLimits,
  type Result,
  type RunId,
  type RunObserver,
  warning,
} from "@kahn/core";
import { localExecutor, type RunGraphOptions, type RunOutcome, runGraph } from "@kahn/exec";
import { painter, problemText } from "@kahn/report";
import { directRunner, type Lock, startGuardian } from "@kahn/system";
import { VERSION } from "../version.ts";
import { cacheLimits, cacheSection } from "./cache-limits.ts";
import { describeExternal, keepLockFile } from "./external-packages.ts";
import { makeStateDirectory } from "./locations.ts";
import { chainEnv, isInside } from "./nesting.ts";
import type { PlannedRequest } from "./plan-request.ts";
import { foldInterrupted, pruneRuns, readableEvents } from "./run-journal.ts";
import type { RunRequest } from "./run-request.ts";
import { sweepValues } from "./sweep-values.ts";
import { lockWorkspace } from "./workspace-lock.ts";
import type { WorkspaceSession } from "./workspace-session.ts";

/** How long processes may live on after TERM when Kahn itself has died. */
const GUARDIAN_GRACE_MS = 5000;

const NOTHING: RunOutcome["counts"] = { executed: 0, cached: 0, failed: 0, errored: 0, skipped: 0, cancelled: 0 };

/** Runs a plan to its end. Problems are those that kept it from starting. */
export async function performRun(
  session: WorkspaceSession,
  planned: PlannedRequest,
  request: RunRequest,
): Promise<Result<RunOutcome, readonly Problem[]>> {
  makeStateDirectory(session.ports.fs, session.locations);
  const newId = () => newRunId(session.ports.clock, session.ports.random);
  const nested = isInside(session.chain, session.model.root);
  // The outer run holds the lock, and this one runs in the slot of the task that started it.
  const lock = nested ? undefined : await lockWorkspace(session, `kahn ${request.argv.join(" ")}`);
  if (lock?.ok === false) {
    // Waiting was given up, by Ctrl-C: nothing was started and nothing has failed.
    if (lock.problem.code === "lock-wait-cancelled") return ok(neverStarted(session, newId(), request.observers));
    return err([lock.problem]);
  }
  // Only now: ids are in the order in which runs had the workspace, and not in that in which they came to wait for it.
  const run = newId();
  const guardian = startGuardian({
    token: run,
    graceMs: GUARDIAN_GRACE_MS,
    ...(lock === undefined ? {} : { lockFd: lock.value.fd }),
  });
  // Inside a task of another Kahn all stays in that task's group, for it to end, whatever becomes of this process.
  const groups = session.chain.length > 0 ? "shared" : "own";
  const processes = directRunner({ clock: session.ports.clock, guardian, groups });
  try {
    return await runLocked(session, planned, { request, run, nested, processes });
  } finally {
    await processes.close();
    await finishSession(session, lock?.value);
  }
}

/** The end of a run that was given up while it waited: told to those who follow, recorded nowhere. */
function neverStarted(session: WorkspaceSession, run: RunId, observers: readonly RunObserver[]): RunOutcome {
  const end = { run, status: "cancelled", counts: NOTHING, durationMs: 0 } as const;
  const atMs = session.ports.clock.nowMs();
  for (const each of observers) each.event({ ...end, seq: 1, atMs, kind: "run.finished", savedMs: 0 });
  return end;
}

interface LockedRun {
  readonly request: RunRequest;
  readonly run: RunId;
  readonly nested: boolean;
  readonly processes: ProcessRunner;
}

async function runLocked(
  session: WorkspaceSession,
  planned: PlannedRequest,
  locked: LockedRun,
): Promise<Result<RunOutcome, readonly Problem[]>> {
  const { run, request } = locked;
  const interrupted = locked.nested ? [] : foldInterrupted(session.journals, session.history);
  // Of runs that were killed; whoever has the lock is alone with those that run inside of it.
  if (!locked.nested) session.ports.fs.removeTree(session.locations.streams);
  const journal = session.journals.create(run);
  if (!journal.ok) return err([journal.problem]);
  const graphOptions: RunGraphOptions = {
    ...sharedPorts(session),
    run,
    provider: planned.provider,
    executor: executorOf(session, locked),
    journal: journal.value,
    durability: "process",
    observers: request.observers,
    limits: limitsOf(session, locked),
    failure: request.failFast ? "fail-fast" : "keep-going",
    cache: { read: !request.force, write: true },
    replay: request.replay,
    describeExternal: describeExternal(session),
    header: { version: VERSION, argv: request.argv, workspace: session.model.root, pid: session.host.pid },
    warnings: [...session.model.warnings, ...unbuiltWarnings(session), ...interrupted],
  };
  const graphRun = runGraph(graphOptions);
  const stop = request.onCancel((how, by) => graphRun.cancel(how, by));
  try {
    const outcome = await graphRun.outcome;
    if (outcome.ok && outcome.value.counts.executed > 0) keepLockFile(session);
    return outcome;
  } finally {
    stop();
    journal.value.close();
    if (!locked.nested) session.history.fold(run, readableEvents(session.journals, run).events);
  }
}

function sharedPorts(session: WorkspaceSession) {
  const { fs, clock } = session.ports;
  const { store, values, history, states, memo } = session;
  return { fs, clock, states, history, memo, blobs: store.blobs, actions: store.actions, records: values };
}

function executorOf(session: WorkspaceSession, { processes, request }: LockedRun) {
  const { fs, clock } = session.ports;
  return localExecutor({
    fs,
    clock,
    states: session.states,
    blobs: session.store.blobs,
    processes,
    streamDirectory: `${session.locations.streams}/${session.host.pid}`,
    live: request.live,
    extraEnv: (label) => chainEnv(session.chain, session.model.root, label),
  });
}

function limitsOf(session: WorkspaceSession, { request, nested }: LockedRun): ResourceLimits {
  const { concurrency, pools, tagCaps } = session.model.settings;
  const wanted = request.concurrency ?? concurrency;
  return { slots: nested ? 1 : wanted, pools, tagCaps, io: 64 };
}

/** Saves what makes the next run faster. What is refused costs its time only: a later run finds out again. */
async function finishSession(session: WorkspaceSession, lock: Lock | undefined): Promise<void> {
  const { store, values, states, history, memo, journals, locations, ports } = session;
  const savings: readonly (() => unknown)[] = [
    () => ports.fs.removeTree(`${locations.streams}/${session.host.pid}`),
    () => states.save(),
    () => history.save(),
    () => memo.save(),
    () => (lock === undefined ? [] : pruneRuns(journals)),
    // Not flushed: the epoch stays open for the system to write out; after a power loss its blobs are hashed first.
    () => store.close({ sync: false }),
    () => values.close(),
    () => trimIfDue(session),
  ];
  let refused: FileSystemError | undefined;
  try {
    for (const save of savings) refused = (await refusalOf(save)) ?? refused;
    if (refused !== undefined) warnNotSaved(session, refused);
  } finally {
    lock?.release();
  }
}

/** Does something, and answers with the file system's refusal if there was one. */
async function refusalOf(work: () => unknown): Promise<FileSystemError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    return error;
  }
}

/** About once a day: the cache down to its limits, and values that nothing refers to. */
async function trimIfDue(session: WorkspaceSession): Promise<void> {
  const report = await gcIfDue(session.store, cacheLimits(session.model));
  if (report.ok && report.value?.kind === "collected") await sweepValues(session);
}

function warnNotSaved({ host }: WorkspaceSession, { code, operation, path }: FileSystemError): void {
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const why = warning("state-not-saved", `could not ${operation} ${path} (${code}), so the next run takes longer`, {
    next: isFull ? "Free some space." : "Give this user the right to do that, or check the disk.",
  });
  host.stderr.write(problemText(why, painter(host.stderr.colour)));
}

/** What the configuration asks for and this version has not. */
function unbuiltWarnings({ model }: WorkspaceSession): Problem[] {
  if (cacheSection(model).remote === undefined) return [];
  return [
    warning("cache-remote-unbuilt", "cache.remote is not used by this version; the local cache is", {
      next: "Leave it in for later, or remove it to be rid of this line.",
    }),
  ];
}
