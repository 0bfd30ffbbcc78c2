/** The last words about a workflow's run: how it stands, and what to type next. */
import type { NodeError, OpenBarrier, RunResult } from "@kahn/workflow";
import { type Paint, painter } from "../text/paint.ts";
import { problemText } from "../text/problem.ts";
import { shellWord } from "../text/shell-word.ts";
import type { TextSink } from "../text/sink.ts";
import { countText, durationText } from "../text/units.ts";
import { payloadExamples } from "./payload-example.ts";
import { stateText, valueText } from "./value-text.ts";

/** What the last words need to know besides the result. */
export interface FlowEnd {
  readonly result: RunResult;
  /** In which the run was executed, by whatever process; waiting for people is none. */
  readonly durationMs: number;
  readonly nowMs: number;
  /** Set when a signal ended it. */
  readonly isInterrupted: boolean;
  /** Appended to commands, such as ` --dir runs`. */
  readonly dirOption: string;
}

/** How the run stands, with its state if it has ended. */
export function flowEndText(end: FlowEnd, sink: Pick<TextSink, "colour">): string {
  const { result, durationMs, isInterrupted } = end;
  const paint = painter(sink.colour);
  const facts = paint(`${countText(result.steps, "step")} · ${durationText(durationMs)} · run ${result.run}`, "dim");
  const resume = `kahn flow resume ${result.run}${end.dirOption}`;
  switch (result.status) {
    case "completed":
      return `${paint("✔ completed", "green")} ${facts}\n${stateText(result.state)}`;
    case "failed":
      return `${failureText(result.error, paint)}${paint("✖ failed", "red")} ${facts}\n${stateText(result.state)}to try again what failed: ${resume}${roomOption(result)}\n`;
    case "cancelled":
      return `${paint("○ cancelled", "yellow")} ${facts}\n${stateText(result.state)}to go on after all: ${resume}\n`;
    case "waiting":
    case "suspended": {
      const broken = result.problem === undefined ? "" : problemText(result.problem, paint);
      const waits = barriersText(result.run, result.barriers, { ...end, paint });
      const why =
        broken !== ""
          ? "stopped"
          : isInterrupted
            ? "left; nothing is lost"
            : result.barriers.length > 0
              ? "waiting"
              : "left";
      return `${broken}${paint(`⏸ ${why}`, "yellow")} ${facts}\n${waits}to go on: ${resume}\n`;
    }
  }
}

/** A run that failed by the number of its steps fails again unless it may make more. */
function roomOption({ error, steps }: RunResult): string {
  return error?.code === "flow-steps-exceeded" && error.path === undefined ? ` --max-steps ${2 * steps}` : "";
}

/** The barriers that wait, each with the command that decides it. */
export function barriersText(
  run: string,
  barriers: readonly OpenBarrier[],
  { nowMs, dirOption, paint }: { readonly nowMs: number; readonly dirOption: string; readonly paint: Paint },
): string {
  return barriers
    .map(({ barrier, payload, dueMs, accept }) => {
      const left = dueMs === undefined ? "" : paint(`, ${durationText(Math.max(0, dueMs - nowMs))} left`, "dim");
      const shown = payload === undefined ? "" : ` ${paint(valueText(payload, 200), "dim")}`;
      const { needed, whole } = payloadExamples(accept);
      const said = needed === undefined ? "" : ` --payload ${shellWord(needed)}`;
      const decide = `kahn flow decide ${run} ${shellWord(barrier)} --approve${said}${dirOption}`;
      const schema = accept === "schema" ? "    the graph's schema says what goes into the payload\n" : "";
      const more = whole === undefined ? "" : `    with all that may be said: --payload ${shellWord(whole)}\n`;
      const notes = `${schema}${more}`;
      return `  ${barrier} waits for a decision${left}${shown}\n    ${decide}\n${notes === "" ? "" : paint(notes, "dim")}`;
    })
    .join("");
}

/** Why a run failed, and where in the code of its graph: the first frame, or all that are kept. */
export function failureText(error: NodeError | undefined, paint: Paint, frames: "first" | "all" = "first"): string {
  if (error === undefined) return "";
  const { code, message, path, facts = [], next, parts = [], stack } = error;
  const where = path === undefined ? [] : [["node", path] as const];
  const lines = stack?.split("\n").slice(0, frames === "first" ? 1 : undefined) ?? [];
  const at = lines.map((line, index) => [index === 0 ? "at" : "", line] as const);
  const inner = parts.slice(0, 5).map((part) => [part.path ?? "part", `${part.message} [${part.code}]`] as const);
  const problem = { code, severity: "error", message, facts: [...where, ...at, ...facts, ...inner] } as const;
  return problemText(next === undefined ? problem : { ...problem, next }, paint);
}
