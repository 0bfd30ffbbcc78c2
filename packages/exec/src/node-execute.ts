/** The effects *execute* and *store*: runs a node's command, and publishes what came of it. */
import { type ActionResult, type Digest, type Problem, problem, type RanAt, sleep, warning } from "@kahn/core";
import { closureOf } from "./closure.ts";
import { claimOutputs, type EffectContext, failWith, kept, memorise, readStreams } from "./effect-context.ts";
import { compareKeyRecords } from "./key-record.ts";
import { lastTaskRecord } from "./miss-reasons.ts";
import type { NodeRuntime } from "./node-runtime.ts";
import { removeStale } from "./output-restore.ts";
import type { OutputEntry } from "./output-tree.ts";
import { putTaskRecord } from "./task-record.ts";

/** Outcome of an execution, for the kernel. */
export type ExecuteResult = "succeeded" | "failed" | "errored" | "cancelled";

/** Runs the command, again after a failure as often as the task allows. */
export async function executeNode(context: EffectContext, node: NodeRuntime): Promise<ExecuteResult> {
  // Decided in one step with its own ending, which came when there was nothing to end yet.
  if (context.cancelled.aborted) return "cancelled";
  cleanBefore(context, node);
  const { attemptsMax } = node.resolved!.run;
  for (;;) {
    const attempt = ++node.attempts;
    const outcome = await executeOnce(context, node, attempt);
    if (outcome !== "failed" || attempt >= attemptsMax || context.cancelled.aborted) return outcome;
    context.note({ kind: "node.retried", node: node.node, attempt: attempt + 1, problem: node.problem! });
    delete node.problem;
    // A moment for whatever made it fail to pass; short beside any real task.
    await sleep(context.options.clock, Math.min(100 * 2 ** (attempt - 1), 5000), context.cancelled);
    if (context.cancelled.aborted) return "cancelled";
  }
}

/**
 * Before a command runs, files of its last result that it may no longer make are removed: a source that is gone would
 * otherwise live on in the outputs. Not done after mere edits, because incremental tools rely on their own outputs.
 */
function cleanBefore(context: EffectContext, node: NodeRuntime): void {
  const previous = lastTaskRecord(context.options.records, context.options.history.entry(node.planned.label));
  if (previous === undefined || node.key === undefined) return;
  // Compared anew: the reasons of the miss need not speak of it, for example when the run was forced or a blob is gone.
  const differences = compareKeyRecords(previous.key, node.key);
  const leavesStale = differences.some(({ code }) => code === "input-removed" || code === "command-changed");
  if (!leavesStale) return;
  removeStale(context.options, node.resolved!.outputs, { before: previous.outputs, keep: new Set() });
}

async function executeOnce(context: EffectContext, node: NodeRuntime, attempt: number): Promise<ExecuteResult> {
  const resolved = node.resolved!;
  const isService = node.planned.lifetime !== "task";
  const startedMs = context.options.clock.monotonicMs();
  const ready = () => {
    context.note({ kind: "node.ready", node: node.node, afterMs: context.options.clock.monotonicMs() - startedMs });
    context.becameReady(node.node);
  };
  node.execution = context.options.executor.execute(
    {
      action: node.action,
      resolved,
      attempt,
      streams: isService,
      reachableOutputs: () => context.reachableOutputs(node.requires),
    },
    {
      started: () => {
        if (isService && resolved.run.ready === undefined) ready();
      },
      output: (stream, bytes) => context.output({ node: node.node, stream, bytes, replayed: false }),
      ready,
    },
  );
  const outcome = await node.execution.outcome;
  delete node.execution;
  switch (outcome.kind) {
    case "cancelled":
      if (outcome.streams !== undefined) keepStreams(context, node, outcome.streams);
      return "cancelled";
    case "errored":
      return failWith(node, outcome.problem);
    case "timed-out":
      node.problem = outcome.problem;
      node.durationMs = outcome.durationMs;
      keepStreams(context, node, outcome.streams);
      return "failed";
    case "completed":
      node.durationMs = outcome.durationMs;
      return complete(context, node, outcome);
  }
}

