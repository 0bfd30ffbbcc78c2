/**
 * `runGraph`: the one loop that drives the kernel for actions.
 *
 * Owns:      the interpreter. It feeds events to `step`, journals what came of them, performs the effects, and turns
 *            each effect's end into exactly one completion.
 * Never:     decides order, limits, skips or cancels: the kernel does. No lock is held across an effect.
 * Invariant: what a step decided is in the journal before any of its effects is performed.
 */
import {
  type Digest,
  err,
  InvariantError,
  invariant,
  ok,
  type PlannedNode,
  type Problem,
  problem,
  type Result,
  type RunCounts,
  type RunEventBody,
  type RunStatus,
} from "@kahn/core";
import {
  createKernel,
  type KernelEffect,
  type KernelEvent,
  type KernelState,
  type NodeSpec,
  step,
} from "@kahn/scheduler";
import type { EffectContext } from "./effect-context.ts";
import { EventLog } from "./event-log.ts";
import { executeNode, storeNode } from "./node-execute.ts";
import { lookupNode } from "./node-lookup.ts";
import { restoreNode } from "./node-restore.ts";
import { isGroup, type NodeRuntime } from "./node-runtime.ts";
import { OutputClaims } from "./output-claims.ts";
import { reachableOutputs } from "./reachable-outputs.ts";
import type { GraphRun, RunGraphOptions, RunOutcome } from "./run-options.ts";

/** Starts a run. Its outcome settles once everything it started has ended. */
export function runGraph(options: RunGraphOptions): GraphRun {
  const runner = new GraphRunner(options);
  return {
    outcome: runner.run(),
    cancel: (how, by) => runner.cancel(how, by),
    warn: (problem) => runner.warn(problem),
  };
}

/** Weight of a node that never ran: between a lint and a build, so that unknown work neither leads nor trails. */
const UNKNOWN_WEIGHT_MS = 1000;

class GraphRunner {
  readonly #options: RunGraphOptions;
  readonly #log: EventLog;
  readonly #nodes: NodeRuntime[] = [];
  readonly #context: EffectContext;
  #kernel: KernelState;
  #arrived: KernelEvent[] = [];
  /** Events of effects, waiting for the next append. */
  #noted: RunEventBody[] = [];
  #wake: (() => void) | undefined;
  readonly #cancelling = new AbortController();
  #broken: Problem | undefined;
  #status: RunStatus | undefined;
  readonly #counts = { executed: 0, cached: 0, failed: 0, errored: 0, skipped: 0, cancelled: 0 };
  #remoteHits = 0;
  #remoteExecuted = 0;
  #savedMs = 0;

