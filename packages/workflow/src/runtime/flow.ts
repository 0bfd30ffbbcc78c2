/**
 * Flows: where runs of graphs are started, resumed, decided and looked up.
 *
 * Owns:      the runs that this process executes, each under its lock; limits and ports that they share.
 * Invariant: a run is executed by one process at a time: its lock is held from before the journal is opened until
 *            everything has stopped. Opening shuts out whoever wrote to it before, each append says which record it
 *            follows, and a resumption records its owner: one that lost its lock asleep can write nothing. In this
 *            process a run is opened by one caller at a time; who comes meanwhile finds it open.
 */
import type { Journal, JournalStore, Problem, Result } from "@kahn/core";
import { newRunId, ok, ProblemError, problem } from "@kahn/core";
import type { FlowGraph } from "../definition/nodes.ts";
import { foldStart } from "../machine/folding/fold.ts";
import { stoppedAnswer } from "../machine/machine.ts";
import { Desk } from "../machine/moves/desk.ts";
import type { FlowEvent } from "../machine/state/events.ts";
import type { RunState } from "../machine/state/run-state.ts";
import { ValueCodec } from "../machine/state/values.ts";
import type { ResumeMode, Versions } from "../machine/versions/resuming.ts";
import { pinnedVersion, resumeRecord } from "../machine/versions/resuming.ts";
import { type ForkOptions, writeFork } from "./fork.ts";
import type { LookOptions } from "./reading/history.ts";
import type { DecideOptions, DecisionFor, RunCommand, TargetIn } from "./run/decision.ts";
import type { Ack } from "./run/driver.ts";
import { RunDriver } from "./run/driver.ts";
import type { FlowRun, RunResult } from "./run/flow-run.ts";
import { RunHandle, resultOf } from "./run/flow-run.ts";
import { callHook } from "./run/hooks.ts";
import { type FlowOptions, type FlowServices, servicesOf } from "./run/services.ts";
import { type Beginning, keyedId, startRecord } from "./starting.ts";
import { loadState, peekRun, repaired, unknownRun } from "./storage/loading.ts";
import { memoryJournals } from "./storage/memory-journals.ts";
import { asResult } from "./storage/result.ts";
import type { RunLock } from "./storage/run-lock.ts";
import { snapshotOf } from "./storage/snapshots.ts";
import { Turns } from "./turns.ts";

/** How a run is started. */
export interface StartOptions {
  /** Default: a fresh ULID. */
  readonly id?: string;
  /** Starting twice with one key gives the same run. */
  readonly key?: string;
  readonly maxSteps?: number;
  readonly trace?: string;
  /** Texts that are kept with the run from its first record on, such as where its graph is. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** How a run is taken up again. */
export interface ResumeOptions {
  /** What if the graph has changed since; default `strict`: refuse, and say what differs. */
  readonly mode?: ResumeMode;
  readonly maxSteps?: number;
  /** Labels that it has from now on, besides those it had. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Executes runs. Methods throw `ProblemError` for what the caller can do something about. */
export class Flow {
  readonly #options: FlowOptions;
  readonly #journals: JournalStore;
  readonly #services: FlowServices;
  readonly #live = new Map<string, { readonly handle: RunHandle; readonly graph: FlowGraph }>();
  readonly #turns = new Turns();

  /** See `createFlow`. */
  constructor(options: FlowOptions) {
    this.#options = options;
    this.#journals = options.journals ?? memoryJournals();
    this.#services = servicesOf(options, this.#journals);
  }

  /** The journals of this flow. */
  get journals(): JournalStore {
    return this.#journals;
  }