async function complete(
  context: EffectContext,
  node: NodeRuntime,
  outcome: {
    readonly result: ActionResult;
    readonly signal?: string;
    readonly outputs: Digest;
    readonly outputPaths: readonly string[];
    readonly outputEntries?: readonly OutputEntry[];
    readonly missingRoots: readonly string[];
    readonly unpublishable?: Problem;
    readonly warnings?: readonly Problem[];
    readonly hint?: string;
    readonly ran?: RanAt;
  },
): Promise<ExecuteResult> {
  const resolved = node.resolved!;
  node.result = outcome.result;
  if (outcome.ran !== undefined) node.ran = outcome.ran;
  for (const problem of outcome.warnings ?? []) context.note({ kind: "node.warned", node: node.node, problem });
  if (outcome.result.exitCode !== 0) {
    keepStreams(context, node, outcome.result);
    // The same Ctrl-C may reach a command before we end it: one in the terminal's group, or one not yet out of ours.
    if (context.cancelled.aborted) return "cancelled";
    node.problem = commandFailed(node, outcome);
    return "failed";
  }
  const conflict = claimOutputs(context, node, outcome.outputPaths);
  if (conflict !== undefined) return failWith(node, conflict);
  node.outputPaths = outcome.outputEntries?.map(({ path }) => path) ?? outcome.outputPaths;
  if (outcome.outputEntries !== undefined) node.outputEntries = outcome.outputEntries;
  if (outcome.unpublishable !== undefined) node.unpublishable = outcome.unpublishable;
  const { roots } = resolved.outputs;
  if (roots.length > 0 && outcome.missingRoots.length === roots.length) {
    context.note({ kind: "node.warned", node: node.node, problem: noOutputs(node) });
  }
  if (context.options.replay.executed) {
    for (const [stream, bytes] of (await readStreams(context, outcome.result)) ?? []) {
      context.output({ node: node.node, stream, bytes, replayed: false });
    }
  }
  node.closure = closureOf(
    resolved,
    { action: node.action, outputs: outcome.outputs },
    context.closuresOf(node.requires),
  );
  return "succeeded";
}

/** Second phase of publishing: the record, after everything it names. */
export async function storeNode(context: EffectContext, node: NodeRuntime): Promise<void> {
  const refused = node.unpublishable ?? (await publishRecord(context, node));
  if (refused !== undefined) context.note({ kind: "node.warned", node: node.node, problem: refused });
  if (node.key === undefined) return;
  // Kept of a result that is not in the cache, too: its files are in the workspace, and some day they are stale.
  const record = { key: node.key, outputs: node.outputPaths ?? [] };
  node.record = kept(node, putTaskRecord(context.options.records, record));
}

async function publishRecord(context: EffectContext, node: NodeRuntime): Promise<Problem | undefined> {
  const { actions, cache, recordedFrom } = context.options;
  if (!node.resolved!.cacheable || !cache.write || node.result === undefined) return undefined;
  // Run here after all, with other tools than its key speaks of.
  if (recordedFrom !== undefined && node.ran?.where !== recordedFrom) return undefined;
  const recorded = await actions.record(node.action!, node.result);
  if (!recorded.ok) return storeFailed(node, recorded.problem);
  node.stored = true;
  if (node.outputEntries !== undefined) memorise(context, node, node.outputEntries);
  return undefined;
}

/** Keeps what a command that did not succeed printed, and gives it to the observers. */
function keepStreams(
  context: EffectContext,
  node: NodeRuntime,
  streams: Pick<ActionResult, "stdoutRaw" | "stderrRaw">,
): void {
  for (const stream of ["stdout", "stderr"] as const) {
    const bytes = stream === "stdout" ? streams.stdoutRaw : streams.stderrRaw;
    if (bytes === undefined) continue;
    if (context.options.replay.failed && node.planned.lifetime === "task")
      context.output({ node: node.node, stream, bytes, replayed: false });
    node[stream] = kept(node, context.options.records.put(bytes));
  }
}

function commandFailed(
  node: NodeRuntime,
  { result, signal, hint: known }: { readonly result: ActionResult; readonly signal?: string; readonly hint?: string },
): Problem {
  const { unpassedNames } = node.resolved!.run;
  const hint =
    known !== undefined || unpassedNames.length === 0
      ? known
      : `Its command mentions ${unpassedNames.join(", ")}, which the task does not receive: add it to the task's \`env\` or \`passEnv\`.`;
  const how = signal === undefined ? `exited with code ${result.exitCode}` : `was ended by ${signal}`;
  return problem("command-failed", `${node.planned.label} ${how}`, {
    ...(hint === undefined ? {} : { next: hint }),
  });
}

function noOutputs(node: NodeRuntime): Problem {
  return warning("outputs-missing", `${node.planned.label} made none of its declared outputs`, {
    facts: [["declared", node.resolved!.parts.outputGlobs.join(", ")]],
    next: "Correct the task's `outputs`, or declare `[]` if it makes no files.",
  });
}

function storeFailed(node: NodeRuntime, cause: Problem): Problem {
  return warning("result-not-stored", `the result of ${node.planned.label} could not be stored, so it is not cached`, {
    cause,
  });
}