  constructor(options: RunGraphOptions) {
    this.#options = options;
    this.#log = new EventLog(options);
    this.#kernel = createKernel({ limits: options.limits, failure: options.failure });
    this.#context = {
      options,
      claims: new OutputClaims(),
      labelOf: (node) => this.#nodes[node]!.planned.label,
      closuresOf: (nodes) => nodes.map((node) => this.#closureOf(node)),
      reachableOutputs: (nodes) => reachableOutputs(this.#nodes, nodes),
      note: (event) => this.#note(event),
      output: (event) => this.#log.output({ kind: "node.output", ...event }),
      becameReady: (node) => this.#deliver({ kind: "became-ready", node }),
      cancelled: this.#cancelling.signal,
    };
  }

  cancel(how: "term" | "kill", by: string): void {
    this.#cancelling.abort();
    this.#note({ kind: "run.cancelling", how, by });
    this.#deliver({ kind: "cancel", how });
  }

  warn(problem: Problem): void {
    this.#note({ kind: "run.warned", problem });
  }

  async run(): Promise<Result<RunOutcome, readonly Problem[]>> {
    const { clock, provider, header, limits, warnings } = this.#options;
    const startedMs = clock.monotonicMs();
    const planned = await provider.plan();
    if (!planned.ok) return planned;
    const specs = this.#number(planned.value);
    this.#noted.unshift(
      { kind: "run.started", ...header, concurrency: limits.slots },
      ...warnings.map((each): RunEventBody => ({ kind: "run.warned", problem: each })),
      { kind: "run.planned", nodes: this.#nodes.map((node) => this.#planRecord(node)) },
    );
    this.#arrived.unshift({ kind: "admit", nodes: specs }, { kind: "seal" });
    const refused = await this.#loop();
    if (refused !== undefined) return err(refused);
    await this.#options.beforeFinish?.();
    await this.#log.append(this.#noted.splice(0));
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    const counts: RunCounts = { ...this.#counts };
    const statusAfter = (unrecorded: Problem | undefined) => (unrecorded === undefined ? this.#status! : "errored");
    const unrecorded = await this.#log.finish((problem) => ({
      kind: "run.finished",
      status: statusAfter(problem),
      counts,
      durationMs,
      savedMs: this.#savedMs,
      ...(this.#remoteHits === 0 ? {} : { remoteHits: this.#remoteHits }),
      ...(this.#remoteExecuted === 0 ? {} : { remoteExecuted: this.#remoteExecuted }),
      ...(problem === undefined ? {} : { problem }),
    }));
    return ok({ run: this.#options.run, status: statusAfter(unrecorded), counts, durationMs });
  }

  #number(planned: readonly PlannedNode[]): NodeSpec[] {
    const numbers = new Map(planned.map((node, index) => [node.label, index]));
    const resolve = (labels: readonly string[], from: string) =>
      labels.map((label) => {
        const number = numbers.get(label);
        invariant(number !== undefined, `${from} has an edge to ${label}, which is not in the plan`);
        return number;
      });
    return planned.map((node, index) => {
      const requires = resolve(node.requires, node.label);
      this.#nodes.push({ node: index, planned: node, requires, attempts: 0 });
      return {
        requires,
        after: resolve(node.after, node.label),
        validates: resolve(node.validates, node.label),
        claim: node.claim,
        priorityClass: node.priorityClass,
        weightMs: this.#options.history.entry(node.label)?.durationMs ?? UNKNOWN_WEIGHT_MS,
        lifetime: node.lifetime,
      };
    });
  }

  #planRecord({ node, planned, requires }: NodeRuntime) {
    const estimateMs = this.#options.history.entry(planned.label)?.durationMs;
    return {
      node,
      label: planned.label,
      requires,
      ...(estimateMs === undefined ? {} : { estimateMs }),
      ...(planned.lifetime === "task" ? {} : { persistent: true }),
    };
  }

  /** Runs until the kernel is finished. @returns the reasons when the graph was refused. */
  async #loop(): Promise<readonly Problem[] | undefined> {
    while (this.#status === undefined) {
      if (this.#arrived.length === 0 && this.#noted.length === 0) await this.#arrival();
      const effects = this.#stepAll();
      const rejected = effects.find((effect) => effect.kind === "rejected");
      if (rejected !== undefined) return rejected.reasons.map((reason) => this.#rejection(reason));
      const events = this.#noted;
      this.#noted = [];
      for (const effect of effects) this.#describe(effect, events);
      const refused = await this.#log.append(events);
      if (refused !== undefined && this.#broken === undefined) this.#stopFor(refused);
      for (const effect of effects) {
        if (this.#broken === undefined) this.#perform(effect);
        else this.#abandon(effect);
      }
    }
    return undefined;
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #stepAll(): KernelEffect[] {
    const effects: KernelEffect[] = [];
    // Events may be delivered by a step's own consequences; take them all before anything is written.
    while (this.#arrived.length > 0) {
      const events = this.#arrived;
      this.#arrived = [];
      for (const event of events) {
        const next = step(this.#kernel, event);
        this.#kernel = next.state;
        for (const effect of next.effects) effects.push(effect);
      }
    }
    return effects;
  }

  #deliver(event: KernelEvent): void {
    this.#arrived.push(event);
    this.#wakeUp();
  }

  #note(event: RunEventBody): void {
    this.#noted.push(event);
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** The journal refused: without a record nothing may start. */
  #stopFor(refused: Problem): void {
    this.#broken = refused;
    this.#cancelling.abort();
    this.#deliver({ kind: "cancel", how: "term" });
  }

  /** Answers an effect that must not be performed, because what led to it could not be recorded. */
  #abandon(effect: KernelEffect): void {
    if (effect.kind === "lookup") this.#deliver({ kind: "looked-up", id: effect.id, outcome: "miss" });
    else if (effect.kind === "restore") this.#deliver({ kind: "restored", id: effect.id, outcome: "missing" });
    else if (effect.kind === "execute") this.#deliver({ kind: "executed", id: effect.id, outcome: "cancelled" });
    else this.#perform(effect);
  }

  #describe(effect: KernelEffect, events: RunEventBody[]): void {
    if (effect.kind === "execute") {
      events.push({ kind: "node.started", node: effect.node, attempt: 1 });
    } else if (effect.kind === "settled") {
      events.push(this.#settle(effect));
    }
  }

  #settle(effect: Extract<KernelEffect, { kind: "settled" }>): RunEventBody {
    const node = this.#nodes[effect.node]!;
    const group = node.resolved !== undefined && isGroup(node.resolved);
    const succeeded = effect.end === "succeeded";
    if (!succeeded) this.#counts[effect.end]++;
    else if (!group) this.#counts[effect.source === "cached" ? "cached" : "executed"]++;
    const isHit = succeeded && effect.source === "cached";
    if (isHit) this.#savedMs += node.durationMs ?? 0;
    if (isHit && !group && node.from !== undefined) this.#remoteHits++;
    const { action, closure, durationMs, restoredFiles, stored, record, stdout, stderr, problem: why } = node;
    const from = isHit ? node.from : undefined;
    const ran = isHit ? undefined : node.ran;
    if (succeeded && ran !== undefined && ran.where !== "here") this.#remoteExecuted++;
    const optional = { from, ran, action, closure, durationMs, restoredFiles, stored, record, stdout, stderr };
    return {
      kind: "node.settled",
      node: effect.node,
      end: effect.end,
      ...(group || effect.source === undefined ? {} : { source: effect.source }),
      ...(present(optional) as Partial<typeof optional>),
      ...(node.result === undefined || effect.end === "cancelled" ? {} : { exitCode: node.result.exitCode }),
      ...(node.attempts > 1 ? { attempts: node.attempts } : {}),
      ...(effect.cause === undefined ? {} : { cause: effect.cause }),
      ...(why === undefined ? {} : { problem: why }),
    } as RunEventBody;
  }

  #perform(effect: KernelEffect): void {
    const context = this.#context;
    switch (effect.kind) {
      case "lookup":
        this.#answer(effect, lookupNode, (outcome) => ({ kind: "looked-up", id: effect.id, outcome }));
        break;
      case "restore":
        this.#answer(effect, restoreNode, (outcome) => ({ kind: "restored", id: effect.id, outcome }));
        break;
      case "execute":
        this.#answer(effect, executeNode, (outcome) => ({ kind: "executed", id: effect.id, outcome }));
        break;
      case "store":
        // What the store says is a warning at most, so a crash in it must not undo a success either.
        this.#answer(
          effect,
          (_, node) => storeNode(context, node).then(() => "errored"),
          () => ({
            kind: "stored",
            id: effect.id,
          }),
        );
        break;
      case "terminate":
        this.#nodes[effect.node]!.execution?.cancel(effect.how);
        break;
      case "finished":
        this.#status = effect.status;
        break;
      case "stalled":
        throw new InvariantError(`the run stalled: ${this.#stallText(effect)}`);
      case "settled":
      case "rejected":
        break;
    }
  }

