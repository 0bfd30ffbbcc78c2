/** `kahn flow list`: runs, what they do and what they wait for. */
import { problem } from "@kahn/core";
import { durationText, textTable } from "@kahn/report";
import { listRuns, type RunSummary } from "@kahn/workflow";
import { type Command, EXIT, refuse } from "../../cli/command.ts";
import { executedMs, type FlowStatus, STATUSES, statusOf, waitingBarriers } from "../../session/flow/status.ts";
import { DIR_OPTION, JSON_OPTION, sessionFor } from "./options.ts";

/** The command. */
export const flowList: Command = {
  name: "flow list",
  usage: "flow list [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 0,
  options: [{ name: "status", value: "STATUS", help: `only these: ${STATUSES.join(", ")}` }, DIR_OPTION, JSON_OPTION],
  description: `
Lists runs, newest first. waiting: for a decision; running: a process executes it; interrupted: left, or its process
was killed, and there is no barrier to decide: resume it. TOOK is the time in which something of the run was executed;
waiting for people is none.`,
  examples: [["kahn flow list --status waiting", "what waits for a decision"]],
  async run(host, given) {
    const wanted = given.value("status");
    if (wanted !== undefined && !(STATUSES as readonly string[]).includes(wanted)) {
      return refuse(host, [
        problem("option-value", `--status cannot be "${wanted}"`, { facts: [["choices", STATUSES.join(", ")]] }),
      ]);
    }
    const opened = await sessionFor(host, given, { command: "list" });
    if (!opened.ok) return refuse(host, opened.problem);
    const session = opened.value;
    const summaries = listRuns(session.look());
    const rows: string[][] = [];
    for (const summary of [...summaries].reverse()) {
      const { status, pid } = await statusOf(summary, session);
      if (wanted !== undefined && status !== wanted) continue;
      const tookMs = executedMs(summary, { pid, nowMs: session.ports.clock.nowMs() });
      const now = { ...summary, executedMs: tookMs };
      if (given.has("json")) host.stdout.write(`${JSON.stringify(lineOf(now, status, pid))}\n`);
      else rows.push(rowOf(now, status));
    }
    const known = new Set(summaries.map(({ run }) => run));
    for (const run of session.ids().filter((id) => !known.has(id) && (wanted ?? "unreadable") === "unreadable")) {
      if (given.has("json")) host.stdout.write(`${JSON.stringify({ run, status: "unreadable" })}\n`);
      else rows.push([run, "", "", "unreadable"]);
    }
    if (given.has("json")) return EXIT.done;
    if (rows.length > 0)
      host.stdout.write(textTable(["RUN", "GRAPH", "STARTED (UTC)", "STATUS", ">STEPS", ">TOOK", "WAITS FOR"], rows));
    else host.stdout.write(wanted === undefined ? `no runs in ${session.place.directory}\n` : `no run is ${wanted}\n`);
    return EXIT.done;
  },
};

function lineOf(summary: RunSummary, status: FlowStatus, pid: number | undefined): object {
  const { startedMs, lastMs, ...rest } = { ...summary, barriers: waitingBarriers(summary) };
  const times = { startedAt: new Date(startedMs).toISOString(), lastAt: new Date(lastMs).toISOString() };
  return { ...rest, status, ...(pid === undefined ? {} : { pid }), ...times };
}

function rowOf(summary: RunSummary, status: FlowStatus): string[] {
  const { run, graph, startedMs, executedMs: tookMs, steps } = summary;
  const started = new Date(startedMs).toISOString().slice(0, 16).replace("T", " ");
  const waits = waitingBarriers(summary)
    .map(({ barrier }) => barrier)
    .join(", ");
  return [run, graph, started, status, String(steps), durationText(tookMs), waits];
}
