/** `kahn flow show`: a run's summary, its history, and its state now or after any step. */
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import {
  barriersText,
  countText,
  durationText,
  failureText,
  jsonOf,
  type Paint,
  painter,
  stateText,
  textTable,
  valueText,
} from "@kahn/report";
import {
  type DecidedEntry,
  diffStates,
  eventsOf,
  type HistoryEntry,
  history,
  type RunningVisit,
  type RunSummary,
  stateAt,
} from "@kahn/workflow";
import type { ParsedArguments } from "../../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../../cli/command.ts";
import type { FlowSession } from "../../session/flow/flow-session.ts";
import { graphOfLabels } from "../../session/flow/place.ts";
import { executedMs, statusOf, waitingBarriers } from "../../session/flow/status.ts";
import { DIR_OPTION, JSON_OPTION, runFor } from "./options.ts";

/** Entries of a history that people are shown at once. */
const ENTRIES_MAX = 100;
/** Of what runs, so many visits are named. */
const RUNNING_MAX = 10;

/** The command. */
export const flowShow: Command = {
  name: "flow show",
  usage: "flow show [RUN] [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 1,
  options: [
    { name: "at", value: "STEP", help: "the state after this step of the history" },
    { name: "diff", value: "A..B", help: "what differs between the states after two steps" },
    { name: "events", help: "every event, one JSON line each" },
    DIR_OPTION,
    JSON_OPTION,
  ],
  description: `
Shows how a run stands, what it did, and what it waits for with the command that decides it. STEP is a number from the
first column of the history. Without RUN: the last one. Needs neither the graph nor the process that executes the run.`,
  examples: [
    ["kahn flow show", "the last run"],
    ["kahn flow show 01JH --at 12", "its state after step 12"],
    ["kahn flow show 01JH --diff 3..12", "what nine steps changed"],
    ["kahn flow show last --json", "summary, history and state as one JSON object"],
  ],
  async run(host, given) {
    const found = await runFor(host, given, { command: "show" });
    if (!found.ok) return refuse(host, found.problem);
    const text = await textOf(found.value.session, found.value.run, given);
    if (!text.ok) return refuse(host, [text.problem]);
    host.stdout.write(text.value);
    return EXIT.done;
  },
};

async function textOf(session: FlowSession, run: string, given: ParsedArguments): Promise<Result<string, Problem>> {
  const entries = history(run, session.look());
  if (!entries.ok) return entries;
  const last = entries.value.at(-1)!.seq;
  if (given.has("events")) {
    const events = eventsOf(run, session.look());
    return events.ok ? ok(events.value.map((event) => `${JSON.stringify(event)}\n`).join("")) : events;
  }
  const [at, diff] = [given.value("at"), given.value("diff")];
  if (diff !== undefined) return differenceText(session, run, { diff, last, json: given.has("json") });
  if (at !== undefined) {
    const seq = readStep(at, last, "--at");
    if (!seq.ok) return seq;
    const state = stateAt(run, { ...session.look(), seq: seq.value });
    if (!state.ok) return state;
    return ok(given.has("json") ? `${JSON.stringify(jsonOf(state.value))}\n` : stateText(state.value));
  }
  return runText(session, run, { entries: entries.value, json: given.has("json") });
}

/** Reads the number of a step. */
export function readStep(text: string, last: number, option: string): Result<number, Problem> {
  const step = Number(text);
  if (/^[0-9]+$/.test(text) && step >= 1 && step <= last) return ok(step);
  return err(
    problem("flow-step-unknown", `${option} wants a step from 1 to ${last}, not "${text}"`, {
      next: "kahn flow show RUN numbers them.",
    }),
  );
}

function differenceText(
  session: FlowSession,
  run: string,
  { diff, last, json }: { readonly diff: string; readonly last: number; readonly json: boolean },
): Result<string, Problem> {
  const [from = "", to = ""] = diff.split("..");
  const [a, b] = [readStep(from, last, "--diff"), readStep(to === "" ? String(last) : to, last, "--diff")];
  if (!a.ok) return a;
  if (!b.ok) return b;
  const before = stateAt(run, { ...session.look(), seq: a.value });
  const after = stateAt(run, { ...session.look(), seq: b.value });
  if (!before.ok) return before;
  if (!after.ok) return after;
  const found = diffStates(before.value, after.value);
  if (json) return ok(found.map((each) => `${JSON.stringify(jsonOf(each))}\n`).join(""));
  if (found.length === 0) return ok("no key differs\n");
  const paint = painter(session.host.stdout.colour);
  const lines = found.map((each) => {
    const old = "before" in each ? `  ${paint(`- ${valueText(each.before, 400)}`, "red")}\n` : "";
    const fresh = "after" in each ? `  ${paint(`+ ${valueText(each.after, 400)}`, "green")}\n` : "";
    return `${each.key}\n${old}${fresh}`;
  });
  return ok(lines.join(""));
}

