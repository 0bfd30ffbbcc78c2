/** A run that this process executes: its result, its events, and what people may tell it. */
import type { Clock, JournalStore, Problem } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import { type OpenBarrier, openBarriers } from "../../machine/barriers/open.ts";
import { barriersMeant } from "../../machine/barriers/places.ts";
import { stoppedAnswer } from "../../machine/machine.ts";
import type { FlowEvent } from "../../machine/state/events.ts";
import type { RunState } from "../../machine/state/run-state.ts";
import { ROOT } from "../../machine/state/run-state.ts";
import { peekRun, retell } from "../storage/loading.ts";
import type { DecideOptions, Decision, DecisionFor, DecisionTarget, RunCommand, TargetIn } from "./decision.ts";
import { decideRequest } from "./decision.ts";
import type { Ack, RunDriver, Stopped } from "./driver.ts";
import type { EventOptions, StreamEvent } from "./event-stream.ts";
import { EventReader } from "./event-stream.ts";

/** How a run stands, or ended. */
export interface RunResult<S = Readonly<Record<string, unknown>>> {
  readonly run: string;
  /** `waiting`: left in place with open barriers or timers. `suspended`: left, or stopped by its journal; resume it. */
  readonly status: "completed" | "failed" | "cancelled" | "waiting" | "suspended";
  readonly state: S;
  readonly error?: NodeError;
  /** Why it is suspended. */
  readonly problem?: Problem;
  readonly steps: number;
  readonly cost: number;
  /** Barriers that wait for a decision. */
  readonly barriers: readonly OpenBarrier[];
  readonly trace: string;
}

/** A run in this process. `S` is its state, `P` the marks of its barriers. */
export interface FlowRun<S = Readonly<Record<string, unknown>>, P = unknown> {
  readonly id: string;
  /** Resolves when the run has ended or was left; never rejects. */
  readonly result: Promise<RunResult<S>>;
  /** Resolves when the run has ended, or only waits for decisions and timers. */
  settled(): Promise<RunResult<S>>;
  /** What happened and happens. Several readers may follow at once. */
  events(options?: EventOptions): AsyncIterableIterator<StreamEvent>;
  /** Decides a barrier, or every occurrence of one; resolves when that is on disk. */
  decide<const T extends TargetIn<P, S>>(
    target: T,
    decision: DecisionFor<P, S, T>,
    options?: DecideOptions,
  ): Promise<Ack>;
  /** Takes a decision back that has not been used up. */
  revoke(token: string): Promise<Ack>;
  /** Aborts what runs; resolves when all of it has ended. The run can be resumed. */
  cancel(options?: { readonly reason?: string; readonly by?: string }): Promise<RunResult<S>>;
  /** Stops in this process, in place; the run can be resumed here or elsewhere. */
  leave(reason?: string): Promise<RunResult<S>>;
  /** Writes a snapshot, and a mark with a name into the journal. */
  checkpoint(name: string): Promise<void>;
  /** How it stands now. */
  peek(): RunResult<S>;
}

/** What a handle needs of its flow. */
export interface RunParts {
  readonly driver: RunDriver;
  readonly journals: JournalStore;
  readonly snapshot: (driver: RunDriver) => void;
  readonly clock: Clock;
}

/** The only implementation of `FlowRun`. */
export class RunHandle implements FlowRun {
  readonly id: string;
  readonly result: Promise<RunResult>;
  readonly #parts: RunParts;

  constructor(parts: RunParts, released: Promise<void>) {
    this.#parts = parts;
    this.id = parts.driver.desk.state.run;
    this.result = parts.driver.stopped.then(async (stopped) => {
      await released;
      if (stopped.how !== "broken") return resultOf(parts.driver.desk.state, stopped);
      // What was decided last is not in the journal, so it never was.
      const { journals, driver } = parts;
      const kept = peekRun(journals, this.id, { codec: driver.desk.codec });
      return resultOf(kept.ok ? kept.value : driver.desk.state, stopped);
    });
  }

