/** `kahn runs`: past runs. */

import { problem, type RunEvent, runIdTimeMs } from "@kahn/core";
import {
  countText,
  durationText,
  emptyRunView,
  foldRunEvent,
  painter,
  type RunView,
  settledText,
  summaryText,
  textTable,
} from "@kahn/report";
import type { ParsedArguments } from "../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import { type WordSpecs, wordProblem } from "../cli/words.ts";
import { findRun, unknownRun } from "../session/run/find.ts";
import { listRuns, pruneRuns, readableEvents, readRun } from "../session/run/journal.ts";
import { sweepValues } from "../session/sweep-values.ts";
import { openSession, type WorkspaceSession } from "../session/workspace-session.ts";
import { runTitle, startText } from "./runs/title.ts";

const WORDS: WordSpecs = {
  list: { argumentsMax: 0, options: ["json"] },
  show: { argumentsMax: 1, options: ["json"] },
  log: { argumentsMax: 2, options: [] },
  prune: { argumentsMax: 0, options: ["keep"] },
};

/** The command. */
export const runs: Command = {
  usage: "runs [list | show [RUN] | log TASK [RUN] | prune] [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 3,
  options: [
    { name: "json", help: "JSON lines: with list one per run, with show the run's events" },
    { name: "keep", value: "N", help: "with prune: how many runs to keep (default: 100)" },
  ],
  description: `
list   the runs of this workspace, newest first (the default)
show   what became of each task of a run (default: the last run)
log    what a task printed in a run (default: the last run it was part of)
prune  forget all but the newest runs; every run does that by itself

RUN is a run's id or the beginning of one.`,
  examples: [
    ["kahn runs", "all that are remembered"],
    ["kahn runs show", "the last one, task by task"],
    ["kahn runs log web#build", "print its output again"],
  ],
  async run(host, given) {
    const misplaced = wordProblem(runs, WORDS, given);
    if (misplaced !== undefined) return refuse(host, [misplaced]);
    const session = await openSession(host);
    if (!session.ok) return refuse(host, session.problem);
    switch (given.positionals[0]) {
      case "show":
        return show(session.value, given);
      case "log": {
        const { printLog } = await import("./runs/log.ts");
        return printLog(session.value, given);
      }
      case "prune":
        return prune(session.value, given);
      default:
        return list(session.value, given);
    }
  },
};

function list({ journals, host }: WorkspaceSession, given: ParsedArguments): number {
  const rows: string[][] = [];
  for (const id of listRuns(journals)) {
    const { events, problem: damage } = readableEvents(journals, id);
    const { counts, finished } = viewOf(events);
    const status = damage === undefined ? (finished?.status ?? "interrupted") : "unreadable";
    if (given.has("json")) {
      const startedAt = new Date(runIdTimeMs(id)).toISOString();
      // Of a run without an end the duration is left out.
      const line = { run: id, status, startedAt, durationMs: finished?.durationMs, ...counts };
      host.stdout.write(`${JSON.stringify(line)}\n`);
      continue;
    }
    const failed = counts.failed + counts.errored;
    rows.push([
      id,
      startText(id),
      status,
      String(counts.executed),
      String(counts.cached),
      String(failed),
      finished === undefined ? "" : durationText(finished.durationMs),
    ]);
  }
  if (!given.has("json")) {
    host.stdout.write(textTable(["RUN", "STARTED (UTC)", "STATUS", ">EXECUTED", ">CACHED", ">FAILED", ">TIME"], rows));
  }
  return EXIT.done;
}

function viewOf(events: Iterable<RunEvent>): RunView {
  const view = emptyRunView();
  for (const event of events) foldRunEvent(view, event);
  return view;
}

function show(session: WorkspaceSession, given: ParsedArguments): number {
  const { host, journals } = session;
  const run = findRun(session, given.positionals[1]);
  if (run === undefined) return refuse(host, [unknownRun(given.positionals[1])]);
  if (given.has("json")) {
    for (const event of readRun(journals, run)) host.stdout.write(`${JSON.stringify(event)}\n`);
    return EXIT.done;
  }
  const paint = painter(host.stdout.colour);
  const events = [...readRun(journals, run)];
  const view = viewOf(events);
  host.stdout.write(`${runTitle(run, events)}\n`);
  for (const event of view.settled.values()) {
    host.stdout.write(`${settledText(view, event, paint)}\n`);
    const { action } = event.ran ?? {};
    if (action !== undefined) host.stdout.write(`${paint(`    action ${action}`, "dim")}\n`);
  }
  for (const { node } of view.running.values()) host.stdout.write(`… ${view.nodes[node]?.label} was running\n`);
  host.stdout.write(view.finished === undefined ? "\nthe run was interrupted\n" : summaryText(view, paint));
  return EXIT.done;
}

async function prune(session: WorkspaceSession, given: ParsedArguments): Promise<number> {
  const { journals, host } = session;
  const keep = Number(given.value("keep") ?? 100);
  if (!Number.isInteger(keep) || keep < 0)
    return refuse(host, [problem("option-value", "--keep wants a whole number")]);
  const forgotten = pruneRuns(journals, keep).length;
  const swept = await sweepValues(session);
  host.stdout.write(`${countText(forgotten, "run")} forgotten, ${countText(swept, "value")} freed\n`);
  return EXIT.done;
}
