/** A kernel driven by hand, with names for nodes and text for effects: for tests that read like the log they expect. */
import type { ResourceClaim } from "@kahn/core";
import type { KernelEffect, KernelEvent, KernelOptions, NodeSpec } from "../kernel-types.ts";
import type { KernelLog, KernelLogEntry } from "./kernel-log.ts";
import type { KernelUnderTest } from "./simulate.ts";

/** A node by names. Left out: no edges, one slot, class 0, weight 1, a task. */
export interface ScriptNode extends Partial<Omit<NodeSpec, "requires" | "after" | "validates" | "claim">> {
  readonly requires?: readonly string[];
  readonly after?: readonly string[];
  readonly validates?: readonly string[];
  readonly claim?: Partial<ResourceClaim>;
}

/** Options of a script; left out: two slots, eight I/O places, no pools or caps, keep-going. */
export interface ScriptOptions extends Partial<KernelOptions["limits"]> {
  readonly failure?: KernelOptions["failure"];
}

type Answer = "hit" | "miss" | "errored" | "restored" | "missing" | "succeeded" | "failed" | "cancelled" | "stored";

/**
 * Drives a kernel. Each method returns the effects of its step as text: `execute app`, `settled app skipped by lib`.
 */
export class KernelScript<State> {
  readonly entries: KernelLogEntry[] = [];
  private readonly kernel: KernelUnderTest<State>;
  private readonly options: KernelOptions;
  private readonly names: string[] = [];
  private readonly awaited = new Map<string, { readonly id: number; readonly kind: string }>();
  /** The kernel's state, for `waitReasons` and the like. */
  state: State;

  constructor(kernel: KernelUnderTest<State>, { failure, ...limits }: ScriptOptions = {}) {
    this.kernel = kernel;
    this.options = {
      failure: failure ?? "keep-going",
      limits: { slots: 2, pools: {}, tagCaps: {}, io: 8, ...limits },
    };
    this.state = kernel.createKernel(this.options);
  }

  /** Everything so far, for `checkLog`. */
  get log(): KernelLog {
    return { options: this.options, entries: this.entries };
  }

  /** All effects so far, as text. */
  get trace(): string[] {
    return this.entries.flatMap(({ effects }) => effects.map((effect) => this.text(effect)));
  }

  /** The number of a node. */
  number(name: string): number {
    return this.names.indexOf(name);
  }

  /** Offers nodes as one delta. Their names stay known if it is refused, so one script should not go on after that. */
  admit(nodes: Readonly<Record<string, ScriptNode>>): string[] {
    this.names.push(...Object.keys(nodes));
    const numbers = (names: readonly string[] = []) => names.map((name) => this.names.indexOf(name));
    const specs = Object.values(nodes).map((node) => ({
      priorityClass: 0,
      weightMs: 1,
      lifetime: "task" as const,
      ...node,
      requires: numbers(node.requires),
      after: numbers(node.after),
      validates: numbers(node.validates),
      claim: { slots: 1, pools: [], mutexes: [], tags: [], terminal: false, ...node.claim },
    }));
    return this.take({ kind: "admit", nodes: specs });
  }

  /** Says that no delta will follow. */
  seal(): string[] {
    return this.take({ kind: "seal" });
  }

  /** Cancels the run. */
  cancel(how: "term" | "kill" = "term"): string[] {
    return this.take({ kind: "cancel", how });
  }

  /** Says that a service answers. */
  ready(name: string): string[] {
    return this.take({ kind: "became-ready", node: this.names.indexOf(name) });
  }

  /** Answers what the node awaits: `answer("app", "miss")`. */
  answer(name: string, outcome: Answer): string[] {
    const effect = this.awaited.get(name);
    if (effect === undefined) throw new Error(`${name} awaits nothing`);
    this.awaited.delete(name);
    const kinds: Record<string, string> = {
      lookup: "looked-up",
      restore: "restored",
      execute: "executed",
      store: "stored",
    };
    return this.take({ kind: kinds[effect.kind], id: effect.id, outcome } as KernelEvent);
  }

  /** Answers look-ups with misses until the named nodes run, or cannot go on. */
  miss(...names: readonly string[]): string[] {
    return names.flatMap((name) => this.answer(name, "miss"));
  }

  /** Goes on to the end: misses that succeed, but for the outcomes given by name; in order of asking. */
  finish(outcomes: Readonly<Record<string, Answer>> = {}): string[] {
    const done: string[] = [];
    for (let name = this.next(); name !== undefined; name = this.next()) {
      const kind = this.awaited.get(name)!.kind;
      const usual = { lookup: "miss", restore: "restored", execute: "succeeded", store: "stored" } as const;
      const wanted = outcomes[name];
      const isMeant = wanted === "hit" ? kind === "lookup" : kind === "execute";
      done.push(...this.answer(name, isMeant && wanted !== undefined ? wanted : usual[kind as keyof typeof usual]));
    }
    return done;
  }

  private next(): string | undefined {
    return this.awaited.keys().next().value;
  }

  private take(event: KernelEvent): string[] {
    const { state, effects } = this.kernel.step(this.state, event);
    this.state = state;
    this.entries.push({ event, effects });
    for (const effect of effects) if ("id" in effect) this.awaited.set(this.names[effect.node]!, effect);
    return effects.map((effect) => this.text(effect));
  }

  private text(effect: KernelEffect): string {
    const name = (node: number) => this.names[node] ?? `${node}`;
    switch (effect.kind) {
      case "finished":
        return `finished ${effect.status}`;
      case "terminate":
        return `terminate ${name(effect.node)} ${effect.how}`;
      case "rejected":
        return `rejected ${JSON.stringify(effect.reasons)}`;
      case "stalled":
        return `stalled ${JSON.stringify(effect.waiting)}`;
      case "settled": {
        const cause = effect.cause === undefined ? "" : ` by ${name(effect.cause)}`;
        return `settled ${name(effect.node)} ${effect.source ?? effect.end}${cause}`;
      }
      default:
        return `${effect.kind} ${name(effect.node)}`;
    }
  }
}
