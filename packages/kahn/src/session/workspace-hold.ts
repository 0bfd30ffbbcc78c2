/**
 * Having a workspace: its lock, the processes of those who have it, and the tidying afterwards.
 *
 * Owns:      the order in which these begin and end.
 * Invariant: whoever has it is alone with those that run inside of it; on every way out the processes are ended before
 *            the lock is free. What costs time after the last result (indexes, history, pruning) comes last.
 */
import { gcIfDue } from "@kahn/cas";
import {
  FileSystemError,
  newRunId,
  ok,
  type Problem,
  type ProcessRunner,
  type Result,
  type RunId,
  warning,
} from "@kahn/core";
import { painter, problemText } from "@kahn/report";
import { directRunner, type Lock, type LockProblem, startGuardian } from "@kahn/system";
import { cacheLimits } from "./cache-limits.ts";
import { makeStateDirectory } from "./locations.ts";
import { isInside } from "./nesting.ts";
import { foldInterrupted, pruneRuns } from "./run/journal.ts";
import { sweepValues } from "./sweep-values.ts";
import { type LockWaiting, lockWorkspace } from "./workspace-lock.ts";
import type { WorkspaceSession } from "./workspace-session.ts";

/** How long processes may live on after TERM when Kahn itself has died. */
const GUARDIAN_GRACE_MS = 5000;

/** A workspace that is had. Several runs may share it, each with a journal of its own. */
export interface WorkspaceHold {
  readonly session: WorkspaceSession;
  /** True inside a task of another Kahn, which has the lock. */
  readonly nested: boolean;
  readonly processes: ProcessRunner;
  /** For a run that begins. The first is also what the guardian goes by. */
  nextRunId(): RunId;
  /** What is to be said of earlier runs that were killed; the first call has it, and records it with its run. */
  takeWarnings(): readonly Problem[];
  /** Ends every process, saves what makes the next run faster, and lets go. */
  release(): Promise<void>;
}

/** Takes the workspace, after whoever has it. `lock-wait-cancelled`: waiting was given up, and nothing was started. */
export async function holdWorkspace(
  session: WorkspaceSession,
  waiting: LockWaiting,
): Promise<Result<WorkspaceHold, LockProblem>> {
  const { ports, chain, model } = session;
  makeStateDirectory(ports.fs, session.locations);
  const nested = isInside(chain, model.root);
  // The outer run holds the lock, and this one runs in the slot of the task that started it.
  const lock = nested ? undefined : await lockWorkspace(session, waiting);
  if (lock?.ok === false) return lock;
  // Only now: ids are in the order in which runs had the workspace, and not in that in which they came to wait for it.
  const first = newRunId(ports.clock, ports.random);
  let next: RunId | undefined = first;
  const nextRunId = () => {
    const id = next ?? newRunId(ports.clock, ports.random);
    next = undefined;
    return id;
  };
  const guardian = startGuardian({
    token: first,
    graceMs: GUARDIAN_GRACE_MS,
    ...(lock === undefined ? {} : { lockFd: lock.value.fd }),
  });
  // Inside a task of another Kahn all stays in that task's group, for it to end, whatever becomes of this process.
  const processes = directRunner({ clock: ports.clock, guardian, groups: chain.length > 0 ? "shared" : "own" });
  const release = async () => {
    await processes.close();
    await finishSession(session, lock?.value);
  };
  try {
    let warnings: readonly Problem[] = nested ? [] : foldInterrupted(session.journals, session.history);
    // Of runs that were killed; whoever has the lock is alone with those that run inside of it.
    if (!nested) ports.fs.removeTree(session.locations.streams);
    const takeWarnings = () => {
      const taken = warnings;
      warnings = [];
      return taken;
    };
    return ok({ session, nested, processes, nextRunId, takeWarnings, release });
  } catch (cause) {
    await release();
    throw cause;
  }
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
