/** How a run of a flow stands, as people are told: its journal says a part of it, its lock the rest. */
import type { RunSummary } from "@kahn/workflow";
import type { FlowSession } from "./flow-session.ts";

/** Every status. */
export const STATUSES = [
  "running",
  "waiting",
  "interrupted",
  "completed",
  "failed",
  "cancelled",
  "unreadable",
] as const;
/** One of them. */
export type FlowStatus = (typeof STATUSES)[number];

/** How a run stands, and the process that executes it. */
export async function statusOf(
  { run, status, barriers }: Pick<RunSummary, "run" | "status" | "barriers">,
  session: FlowSession,
): Promise<{ readonly status: FlowStatus; readonly pid: number | undefined }> {
  if (status !== "running") return { status, pid: undefined };
  const owner = await session.owner(run);
  const pid = owner === undefined || owner === "unknown" ? undefined : owner.pid;
  if (barriers.length > 0) return { status: "waiting", pid };
  return { status: owner === undefined ? "interrupted" : "running", pid };
}

/** The barriers at which a run waits; of one that failed or was cancelled none, until it is taken up again. */
export function waitingBarriers({ status, barriers }: Pick<RunSummary, "status" | "barriers">): RunSummary["barriers"] {
  return status === "running" ? barriers : [];
}

/** How long a run was executed, in milliseconds, until now if a process is at it. */
export function executedMs(
  { executedMs: told, running, lastMs }: Pick<RunSummary, "executedMs" | "running" | "lastMs">,
  { pid, nowMs }: { readonly pid: number | undefined; readonly nowMs: number },
): number {
  return told + (pid === undefined || running.length === 0 ? 0 : Math.max(0, nowMs - lastMs));
}
