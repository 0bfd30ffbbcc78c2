/**
 * What effects on nodes share: the context they are performed in, and the steps that more than one of them takes.
 *
 * Invariant: an effect answers once and never rejects for anything but a bug.
 */
import {
  type ActionResult,
  type CacheMissReason,
  type Digest,
  type MissReason,
  type OutputEvent,
  type Problem,
  problem,
  type Result,
  type RunEventBody,
  warning,
} from "@kahn/core";
import type { NodeRuntime } from "./node-runtime.ts";
import type { OutputClaims } from "./output-claims.ts";
import { type OutputEntry, outputsDigest } from "./output-tree.ts";
import type { RunGraphOptions } from "./run-options.ts";

/** What the effects need besides the options. */
export interface EffectContext {
  readonly options: RunGraphOptions;
  readonly claims: OutputClaims;
  readonly labelOf: (node: number) => string;
  readonly closuresOf: (nodes: readonly number[]) => readonly Digest[];
  /** What these nodes made, and what can be reached through them. */
  readonly reachableOutputs: (nodes: readonly number[]) => readonly OutputEntry[];
  /** Records an event that belongs to a running effect. */
  readonly note: (event: RunEventBody) => void;
  readonly output: (event: Omit<OutputEvent, "kind">) => void;
  /** A service can be used by those that require it. */
  readonly becameReady: (node: number) => void;
  /** Aborts once the run is being cancelled: no further attempt is made. */
  readonly cancelled: AbortSignal;
}

/** Records why a node has to run. */
export function miss(
  context: EffectContext,
  node: NodeRuntime,
  { reasons, cache }: { readonly reasons: readonly MissReason[]; readonly cache?: CacheMissReason },
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

/** Takes a node's outputs for it alone. @returns the problem of a path that another node made. */
export function claimOutputs(context: EffectContext, node: NodeRuntime, paths: readonly string[]): Problem | undefined {
  const conflict = context.claims.claim(node.node, node.resolved!.outputs.roots, () => paths);
  if (conflict === undefined) return undefined;
  const other = context.labelOf(conflict.other);
  return problem("output-conflict", `${node.planned.label} and ${other} both make ${conflict.path}`, {
    next: "Give each task outputs of its own, or let one depend on the other and write elsewhere.",
  });
}

/** A result's streams as they were printed; `undefined` when one is no longer in the store. */
export async function readStreams(
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

/** Remembers a result that is in the cache and whose outputs are in place. */
export function memorise({ options }: EffectContext, node: NodeRuntime, entries: readonly OutputEntry[]): void {
  const { memo, actions } = options;
  const { fingerprint, action, result } = node;
  const token = memo === undefined || action === undefined ? undefined : actions.recordToken?.(action);
  if (token === undefined || fingerprint === undefined || result === undefined) return;
  memo!.put(node.planned.label, {
    fingerprint,
    action: action!,
    token,
    outputs: outputsDigest(result),
    durationMs: node.durationMs ?? 0,
    hasStreams: [result.stdout, result.stdoutRaw, result.stderr, result.stderrRaw].some((each) => each !== undefined),
    entries,
  });
}

/** A value store that refuses costs an explanation or a log, never the result. */
export function kept(node: NodeRuntime, put: Result<Digest, Problem>): Digest | undefined {
  if (put.ok) return put.value;
  node.problem ??= warning("record-not-kept", `what is remembered of ${node.planned.label} could not be written`, {
    cause: put.problem,
  });
  return undefined;
}

/** Ends an effect as errored, for this reason. */
export function failWith(node: NodeRuntime, why: Problem): "errored" {
  node.problem = why;
  return "errored";
}
