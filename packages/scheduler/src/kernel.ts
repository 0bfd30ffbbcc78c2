/**
 * The kernel: which node may do what next.
 *
 * Owns:      the life of every node, claims, priorities, failure, skip, cancel and the end of the run.
 * Never:     performs an effect, reads a clock, draws a random number. Equal events give equal effects.
 * Invariant: each effect with an `id` is answered by exactly one event; another answer is a bug and throws
 *            `InvariantError` before anything has changed. The node behind an id is told by the id itself, so nothing
 *            is kept per effect.
 *
 *   waiting ─→ ready ─→ lookup ─ hit ──→ restoring ─────────────→ succeeded
 *      │         │        │ miss            │ missing
 *      │         │        └→ queued ←───────┘
 *      │         │             └→ running ─→ storing ───────────→ succeeded
 *      │         │                  └───────────────────────────→ failed | errored | cancelled
 *      └─────────┴─ a requirement fell, cancel, fail-fast ──────→ skipped | cancelled
 *
 * State is linear: `step` changes the state it is given and returns the same object. Copying the columns of 100,000
 * nodes in every step would make a run O(n²). Whoever needs an earlier state replays the events.
 *
 * Look-ups and restores hold one I/O place from the look-up to the end of the restore; storing holds one; execution
 * holds the node's claim, which is given back when the command ends, before the result is stored.
 */
import { InvariantError, unreachable } from "@kahn/core";
import { admit } from "./internal/admission.ts";
import { effectId, effectNode, effectPhase } from "./internal/effect-id.ts";
import {
  ANSWERED,
  CACHED,
  LOOKUP,
  QUEUED,
  RESTORING,
  RUNNING,
  STORE_PENDING,
  STORING,
  TASK,
  TOLD_KILL,
  TOLD_TERM,
  UNNEEDED,
  WAITING,
} from "./internal/node-table.ts";
import { pump } from "./internal/pump.ts";
import { answer, makeReady, own, settle, stopped, stopWith, sweep } from "./internal/settling.ts";
import { assertNode, type KernelState } from "./internal/state.ts";
import type { KernelEffect, KernelEvent, NodeSpec } from "./kernel-types.ts";

/** What an answer may say. */
type Outcome<Kind extends KernelEvent["kind"]> = Extract<KernelEvent, { kind: Kind; outcome: string }>["outcome"];

/**
 * Takes one event and says what to do next.
 *
 * @param state must not be used again by the caller, except as returned.
 * @returns the same state, changed, and the effects in the order to perform them. `settled` effects come before the
 *   work that they allow; `finished` is the last of all.
 */
export function step(state: KernelState, event: KernelEvent): { state: KernelState; effects: KernelEffect[] } {
  const effects: KernelEffect[] = [];
  state.effects = effects;
  apply(state, event);
  pump(state);
  return { state, effects };
}

function apply(state: KernelState, event: KernelEvent): void {
  switch (event.kind) {
    case "admit":
      onAdmit(state, event.nodes);
      break;
    case "seal":
      state.isSealed = true;
      break;
    case "looked-up":
      onLookedUp(state, awaited(state, event.id, LOOKUP), event.outcome);
      break;
    case "restored":
      onRestored(state, awaited(state, event.id, RESTORING), event.outcome);
      break;
    case "became-ready":
      onBecameReady(state, event.node);
      break;
    case "executed":
      onExecuted(state, awaited(state, event.id, RUNNING), event.outcome);
      break;
    case "stored":
      onStored(state, awaited(state, event.id, STORING));
      break;
    case "cancel":
      onCancel(state, event.how);
      break;
    default:
      unreachable(event);
  }
}

/** The node that an answer is for. */
function awaited(state: KernelState, id: number, phase: number): number {
  const node = effectNode(id);
  const isAwaited = effectPhase(id) === phase && node >= 0 && node < state.nodes.count;
  if (!isAwaited || state.nodes.status[node] !== phase) {
    throw new InvariantError(`no effect ${id} awaits this answer: it was never asked for, or has been answered`);
  }
  return node;
}

