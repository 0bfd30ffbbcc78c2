/**
 * Counts and durations of runs, from events alone: a hook that a program reads whenever it wants to publish them.
 *
 * Owns:      a fixed set of numbers for each node of the graphs, and what is open.
 * Invariant: memory grows with the graphs and with what is open, never with steps or with the width of a fan; equal
 *            events give equal numbers, live or read from a journal.
 */
import type { FlowEvent } from "../../machine/state/events.ts";
import { isTerminal } from "../../machine/state/events.ts";

/** What is known of one node, over all of its visits. Durations in milliseconds, of visits that ended. */
export interface NodeMetrics {
  readonly started: number;
  readonly committed: number;
  readonly failed: number;
  readonly retried: number;
  /** Given up, because a sibling or the frame decided. */
  readonly skipped: number;
  readonly totalMs: number;
  readonly maxMs: number;
}

/** A reading. */
export interface FlowMetrics {
  /** By path without occurrences and indexes: `review`, `gather/*`, `sub/step`. */
  readonly nodes: ReadonlyMap<string, NodeMetrics>;
  /** How runs ended here; a run that goes on afterwards counts again. */
  readonly ended: Readonly<Record<"completed" | "failed" | "cancelled" | "suspended", number>>;
  /** Runs that have begun or been resumed here and not ended. */
  readonly running: number;
  readonly visitsOpen: number;
  readonly barriersOpen: number;
  /** Decisions by what their senders were told: `accepted`, `late`, … */
  readonly decisions: ReadonlyMap<string, number>;
}

/** Give `hook` to `createFlow({ hooks: [hook] })`, or call it with the events of a journal. */
export interface MetricsHook {
  readonly hook: (event: FlowEvent) => void;
  read(): FlowMetrics;
}

type Counted = { -readonly [K in keyof NodeMetrics]: NodeMetrics[K] };

interface OpenRun {
  /** When each open visit began. */
  readonly visits: Map<string, number>;
  readonly barriers: Set<string>;
}

/** Numbers from zero on. */
export function flowMetrics(): MetricsHook {
  const counter = new Counter();
  return { hook: (event) => counter.add(event), read: () => counter.read() };
}

/** A path as metrics name it. */
function nameOf(path: string): string {
  return path.replace(/#\d+/g, "").replace(/\/\d+(?=\/|$)/g, "/*");
}

class Counter {
  readonly #nodes = new Map<string, Counted>();
  readonly #runs = new Map<string, OpenRun>();
  readonly #ended = { completed: 0, failed: 0, cancelled: 0, suspended: 0 };
  readonly #decisions = new Map<string, number>();

  add(event: FlowEvent): void {
    if (isTerminal(event)) this.#end(event);
    else this.#count(event);
  }

  read(): FlowMetrics {
    const runs = [...this.#runs.values()];
    return {
      nodes: new Map([...this.#nodes].map(([name, counted]) => [name, { ...counted }])),
      ended: { ...this.#ended },
      running: runs.length,
      visitsOpen: runs.reduce((sum, { visits }) => sum + visits.size, 0),
      barriersOpen: runs.reduce((sum, { barriers }) => sum + barriers.size, 0),
      decisions: new Map(this.#decisions),
    };
  }

  #count(event: FlowEvent): void {
    switch (event.type) {
      case "run.started":
      case "run.resumed":
        this.#runOf(event.run);
        return;
      case "node.started":
      case "branch.started":
        this.#of(event.path).started++;
        this.#runOf(event.run).visits.set(event.path, event.atMs);
        return;
      case "node.retrying":
        this.#of(event.path).retried++;
        return;
      case "node.committed":
      case "branch.committed":
        this.#close(event, "committed");
        return;
      case "node.failed":
        this.#close(event, "failed");
        return;
      case "node.skipped":
        this.#close(event, "skipped");
        return;
      case "barrier.opened":
        this.#runOf(event.run).barriers.add(event.barrier);
        return;
      case "barrier.decided":
      case "barrier.timedout":
        this.#runOf(event.run).barriers.delete(event.barrier);
        return;
      case "decision.recorded":
        this.#decisions.set(event.ack, (this.#decisions.get(event.ack) ?? 0) + 1);
        return;
      default:
        return;
    }
  }

  #close(event: FlowEvent & { readonly path: string }, how: "committed" | "failed" | "skipped"): void {
    const { visits, barriers } = this.#runOf(event.run);
    const beganMs = visits.get(event.path);
    // Recovered by an edge or a strategy after it failed: counted as what it was first.
    if (beganMs === undefined && how === "committed") return;
    const counted = this.#of(event.path);
    counted[how]++;
    barriers.delete(event.path);
    visits.delete(event.path);
    if (beganMs === undefined) return;
    const tookMs = event.atMs - beganMs;
    counted.totalMs += tookMs;
    counted.maxMs = Math.max(counted.maxMs, tookMs);
  }

  #end(event: FlowEvent): void {
    this.#ended[event.type.slice("run.".length) as keyof FlowMetrics["ended"]]++;
    this.#runs.delete(event.run);
  }

  #of(path: string): Counted {
    const name = nameOf(path);
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    const fresh = { started: 0, committed: 0, failed: 0, retried: 0, skipped: 0, totalMs: 0, maxMs: 0 };
    this.#nodes.set(name, fresh);
    return fresh;
  }

  #runOf(run: string): OpenRun {
    const known = this.#runs.get(run);
    if (known !== undefined) return known;
    const fresh = { visits: new Map<string, number>(), barriers: new Set<string>() };
    this.#runs.set(run, fresh);
    return fresh;
  }
}
