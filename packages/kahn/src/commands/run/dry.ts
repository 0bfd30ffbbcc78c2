/** `kahn run --dry`: what a run would do. */
import { ok, type Problem, type Result } from "@kahn/core";
import type { NodeForecast } from "@kahn/exec";
import { missText, type Paint, painter } from "@kahn/report";
import { EXIT } from "../../cli/command.ts";
import { forecastRun } from "../../session/run/forecast.ts";
import type { PlannedRequest } from "../../session/run/plan.ts";
import type { WorkspaceSession } from "../../session/workspace-session.ts";
import type { RunOptions } from "./options.ts";

/** Prints one line per task. */
export async function printForecast(
  session: WorkspaceSession,
  planned: PlannedRequest,
  options: RunOptions,
): Promise<Result<number, readonly Problem[]>> {
  const { cache, force, remoteExec } = options;
  const explained = await forecastRun(session, { provider: planned.provider, cache, force, remoteExec });
  if (!explained.ok) return explained;
  const { stdout } = session.host;
  if (options.json) {
    for (const forecast of explained.value) stdout.write(`${JSON.stringify(forecastRecord(forecast))}\n`);
    return ok(EXIT.done);
  }
  const paint = painter(stdout.colour);
  for (const forecast of explained.value) stdout.write(`${forecastLine(forecast, paint)}\n`);
  const count = (kind: NodeForecast["kind"]) => explained.value.filter((each) => each.kind === kind).length;
  const remote = explained.value.filter((each) => each.kind === "hit" && each.from !== undefined).length;
  const where = remote === 0 ? "" : ` (${remote} remotely)`;
  stdout.write(`\n${count("run")} would run, ${count("open")} depend on those, ${count("hit")} cached${where}\n`);
  return ok(EXIT.done);
}

/** A forecast for machines. */
export function forecastRecord(forecast: NodeForecast) {
  const { kind, planned } = forecast;
  const { label, requires } = planned;
  switch (forecast.kind) {
    case "hit":
      return { kind, label, requires, action: forecast.action, from: forecast.from };
    case "run":
      return { kind, label, requires, action: forecast.keyed?.action, reasons: forecast.reasons };
    case "open":
      return { kind, label, requires, below: forecast.below };
    case "errored":
      return { kind, label, requires, problem: forecast.problem };
    case "group":
      return { kind, label, requires };
  }
}

/** A forecast for people. */
export function forecastLine(forecast: NodeForecast, paint: Paint): string {
  const { label } = forecast.planned;
  switch (forecast.kind) {
    case "hit": {
      const from = forecast.from === undefined ? "" : ` on ${forecast.from}`;
      return `${paint("=", "cyan")} ${label} ${paint(`cached${from}`, "dim")}`;
    }
    case "group":
      return `${paint("·", "dim")} ${label} ${paint("no command of its own", "dim")}`;
    case "run": {
      const [first] = forecast.reasons;
      return `${paint("▶", "green")} ${label} would run${first === undefined ? "" : `: ${missText(first)}`}`;
    }
    case "open":
      return `${paint("?", "yellow")} ${label} depends on the outcome of ${forecast.below.join(", ")}`;
    case "errored":
      return `${paint("✖", "red")} ${label}: ${forecast.problem.message}`;
  }
}
