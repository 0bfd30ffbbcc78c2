/**
 * The kernel's rules over a log, node by node: P1, P4, P5, P6, P7, P8, P10, P11 and the protocol.
 *
 * Method: follows events and effects with a model of its own that knows what may come next, and never what will.
 */
import type { NodeEnd } from "@kahn/core";
import type { KernelEffect, KernelEvent, KernelOptions, NodeSpec } from "../kernel-types.ts";
import { checkDelta } from "./check-delta.ts";
import { ClaimLedger } from "./claim-ledger.ts";
import type { KernelLogEntry, Report } from "./kernel-log.ts";

/** `pending`: nothing asked for yet. `hit`, `miss` and `done` are passed within one entry. */
type Phase = "pending" | "lookup" | "hit" | "restoring" | "queued" | "running" | "storing" | "done" | "ended";

/** A node as the log shows it. */
export interface NodeModel {
  readonly number: number;
  readonly spec: NodeSpec;
  phase: Phase;
  /** Ends that the last answer allows. */
  allowed: readonly NodeEnd[];
  source?: "executed" | "cached";
  isAnswering: boolean;
  told: "no" | "term" | "kill";
  executions: number;
  end?: NodeEnd;
  cause?: number | undefined;
}

type Settled = Extract<KernelEffect, { kind: "settled" }>;
type Asking = Extract<KernelEffect, { id: number }>;

/** The state of a run, as far as a log tells. */
export class LogModel {
  readonly nodes: NodeModel[] = [];
  readonly claims: ClaimLedger;
  readonly options: KernelOptions;
  readonly inFlight = new Map<number, Asking>();
  readonly usedIds = new Set<number>();
  stop: "no" | "drain" | "cancel" = "no";
  drainCause: number | undefined;
  isKilling = false;
  isSealed = false;
  deltas = 0;
  finished: string | undefined;
  private readonly report: Report;

  constructor(options: KernelOptions, report: Report) {
    this.options = options;
    this.claims = new ClaimLedger(options.limits);
    this.report = report;
  }

  /** I/O places in use. */
  get ioInUse(): number {
    return [...this.inFlight.values()].filter((effect) => effect.kind !== "execute").length;
  }

  /** Takes the event of an entry. */
  takeEvent({ event, effects }: KernelLogEntry): void {
    if ("id" in event) {
      const asked = this.inFlight.get(event.id);
      this.inFlight.delete(event.id);
      if (asked === undefined) this.report("protocol", `nothing awaits the answer ${event.id}`);
      else this.takeAnswer(this.nodes[asked.node]!, event);
    } else if (event.kind === "admit") this.takeDelta(event.nodes, effects);
    else if (event.kind === "seal") this.isSealed = true;
    else if (event.kind === "cancel" && this.finished === undefined) {
      this.stop = "cancel";
      if (event.how === "kill") this.isKilling = true;
    } else if (event.kind === "became-ready") {
      const node = this.nodes[event.node]!;
      if (node.phase !== "running") return;
      node.isAnswering = true;
      this.claims.giveSlots(event.node);
    }
  }

  /** Takes one effect, in order. */
  takeEffect(effect: KernelEffect): void {
    if (this.finished !== undefined) this.report("P1", `${effect.kind} comes after finished`);
    if (effect.kind === "finished") this.finished = effect.status;
    else if (effect.kind === "settled") this.takeSettled(this.nodes[effect.node]!, effect);
    else if (effect.kind === "terminate") this.takeTerminate(this.nodes[effect.node]!, effect.how);
    else if (effect.kind === "stalled") this.report("P2", `stalled: ${JSON.stringify(effect.waiting)}`);
    else if (effect.kind !== "rejected") this.takeAsking(this.nodes[effect.node]!, effect);
  }

  /** True if an edge to this dependency holds nothing back. */
  isMet(dependency: number, kind: "requires" | "after"): boolean {
    const node = this.nodes[dependency]!;
    if (node.phase === "running") return node.isAnswering;
    return kind === "requires" ? node.end === "succeeded" : node.phase === "ended";
  }

  /** True if something that the node requires has ended otherwise than well. */
  isDoomed(node: NodeModel): boolean {
    return node.spec.requires.some((edge) => isFallen(this.nodes[edge]!));
  }