function onAdmit(state: KernelState, specs: readonly NodeSpec[]): void {
  const admission = admit(state, specs);
  if (admission.kind === "rejected") {
    state.effects.push({ kind: "rejected", reasons: admission.reasons });
    return;
  }
  if (state.stop.kind !== "no") sweep(state, admission.first);
  const { nodes } = state;
  for (const [node, dependency] of admission.doomed) {
    const cause = nodes.cause[dependency] === -1 ? dependency : nodes.cause[dependency]!;
    if (nodes.status[node] === WAITING) settle(state, node, { end: "skipped", cause });
  }
  for (let node = admission.first; node < nodes.count; node++) {
    if (nodes.status[node] === WAITING && nodes.unmet[node] === 0) makeReady(state, node);
  }
}

function onLookedUp(state: KernelState, node: number, outcome: Outcome<"looked-up">): void {
  if (outcome === "hit" && state.stop.kind === "no") {
    // The I/O place stays with the node.
    state.nodes.setStatus(node, RESTORING);
    state.effects.push({ kind: "restore", id: effectId(node, RESTORING), node });
    return;
  }
  state.ioInUse--;
  if (outcome === "errored") settle(state, node, own("errored"));
  else enqueue(state, node);
}

function onRestored(state: KernelState, node: number, outcome: Outcome<"restored">): void {
  state.ioInUse--;
  if (outcome === "missing") {
    enqueue(state, node);
    return;
  }
  if (outcome === "restored") state.nodes.flags[node]! |= CACHED;
  settle(state, node, own(outcome === "restored" ? "succeeded" : "errored"));
}

/** The node has to be executed, unless that has become impossible during its look-up. */
function enqueue(state: KernelState, node: number): void {
  const cause = state.nodes.cause[node]!;
  if (state.stop.kind !== "no") settle(state, node, stopped(state));
  else if (cause !== -1) settle(state, node, { end: "skipped", cause });
  else {
    state.nodes.setStatus(node, QUEUED);
    state.queue.push(node);
  }
}

function onBecameReady(state: KernelState, node: number): void {
  assertNode(state, node);
  const { nodes } = state;
  if (nodes.lifetime[node] === TASK || nodes.status[node]! < RUNNING) {
    throw new InvariantError(`node ${node} cannot become ready: it is no running service`);
  }
  // A probe may answer when the process has just ended, or twice: that is no news.
  if (nodes.status[node] !== RUNNING || (nodes.flags[node]! & ANSWERED) !== 0) return;
  state.resources.giveSlots(nodes.claim[node]!, node);
  answer(state, node);
}

function onExecuted(state: KernelState, node: number, outcome: Outcome<"executed">): void {
  const { nodes } = state;
  state.resources.give(nodes.claim[node]!, node);
  if (nodes.lifetime[node] !== TASK) {
    state.services.delete(node);
    const end = endOfService(state, node, outcome);
    settle(state, node, end === "cancelled" ? stopped(state) : own(end));
  } else if (outcome !== "succeeded") {
    settle(state, node, outcome === "cancelled" ? stopped(state) : own(outcome));
  } else {
    nodes.setStatus(node, STORE_PENDING);
    state.stores.push(node);
  }
}

/** Results of services are not stored: another run needs the process, not its exit. */
function endOfService(state: KernelState, node: number, outcome: Outcome<"executed">): Outcome<"executed"> {
  const flags = state.nodes.flags[node]!;
  // Ended because nothing needed it any more: it has done its work.
  if (outcome === "cancelled") return (flags & UNNEEDED) !== 0 ? "succeeded" : "cancelled";
  if (outcome !== "succeeded" || (flags & (ANSWERED | UNNEEDED)) !== 0) return outcome;
  // Gone before it answered: whoever requires it would wait for nothing.
  return state.stop.kind === "no" ? "failed" : "cancelled";
}

function onStored(state: KernelState, node: number): void {
  state.ioInUse--;
  settle(state, node, own("succeeded"));
}

function onCancel(state: KernelState, how: "term" | "kill"): void {
  if (state.stop.kind !== "cancel") stopWith(state, { kind: "cancel" });
  const { nodes, effects } = state;
  const told = how === "kill" ? TOLD_KILL : TOLD_TERM | TOLD_KILL;
  for (let node = 0; node < nodes.count; node++) {
    if (nodes.status[node] !== RUNNING || (nodes.flags[node]! & told) !== 0) continue;
    nodes.flags[node]! |= how === "kill" ? TOLD_KILL : TOLD_TERM;
    effects.push({ kind: "terminate", node, how });
  }
}
