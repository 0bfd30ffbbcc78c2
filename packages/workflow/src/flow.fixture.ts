/** A world for tests of flows: a clock that stands still, journals that copy what they are given, and shorthands. */

import { digestOf } from "@kahn/core";
import type { MemoryJournalStore } from "@kahn/testing";
import { memoryJournalStore, seededRandom, settled, virtualClock } from "@kahn/testing";
import type { FlowEvent, FlowGraph, FlowOptions, FlowRun } from "./index.ts";
import { createFlow, defineGraph, END, eventsOf, reduce, state } from "./index.ts";
import { memoryValues } from "./machine/state/values.ts";

/** A state that many tests share. */
export const S = state({
  n: state.value(0, reduce.sum),
  log: state.value<readonly string[]>([], reduce.append),
  x: state.value<string>(),
});

/** A flow in a world of its own; `again()` is another process that finds the journals as they are. */
export function world(options: Partial<FlowOptions> = {}, journals: MemoryJournalStore = memoryJournalStore()) {
  const clock = (options.clock as ReturnType<typeof virtualClock> | undefined) ?? virtualClock();
  const values = options.values ?? memoryValues((bytes) => digestOf(bytes));
  const random = seededRandom(1);
  const flow = createFlow({ random, journals, ...options, clock, values });
  const again = (store = journals.killProcess(), more: Partial<FlowOptions> = {}) =>
    world({ ...options, ...more, clock, values }, store);
  const events = (run: string): readonly FlowEvent[] => {
    const found = eventsOf(run, flow.look());
    if (!found.ok) throw new Error(found.problem.message);
    return found.value;
  };
  return { clock, journals, flow, values, again, events };
}

/** Runs a graph to where it ends or waits. */
export async function runOf<T, P>(graph: FlowGraph<T, P>, input: Partial<T> = {}, options: Partial<FlowOptions> = {}) {
  const at = world(options);
  const run = await at.flow.start(graph, input as never);
  const result = await run.settled();
  return { ...at, run, result, events: at.events(run.id), types: at.events(run.id).map((event) => event.type) };
}

/** A straight line of tasks `a → b → …`, each of which logs its name. */
export function line(...names: readonly string[]): FlowGraph {
  const nodes = Object.fromEntries(names.map((name) => [name, { run: () => ({ add: { log: name } }) }]));
  const edges = names.map((name, index) => [name, names[index + 1] ?? END] as const);
  return defineGraph(S, { id: "line", start: names[0]!, nodes, edges }) as FlowGraph;
}

/** A node that logs. */
export const says = (text: string) => ({ run: () => ({ add: { log: text } }) });

/** A promise with its ends outside. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Lets everything that can happen without the clock happen. */
export async function quiet(): Promise<void> {
  for (let round = 0; round < 6; round++) await settled();
}

/** What a run logged. */
export function logOf(result: { readonly state: unknown }): readonly string[] {
  return (result.state as { readonly log?: readonly string[] }).log ?? [];
}

/** Waits for an event of this type, from the beginning. */
export async function until(run: Pick<FlowRun, "events">, type: string): Promise<FlowEvent> {
  for await (const event of run.events()) if (event.type === type) return event as FlowEvent;
  throw new Error(`the run ended without ${type}`);
}

/** What the events of a run say its state is. */
export function mirrorOf(events: readonly FlowEvent[]): Record<string, unknown> {
  const mirror: Record<string, unknown> = {};
  for (const event of events) {
    if (event.type === "run.started") Object.assign(mirror, event.state);
    if (event.type !== "state.changed" || event.frame !== "") continue;
    if (event.op === "put") mirror[event.key] = event.value;
    else delete mirror[event.key];
  }
  return mirror;
}
