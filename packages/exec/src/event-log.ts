/**
 * The event log of one run: events get their number and time, go to the journal, and only then to observers.
 *
 * Owns:      numbering, journalling and hand-out.
 * Invariant: an observer sees an event only after the journal has it; an observer that throws is dropped with a
 *            warning and changes nothing else.
 */
import {
  type Clock,
  type Durability,
  type Journal,
  type Json,
  type OutputEvent,
  type Problem,
  type RunEvent,
  type RunEventBody,
  type RunId,
  type RunObserver,
  warning,
} from "@kahn/core";

/** What a log is made of. */
export interface EventLogOptions {
  readonly run: RunId;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly durability: Durability;
  readonly observers: readonly RunObserver[];
}

/** The log of a run under way. */
export class EventLog {
  readonly #options: EventLogOptions;
  readonly #observers: Set<RunObserver>;
  #seq: number;
  /** The journal's refusal, once it refused: nothing is appended any more. */
  #failure: Problem | undefined;

  constructor(options: EventLogOptions) {
    this.#options = options;
    this.#observers = new Set(options.observers);
    this.#seq = options.journal.lastSeq;
  }

  /** Appends events and hands them out. @returns the journal's refusal, now or earlier. */
  async append(bodies: readonly RunEventBody[]): Promise<Problem | undefined> {
    if (bodies.length === 0) return this.#failure;
    const atMs = this.#options.clock.nowMs();
    const { run, journal, durability } = this.#options;
    const events = bodies.map((body): RunEvent => ({ run, seq: ++this.#seq, atMs, ...body }));
    if (this.#failure === undefined) {
      const appended = await journal.append(events as unknown as readonly Json[], { durability });
      if (!appended.ok) this.#failure = appended.problem;
    }
    for (const event of events) this.#hand((observer) => observer.event(event));
    return this.#failure;
  }

  /** Hands out output; it is not journalled. */
  output(output: OutputEvent): void {
    this.#hand((observer) => observer.output(output));
  }

  #hand(deliver: (observer: RunObserver) => void): void {
    for (const observer of this.#observers) {
      try {
        deliver(observer);
      } catch (cause) {
        // P18: a broken follower must not change the run. Dropped, and the others are told.
        this.#observers.delete(observer);
        const problem = warning("observer-failed", `a follower of this run failed and was dropped: ${String(cause)}`);
        void this.append([{ kind: "run.warned", problem }]);
      }
    }
  }
}
