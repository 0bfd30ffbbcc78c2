/**
 * The driver of one run: takes events to the machine, what comes of them to the journal, and only then to the world.
 *
 * Owns:      the queue of events, the open journal, running attempts, timers.
 * Invariant: nothing that a step asks for is done before its records are in the journal; events that wait while the
 *            journal writes go into the next append together. If the journal refuses, nothing more is started, what
 *            runs is aborted, and the run is suspended with the refusal: it can be resumed from what was written.
 */
import type { Durability, Journal, Json, Problem } from "@kahn/core";
import { ProblemError, problem } from "@kahn/core";
import { nodeErrorOf } from "../../definition/failure.ts";
import type { MachineEvent } from "../../machine/machine.ts";
import { type Step, transition } from "../../machine/machine.ts";
import type { Desk, FlowEffect } from "../../machine/moves/desk.ts";
import type { FlowEvent } from "../../machine/state/events.ts";
import type { DecisionRecord, FlowRecord } from "../../machine/state/records.ts";
import type { Visit } from "../../machine/state/run-state.ts";
import type { Admitted } from "../attempts/admission.ts";
import type { AttemptEnd, AttemptHost, OnceValue } from "../attempts/attempt.ts";
import { Attempt } from "../attempts/attempt.ts";
import { workOf } from "../attempts/work.ts";
import { type RunLock, takenOver } from "../storage/run-lock.ts";
import { Breath, inRounds } from "./breath.ts";
import { RunClock } from "./clock.ts";
import type { EventReader } from "./event-stream.ts";
import { Followers } from "./followers.ts";
import type { FlowServices } from "./services.ts";
import { RunTimers } from "./timers.ts";

/** What the sender of a decision is told. */
export interface Ack {
  readonly ack: DecisionRecord["ack"];
  /** Names the decision, to take it back. */
  readonly token: string;
  readonly why?: string;
  /** The run stopped before it heard this, and nothing of it is kept: say it again. */
  readonly again?: true;
}

/** How a driver stopped. */
export type Stopped =
  | { readonly how: "completed" | "failed" | "cancelled" | "left" }
  | { readonly how: "broken"; readonly problem: Problem };

/** What a driver works with. */
export interface DriverParts {
  readonly desk: Desk;
  /** Open, with everything that the desk's state was folded from. */
  readonly journal: Journal;
  readonly services: FlowServices;
  readonly lock?: RunLock | undefined;
}

interface Posted {
  readonly event: MachineEvent;
  readonly done: ((ack: Ack | undefined) => void) | undefined;
  /** Whether somebody outside of the run waits for what comes of it: no reader may hold that up. */
  readonly isUrgent: boolean;
}

/** Events taken into one append at most. */
const BATCH_MAX = 2048;

/** See the head of the file. */
export class RunDriver {
  readonly desk: Desk;
  readonly stopped: Promise<Stopped>;
  /** The event that ended the run in this process and is in no journal, for that was what failed. */
  lastWords: FlowEvent | undefined;
  /** Number of the last event that readers were given. */
  delivered: number;
  readonly #services: FlowServices;
  readonly #journal: Journal;
  #queue: Posted[] = [];
  /** How many in the queue are urgent. */
  #urgent = 0;
  /** Told to end: nobody is waited for any more. */
  #isEnding = false;
  #isPumping = false;
  #isOver = false;
  readonly #breath: Breath;
  readonly #attempts = new Map<string, Attempt>();
  readonly #admitted = new Map<string, Admitted>();
  readonly #timers: RunTimers;
  #resolveStopped: (stopped: Stopped) => void = () => {};
  #idleWaiters: (() => void)[] = [];
  readonly #clock: RunClock;
  readonly #lock: RunLock | undefined;
  readonly #performs = (effect: FlowEffect) => this.#perform(effect);
  readonly #followers: Followers;
  readonly #host: AttemptHost;

