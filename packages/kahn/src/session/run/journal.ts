/**
 * Journals of runs: making one for a new run, reading those of old ones.
 *
 * Owns:      folding runs that a crash kept from being folded, and forgetting the oldest.
 */
import {
  type JournalStore,
  type Problem,
  ProblemError,
  parseRunId,
  type RunEvent,
  type RunId,
  warning,
} from "@kahn/core";
import type { RunHistory } from "@kahn/exec";

/** Runs kept before the oldest are removed. */
const KEPT_RUNS = 100;

/** Every run in the store, newest first. */
export function listRuns(journals: JournalStore): RunId[] {
  return journals
    .list()
    .map(parseRunId)
    .filter((id) => id !== undefined)
    .reverse();
}

/** The events of a run. @throws ProblemError where its journal cannot be read; the incomplete end of one just ends it. */
export function* readRun(journals: JournalStore, run: RunId): Iterable<RunEvent> {
  const records = journals.peek(run);
  if (!records.ok) throw new ProblemError(records.problem);
  for (const { body } of records.value) yield body as unknown as RunEvent;
}

/** The events of a run as far as they can be read, and what is wrong with the rest. */
export function readableEvents(
  journals: JournalStore,
  run: RunId,
): { readonly events: readonly RunEvent[]; readonly problem?: Problem } {
  const events: RunEvent[] = [];
  try {
    for (const event of readRun(journals, run)) events.push(event);
  } catch (cause) {
    if (cause instanceof ProblemError) return { events, problem: cause.problems[0]! };
    throw cause;
  }
  return { events };
}

/** Folds runs that ended without folding themselves in, oldest first. @returns a warning for each that did not finish. */
export function foldInterrupted(journals: JournalStore, history: RunHistory): Problem[] {
  const warnings: Problem[] = [];
  const newer = listRuns(journals).filter((run) => history.lastRun === undefined || run > history.lastRun);
  for (const run of newer.reverse()) {
    const { events, problem } = readableEvents(journals, run);
    if (problem !== undefined) warnings.push({ ...problem, severity: "warning" });
    else if (events.at(-1)?.kind !== "run.finished") warnings.push(interruptedWarning(run));
    history.fold(run, events);
  }
  return warnings;
}

function interruptedWarning(run: RunId): Problem {
  return warning(
    "run-interrupted",
    `the run ${run} ended without finishing (Kahn was killed, or the machine stopped)`,
    {
      next: "Nothing that it finished is lost: what was stored is a hit now.",
    },
  );
}

/** Removes journals of all but the newest runs. */
export function pruneRuns(journals: JournalStore, keep: number = KEPT_RUNS): RunId[] {
  const old = listRuns(journals).slice(keep);
  for (const run of old) journals.remove(run);
  return old;
}
