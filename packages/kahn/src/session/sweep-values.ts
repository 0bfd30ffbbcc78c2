/**
 * Frees what nothing refers to any more in the durable value store.
 *
 * Owns:      the roots: the remembered results of every task with the lock files that explain them, and what failed
 *            commands of the kept runs printed.
 */
import type { Digest, JournalStore, RunId } from "@kahn/core";
import { getTaskRecord } from "@kahn/exec";
import { listRuns, readRun } from "./run/journal.ts";
import type { WorkspaceSession } from "./workspace-session.ts";

/** Removes values without a reference. @returns how many went; 0 when the store refuses, which costs only space. */
export async function sweepValues(session: WorkspaceSession): Promise<number> {
  const swept = await session.values.sweep(liveValues(session));
  return swept.ok ? swept.value.removed : 0;
}

function liveValues({ history, values, journals }: WorkspaceSession): Set<Digest> {
  const live = new Set<Digest>();
  for (const digest of history.records()) {
    live.add(digest);
    for (const [, external] of getTaskRecord(values, digest)?.key.external ?? []) live.add(external as Digest);
  }
  for (const run of listRuns(journals)) for (const digest of keptStreams(journals, run)) live.add(digest);
  return live;
}

/** What commands of a run that did not succeed printed. */
function* keptStreams(journals: JournalStore, run: RunId): Iterable<Digest> {
  for (const event of readRun(journals, run)) {
    if (event.kind !== "node.settled") continue;
    if (event.stdout !== undefined) yield event.stdout;
    if (event.stderr !== undefined) yield event.stderr;
  }
}
