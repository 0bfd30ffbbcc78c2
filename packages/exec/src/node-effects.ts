/**
 * Effects on one node: lookup, restore, execute, store.
 *
 * Owns:      what each effect does with the ports, and which completion it answers with.
 * Never:     decides what happens next; the kernel does.
 * Invariant: an effect answers once and never rejects for anything but a bug.
 */
import {
  type ActionResult,
  type Digest,
  type FileSystemError,
  type MissReason,
  type Problem,
  problem,
  FileSystemError as RefusedByFileSystem,
  type Result,
  type RunEventBody,
  sleep,
  warning,
} from "@kahn/core";
import { actionKey } from "./action-key.ts";
import { closureOf } from "./closure.ts";
import { type KeyRecord, keyRecordOf } from "./key-record.ts";
import { lastTaskRecord, missReasons } from "./miss-reasons.ts";
import { isGroup, type NodeRuntime } from "./node-runtime.ts";
import type { OutputClaims } from "./output-claims.ts";
import { removeStale, restoreOutputs } from "./output-restore.ts";
import { flattenResult, outputsDigest } from "./output-tree.ts";
import type { RunGraphOptions } from "./run-options.ts";
import { getTaskRecord, putTaskRecord } from "./task-record.ts";

/** What the effects need besides the options. */
export interface EffectContext {
  readonly options: RunGraphOptions;
  readonly claims: OutputClaims;
  readonly labelOf: (node: number) => string;
  readonly closuresOf: (nodes: readonly number[]) => readonly Digest[];
  /** Records an event that belongs to a running effect. */
  readonly note: (event: RunEventBody) => void;
  readonly output: (node: number, stream: "stdout" | "stderr", bytes: Uint8Array, replayed: boolean) => void;
  /** A service can be used by those that require it. */
  readonly becameReady: (node: number) => void;
  /** True once the run is being cancelled: no further attempt is made. */
  readonly cancelling: () => boolean;
}

/** Outcome of a lookup, for the kernel. */
export type LookupOutcome = "hit" | "miss" | "errored";

/** Resolves the node, makes its key and asks the cache. */
export async function lookupNode(context: EffectContext, node: NodeRuntime): Promise<LookupOutcome> {
  const { options } = context;
  const resolved = await options.provider.resolve(node.planned.label);
  if (!resolved.ok) {
    node.problem = resolved.problem;
    return "errored";
  }
  node.resolved = resolved.value;
  const closures = context.closuresOf(node.requires);
  node.action = actionKey(resolved.value, closures).action;
  if (isGroup(resolved.value)) {
    node.closure = closureOf(resolved.value, { action: node.action, outputs: node.action }, closures);
    return "hit";
  }
  // Most lookups hit and need no record; it is made when something has to be explained or kept.
  const keyRecord = () =>
    keyRecordOf(
      resolved.value,
      node.requires.map((id, at) => [context.labelOf(id), closures[at]!]),
    );
  if (!resolved.value.cacheable) {
    return miss(context, node, [{ code: "not-cacheable", ...detail(resolved.value.uncachedBecause) }]);
  }
  if (!options.cache.read) {
    node.key = keyRecord();
    return miss(context, node, [{ code: "forced" }]);
  }
  return askCache(context, node, keyRecord);
}

function detail(text: string | undefined): { detail?: string } {
  return text === undefined ? {} : { detail: text };
}

async function askCache(context: EffectContext, node: NodeRuntime, keyRecord: () => KeyRecord): Promise<LookupOutcome> {
  const { actions, records, history, describeExternal } = context.options;
  const action = node.action!;
  const found = await actions.lookup(action);
  if (found.ok && found.value.kind === "hit" && found.value.result.exitCode === 0) {
    node.result = found.value.result;
    return "hit";
  }
  if (!found.ok) context.note({ kind: "node.warned", node: node.node, problem: lookupFailed(node, found.problem) });
  const cache = found.ok && found.value.kind === "miss" ? found.value.reason : "no-entry";
  node.key = keyRecord();
  const entry = history.entry(node.planned.label);
  const reasons = missReasons({ records, entry, action, key: node.key, cache, describeExternal });
  return miss(context, node, reasons, cache);
}

function miss(
  context: EffectContext,
  node: NodeRuntime,
  reasons: readonly MissReason[],
  cache?: "no-entry" | "incomplete" | "corrupt-entry",
): "miss" {
  node.missed = reasons;
  context.note({
    kind: "node.missed",
    node: node.node,
    reasons,
    ...(node.action === undefined ? {} : { action: node.action }),
    ...(cache === undefined ? {} : { cache }),
  });
  return "miss";
}

/** Outcome of a restore, for the kernel. */
export type RestoreResult = "restored" | "missing" | "errored";