  /** A codec over this flow's values. */
  codec(): ValueCodec {
    return new ValueCodec(this.#services.values);
  }

  /** Starts a run. Resolves once its beginning is journalled. */
  async start<S, P>(
    graph: FlowGraph<S, P>,
    input: Partial<NoInfer<S>> = {},
    options: StartOptions = {},
  ): Promise<FlowRun<S, P>> {
    const id =
      options.id ??
      (options.key === undefined
        ? newRunId(this.#options.clock, this.#options.random)
        : keyedId(graph as FlowGraph, options.key));
    const handle = await this.#turns.take(id, () => this.#start(graph as FlowGraph, { ...options, id, input }));
    return handle as unknown as FlowRun<S, P>;
  }

  async #start(graph: FlowGraph, options: StartOptions & { readonly id: string; readonly input: unknown }) {
    const { id, key } = options;
    const live = key === undefined ? undefined : this.#live.get(id);
    if (live !== undefined) return live.handle;
    const lock = await this.#lock(id);
    const begun = await this.#begin(graph, { ...options, owner: lock?.owner });
    if (begun.ok) return this.#drive(graph, { ...begun.value, lock });
    lock?.release();
    if (begun.problem.code !== "journal-exists" || key === undefined) throw new ProblemError(begun.problem);
    return this.#resume(id, graph, {});
  }

  async #begin(
    graph: FlowGraph,
    beginning: Omit<Beginning, "codec" | "nowMs">,
  ): Promise<Result<Omit<Opened, "lock">, Problem>> {
    const codec = this.codec();
    const nowMs = this.#options.clock.nowMs();
    const record = asResult(() => startRecord(graph, { ...beginning, codec, nowMs }));
    if (!record.ok) return record;
    const created = this.#create(beginning.id);
    if (!created.ok) return created;
    const journal = created.value;
    const { durability, values } = this.#services;
    const flushed = durability === "disk" ? await values.flush() : ok(undefined);
    const written = flushed.ok
      ? await journal.append([record.value as never], { durability, expectedSeq: 0 })
      : flushed;
    if (written.ok) {
      const told: FlowEvent[] = [];
      const sink = this.#services.hooks.length === 0 ? undefined : (event: FlowEvent) => void told.push(event);
      return ok({
        state: foldStart(record.value, { decode: (json) => codec.decode(json), sink }),
        codec,
        journal,
        told,
      });
    }
    journal.close();
    return written;
  }

  /** A journal for a new run. One that is empty is taken over: whoever made it died before the run began. */
  #create(id: string): Result<Journal, Problem> {
    const created = this.#journals.create(id);
    if (created.ok || created.problem.code !== "journal-exists") return created;
    const isEmpty = asResult(() => {
      const records = this.#journals.peek(id);
      return records.ok ? ok([...records.value].length === 0) : records;
    });
    return isEmpty.ok && isEmpty.value ? this.#journals.open(id, { fence: true }) : created;
  }

  /**
   * Takes a run up where its journal ends: same id, steps, occurrences, decisions and remaining times. A completed run
   * gives its result; a failed or cancelled one goes on where it stopped. Of several versions it takes its own.
   */
  async resume<S, P>(id: string, graph: Versions<S, P>, options: ResumeOptions = {}): Promise<FlowRun<S, P>> {
    const handle = await this.#turns.take(id, () => this.#resume(id, graph as Versions<unknown, unknown>, options));
    return handle as unknown as FlowRun<S, P>;
  }

  async #resume(id: string, graph: Versions<unknown, unknown>, options: ResumeOptions) {
    const live = this.#live.get(id);
    if (live !== undefined) return live.handle;
    const opened = await this.#open(id);
    const { state, journal, lock } = opened;
    const plain = pinnedVersion(state, graph);
    if (state.status === "completed") return this.#drive(plain, opened);
    const { mode = "strict", maxSteps, labels } = options;
    const nowMs = this.#options.clock.nowMs();
    const record = resumeRecord(state, plain, { mode, maxSteps, labels, nowMs });
    if (!record.ok) {
      journal.close();
      lock?.release();
      throw new ProblemError(record.problem);
    }
    const owner = lock?.owner === undefined ? {} : { owner: lock.owner };
    return this.#drive(plain, { ...opened, first: { ...record.value, ...owner } });
  }

