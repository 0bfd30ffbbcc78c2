/** A workflow's run for machines: one event per line, what nodes emit included, and at the end how the run stands. */
import type { RunResult, StreamEvent } from "@kahn/workflow";
import { jsonOf } from "./flow-value-text.ts";
import type { TextSink } from "./text-sink.ts";

/** The line for an event. */
export function writeFlowEvent(sink: TextSink, event: StreamEvent): void {
  sink.write(`${JSON.stringify(jsonOf(event))}\n`);
}

/** The last line. */
export function writeFlowFinished(sink: TextSink, result: RunResult): void {
  const { run, status, state, error, problem, steps, cost, barriers } = result;
  const line = { kind: "flow.finished", run, status, state: jsonOf(state), error, problem, steps, cost, barriers };
  sink.write(`${JSON.stringify(line)}\n`);
}
