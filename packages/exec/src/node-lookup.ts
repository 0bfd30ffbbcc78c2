/** The effect *lookup*: resolves a node, makes its key and asks the cache. This is where a hit is decided. */
import { type Digest, type Problem, warning } from "@kahn/core";
import { actionKey } from "./action-key.ts";
import { closureOf } from "./closure.ts";
import { type EffectContext, miss } from "./effect-context.ts";
import { type KeyRecord, keyRecordOf } from "./key-record.ts";
import { missReasons } from "./miss-reasons.ts";
import { isGroup, type NodeRuntime } from "./node-runtime.ts";
import { keyFingerprint } from "./result-memo.ts";

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
  if (options.cache.read && resolved.value.cacheable && recall(context, node, closures)) return "hit";
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
    return miss(context, node, { reasons: [{ code: "not-cacheable", ...detail(resolved.value.uncachedBecause) }] });
  }
  if (!options.cache.read) {
    node.key = keyRecord();
    return miss(context, node, { reasons: [{ code: "forced", ...detail(options.cache.unreadBecause) }] });
  }
  return askCache(context, node, keyRecord);
}

/** Asks the memo, which spares making the key, reading the record and decoding its trees. */
function recall({ options }: EffectContext, node: NodeRuntime, closures: readonly Digest[]): boolean {
  const { memo, actions } = options;
  if (memo === undefined || actions.recordToken === undefined || isGroup(node.resolved!)) return false;
  node.fingerprint = keyFingerprint(node.resolved!, closures);
  const entry = memo.get(node.planned.label);
  if (entry?.fingerprint !== node.fingerprint || actions.recordToken(entry.action) !== entry.token) return false;
  node.action = entry.action;
  node.memo = entry;
  return true;
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
    if (found.value.from !== undefined) node.from = found.value.from;
    return "hit";
  }
  if (!found.ok) context.note({ kind: "node.warned", node: node.node, problem: lookupFailed(node, found.problem) });
  const cache = found.ok && found.value.kind === "miss" ? found.value.reason : "no-entry";
  node.key = keyRecord();
  const entry = history.entry(node.planned.label);
  const reasons = missReasons({ records, entry, action, key: node.key, cache, describeExternal });
  return miss(context, node, { reasons, cache });
}

function lookupFailed(node: NodeRuntime, cause: Problem): Problem {
  return warning("lookup-failed", `the cache could not be asked for ${node.planned.label}; it runs`, { cause });
}