  async settled(): Promise<RunResult> {
    const { driver } = this.#parts;
    const first = await Promise.race([driver.stopped, driver.idle().then(() => undefined)]);
    return first === undefined && !driver.isOver ? resultOf(driver.desk.state, undefined) : this.result;
  }

  events(options: EventOptions = {}): AsyncIterableIterator<StreamEvent> {
    const { driver } = this.#parts;
    const attach = (each: EventReader) => {
      const through = driver.delivered;
      if (!driver.isOver) driver.readers.add(each);
      else if (driver.lastWords !== undefined) each.push(driver.lastWords);
      if (driver.isOver) each.close();
      return { events: this.#backlog(options.from ?? 1, through), through };
    };
    const reader = new EventReader(options, attach, (each) => {
      driver.readers.delete(each);
      if (options.onLeave === "cancel" && !driver.isOver) void this.cancel({ reason: "its reader left" });
    });
    return reader;
  }

  /** Events that were told before, folded from the journal as they are asked for. */
  *#backlog(from: number, through: number): Generator<FlowEvent, void> {
    const { journals, driver } = this.#parts;
    yield* retell(journals, { run: this.id, codec: driver.desk.codec, from, through });
  }

  decide(target: DecisionTarget, decision: Decision, options: DecideOptions = {}): Promise<Ack> {
    return this.obey({ kind: "decide", target, decision, options }, undefined);
  }

  revoke(token: string): Promise<Ack> {
    return this.obey({ kind: "revoke", token }, undefined);
  }

  /** Carries a command out. `id` is that of the inbox: one that came before is answered as it was then. */
  async obey(command: RunCommand, id: string | undefined): Promise<Ack> {
    const { driver, clock } = this.#parts;
    const cmd = id === undefined ? {} : { cmd: id };
    const unheard = () => stoppedAnswer(driver.desk.state.status);
    if (command.kind === "revoke")
      return (await driver.ask({ kind: "revoke", token: command.token, ...cmd })) ?? unheard();
    if (command.kind === "cancel") {
      const { reason = "cancelled", by } = command;
      await driver.ask({ kind: "cancel", reason, ...(by === undefined ? {} : { by }), ...cmd });
      return { ack: "accepted", token: "" };
    }
    const { target, decision, options = {} } = command;
    const request = await decideRequest({
      target,
      decision,
      options,
      places: barriersMeant(driver.desk, typeof target === "string" ? { barrier: target } : target),
      codec: driver.desk.codec,
      nowMs: clock.nowMs(),
      ...cmd,
    });
    return (await driver.ask({ kind: "decide", request })) ?? unheard();
  }

  async cancel({
    reason = "cancelled",
    by,
  }: {
    readonly reason?: string;
    readonly by?: string;
  } = {}): Promise<RunResult> {
    this.#parts.driver.post({ kind: "cancel", reason, ...(by === undefined ? {} : { by }) });
    return this.result;
  }

  async leave(reason = "left"): Promise<RunResult> {
    this.#parts.driver.post({ kind: "leave", reason });
    return this.result;
  }

  async checkpoint(name: string): Promise<void> {
    const { driver, snapshot } = this.#parts;
    await driver.ask({ kind: "note", record: { k: "cp", t: driver.desk.t, name } });
    if (!driver.isOver) snapshot(driver);
  }

  /** How many attempts have been started and not ended, those included that wait for what they claim. */
  get attempts(): number {
    return this.#parts.driver.desk.inFlight.size;
  }

  peek(): RunResult {
    return resultOf(this.#parts.driver.desk.state, undefined);
  }
}

/** How a state stands. */
export function resultOf(state: RunState, stopped: Stopped | undefined): RunResult {
  const barriers = openBarriers(state);
  const isBroken = stopped?.how === "broken";
  const open = barriers.length > 0 && !isBroken ? "waiting" : "suspended";
  const status = state.status === "running" || isBroken ? open : state.status;
  return {
    run: state.run,
    status,
    state: state.frames.get(ROOT)!.values,
    ...(state.error === undefined ? {} : { error: state.error }),
    ...(stopped?.how === "broken" ? { problem: stopped.problem } : {}),
    steps: state.step,
    cost: state.cost,
    barriers,
    trace: state.trace,
  };
}
