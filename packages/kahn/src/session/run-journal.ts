/**
 * Journals of runs: making one for a new run, reading those of old ones.
 *
 * Owns:      folding runs that a crash kept from being folded, and forgetting the oldest.
 */
import { type JournalStore, parseRunId, type RunEvent, type RunId } from "@kahn/core";
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

/** The events of a run; none when its journal cannot be read. */
export function* readRun(journals: JournalStore, run: RunId): Iterable<RunEvent> {
  const records = journals.peek(run);
  if (!records.ok) return;
  for (const { body } of records.value) yield body as unknown as RunEvent;
}

/** Folds runs that ended without folding themselves in, oldest first. @returns those that never finished. */
export function foldInterrupted(journals: JournalStore, history: RunHistory): RunId[] {
  const interrupted: RunId[] = [];
  const newer = listRuns(journals).filter((run) => history.lastRun === undefined || run > history.lastRun);
  for (const run of newer.reverse()) {
    const events = [...readRun(journals, run)];
    if (events.at(-1)?.kind !== "run.finished") interrupted.push(run);
    history.fold(run, events);
  }
  return interrupted;
}

/** Removes journals of all but the newest runs. */
export function pruneRuns(journals: JournalStore, keep: number = KEPT_RUNS): RunId[] {
  const old = listRuns(journals).slice(keep);
  for (const run of old) journals.remove(run);
  return old;
}