  private takeDelta(specs: readonly NodeSpec[], effects: readonly KernelEffect[]): void {
    const rejected = effects.find((effect) => effect.kind === "rejected");
    const { limits } = this.options;
    const first = this.nodes.length;
    const lasting = (edge: number) => {
      const spec = edge < first ? this.nodes[edge]?.spec : specs[edge - first];
      return spec === undefined || spec.lifetime === "task" || this.nodes[edge]?.phase === "ended" ? undefined : spec;
    };
    const delta = { nodes: specs, first, isSealed: this.isSealed, limits, lasting };
    checkDelta(delta, rejected?.reasons, this.report);
    if (rejected !== undefined) {
      if (effects.length > 1) this.report("P3", "a refused delta has other effects");
      return;
    }
    this.deltas++;
    for (const spec of specs) {
      const number = this.nodes.length;
      this.nodes.push({ number, spec, phase: "pending", allowed: [], isAnswering: false, told: "no", executions: 0 });
    }
  }

  private takeAnswer(node: NodeModel, event: Extract<KernelEvent, { id: number }>): void {
    if (event.kind === "looked-up") {
      if (event.outcome === "errored") this.conclude(node, ["errored"]);
      else node.phase = event.outcome === "hit" ? "hit" : "queued";
    } else if (event.kind === "restored") {
      if (event.outcome === "missing") node.phase = "queued";
      else this.conclude(node, event.outcome === "restored" ? ["succeeded"] : ["errored"], "cached");
    } else if (event.kind === "stored") this.conclude(node, ["succeeded"], "executed");
    else {
      this.claims.give(node.number);
      const isTask = node.spec.lifetime === "task";
      if (isTask && event.outcome === "succeeded") node.phase = "storing";
      else this.conclude(node, isTask ? [event.outcome] : this.endsOfService(node, event.outcome), "executed");
    }
  }

  private conclude(node: NodeModel, allowed: readonly NodeEnd[], source?: "executed" | "cached"): void {
    node.phase = "done";
    node.allowed = allowed;
    if (source !== undefined) node.source = source;
  }

  private endsOfService(node: NodeModel, outcome: NodeEnd): readonly NodeEnd[] {
    const wasUnneeded = node.told !== "no" && node.spec.lifetime === "service";
    if (outcome === "cancelled") return wasUnneeded ? ["succeeded", "cancelled"] : ["cancelled"];
    if (outcome !== "succeeded" || node.isAnswering) return [outcome];
    if (wasUnneeded) return ["succeeded", "cancelled"];
    return [this.stop === "no" ? "failed" : "cancelled"];
  }

  private takeAsking(node: NodeModel, effect: Asking): void {
    if (this.usedIds.has(effect.id)) this.report("protocol", `the id ${effect.id} is used twice`);
    this.usedIds.add(effect.id);
    this.inFlight.set(effect.id, effect);
    if (effect.kind !== "store" && this.stop !== "no") {
      this.report("P11", `${effect.kind} of node ${node.number} after ${this.stop}`);
    }
    const before = { lookup: "pending", restore: "hit", execute: "queued", store: "storing" }[effect.kind];
    if (node.phase !== before) this.report("P6", `${effect.kind} of node ${node.number} which is ${node.phase}`);
    if (effect.kind === "lookup") this.checkOrder(node);
    if (effect.kind === "execute") {
      if (++node.executions > 1) this.report("P6", `node ${node.number} is executed twice`);
      if (this.isDoomed(node)) this.report("P10", `node ${node.number} is executed though what it requires has fallen`);
      this.claims.take(node.number, node.spec.claim);
      const overdrawn = this.claims.overdrawn();
      if (overdrawn !== undefined) {
        this.report(overdrawn.startsWith("mutex") ? "P8" : "P7", `node ${node.number} overdraws ${overdrawn}`);
      }
      node.phase = "running";
    } else if (effect.kind === "store") node.phase = "storing";
    else node.phase = effect.kind === "lookup" ? "lookup" : "restoring";
    if (this.ioInUse > this.options.limits.io)
      this.report("P7", `more than ${this.options.limits.io} I/O places in use`);
  }

