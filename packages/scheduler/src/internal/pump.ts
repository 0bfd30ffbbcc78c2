/**
 * What may start now that an event has been applied: stores, executions, look-ups; then the end of services and of
 * the run.
 *
 * Invariant: when `pump` returns, nothing that could start has been left out, and either something is in flight, or
 *            more events are to come from the owner of the graph, or the run is finished, or a stall has been reported.
 */
import type { WaitingNode } from "../kernel-types.ts";
import { effectId } from "./effect-id.ts";
import {
  ANSWERED,
  LOOKUP,
  PINNED,
  QUEUED,
  RESTORING,
  RUNNING,
  SERVICE,
  STORE_PENDING,
  STORING,
  SUCCEEDED,
  TASK,
  TOLD_TERM,
  UNNEEDED,
} from "./node-table.ts";
import type { KernelState } from "./state.ts";
import { waitReasons } from "./wait-reasons.ts";

/** Starts all that may start, and notices the end. */
export function pump(state: KernelState): void {
  startStores(state);
  startExecutions(state);
  startLookups(state);
  if (state.services.size > 0) endServices(state);
  if (state.nodes.unsettled > 0) noticeStall(state);
  else if (state.isSealed && !state.isFinished) {
    state.isFinished = true;
    state.effects.push({ kind: "finished", status: runStatus(state) });
  }
}

function runStatus(state: KernelState): "succeeded" | "failed" | "cancelled" {
  if (state.stop.kind === "cancel") return "cancelled";
  return state.hasFailure ? "failed" : "succeeded";
}

/** Stores go before look-ups: they free dependents, and their bytes are still in memory. */
function startStores(state: KernelState): void {
  const { nodes, stores } = state;
  while (state.storesAt < stores.length && state.ioInUse < state.options.limits.io) {
    const node = stores[state.storesAt++]!;
    state.ioInUse++;
    nodes.setStatus(node, STORING);
    state.effects.push({ kind: "store", id: effectId(node, STORING), node });
  }
  if (state.storesAt > 0 && state.storesAt === stores.length) {
    state.stores = [];
    state.storesAt = 0;
  }
}

/** In order of priority; past a head that does not fit, only what cannot delay it. */
function startExecutions(state: KernelState): void {
  const { nodes, queue, resources } = state;
  while (nodes.census[QUEUED]! > 0 && !queue.isOutOfSlots) {
    let node = queue.first(() => true);
    if (!resources.fits(nodes.claim[node]!)) {
      const reservation = resources.reserve(nodes.claim[node]!);
      node = queue.first((claim) => resources.mayPass(claim, reservation));
      if (node === -1) return;
    }
    resources.take(nodes.claim[node]!, node);
    nodes.setStatus(node, RUNNING);
    if (nodes.lifetime[node] !== TASK) state.services.add(node);
    state.effects.push({ kind: "execute", id: effectId(node, RUNNING), node });
  }
}

function startLookups(state: KernelState): void {
  const { nodes, ready } = state;
  while (state.ioInUse < state.options.limits.io) {
    const node = ready.peek();
    if (node === -1) return;
    ready.pop();
    state.ioInUse++;
    nodes.setStatus(node, LOOKUP);
    state.effects.push({ kind: "lookup", id: effectId(node, LOOKUP), node });
  }
}

/**
 * Ends services that nothing needs any more, once nothing else is in flight: either only services are left, or what
 * is left waits for what they hold. Dependents go before what they require. Pinned nodes are ended by a cancel only,
 * or when fail-fast has drained the run; while one runs, the services stay.
 */
function endServices(state: KernelState): void {
  const { nodes, services } = state;
  if (state.stop.kind === "cancel" || tasksInFlight(state) > 0) return;
  const isDraining = state.stop.kind === "drain";
  const isBlocked = nodes.unsettled > services.size;
  let hasPinned = false;
  for (const node of services) {
    if (nodes.lifetime[node] === PINNED) hasPinned = true;
    // One that has yet to answer, or to end, will bring the next event.
    if (isBlocked && (nodes.flags[node]! & (ANSWERED | TOLD_TERM)) !== ANSWERED) return;
  }
  if (!isBlocked && !isDraining && (hasPinned || !state.isSealed)) return;
  let isEnding = false;
  for (const node of services) {
    if (nodes.lifetime[node] !== SERVICE && !isDraining) continue;
    if (isRequired(state, node)) continue;
    isEnding = true;
    if ((nodes.flags[node]! & TOLD_TERM) !== 0) continue;
    nodes.flags[node]! |= nodes.lifetime[node] === SERVICE ? TOLD_TERM | UNNEEDED : TOLD_TERM;
    state.effects.push({ kind: "terminate", node, how: "term" });
  }
  if (isBlocked && !isEnding && !hasPinned) reportStall(state);
}

function tasksInFlight({ nodes, services }: KernelState): number {
  const { census } = nodes;
  const io = census[LOOKUP]! + census[RESTORING]! + census[STORE_PENDING]! + census[STORING]!;
  return io + census[RUNNING]! - services.size;
}

/** True while an unsettled node requires this one. */
function isRequired({ nodes, edges }: KernelState, node: number): boolean {
  for (let edge = edges.firstDependent[node]!; edge !== -1; edge = edges.nextDependent[edge]!) {
    if (edges.strict[edge] === 1 && nodes.status[edges.dependent[edge]!]! < SUCCEEDED) return true;
  }
  return false;
}

/** Work is left and nothing is in flight: a bug, which must not look like a long run. */
function noticeStall(state: KernelState): void {
  if (tasksInFlight(state) + state.services.size === 0) reportStall(state);
}

function reportStall(state: KernelState): void {
  if (state.isStalled) return;
  state.isStalled = true;
  const waiting: WaitingNode[] = [];
  for (let node = 0; node < state.nodes.count; node++) {
    if (state.nodes.status[node]! <= QUEUED) waiting.push({ node, reasons: waitReasons(state, node) });
  }
  state.effects.push({ kind: "stalled", waiting });
}
