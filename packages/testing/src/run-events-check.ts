/**
 * The invariants of a run's events, as one question: what is wrong with this log?
 *
 * Source: `event.ts` of core, and the life of a node in ARCHITECTURE.md.
 */
import type { NodeEnd, PlannedNodeRecord, RunCounts, RunEvent } from "@kahn/core";

interface NodeLife {
  readonly planned: PlannedNodeRecord;
  attempt: number;
  /** The attempt that was last announced as a retry; 0 before the first. */
  retried: number;
  ready: boolean;
  end: NodeEnd | undefined;
}

/**
 * Looks for violations: gaps in `seq`, more than one run id, nodes that were never planned, settled twice or not at
 * all, started after they settled or before what they require, attempts out of order, a run that finished twice, not
 * last or not at all, and counts that do not match.
 *
 * @param options `finished: false` for a log that was cut (a killed run): what is missing at its end is not wrong.
 * @returns one sentence per violation, in the order of the log; empty when all is well.
 */
export function checkRunEvents(events: readonly RunEvent[], options: { readonly finished?: boolean } = {}): string[] {
  const check = new RunCheck();
  for (const event of events) check.event(event);
  if (options.finished !== false) check.end();
  return check.violations;
}

class RunCheck {
  readonly violations: string[] = [];
  readonly #nodes = new Map<number, NodeLife>();
  readonly #labels = new Set<string>();
  readonly #counts: Record<keyof RunCounts, number> = {
    executed: 0,
    cached: 0,
    failed: 0,
    errored: 0,
    skipped: 0,
    cancelled: 0,
  };
  #run: string | undefined;
  #seq = 0;
  #finished = false;
  /** Settled as succeeded without a command: counted as neither executed nor cached, or as executed. */
  #empty = 0;

  event(event: RunEvent): void {
    const at = `event ${event.seq} (${event.kind})`;
    if (event.seq !== this.#seq + 1) this.#say(`${at} follows event ${this.#seq}`);
    this.#seq = event.seq;
    this.#run ??= event.run;
    if (event.run !== this.#run) this.#say(`${at} belongs to run ${event.run}, the first one to ${this.#run}`);
    if (this.#finished) this.#say(`${at} comes after run.finished`);
    switch (event.kind) {
      case "run.planned":
        for (const node of event.nodes) this.#planned(node, at);
        break;
      case "node.missed":
      case "node.ready":
      case "node.retried":
      case "node.started":
      case "node.settled":
      case "node.warned":
        this.#nodeEvent(event, at);
        break;
      case "run.finished":
        this.#finish(event.counts, at);
        break;
      default:
    }
  }

  end(): void {
    if (!this.#finished) this.#say("the run never finished");
    for (const { planned, end } of this.#nodes.values()) {
      if (end === undefined) this.#say(`${planned.label} never settled`);
    }
  }

  #planned(planned: PlannedNodeRecord, at: string): void {
    if (this.#nodes.has(planned.node)) this.#say(`${at} plans node ${planned.node} again`);
    if (this.#labels.has(planned.label)) this.#say(`${at} plans the label ${planned.label} again`);
    this.#labels.add(planned.label);
    this.#nodes.set(planned.node, { planned, attempt: 0, retried: 0, ready: false, end: undefined });
  }

  #nodeEvent(event: Extract<RunEvent, { readonly node: number }>, at: string): void {
    const life = this.#nodes.get(event.node);
    if (life === undefined) {
      this.#say(`${at} names node ${event.node}, which was never planned`);
      return;
    }
    const { label } = life.planned;
    // A warning may come late: a result that could not be stored is known only after the node settled.
    if (life.end !== undefined && event.kind !== "node.warned") this.#say(`${at} comes after ${label} settled`);
    if (event.kind === "node.started") this.#started(life, event.attempt, at);
    if (event.kind === "node.ready") life.ready = true;
    if (event.kind === "node.retried") {
      // Attempts after the first may be announced by their retry alone.
      const last = Math.max(life.attempt, life.retried);
      if (event.attempt !== last + 1)
        this.#say(`${at} retries ${label} as attempt ${event.attempt} after attempt ${last}`);
      life.retried = event.attempt;
    }
    if (event.kind === "node.settled") this.#settled(life, event, at);
  }

  #started(life: NodeLife, attempt: number, at: string): void {
    const { label } = life.planned;
    if (attempt !== life.attempt + 1)
      this.#say(`${at} is attempt ${attempt} of ${label} after attempt ${life.attempt}`);
    life.attempt = attempt;
    this.#checkRequired(life, at, "starts");
    for (const other of life.planned.after ?? []) {
      const before = this.#nodes.get(other);
      if (before !== undefined && before.end === undefined && !before.ready) {
        this.#say(`${at} starts ${label} while ${before.planned.label}, which it comes after, has not settled`);
      }
    }
  }

  #checkRequired(life: NodeLife, at: string, does: string): void {
    for (const required of life.planned.requires) {
      const other = this.#nodes.get(required);
      const name = other?.planned.label ?? `node ${required}`;
      const satisfied = other?.end === "succeeded" || (other?.ready === true && other.planned.persistent === true);
      if (!satisfied) this.#say(`${at} ${does} ${life.planned.label} before ${name}, which it requires, has succeeded`);
    }
  }

  #settled(life: NodeLife, event: Extract<RunEvent, { readonly kind: "node.settled" }>, at: string): void {
    life.end = event.end;
    const { label } = life.planned;
    if (event.end !== "succeeded") {
      this.#counts[event.end]++;
      if (event.source === "cached") this.#say(`${at} says that ${label} ${event.end} and came from the cache`);
      return;
    }
    this.#checkRequired(life, at, "settles");
    if (event.source === undefined) this.#empty++;
    else this.#counts[event.source]++;
    if (event.source === "executed" && life.attempt === 0)
      this.#say(`${at} says that ${label} ran, but it never started`);
    if (event.source === "cached" && life.attempt > 0)
      this.#say(`${at} says that ${label} was cached, but it was started`);
  }

  #finish(counts: RunCounts, at: string): void {
    this.#finished = true;
    for (const key of Object.keys(this.#counts) as (keyof RunCounts)[]) {
      const most = this.#counts[key] + (key === "executed" ? this.#empty : 0);
      if (counts[key] < this.#counts[key] || counts[key] > most) {
        this.#say(`${at} counts ${counts[key]} ${key}, the events say ${this.#counts[key]}`);
      }
    }
    for (const { planned, end } of this.#nodes.values()) {
      if (end === undefined) this.#say(`${at} comes before ${planned.label} settled`);
    }
  }

  #say(violation: string): void {
    this.violations.push(violation);
  }
}
