/** The effect *restore*: brings a hit's outputs back, or finds that they cannot be had. */
import type { ActionResult, Digest, MissReason, Problem } from "@kahn/core";
import { closureOf } from "./closure.ts";
import { claimOutputs, type EffectContext, failWith, memorise, miss, readStreams } from "./effect-context.ts";
import { keyRecordOf } from "./key-record.ts";
import { isGroup, type NodeRuntime } from "./node-runtime.ts";
import { removeStale, restoreOutputs } from "./output-restore.ts";
import { flattenResult, type OutputEntry, outputsDigest } from "./output-tree.ts";
import { getTaskRecord } from "./task-record.ts";

/** Outcome of a restore, for the kernel. */
export type RestoreResult = "restored" | "missing" | "errored";

/** Brings a hit's outputs back and replays its streams. */
export async function restoreNode(context: EffectContext, node: NodeRuntime): Promise<RestoreResult> {
  const { options } = context;
  const resolved = node.resolved!;
  if (isGroup(resolved)) return "restored";
  const found = await hitOf(context, node);
  if ("code" in found) return unusable(context, node, found);
  const paths = found.entries.filter((entry) => entry.kind !== "directory").map((entry) => entry.path);
  const conflict = claimOutputs(context, node, paths);
  if (conflict !== undefined) return failWith(node, conflict);
  const restored = await restoreOutputs(options, resolved.outputs, found.entries);
  if (!restored.ok) return failWith(node, restored.problem);
  if (restored.value.kind === "missing") {
    return unusable(context, node, { code: restored.value.why, name: restored.value.path });
  }
  node.outputPaths = paths;
  node.restoredFiles = restored.value.writtenFiles;
  dropStale(context, node, new Set(paths));
  node.durationMs = found.durationMs;
  node.closure = closureOf(
    resolved,
    { action: node.action, outputs: found.outputs },
    context.closuresOf(node.requires),
  );
  if (node.memo === undefined) memorise(context, node, found.entries);
  for (const [stream, bytes] of found.streams) context.output({ node: node.node, stream, bytes, replayed: true });
  return "restored";
}

interface Hit {
  readonly entries: readonly OutputEntry[];
  readonly outputs: Digest;
  readonly durationMs: number;
  readonly streams: readonly (readonly ["stdout" | "stderr", Uint8Array])[];
}

/** What a hit stands for: from the memo as far as that goes, else from the record and its blobs. */
async function hitOf(context: EffectContext, node: NodeRuntime): Promise<Hit | MissReason> {
  const { blobs, actions, replay } = context.options;
  const { memo } = node;
  if (memo !== undefined && !(replay.cached && memo.hasStreams)) return { ...memo, streams: [] };
  if (node.result === undefined) {
    const found = await actions.lookup(node.action!);
    if (!found.ok || found.value.kind === "miss") return { code: "entry-missing" };
    node.result = found.value.result;
  }
  const { result } = node;
  const streams = replay.cached ? await readStreams(context, result) : [];
  if (streams === undefined) return { code: "blob-missing", name: "its captured output" };
  if (memo !== undefined) return { ...memo, streams };
  const entries = await flattenResult(blobs, result, node.resolved!.command.workingDirectory);
  if (entries.ok) {
    return { entries: entries.value, outputs: outputsDigest(result), durationMs: recordedDurationMs(result), streams };
  }
  if (entries.problem.code === "missing") return { code: "blob-missing", name: "its output tree" };
  return { code: "entry-corrupt", detail: (entries.problem as Problem).message };
}

function unusable(context: EffectContext, node: NodeRuntime, reason: MissReason): "missing" {
  delete node.result;
  delete node.memo;
  miss(context, node, { reasons: [reason], cache: "incomplete" });
  const closures = context.closuresOf(node.requires);
  node.key = keyRecordOf(
    node.resolved!,
    node.requires.map((id, at) => [context.labelOf(id), closures[at]!]),
  );
  return "missing";
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

function recordedDurationMs({ metadata }: ActionResult): number {
  const { executionStartedAtMs: from, executionCompletedAtMs: to } = metadata;
  return from === undefined || to === undefined ? 0 : Math.max(0, to - from);
}
