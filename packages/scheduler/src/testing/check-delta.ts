/** Whether a delta is sound, and whether the reasons given for its refusal are true: P3, P16. */
import type { ResourceClaim, ResourceLimits } from "@kahn/core";
import type { DeltaProblem, NodeSpec } from "../kernel-types.ts";
import { ClaimLedger } from "./claim-ledger.ts";
import type { Report } from "./kernel-log.ts";

/** A delta as it was offered. */
export interface OfferedDelta {
  readonly nodes: readonly NodeSpec[];
  /** Number of its first node. */
  readonly first: number;
  readonly isSealed: boolean;
  readonly limits: ResourceLimits;
  /** The node's specification if it is a service, or pinned, and has not ended; also for nodes of the delta. */
  readonly lasting: (node: number) => NodeSpec | undefined;
}

/** Compares the refusal of a delta (or its admission: no reasons) with the rules. */
export function checkDelta(delta: OfferedDelta, given: readonly DeltaProblem[] | undefined, report: Report): void {
  const expected = delta.isSealed ? new Set(["sealed"]) : faults(delta);
  const cycles = (given ?? []).flatMap((reason) => (reason.code === "cycle" ? [reason.nodes] : []));
  const others = (given ?? []).filter((reason) => reason.code !== "cycle");
  const named = new Set(others.map((reason) => ("node" in reason ? `${reason.code} ${reason.node}` : reason.code)));
  for (const fault of expected) if (!named.delete(fault)) report("P3", `the delta's fault is not reported: ${fault}`);
  for (const fault of named) report("P3", `a fault is reported that is none: ${fault}`);
  if (delta.isSealed) return;
  const knots = countKnots(delta);
  if (cycles.length !== knots) report("P3", `${cycles.length} cycles are reported, not ${knots}`);
  for (const cycle of cycles) {
    const isRing = cycle.every((node, at) => ordering(delta, node).includes(cycle[(at + 1) % cycle.length]!));
    if (!isRing || cycle.length < 2) report("P3", `the reported cycle ${cycle.join(" → ")} is none`);
  }
  if (given !== undefined && expected.size + knots === 0) report("P2", "a sound delta was refused");
}

/** All faults but cycles, as `code node`. */
function faults({ nodes, first, limits, lasting }: OfferedDelta): Set<string> {
  const found = new Set<string>();
  nodes.forEach((spec, at) => {
    const node = first + at;
    for (const edge of [...spec.requires, ...spec.after, ...spec.validates]) {
      if (edge === node) found.add(`self-edge ${node}`);
      else if (edge < 0 || edge >= first + nodes.length) found.add(`unknown-node ${node}`);
    }
    if (spec.claim.pools.some(([pool]) => !Object.hasOwn(limits.pools, pool))) found.add(`unknown-pool ${node}`);
    const besides = [...new Set(spec.requires)].flatMap((edge) => (edge === node ? [] : (lasting(edge)?.claim ?? [])));
    const isAlone = exceeds(spec.claim, limits);
    const known = besides.every((claim) => isMeetable(claim, limits)) && isMeetable(spec.claim, limits);
    const ledger = new ClaimLedger(limits);
    besides.forEach((claim, index) => {
      ledger.take(index, { ...claim, slots: 0 });
    });
    if (isAlone || (known && besides.length > 0 && !ledger.fits(spec.claim))) found.add(`claim-exceeds-limit ${node}`);
  });
  return found;
}

function isMeetable(claim: ResourceClaim, limits: ResourceLimits): boolean {
  return !exceeds(claim, limits) && claim.pools.every(([pool]) => Object.hasOwn(limits.pools, pool));
}

function exceeds(claim: ResourceClaim, limits: ResourceLimits): boolean {
  if (claim.slots > limits.slots) return true;
  if (claim.tags.some((tag) => limits.tagCaps[tag] === 0)) return true;
  return Object.entries(limits.pools).some(
    ([name, limit]) => claim.pools.reduce((sum, [pool, amount]) => sum + (pool === name ? amount : 0), 0) > limit,
  );
}

/** What a node of the delta is ordered after, within the delta. */
function ordering({ nodes, first }: OfferedDelta, node: number): number[] {
  const spec = nodes[node - first]!;
  const isInner = (edge: number) => edge !== node && edge >= first && edge < first + nodes.length;
  return [...spec.requires, ...spec.after].filter(isInner);
}

/** Number of classes of nodes that reach each other. */
function countKnots(delta: OfferedDelta): number {
  const reach = delta.nodes.map((_, at) => {
    const seen = new Set<number>();
    const open = ordering(delta, delta.first + at);
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      open.push(...ordering(delta, node));
    }
    return seen;
  });
  const isFirstOfKnot = (at: number) => {
    const node = delta.first + at;
    if (!reach[at]!.has(node)) return false;
    return !reach.some((seen, lower) => lower < at && seen.has(node) && reach[at]!.has(delta.first + lower));
  };
  return delta.nodes.filter((_, at) => isFirstOfKnot(at)).length;
}
