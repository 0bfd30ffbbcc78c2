/**
 * What becomes of actions, in numbers.
 *
 * Invariant: every series is there from the start, at 0, so that a rate over it is right from its first event on.
 */
import type { WorkerCounts } from "@kahn/exec";
import type { ExecutionStatus } from "../execution/index.ts";
import type {
  ExecutionFailure,
  ExecutionListener,
  ExecutionSource,
  RunEnd,
} from "../execution/machine/execution-listener.ts";
import type { Metrics, Value } from "./metrics.ts";

const SOURCES: readonly ExecutionSource[] = ["executed", "merged", "cached"];
const FAILURES: readonly ExecutionFailure[] = [
  ...(["timeout", "cancelled", "missing_inputs", "invalid", "drained", "unsatisfiable", "poisoned", "error"] as const),
];
const RUN_ENDS: readonly RunEnd[] = [
  ...(["success", "failure", "lost", "timeout", "cancelled", "missing_inputs", "invalid", "error"] as const),
];

/** The listener that counts. */
export function executionMetrics(metrics: Metrics): ExecutionListener {
  const help = "Execute operations that ended with a result, by where it came from.";
  const results = seriesOf(SOURCES, (source) => metrics.counter("kahn_execution_results_total", help, { source }));
  const failures = seriesOf(FAILURES, (kind) =>
    metrics.counter("kahn_execution_failures_total", "Execute operations that ended without a result.", { kind }),
  );
  const runs = seriesOf(RUN_ENDS, (end) =>
    metrics.counter("kahn_execution_runs_total", "Runs of actions on workers that ended.", { end }),
  );
  const spent = (phase: string, what: string) =>
    metrics.histogram(`kahn_execution_${phase}_seconds`, `Time that actions took ${what}.`);
  const queue = spent("queue", "from the queue to a worker");
  const staging = spent("staging", "to have their inputs staged");
  const run = spent("run", "to run");
  const storing = spent("storing", "to have their outputs stored");
  return {
    operationEnded: (end) => (results.get(end) ?? failures.get(end))?.add(1),
    runStarted: (queuedMs) => queue.observe(queuedMs / 1000),
    runEnded: (end, timings) => {
      runs.get(end)?.add(1);
      if (timings === undefined) return;
      const { startedAtMs, inputsReadyAtMs, executionMs, outputsStartedAtMs, completedAtMs } = timings;
      if (inputsReadyAtMs !== undefined) staging.observe(seconds(startedAtMs, inputsReadyAtMs));
      if (executionMs !== undefined) run.observe(executionMs / 1000);
      if (outputsStartedAtMs !== undefined) storing.observe(seconds(outputsStartedAtMs, completedAtMs));
    },
  };
}

/** Sets what is read when somebody asks. */
export function measureExecution(metrics: Metrics, status: ExecutionStatus, runner: RunnerNumbers): void {
  const { checking, queued, running, storing, slots, operations } = status;
  for (const [stage, value] of Object.entries({ checking, queued, running, storing })) {
    metrics.gauge("kahn_executions", "Actions by stage.", { stage }).set(value);
  }
  metrics.gauge("kahn_execution_slots", "Actions that may run at once.").set(slots);
  metrics
    .gauge("kahn_execution_operations", "Operations that are remembered, completed ones included.")
    .set(operations);
  for (const level of ["bubblewrap", "none"] as const) {
    const help = "1 for the level at which actions are kept apart from this machine.";
    metrics.gauge("kahn_execution_sandbox", help, { level }).set(runner.level === level ? 1 : 0);
  }
  if (runner.workers === undefined) return;
  const { live, started, reused } = runner.workers;
  metrics.gauge("kahn_persistent_workers", "Persistent workers that live.").set(live);
  metrics.counter("kahn_persistent_worker_starts_total", "Persistent workers that were started.").set(started);
  const help = "Actions given to a persistent worker that had been started before.";
  metrics.counter("kahn_persistent_worker_reuses_total", help).set(reused);
}

/** What is known of how actions are run here. */
export interface RunnerNumbers {
  readonly level: "bubblewrap" | "none";
  /** `undefined` on a server without persistent workers. */
  readonly workers: WorkerCounts | undefined;
}

function seriesOf<Kind extends string>(kinds: readonly Kind[], series: (kind: Kind) => Value): Map<string, Value> {
  return new Map(kinds.map((kind) => [kind, series(kind)]));
}

/** By the wall clock, which may go back. */
function seconds(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / 1000;
}