async function runText(
  session: FlowSession,
  run: string,
  { entries, json }: { readonly entries: readonly HistoryEntry[]; readonly json: boolean },
): Promise<Result<string, Problem>> {
  const summary = session.summary(run);
  if (!summary.ok) return summary;
  const result = session.flow.peek(run);
  if (!result.ok) return result;
  const { status, pid } = await statusOf(summary.value, session);
  const { state, error, steps, cost } = result.value;
  const nowMs = session.ports.clock.nowMs();
  const tookMs = executedMs(summary.value, { pid, nowMs });
  if (json) {
    const { startedMs, lastMs, ...rest } = summary.value;
    const whole = {
      ...rest,
      status,
      pid,
      executedMs: tookMs,
      startedMs,
      lastMs,
      error,
      cost,
      barriers: waitingBarriers(summary.value),
      history: jsonOf(entries),
      state: jsonOf(state),
    };
    return ok(`${JSON.stringify(whole)}\n`);
  }
  const paint = painter(session.host.stdout.colour);
  const executed = pid === undefined ? "" : `, executed by process ${pid}`;
  const { graph, version, running } = summary.value;
  const facts = `${graph} version ${version}: ${status}${executed}, ${countText(steps, "step")} in ${durationText(tookMs)}`;
  const options = { nowMs, dirOption: session.dirOption(), paint };
  const parts = [
    `${paint(run, "bold")}  ${facts}\n${originText(summary.value, session, paint)}`,
    historyText(entries),
    failureText(error, paint, "all"),
    pid === undefined ? "" : runningText(running, { pid, nowMs }),
    barriersText(run, waitingBarriers(summary.value), options),
    status === "interrupted" || (status === "waiting" && pid === undefined)
      ? `to go on${interruptedText(running)}: kahn flow resume ${run}${session.dirOption()}\n`
      : "",
    `state\n${stateText(state)}`,
  ];
  return ok(parts.filter((part) => part !== "").join("\n"));
}

/** What runs at this moment, a line each. */
function runningText(
  running: readonly RunningVisit[],
  { pid, nowMs }: { readonly pid: number; readonly nowMs: number },
): string {
  const lines = running.slice(0, RUNNING_MAX).map(({ path, sinceMs, attempt, retryMs }) => {
    const tries = attempt > 1 ? `, attempt ${attempt}` : "";
    if (retryMs !== undefined)
      return `  ${path} is tried again in ${durationText(Math.max(0, retryMs - nowMs))}${tries}\n`;
    const since = new Date(sinceMs).toISOString().slice(11, 19);
    return `  ${path} runs for ${durationText(Math.max(0, nowMs - sinceMs))}, since ${since} UTC, in process ${pid}${tries}\n`;
  });
  const more = running.length - lines.length;
  return `${lines.join("")}${more === 0 ? "" : `  and ${more} more\n`}`;
}

/** With what a run goes on that nobody executes. */
function interruptedText(running: readonly RunningVisit[]): string {
  const names = running.slice(0, RUNNING_MAX).map(({ path }) => path);
  const more = running.length - names.length;
  if (names.length === 0) return "";
  return ` with ${names.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
}

function originText({ labels, startedMs, parent }: RunSummary, session: FlowSession, paint: Paint): string {
  const place = graphOfLabels(labels, session.place.directory);
  const file =
    place === undefined ? "" : `graph    ${place.file}${place.export === "default" ? "" : `#${place.export}`}\n`;
  const fork = parent === undefined ? "" : `fork of  ${parent.run} after step ${parent.seq}\n`;
  return paint(`started  ${new Date(startedMs).toISOString()}\n${file}${fork}`, "dim");
}

/** One row for each thing that a run did. */
function historyText(entries: readonly HistoryEntry[]): string {
  const [first] = entries;
  const told = entries.filter(({ kind }) => kind !== "other");
  const shown = told.slice(-ENTRIES_MAX);
  const rows = shown.map((entry) => {
    const { seq, atMs, kind, path, changed, next = [], error, name, decision, waitedMs, reason, by, tookMs } = entry;
    const detail = [
      next.length === 0 ? "" : `→ ${next.join(", ")}`,
      changed.length === 0 ? "" : `sets ${changed.join(", ")}`,
      error === undefined ? "" : `${error.message.split("\n")[0]} [${error.code}]`,
      name ?? "",
      decision === undefined ? "" : decisionText(decision),
      waitedMs === undefined ? "" : `waited ${durationText(waitedMs)}`,
      reason === undefined ? "" : `${by === undefined ? "" : `by ${by}: `}${reason}`,
    ];
    return [
      String(seq),
      durationText(atMs - first!.atMs),
      kind,
      path ?? "",
      tookMs === undefined ? "" : durationText(tookMs),
      detail.filter((each) => each !== "").join("; "),
    ];
  });
  const earlier = told.length - shown.length;
  const more = earlier === 0 ? "" : `… ${earlier} earlier steps: --json shows all\n`;
  return `${more}${textTable([">STEP", ">AT", "WHAT", "NODE", ">TOOK", ""], rows)}`;
}

/** What was decided, by whom and why: `rejected by ann: too thin`. */
function decisionText({ kind, by, reason, payload, set, to, default: fallback }: DecidedEntry): string {
  const who = by === undefined ? "" : ` by ${by}`;
  const said = payload === undefined ? "{}" : valueText(payload, 200);
  const extra = said === "{}" ? "" : `, with ${said}`;
  switch (kind) {
    case "approve":
      return `approved${who}${extra}`;
    case "reject":
      return `rejected${who}${reason === undefined || reason === "" ? "" : `: ${reason}`}${extra}`;
    case "modify":
      return `modified${who}: ${valueText(set, 200)}`;
    case "reroute":
      return `rerouted${who} to ${to}`;
    case "timeout":
      return `nobody decided in time: ${fallback}`;
  }
}
