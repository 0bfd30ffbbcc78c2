/**
 * Drives a kernel through a scenario: the answers come in random order with random outcomes.
 *
 * Invariant: keeps its own side of the protocol: every effect is answered once, only with what the world could say.
 */
import type { KernelEffect, KernelEvent, KernelOptions, NodeSpec } from "../kernel-types.ts";
import type { KernelLog, KernelLogEntry } from "./kernel-log.ts";
import type { Scenario } from "./scenario.ts";
import type { SeededRandom } from "./seeded.ts";

/** The two functions of a kernel; a mutant has the same. */
export interface KernelUnderTest<State> {
  readonly createKernel: (options: KernelOptions) => State;
  readonly step: (state: State, event: KernelEvent) => { state: State; effects: KernelEffect[] };
}

type Awaiting = Extract<KernelEffect, { readonly id: number }>;
type Lifetime = NodeSpec["lifetime"];

/** Runs a scenario until nothing more can happen, and records every step. */
export function simulate<State>(kernel: KernelUnderTest<State>, scenario: Scenario, random: SeededRandom): KernelLog {
  return new Simulation(kernel, scenario, random).run();
}

class Simulation<State> {
  private readonly entries: KernelLogEntry[] = [];
  private readonly inFlight: Awaiting[] = [];
  private readonly told = new Set<number>();
  private readonly ready = new Set<number>();
  private readonly lifetimes: Lifetime[] = [];
  private readonly kernel: KernelUnderTest<State>;
  private readonly scenario: Scenario;
  private readonly random: SeededRandom;
  private state: State;
  private nextDelta = 0;
  private isSealed = false;
  private cancelled: "no" | "term" | "kill" = "no";

  constructor(kernel: KernelUnderTest<State>, scenario: Scenario, random: SeededRandom) {
    this.kernel = kernel;
    this.scenario = scenario;
    this.random = random;
    this.state = kernel.createKernel(scenario.options);
  }

  run(): KernelLog {
    const { options } = this.scenario;
    try {
      for (let left = 2000; left > 0; left--) {
        const event = this.nextEvent();
        if (event === undefined) break;
        this.take(event);
      }
    } catch (error) {
      return { options, entries: this.entries, thrown: String(error) };
    }
    return { options, entries: this.entries };
  }

  private take(event: KernelEvent): void {
    const { state, effects } = this.kernel.step(this.state, event);
    this.state = state;
    this.entries.push({ event, effects });
    if (event.kind === "admit" && !effects.some((effect) => effect.kind === "rejected")) {
      this.lifetimes.push(...event.nodes.map((node) => node.lifetime));
    }
    for (const effect of effects) {
      if ("id" in effect) this.inFlight.push(effect);
      else if (effect.kind === "terminate") this.told.add(effect.node);
    }
  }

  private nextEvent(): KernelEvent | undefined {
    const { random, scenario } = this;
    const isImpatient = this.cancelled === "term" && random.chance(0.1);
    if (this.entries.length > 0 && (isImpatient || random.chance(scenario.cancel))) return this.cancel();
    if (random.chance(0.25) || this.entries.length === 0) {
      const event = this.grow();
      if (event !== undefined) return event;
    }
    const answerable = this.inFlight.filter((effect) => this.isAnswerable(effect));
    if (answerable.length > 0) return this.answer(random.pick(answerable));
    const starting = this.inFlight.find((effect) => !this.ready.has(effect.node));
    if (starting !== undefined) return this.becomeReady(starting.node);
    const event = this.grow();
    if (event !== undefined || this.inFlight.length === 0 || this.cancelled !== "no") return event;
    // Only pinned nodes are left: the user ends them.
    return this.cancel();
  }

  private grow(): KernelEvent | undefined {
    const nodes = this.scenario.deltas[this.nextDelta];
    if (nodes !== undefined) {
      this.nextDelta++;
      return { kind: "admit", nodes };
    }
    if (this.isSealed) return undefined;
    this.isSealed = true;
    return { kind: "seal" };
  }

  private cancel(): KernelEvent {
    this.cancelled = this.cancelled === "no" ? "term" : "kill";
    return { kind: "cancel", how: this.cancelled };
  }

  /** A service that nobody ended runs on; now and then one dies, or exits, by itself. */
  private isAnswerable(effect: Awaiting): boolean {
    if (effect.kind !== "execute" || this.lifetimes[effect.node] === "task" || this.told.has(effect.node)) return true;
    return this.random.chance(0.02);
  }

  private becomeReady(node: number): KernelEvent {
    this.ready.add(node);
    return { kind: "became-ready", node };
  }

  private answer(effect: Awaiting): KernelEvent {
    // A probe may answer again.
    if (this.ready.has(effect.node) && this.random.chance(0.2)) return this.becomeReady(effect.node);
    return this.complete(effect);
  }

  private complete(effect: Awaiting): KernelEvent {
    const { random, scenario } = this;
    const isService = effect.kind === "execute" && this.lifetimes[effect.node] !== "task";
    if (isService && !this.ready.has(effect.node) && random.chance(0.5)) return this.becomeReady(effect.node);
    this.inFlight.splice(this.inFlight.indexOf(effect), 1);
    const { id } = effect;
    switch (effect.kind) {
      case "lookup": {
        if (random.chance(scenario.failure / 4)) return { kind: "looked-up", id, outcome: "errored" };
        return { kind: "looked-up", id, outcome: random.chance(scenario.hit) ? "hit" : "miss" };
      }
      case "restore": {
        if (random.chance(scenario.failure / 4)) return { kind: "restored", id, outcome: "errored" };
        return { kind: "restored", id, outcome: random.chance(0.9) ? "restored" : "missing" };
      }
      case "execute":
        return { kind: "executed", id, outcome: this.outcome(effect.node) };
      case "store":
        return { kind: "stored", id };
    }
  }

  private outcome(node: number): "succeeded" | "failed" | "errored" | "cancelled" {
    const { random, scenario } = this;
    if (this.told.has(node) && random.chance(0.8)) return "cancelled";
    if (!random.chance(scenario.failure)) return "succeeded";
    return random.pick(["failed", "failed", "errored", "cancelled"]);
  }
}