  /** See `DriverParts`. */
  constructor({ desk, journal, services, lock }: DriverParts) {
    this.desk = desk;
    this.#clock = new RunClock(services.clock, desk.state.lastMs);
    this.#timers = new RunTimers(this.#clock);
    this.#lock = lock;
    lock?.onLost?.((lost) => void this.#break(lost));
    this.#journal = journal;
    this.#services = services;
    this.#breath = new Breath(services.clock);
    this.#host = {
      run: desk.state.run,
      clock: services.clock,
      graceMs: services.graceMs,
      store: services.store,
      emit: (path, data) =>
        this.#followers.data({ type: "node.data", run: desk.state.run, seq: this.delivered, path, data }),
      once: (visit, name, work) => this.#once(visit, name, work),
      putBlob: (bytes) => services.putBlob(bytes),
      keepFile: (path) => services.keepFile(path),
      readBlob: (blob) => services.readBlob(blob),
    };
    this.delivered = desk.state.events;
    this.#followers = new Followers(services, () => this.#urgent > 0 || this.#isEnding);
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** Whether the run has stopped in this process. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Those who are told events. */
  get readers(): Set<EventReader> {
    return this.#followers.readers;
  }

  /** Whether anybody wants events; asked by the desk. */
  wantsEvents(): boolean {
    return this.#followers.isAnybody;
  }

  /** Hands over an event. */
  post(event: MachineEvent): void {
    this.#enqueue({ event, done: undefined, isUrgent: isEnd(event) });
  }

  /** Hands over what somebody tells the run, and resolves once what comes of it is in the journal, whoever reads. */
  ask(event: MachineEvent): Promise<Ack | undefined> {
    return this.#asked(event, true);
  }

  #asked(event: MachineEvent, isUrgent: boolean): Promise<Ack | undefined> {
    return new Promise((done) => {
      if (this.#isOver) done(undefined);
      else this.#enqueue({ event, done, isUrgent });
    });
  }

  /** Resolves when nothing runs and nothing is about to: only barriers and timers are waited for. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#tellIdle();
    });
  }

  /** Ends without doing anything: the run is over already, or was only told something. */
  finishAtOnce(): void {
    const { status } = this.desk.state;
    if (!this.#isOver) this.#finish({ how: status === "running" ? "left" : status });
  }

  #enqueue(posted: Posted): void {
    if (this.#isOver) return;
    this.#queue.push(posted);
    if (posted.isUrgent) {
      this.#urgent++;
      this.#isEnding ||= isEnd(posted.event);
      this.#followers.hurry();
    }
    if (!this.#isPumping) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    try {
      while (this.#queue.length > 0 && !this.#isOver) {
        await this.#batch();
        await this.#breath.take();
      }
    } catch (thrown) {
      // A bug of ours must not leave a run without an end.
      this.#break(
        problem("flow-internal", `the run stopped because of a fault: ${nodeErrorOf(thrown).message}`, {
          next: "Resume the run, and report the fault.",
        }),
      );
    } finally {
      this.#isPumping = false;
    }
    this.#tellIdle();
  }

  async #batch(): Promise<void> {
    const taken = this.#queue.length > BATCH_MAX ? this.#queue.splice(0, BATCH_MAX) : this.#queue;
    if (taken === this.#queue) this.#queue = [];
    const answers: (() => void)[] = [];
    const { records, events, effects } = this.#decide(taken, answers);
    if (records.length > 0 && !(await this.#write(records))) {
      for (const { done } of taken) done?.(undefined);
      return;
    }
    const before = this.delivered;
    this.delivered = this.desk.state.events;
    // Nobody wanted events when they were to be made, and somebody came while the journal wrote.
    const isLate = events.length === 0 && this.readers.size > 0 && this.delivered > before;
    const told = isLate ? this.#services.retell(this.desk, before + 1) : events;
    const isTold = told.length === 0 ? undefined : this.#followers.tell(told);
    // Before anybody is waited for: whoever asked may be the reader who has no room.
    for (const answer of answers) answer();
    if (isTold !== undefined) await isTold;
    await inRounds(effects, this.#performs);
  }

  /** What comes of some events, together; `answers` gets what their senders are told then. */
  #decide(taken: readonly Posted[], answers: (() => void)[]): Step {
    const now = { ms: this.#clock.nowMs(), fraction: 0 };
    let all: Step | undefined;
    for (const { event, done, isUrgent } of taken) {
      if (isUrgent) this.#urgent--;
      if (event.kind === "failed") now.fraction = this.#services.fraction();
      const { records, effects, events } = transition(this.desk, event, now);
      if (done !== undefined) {
        const answer = effects.find((effect) => effect.kind === "answer");
        answers.push(() => done(answer));
      }
      // The arrays of a step are its own: those of the first one take the others.
      if (all !== undefined) {
        for (const each of records) all.records.push(each);
        for (const each of events) all.events.push(each);
        for (const each of effects) all.effects.push(each);
      } else all = { records, effects, events };
    }
    return all!;
  }

  /** Appends records; false when the run is over because of it. */
  async #write(records: readonly FlowRecord[]): Promise<boolean> {
    const { values, durability, snapshots } = this.#services;
    const least = records.some(isDecision) ? this.#services.decisionDurability : "process";
    const wanted: Durability = durability === "disk" ? "disk" : least;
    if (wanted === "disk") {
      const flushed = await values.flush();
      if (!flushed.ok) return this.#break(flushed.problem);
    }
    const { run } = this.desk.state;
    if (this.#lock?.isHeld?.() === false) return this.#break(takenOver(run));
    const expectedSeq = this.desk.state.seq - records.length;
    const written = await this.#journal.append(records as unknown as readonly Json[], {
      durability: wanted,
      expectedSeq,
    });
    if (!written.ok) return this.#break(this.#services.whoWrites(run, written.problem));
    snapshots?.(this.#journal, this.desk, records);
    this.#timers.drop(records);
    return true;
  }

  /** Ends the run in this process: its journal does not take what happened. */
  #break(because: Problem): false {
    if (this.#isOver) return false;
    const event: FlowEvent = {
      run: this.desk.state.run,
      seq: this.delivered + 1,
      atMs: this.#services.clock.nowMs(),
      type: "run.suspended",
      reason: `${because.code}: ${because.message}`,
    };
    this.lastWords = event;
    for (const attempt of this.#attempts.values()) attempt.abort("left");
    this.#followers.end(event);
    this.#finish({ how: "broken", problem: because });
    return false;
  }

  #finish(stopped: Stopped): void {
    this.#isOver = true;
    this.#timers.close();
    for (const admitted of this.#admitted.values()) admitted.done();
    for (const { done } of this.#queue) done?.(undefined);
    this.#queue = [];
    this.#journal.close();
    this.#followers.end();
    this.#resolveStopped(stopped);
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#idleWaiters.length === 0) return;
    const { state, inFlight } = this.desk;
    const isBusy = this.#isPumping || this.#queue.length > 0 || inFlight.size > 0;
    const isBackedOff = [...state.visits.values()].some((visit) => visit.phase.kind === "backoff");
    if (!this.#isOver && (isBusy || isBackedOff)) return;
    for (const waiter of this.#idleWaiters.splice(0)) waiter();
  }

  #perform(effect: FlowEffect): void {
    if (this.#isOver) return;
    switch (effect.kind) {
      case "run":
        this.#run(effect);
        return;
      case "abort":
        this.#attempts.get(effect.visit)?.abort(effect.why);
        return;
      case "timer":
        this.#timers.set(effect.visit, effect.dueMs, () => this.post({ kind: "due", visit: effect.visit }));
        return;
      case "grace": {
        const { id } = effect;
        this.#timers.after(this.#services.graceMs, () => this.post({ kind: "grace", id }));
        return;
      }
      case "stopped":
        this.#finish({ how: effect.how });
        return;
      default:
        return;
    }
  }

  #run({ visit, node, attempt: number }: Extract<FlowEffect, { kind: "run" }>): void {
    const graph = this.desk.graphOf(this.desk.frameOf(visit)).id;
    const work = workOf(node, graph, this.#services)!;
    const attempt = new Attempt(visit, this.#itemOf(visit), {
      host: this.#host,
      end: (end) => this.#landed(visit, number, end),
    });
    this.#attempts.set(visit.id, attempt);
    const claim = this.#services.claimOf(node);
    if (claim === undefined) {
      attempt.begin(node, work);
      return;
    }
    const admitted = this.#services.admission.admit(claim, () => attempt.begin(node, work));
    if (admitted === undefined) {
      const error = {
        class: "Terminal",
        code: "flow-claim-impossible",
        message: `${visit.id} claims more than the flow has`,
      } as const;
      this.#landed(visit, number, { kind: "failed", error });
      return;
    }
    // The work may be over already.
    if (this.#attempts.get(visit.id) === attempt) this.#admitted.set(visit.id, admitted);
    else admitted.done();
  }

  #itemOf(visit: Visit): { readonly item: unknown; readonly index: number } | undefined {
    const phase = visit.parent === undefined ? undefined : this.desk.state.visits.get(visit.parent)?.phase;
    if (phase?.kind !== "fan" || phase.fan.items === undefined) return undefined;
    const index = Number(visit.node);
    return { item: phase.fan.items[index], index };
  }

  #landed(visit: Visit, attempt: number, end: AttemptEnd): void {
    this.#attempts.delete(visit.id);
    this.#admitted.get(visit.id)?.done();
    this.#admitted.delete(visit.id);
    if (end.kind === "succeeded") this.post({ kind: "succeeded", visit: visit.id, attempt, output: end.output });
    else this.post({ kind: "failed", visit: visit.id, attempt, error: end.error });
  }

  /** The result of an earlier attempt; else does it, and resolves once the result is in the journal. */
  async #once(visit: Visit, name: string, work: () => unknown): Promise<unknown> {
    const kept = visit.once?.[name] as OnceValue | undefined;
    if (kept !== undefined) return kept.length === 0 ? undefined : this.desk.codec.decode(kept[0]);
    const value = await work();
    const encoded = value === undefined ? undefined : this.desk.codec.encode(value);
    if (encoded?.ok === false) throw new ProblemError(encoded.problem);
    const record: FlowRecord = {
      k: "once",
      v: visit.id,
      t: this.desk.t,
      name,
      value: encoded === undefined ? [] : [encoded.value],
    };
    await this.#asked({ kind: "note", record }, false);
    return value;
  }
}

function isEnd({ kind }: MachineEvent): boolean {
  return kind === "cancel" || kind === "leave";
}

function isDecision(record: FlowRecord): boolean {
  return record.k === "dec" || record.k === "revoke";
}