/** Brings a hit's outputs back and replays its streams. */
export async function restoreNode(context: EffectContext, node: NodeRuntime): Promise<RestoreResult> {
  const { options } = context;
  const resolved = node.resolved!;
  if (isGroup(resolved)) return "restored";
  const result = node.result!;
  const streams = options.replay.cached ? await readStreams(context, result) : [];
  if (streams === undefined) return unusable(context, node, { code: "blob-missing", name: "its captured output" });
  const entries = await flattenResult(options.blobs, result, resolved.command.workingDirectory);
  if (!entries.ok) {
    if (entries.problem.code === "missing")
      return unusable(context, node, { code: "blob-missing", name: "its output tree" });
    return unusable(context, node, { code: "entry-corrupt", detail: (entries.problem as Problem).message });
  }
  const paths = entries.value.filter((entry) => entry.kind !== "directory").map((entry) => entry.path);
  const conflict = claimOutputs(context, node, paths);
  if (conflict !== undefined) return failWith(node, conflict);
  const restored = await restoreOutputs(options, resolved.outputs, entries.value);
  if (!restored.ok) return failWith(node, restored.problem);
  if (restored.value.kind === "missing") {
    return unusable(context, node, { code: restored.value.why, name: restored.value.path });
  }
  node.outputPaths = paths;
  node.restoredFiles = restored.value.writtenFiles;
  dropStale(context, node, new Set(paths));
  node.durationMs = recordedDurationMs(result);
  node.closure = closureOf(
    resolved,
    { action: node.action, outputs: outputsDigest(result) },
    context.closuresOf(node.requires),
  );
  for (const [stream, bytes] of streams) context.output(node.node, stream, bytes, true);
  return "restored";
}

function unusable(context: EffectContext, node: NodeRuntime, reason: MissReason): "missing" {
  delete node.result;
  miss(context, node, [reason], "incomplete");
  const closures = context.closuresOf(node.requires);
  node.key = keyRecordOf(
    node.resolved!,
    node.requires.map((id, at) => [context.labelOf(id), closures[at]!]),
  );
  return "missing";
}

function failWith(node: NodeRuntime, why: Problem): "errored" {
  node.problem = why;
  return "errored";
}

/** Removes what the previous result left and this one does not have. A hit on the same key left nothing. */
function dropStale(context: EffectContext, node: NodeRuntime, keep: ReadonlySet<string>): void {
  const { history, records } = context.options;
  const last = history.entry(node.planned.label)?.recent[0];
  if (last === undefined || last.action === node.action) return;
  const previous = getTaskRecord(records, last.record);
  const { outputs } = node.resolved!;
  const stale = previous?.outputs.filter((path) => !keep.has(path) && outputs.matches(path)) ?? [];
  removeStale(context.options, outputs, stale);
}

function claimOutputs(context: EffectContext, node: NodeRuntime, paths: readonly string[]): Problem | undefined {
  const conflict = context.claims.claim(node.node, node.resolved!.outputs.roots, () => paths);
  if (conflict === undefined) return undefined;
  const other = context.labelOf(conflict.other);
  return problem("output-conflict", `${node.planned.label} and ${other} both make ${conflict.path}`, {
    next: "Give each task outputs of its own, or let one depend on the other and write elsewhere.",
  });
}

async function readStreams(
  context: EffectContext,
  result: ActionResult,
): Promise<(readonly ["stdout" | "stderr", Uint8Array])[] | undefined> {
  const streams: (readonly ["stdout" | "stderr", Uint8Array])[] = [];
  for (const stream of ["stdout", "stderr"] as const) {
    const raw = stream === "stdout" ? result.stdoutRaw : result.stderrRaw;
    const digest = stream === "stdout" ? result.stdout : result.stderr;
    if (raw !== undefined && raw.byteLength > 0) streams.push([stream, raw]);
    else if (digest !== undefined) {
      const bytes = await context.options.blobs.read(digest);
      if (!bytes.ok || bytes.value === undefined) return undefined;
      streams.push([stream, bytes.value]);
    }
  }
  return streams;
}

function recordedDurationMs({ metadata }: ActionResult): number {
  const { executionStartedAtMs: from, executionCompletedAtMs: to } = metadata;
  return from === undefined || to === undefined ? 0 : Math.max(0, to - from);
}

/** Outcome of an execution, for the kernel. */
export type ExecuteResult = "succeeded" | "failed" | "errored" | "cancelled";

/** Runs the command, again after a failure as often as the task allows. */
export async function executeNode(context: EffectContext, node: NodeRuntime): Promise<ExecuteResult> {
  cleanBefore(context, node);
  const { attemptsMax } = node.resolved!.run;
  for (;;) {
    const attempt = ++node.attempts;
    const outcome = await executeOnce(context, node, attempt);
    if (outcome !== "failed" || attempt >= attemptsMax || context.cancelling()) return outcome;
    context.note({ kind: "node.retried", node: node.node, attempt: attempt + 1, problem: node.problem! });
    delete node.problem;
    // A moment for whatever made it fail to pass; short beside any real task.
    await sleep(context.options.clock, Math.min(100 * 2 ** (attempt - 1), 5000));
    if (context.cancelling()) return "cancelled";
  }
}

