/** A workflow's run for machines: one event per line, what nodes emit included, and at the end how the run stands. */
import type { RunResult, StreamEvent } from "@kahn/workflow";
import type { TextSink } from "../text/sink.ts";
import { jsonOf } from "./value-text.ts";

/** The line for an event. */
export function writeFlowEvent(sink: TextSink, event: StreamEvent): void {
  sink.write(`${JSON.stringify(jsonOf(event))}\n`);
}

/** How a run stands at the end: `interrupted` if its process ended without leaving it. */
export type FinishedRun = Omit<RunResult, "status"> & { readonly status: RunResult["status"] | "interrupted" };

/** The last line. */
export function writeFlowFinished(sink: TextSink, result: FinishedRun): void {
  const { run, status, state, error, problem, steps, cost, barriers } = result;
  const line = { kind: "flow.finished", run, status, state: jsonOf(state), error, problem, steps, cost, barriers };
  sink.write(`${JSON.stringify(line)}\n`);
}