  /** Performs an effect and delivers its one completion, whatever happens; a crash is `errored`, with its own words. */
  #answer<Outcome extends string>(
    effect: { readonly node: number },
    perform: (context: EffectContext, node: NodeRuntime) => Promise<Outcome | "errored">,
    completion: (outcome: Outcome | "errored") => KernelEvent,
  ): void {
    const node = this.#nodes[effect.node]!;
    const crashed = (bug: unknown): "errored" => {
      node.problem = crashProblem(node, bug);
      this.#note({ kind: "node.warned", node: node.node, problem: node.problem });
      return "errored";
    };
    Promise.resolve()
      .then(() => perform(this.#context, node))
      .catch(crashed)
      .then((outcome) => this.#deliver(completion(outcome)));
  }

  #closureOf(node: number): Digest {
    const closure = this.#nodes[node]!.closure ?? this.#nodes[node]!.action;
    invariant(closure !== undefined, `${this.#nodes[node]!.planned.label} has no closure yet`);
    return closure;
  }

  #stallText(effect: Extract<KernelEffect, { kind: "stalled" }>): string {
    return effect.waiting
      .map(({ node, reasons }) => `${this.#nodes[node]!.planned.label} waits for ${JSON.stringify(reasons)}`)
      .join("; ");
  }

  #rejection(reason: Extract<KernelEffect, { kind: "rejected" }>["reasons"][number]): Problem {
    const label = (node: number) => this.#nodes[node]!.planned.label;
    switch (reason.code) {
      case "cycle":
        return problem(
          "task-cycle",
          `these tasks wait for each other: ${[...reason.nodes, reason.nodes[0]!].map(label).join(" → ")}`,
        );
      case "unknown-pool":
        return problem("pool-unknown", `${label(reason.node)} wants pool "${reason.pool}", which is not declared`, {
          next: `Declare it: "pools": { "${reason.pool}": 1 }.`,
        });
      case "claim-exceeds-limit":
        return claimProblem(label(reason.node), reason);
      case "self-edge":
        return problem("task-cycle", `${label(reason.node)} depends on itself`);
      case "unknown-node":
      case "sealed":
        throw new InvariantError(`the kernel refused the plan: ${JSON.stringify(reason)}`);
    }
  }
}

function claimProblem(
  label: string,
  { resource, asked, limit }: { readonly resource: string; readonly asked: number; readonly limit: number },
): Problem {
  const [kind, name] = resource.split(/:(.*)/s);
  switch (kind) {
    case "slots":
      return problem("claim-exceeds-limit", `${label} asks for ${asked} slots, the run has ${limit}`, {
        next: "Raise --concurrency (or `concurrency` of the configuration), or lower the task's `slots`.",
      });
    case "pool":
      return problem("claim-exceeds-limit", `${label} needs ${asked} of pool "${name}", which has ${limit}`, {
        next: `Raise the pool: "pools": { "${name}": ${asked} }; or let the task ask for less.`,
      });
    default:
      return problem("claim-exceeds-limit", `${label} asks for ${asked} of ${resource}, and there are only ${limit}`, {
        next: "Let fewer tasks that last as long as the run hold it.",
      });
  }
}

function crashProblem(node: NodeRuntime, bug: unknown): Problem {
  const text = bug instanceof Error ? (bug.stack ?? bug.message) : String(bug);
  return problem("effect-crashed", `Kahn itself failed while it worked on ${node.planned.label}`, {
    facts: [["error", text]],
    next: "This is a bug of Kahn: report it with the text above. The rest of the run is not affected.",
  });
}

/** The members that are set. */
function present(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