/**
 * Before a command runs, files of its last result that it may no longer make are removed: a source that is gone would
 * otherwise live on in the outputs. Not done after mere edits, because incremental tools rely on their own outputs.
 */
function cleanBefore(context: EffectContext, node: NodeRuntime): void {
  const leavesStale = node.missed?.some(({ code }) => code === "input-removed" || code === "command-changed") === true;
  if (!leavesStale) return;
  const previous = lastTaskRecord(context.options.records, context.options.history.entry(node.planned.label));
  const { outputs } = node.resolved!;
  removeStale(context.options, outputs, previous?.outputs.filter((path) => outputs.matches(path)) ?? []);
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
    { action: node.action, resolved, attempt },
    {
      started: () => {
        if (isService && resolved.run.ready === undefined) ready();
      },
      output: (stream, bytes) => context.output(node.node, stream, bytes, false),
      ready,
    },
  );
  const outcome = await node.execution.outcome;
  delete node.execution;
  switch (outcome.kind) {
    case "cancelled":
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
    readonly outputs: Digest;
    readonly outputPaths: readonly string[];
    readonly missingRoots: readonly string[];
    readonly unpublishable?: Problem;
  },
): Promise<ExecuteResult> {
  const resolved = node.resolved!;
  node.result = outcome.result;
  if (outcome.result.exitCode !== 0) {
    keepStreams(context, node, outcome.result);
    node.problem = commandFailed(node, outcome.result.exitCode);
    return "failed";
  }
  const conflict = claimOutputs(context, node, outcome.outputPaths);
  if (conflict !== undefined) return failWith(node, conflict);
  node.outputPaths = outcome.outputPaths;
  if (outcome.unpublishable !== undefined) node.unpublishable = outcome.unpublishable;
  const { roots } = resolved.outputs;
  if (roots.length > 0 && outcome.missingRoots.length === roots.length) {
    context.note({ kind: "node.warned", node: node.node, problem: noOutputs(node) });
  }
  if (context.options.replay.executed) {
    for (const [stream, bytes] of (await readStreams(context, outcome.result)) ?? []) {
      context.output(node.node, stream, bytes, false);
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
  const { options } = context;
  const warn = (why: Problem) => context.note({ kind: "node.warned", node: node.node, problem: why });
  if (node.unpublishable !== undefined) return warn(node.unpublishable);
  if (!node.resolved!.cacheable || !options.cache.write || node.result === undefined) return;
  const recorded = await options.actions.record(node.action!, node.result);
  if (!recorded.ok) return warn(storeFailed(node, recorded.problem));
  node.stored = true;
  if (node.key === undefined) return;
  node.record = kept(node, putTaskRecord(options.records, { key: node.key, outputs: node.outputPaths ?? [] }));
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
    if (context.options.replay.failed) context.output(node.node, stream, bytes, false);
    node[stream] = kept(node, context.options.records.put(bytes));
  }
}

/** A value store that refuses costs an explanation or a log, never the result. */
function kept(node: NodeRuntime, put: Result<Digest, Problem>): Digest | undefined {
  if (put.ok) return put.value;
  node.problem ??= warning("record-not-kept", `what is remembered of ${node.planned.label} could not be written`, {
    cause: put.problem,
  });
  return undefined;
}

function commandFailed(node: NodeRuntime, exitCode: number): Problem {
  const { unpassedNames } = node.resolved!.run;
  const hint =
    unpassedNames.length === 0
      ? undefined
      : `Its command mentions ${unpassedNames.join(", ")}, which the task does not receive: add it to the task's \`env\` or \`passEnv\`.`;
  return problem("command-failed", `${node.planned.label} exited with code ${exitCode}`, {
    ...(hint === undefined ? {} : { next: hint }),
  });
}

function noOutputs(node: NodeRuntime): Problem {
  return warning("outputs-missing", `${node.planned.label} made none of its declared outputs`, {
    facts: [["declared", node.resolved!.parts.outputGlobs.join(", ")]],
    next: "Correct the task's `outputs`, or declare `[]` if it makes no files.",
  });
}

function lookupFailed(node: NodeRuntime, cause: Problem): Problem {
  return warning("lookup-failed", `the cache could not be asked for ${node.planned.label}; it runs`, { cause });
}

function storeFailed(node: NodeRuntime, cause: Problem): Problem {
  return warning("result-not-stored", `the result of ${node.planned.label} could not be stored, so it is not cached`, {
    cause,
  });
}