  async #open(id: string) {
    this.#mustBeThere(id);
    const lock = await this.#lock(id);
    const journal = this.#journals.open(id, { fence: true });
    if (!journal.ok) {
      lock?.release();
      throw new ProblemError(unknownRun(id, journal.problem));
    }
    const { tornTail } = journal.value;
    if (tornTail !== undefined) this.#warn(repaired(id, tornTail));
    const codec = this.codec();
    const state = loadState(id, journal.value, codec);
    if (!state.ok) {
      journal.value.close();
      lock?.release();
      throw new ProblemError(state.problem);
    }
    return { state: state.value, journal: journal.value, codec, lock };
  }

  /** Before the lock is taken: that makes a place for it. */
  #mustBeThere(id: string): void {
    const records = this.#journals.peek(id);
    if (!records.ok) throw new ProblemError(unknownRun(id, records.problem));
  }

  #warn(found: Problem): void {
    this.#options.warn?.(found.message, found);
  }

  async #lock(id: string): Promise<RunLock | undefined> {
    const lock = await this.#options.locks?.acquire(id);
    if (lock === undefined) return undefined;
    if (!lock.ok) throw new ProblemError(lock.problem);
    return lock.value;
  }

  #drive(graph: FlowGraph, opened: Opened): RunHandle {
    const { state, codec, journal, lock, first, told = [] } = opened;
    const { hooks, warn } = this.#services;
    for (const event of told) for (const hook of hooks) callHook(hook, event, warn);
    const desk: Desk = new Desk({ graph, state, codec, wantsEvents: () => driver.wantsEvents() });
    const driver = new RunDriver({ desk, journal, services: this.#services, lock });
    const inbox = this.#options.inboxes?.watch(state.run, (command) => this.#command(state.run, command));
    const released = driver.stopped.then(async () => {
      await inbox?.close();
      this.#live.delete(state.run);
      lock?.release();
    });
    const snapshot = (each: RunDriver) => void journal.writeSnapshot(snapshotOf(each.desk.state, codec));
    const handle = new RunHandle({ driver, journals: this.#journals, snapshot, clock: this.#options.clock }, released);
    this.#live.set(state.run, { handle, graph });
    if (state.status === "completed") {
      driver.finishAtOnce();
      return handle;
    }
    if (first !== undefined) driver.post({ kind: "note", record: first });
    driver.post({ kind: "begin" });
    return handle;
  }

  /** A command from another process, or from `decide` without a handle. */
  async #command(run: string, { id, command }: { readonly id: string; readonly command: unknown }): Promise<unknown> {
    const live = this.#live.get(run);
    return live === undefined ? stoppedAnswer("running") : live.handle.obey(command as RunCommand, id);
  }

  /** Tells a run, whoever executes it: this process, another one, or nobody. */
  async command(run: string, command: RunCommand, graph?: FlowGraph): Promise<Ack> {
    const live = this.#live.get(run);
    if (live !== undefined) {
      const ack = await live.handle.obey(command, undefined);
      if (ack.again !== true) return ack;
      // It stopped under our hands: now nobody executes it.
      await live.handle.result;
      return this.command(run, command, graph ?? live.graph);
    }
    const told = await this.#turns.take(run, async () => {
      // It was being opened here.
      return this.#live.has(run) ? undefined : this.#commandUnowned(run, command, graph);
    });
    if (told === undefined) return this.command(run, command, graph);
    if (told.ok) return told.value;
    const { inboxes } = this.#options;
    if (inboxes === undefined) throw new ProblemError(told.problem);
    const sent = await inboxes.send(run, command);
    if (!sent.ok) throw new ProblemError(sent.problem);
    return sent.value as Ack;
  }

  /** Nobody here executes the run. The problem is that somebody else does. */
  async #commandUnowned(run: string, command: RunCommand, graph?: FlowGraph): Promise<Result<Ack, Problem>> {
    this.#mustBeThere(run);
    const lock = await this.#options.locks?.acquire(run);
    if (lock?.ok === false) return lock;
    lock?.value.release();
    if (graph === undefined) throw new ProblemError(graphNeeded(run));
    return ok(await this.#commandAlone(run, command, graph));
  }

  /** With no owner: opens the run, journals the command and what follows from it, and starts nothing. */
  async #commandAlone(run: string, command: RunCommand, graph: FlowGraph): Promise<Ack> {
    const { state, journal, codec, lock } = await this.#open(run);
    if (state.status === "completed" || (command.kind === "cancel" && state.status !== "running")) {
      journal.close();
      lock?.release();
      return { ack: "late", token: "", why: `the run is ${state.status}` };
    }
    // What follows from a decision is worked out here, so it must be the graph that the run has.
    const same =
      command.kind === "decide" ? resumeRecord(state, graph, { mode: "strict", nowMs: state.lastMs }) : ok(0);
    if (!same.ok) {
      journal.close();
      lock?.release();
      throw new ProblemError(same.problem);
    }
    const desk: Desk = new Desk({ graph, state, codec, wantsEvents: () => driver.wantsEvents() });
    const driver = new RunDriver({ desk, journal, services: this.#services, lock });
    desk.stopping = { how: "passive" };
    const handle = new RunHandle(
      { driver, journals: this.#journals, snapshot: () => {}, clock: this.#options.clock },
      Promise.resolve(),
    );
    try {
      if (command.kind !== "cancel") return await handle.obey(command, undefined);
      driver.post({
        kind: "cancel",
        reason: command.reason ?? "cancelled",
        ...(command.by === undefined ? {} : { by: command.by }),
      });
      await handle.result;
      return { ack: "accepted", token: "" };
    } finally {
      if (!driver.isOver) driver.finishAtOnce();
      lock?.release();
    }
  }

  /** Decides a barrier of a run that this process need not execute. */
  async decide<const T extends TargetIn<P, S>, S = unknown, P = unknown>(
    run: string,
    decided: {
      readonly target: T;
      readonly decision: DecisionFor<NoInfer<P>, NoInfer<S>, T>;
      readonly options?: DecideOptions;
    },
    graph?: FlowGraph<S, P>,
  ): Promise<Ack> {
    const command = { kind: "decide", ...decided } as unknown as RunCommand;
    return this.command(run, command, graph as FlowGraph | undefined);
  }

  /** A new run that shares the past of another; it is executed at once. The other is not touched. */
  async fork<S, P>(run: string, graph: FlowGraph<S, P>, options: ForkOptions = {}): Promise<FlowRun<S, P>> {
    return this.resume(await this.prepareFork(run, graph, options), graph, { mode: "compatible" });
  }

  /** As `fork`, but executes nothing: `resume` does, here or elsewhere. @returns the id of the new run. */
  async prepareFork<S, P>(run: string, graph: FlowGraph<S, P>, options: ForkOptions = {}): Promise<string> {
    const { clock, random } = this.#options;
    const id = options.id ?? newRunId(clock, random);
    const { values, durability } = this.#services;
    const nowMs = clock.nowMs();
    const written = await this.#turns.take(id, () =>
      writeFork(run, graph as FlowGraph, { ...options, ...this.look(), id, nowMs, values, durability }),
    );
    if (!written.ok) throw new ProblemError(written.problem);
    return id;
  }

  /** What looks back at runs works with: `history(run, flow.look())`. */
  look(): LookOptions {
    return { journals: this.#journals, codec: this.codec() };
  }

  /** The run in this process, if it is executed here. */
  live(run: string): FlowRun | undefined {
    return this.#live.get(run)?.handle;
  }

  /** What this process is at: runs that it executes, attempts that run, and attempts that wait for what they claim. */
  load(): { readonly runs: number; readonly running: number; readonly queued: number } {
    const queued = this.#services.admission.waiting;
    let attempts = 0;
    for (const { handle } of this.#live.values()) attempts += handle.attempts;
    return { runs: this.#live.size, running: attempts - queued, queued };
  }

  /** How a run stands, from its journal; `flow-run-unknown` if there is none. */
  peek(run: string): Result<RunResult, Problem> {
    const state = peekRun(this.#journals, run, { codec: this.codec() });
    return state.ok ? ok(resultOf(state.value, undefined)) : state;
  }

  /** Leaves every run of this process in place. */
  async close(): Promise<void> {
    await Promise.all([...this.#live.values()].map(({ handle }) => handle.leave("the flow was closed")));
  }
}

interface Opened {
  readonly state: RunState;
  readonly codec: ValueCodec;
  readonly journal: Journal;
  readonly lock: RunLock | undefined;
  /** What a run that starts has for hooks already. */
  readonly told?: readonly FlowEvent[];
  readonly first?: ReturnType<typeof resumeRecord> extends Result<infer R, Problem> ? R : never;
}

/** Creates a flow. */
export function createFlow(options: FlowOptions): Flow {
  return new Flow(options);
}

function graphNeeded(run: string): Problem {
  return problem("flow-graph-needed", `nobody executes the run "${run}", and its graph was not given`, {
    next: "Give the graph with the command, or resume the run first.",
  });
}
