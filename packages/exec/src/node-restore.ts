/** The effect *restore*: brings a hit's outputs back, or finds that they cannot be had. */
import type { ActionResult, Digest, MissReason, Problem } from "@kahn/core";
import { closureOf } from "./closure.ts";
import { claimOutputs, type EffectContext, failWith, kept, memorise, miss, readStreams } from "./effect-context.ts";
import { type KeyRecord, keyRecordOf } from "./key-record.ts";
import { isGroup, type NodeRuntime } from "./node-runtime.ts";
import { removeStale, restoreOutputs } from "./output-restore.ts";
import { flattenResult, type OutputEntry, outputsDigest } from "./output-tree.ts";
import { getTaskRecord, putTaskRecord } from "./task-record.ts";

/** Outcome of a restore, for the kernel. */
export type RestoreResult = "restored" | "missing" | "errored";

/** Brings a hit's outputs back and replays its streams. */
export async function restoreNode(context: EffectContext, node: NodeRuntime): Promise<RestoreResult> {
  const { options } = context;
  const resolved = node.resolved!;
  if (isGroup(resolved)) return "restored";
  const found = await hitOf(context, node);
  if ("code" in found) return unusable(context, node, found);
  const files = found.entries.filter((entry) => entry.kind !== "directory").map((entry) => entry.path);
  const conflict = claimOutputs(context, node, files);
  if (conflict !== undefined) return failWith(node, conflict);
  const restored = await restoreOutputs(options, resolved.outputs, found.entries);
  if (!restored.ok) return failWith(node, restored.problem);
  if (restored.value.kind === "missing") {
    return unusable(context, node, { code: restored.value.why, name: restored.value.path });
  }
  node.outputPaths = found.entries.map((entry) => entry.path);
  node.outputEntries = found.entries;
  node.restoredFiles = restored.value.writtenFiles;
  dropStale(context, node, new Set(node.outputPaths));
  keepRecord(context, node);
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
  node.key = keyRecordOfNode(context, node);
  return "missing";
}

/** Removes what the previous result left and this one does not have. A hit on the same key left nothing. */
function dropStale(context: EffectContext, node: NodeRuntime, keep: ReadonlySet<string>): void {
  const { history, records } = context.options;
  const last = history.entry(node.planned.label)?.recent[0];
  if (last === undefined || last.action === node.action) return;
  const before = getTaskRecord(records, last.record)?.outputs ?? [];
  removeStale(context.options, node.resolved!.outputs, { before, keep });
}

/** A result that was made elsewhere leaves files here, too: this work tree's history has to know them. */
function keepRecord(context: EffectContext, node: NodeRuntime): void {
  const { history, records } = context.options;
  if (history.entry(node.planned.label)?.recent.some((past) => past.action === node.action) === true) return;
  const record = { key: keyRecordOfNode(context, node), outputs: node.outputPaths ?? [] };
  node.record = kept(node, putTaskRecord(records, record));
}

function keyRecordOfNode(context: EffectContext, node: NodeRuntime): KeyRecord {
  const closures = context.closuresOf(node.requires);
  return keyRecordOf(
    node.resolved!,
    node.requires.map((id, at) => [context.labelOf(id), closures[at]!]),
  );
}

function recordedDurationMs({ metadata }: ActionResult): number {
  const { executionStartedAtMs: from, executionCompletedAtMs: to } = metadata;
  return from === undefined || to === undefined ? 0 : Math.max(0, to - from);
}
