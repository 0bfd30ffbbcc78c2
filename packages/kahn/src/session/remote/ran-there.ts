/**
 * Actions by which servers know tasks of past runs.
 *
 * Owns:  the search through the journals, newest run first; one that cannot be read is passed over.
 */
import type { JournalStore, RunEvent } from "@kahn/core";
import { listRuns, readableEvents } from "../run/journal.ts";

type Settled = Extract<RunEvent, { kind: "node.settled" }>;

/** Where a task ran, and as what. */
export type RanThere = Required<Pick<NonNullable<Settled["ran"]>, "where" | "action">>;

/** The last time that a server ran what is meant; `undefined` when no run of the journals says so. */
export function lastRanThere(
  journals: JournalStore,
  isMeant: (label: string, settled: Settled) => boolean,
): RanThere | undefined {
  for (const run of listRuns(journals)) {
    const found = inRun(readableEvents(journals, run).events, isMeant);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inRun(
  events: readonly RunEvent[],
  isMeant: (label: string, settled: Settled) => boolean,
): RanThere | undefined {
  const labels: string[] = [];
  for (const event of events) {
    if (event.kind === "run.planned") for (const { node, label } of event.nodes) labels[node] = label;
    if (event.kind !== "node.settled" || event.ran?.action === undefined) continue;
    if (isMeant(labels[event.node] ?? "", event)) return { where: event.ran.where, action: event.ran.action };
  }
  return undefined;
}
