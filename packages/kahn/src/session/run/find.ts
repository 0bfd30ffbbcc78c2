/** Which run a person means. */
import { parseRunId, problem, type RunId } from "@kahn/core";
import type { WorkspaceSession } from "../workspace-session.ts";
import { listRuns } from "./journal.ts";

/** The run meant by an id or its beginning; the newest without one. */
export function findRun({ journals }: WorkspaceSession, text: string | undefined): RunId | undefined {
  const all = listRuns(journals);
  if (text === undefined) return all[0];
  return parseRunId(text) ?? all.find((id) => id.startsWith(text.toUpperCase()));
}

/** The problem of an id that no run has. */
export function unknownRun(text: string | undefined) {
  return text === undefined
    ? problem("run-unknown", "this workspace has no runs yet", { next: "kahn run TASK makes one." })
    : problem("run-unknown", `no run has an id that begins with ${text}`, { next: "kahn runs list shows all." });
}