  private checkOrder(node: NodeModel): void {
    for (const edge of node.spec.requires) {
      if (!this.isMet(edge, "requires")) this.report("P4", `node ${node.number} goes on without ${edge}`);
    }
    for (const edge of node.spec.after) {
      if (!this.isMet(edge, "after")) this.report("P5", `node ${node.number} overtakes ${edge}`);
    }
  }

  private takeTerminate(node: NodeModel, how: "term" | "kill"): void {
    if (node.phase !== "running") this.report("P11", `node ${node.number} is ended while it does not run`);
    if (node.told === how || node.told === "kill") this.report("P11", `node ${node.number} is ended twice by ${how}`);
    if (this.stop !== "cancel") {
      if (node.spec.lifetime === "task") this.report("P11", `task ${node.number} is ended without a cancel`);
      if (node.spec.lifetime === "pinned" && this.stop === "no") this.report("P11", `pinned ${node.number} is ended`);
      this.checkUnneeded(node);
    }
    node.told = how;
  }

  /** A service may be ended only when nothing needs it and nothing else is going on. */
  private checkUnneeded(node: NodeModel): void {
    const name = `service ${node.number}`;
    const isTask = (each: NodeModel) => each.spec.lifetime === "task";
    if ([...this.inFlight.values()].some((effect) => isTask(this.nodes[effect.node]!))) {
      this.report("P11", `${name} is ended while tasks are in flight`);
    }
    const left = this.nodes.filter((each) => each.phase !== "ended");
    if (left.some((each) => each.spec.requires.includes(node.number))) this.report("P11", `${name} is still required`);
    const isBlocking = left.some((each) => each.phase === "queued");
    if (!this.isSealed && this.stop === "no" && !isBlocking) this.report("P11", `${name} is ended before the seal`);
  }

  private takeSettled(node: NodeModel, { end, source, cause }: Settled): void {
    if (node.phase === "ended") this.report("P1", `node ${node.number} settles twice`);
    else if (node.phase === "done") this.checkOwnEnd(node, end, source);
    else this.checkImposedEnd(node, end, cause);
    node.phase = "ended";
    node.end = end;
    node.cause = cause;
    const isFailure = end === "failed" || end === "errored" || (end === "cancelled" && this.stop === "no");
    if (isFailure && this.stop === "no" && this.options.failure === "fail-fast") {
      this.stop = "drain";
      this.drainCause = node.number;
    }
  }

  private checkOwnEnd(node: NodeModel, end: NodeEnd, source: string | undefined): void {
    if (!node.allowed.includes(end))
      this.report("P1", `node ${node.number} ends ${end}, not ${node.allowed.join(" or ")}`);
    const expected = end === "succeeded" ? node.source : undefined;
    if (source !== expected) this.report("P6", `node ${node.number} names the source ${source}, not ${expected}`);
  }

  /** An end that is not the node's own: it must not be in flight, and there must be a reason. */
  private checkImposedEnd(node: NodeModel, end: NodeEnd, cause: number | undefined): void {
    if (node.phase !== "pending" && node.phase !== "queued" && node.phase !== "hit") {
      this.report("P1", `node ${node.number} ends ${end} while it is ${node.phase}`);
    } else if (end === "skipped") this.checkSkip(node, cause);
    else if (end !== "cancelled") this.report("P1", `node ${node.number} ends ${end} without an answer`);
    else {
      if (this.stop === "no") this.report("P10", `node ${node.number} is cancelled though nobody asked`);
      const expected = this.stop === "drain" ? this.drainCause : undefined;
      if (cause !== expected) this.report("P10", `node ${node.number} is cancelled for ${cause}, not ${expected}`);
    }
  }

  private checkSkip(node: NodeModel, cause: number | undefined): void {
    const fallen = node.spec.requires.map((edge) => this.nodes[edge]!).filter((each) => isFallen(each));
    if (fallen.length === 0) this.report("P10", `node ${node.number} is skipped though all it requires is well`);
    const roots = fallen.map((each) => (each.end === "skipped" ? each.cause : each.number));
    if (!roots.includes(cause)) this.report("P10", `node ${node.number} names the cause ${cause}, not ${roots.join()}`);
  }
}

/** True for a node that ended otherwise than well. */
export function isFallen(node: NodeModel): boolean {
  return node.end !== undefined && node.end !== "succeeded";
}
