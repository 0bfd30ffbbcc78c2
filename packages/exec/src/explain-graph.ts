/**
 * What a run would do, found without running anything.
 *
 * Owns:      the walk in topological order: a node whose requirements all hit can be keyed and looked up; one above a
 *            miss cannot be known, because its key needs what the miss will make.
 * Never:     writes anything.
 */
import {
  type ActionCache,
  type ActionProvider,
  type ActionResult,
  type Digest,
  err,
  invariant,
  labelGraph,
  type MissReason,
  ok,
  type PlannedNode,
  type Problem,
  type ResolvedAction,
  type Result,
  topologicalOrder,
} from "@kahn/core";
import { actionKey } from "./action-key.ts";
import { closureOf } from "./closure.ts";
import { type KeyRecord, keyRecordOf } from "./key-record.ts";
import { missReasons } from "./miss-reasons.ts";
import { outputsDigest } from "./output-tree.ts";
import type { RunGraphOptions } from "./run-options.ts";

/** What would become of one node. */
export type NodeForecast =
  | {
      readonly kind: "hit";
      readonly planned: PlannedNode;
      readonly action: Digest;
      readonly key: KeyRecord;
      readonly resolved: ResolvedAction;
      readonly result: ActionResult;
      /** The remote cache that has it; left out when it is at hand. */
      readonly from?: string;
    }
  /** It has no command of its own. */
  | { readonly kind: "group"; readonly planned: PlannedNode }
  | {
      readonly kind: "run";
      readonly planned: PlannedNode;
      readonly reasons: readonly MissReason[];
      readonly resolved: ResolvedAction;
      /** Left out where no cache is read: it runs whatever its key is, which what it requires will make anew. */
      readonly keyed?: { readonly action: Digest; readonly key: KeyRecord };
    }
  /** It depends on what these nodes, which would run, will make. */
  | { readonly kind: "open"; readonly planned: PlannedNode; readonly below: readonly string[] }
  | { readonly kind: "errored"; readonly planned: PlannedNode; readonly problem: Problem };

/** What explaining needs of a run's options. */
export type ExplainOptions = Pick<RunGraphOptions, "records" | "history" | "describeExternal"> & {
  readonly provider: ActionProvider;
  /** Asked for many at a time, as far as their keys are known. */
  readonly actions: Pick<ActionCache, "lookup">;
  /** As of a run; left out: it is read. */
  readonly cache?: Pick<RunGraphOptions["cache"], "read" | "unreadBecause">;
};

/** Forecasts of every node the request needs, in an order in which each comes after what it requires. */
export async function explainGraph(options: ExplainOptions): Promise<Result<NodeForecast[], readonly Problem[]>> {
  const planned = await options.provider.plan();
  if (!planned.ok) return err(planned.problem);
  const forecasts = new Map<string, NodeForecast>();
  const known: Known = { forecasts, closures: new Map() };
  const found = new Map<string, Promise<NodeForecast>>();
  for (const node of topological(planned.value)) {
    const below = Promise.all(node.requires.map((label) => found.get(label)));
    const own = below.then(() => forecast(options, node, known));
    found.set(
      node.label,
      own.then((made) => {
        forecasts.set(node.label, made);
        return made;
      }),
    );
  }
  return ok(await Promise.all(found.values()));
}

interface Known {
  readonly forecasts: ReadonlyMap<string, NodeForecast>;
  readonly closures: Map<string, Digest>;
}

async function forecast(options: ExplainOptions, planned: PlannedNode, known: Known): Promise<NodeForecast> {
  if (options.cache?.read === false) return await forecastUnread(options, planned, options.cache);
  const below = planned.requires.filter((label) => !known.closures.has(label));
  if (below.length > 0) return { kind: "open", planned, below: causes(below, known) };
  const found = await options.provider.resolve(planned.label);
  if (!found.ok) return { kind: "errored", planned, problem: found.problem };
  const resolved = found.value;
  const closures = planned.requires.map((label) => [label, known.closures.get(label)!] as const);
  const closuresBelow = closures.map(([, closure]) => closure);
  const { action } = actionKey(resolved, closuresBelow);
  if (resolved.run.argv.length === 0) {
    known.closures.set(planned.label, closureOf(resolved, { action, outputs: action }, closuresBelow));
    return { kind: "group", planned };
  }
  const key = keyRecordOf(resolved, closures);
  const keyed = { action, key };
  if (!resolved.cacheable) return { kind: "run", planned, keyed, resolved, reasons: [notCacheable(resolved)] };
  const looked = await options.actions.lookup(action);
  if (looked.ok && looked.value.kind === "hit" && looked.value.result.exitCode === 0) {
    const { result, from } = looked.value;
    known.closures.set(planned.label, closureOf(resolved, { action, outputs: outputsDigest(result) }, closuresBelow));
    return { kind: "hit", planned, action, key, resolved, result, ...(from === undefined ? {} : { from }) };
  }
  const cache = looked.ok && looked.value.kind === "miss" ? looked.value.reason : "no-entry";
  const { records, history, describeExternal } = options;
  const reasons = missReasons({
    records,
    entry: history.entry(planned.label),
    action,
    key,
    cache,
    describeExternal,
  });
  return { kind: "run", planned, keyed, resolved, reasons };
}

/** Of a run that reads no cache: whatever has a command runs, and what it requires is of no interest. */
async function forecastUnread(
  { provider }: ExplainOptions,
  planned: PlannedNode,
  { unreadBecause }: NonNullable<ExplainOptions["cache"]>,
): Promise<NodeForecast> {
  const found = await provider.resolve(planned.label);
  if (!found.ok) return { kind: "errored", planned, problem: found.problem };
  const resolved = found.value;
  if (resolved.run.argv.length === 0) return { kind: "group", planned };
  const unread: MissReason = { code: "forced", ...(unreadBecause === undefined ? {} : { detail: unreadBecause }) };
  return { kind: "run", planned, resolved, reasons: [resolved.cacheable ? unread : notCacheable(resolved)] };
}

function notCacheable({ uncachedBecause }: ResolvedAction): MissReason {
  return { code: "not-cacheable", ...(uncachedBecause === undefined ? {} : { detail: uncachedBecause }) };
}

/** The nodes that would run, below those that are open. */
function causes(labels: readonly string[], known: Known): string[] {
  const found = new Set<string>();
  for (const label of labels) {
    const forecast = known.forecasts.get(label);
    if (forecast?.kind === "open") for (const cause of forecast.below) found.add(cause);
    else found.add(label);
  }
  return [...found];
}

function topological(nodes: readonly PlannedNode[]): PlannedNode[] {
  const byLabel = new Map(nodes.map((node) => [node.label, node]));
  const { graph, labels } = labelGraph(byLabel.keys(), (label) => byLabel.get(label)!.requires);
  const order = topologicalOrder(graph);
  invariant(order !== undefined, "a provider plans no cycle");
  return Array.from(order, (number) => byLabel.get(labels[number]!)!);
}
