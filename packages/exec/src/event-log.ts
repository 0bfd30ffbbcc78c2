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
    const events = bodies.map((body) => this.#number(body));
    await this.#journal(events);
    for (const event of events) this.#hand((observer) => observer.event(event));
    return this.#failure;
  }

  /**
   * Appends the last event.
   *
   * @param make gives it, from the journal's refusal if there was one; asked again when this very append is refused,
   *   so that observers are not told of an end that was not recorded.
   * @returns the journal's refusal, now or earlier.
   */
  async finish(make: (refused: Problem | undefined) => RunEventBody): Promise<Problem | undefined> {
    const before = this.#failure;
    const event = this.#number(make(before));
    await this.#journal([event]);
    const last = this.#failure === before ? event : { ...event, ...make(this.#failure) };
    this.#hand((observer) => observer.event(last));
    return this.#failure;
  }

  /** Hands out output; it is not journalled. */
  output(output: OutputEvent): void {
    this.#hand((observer) => observer.output(output));
  }

  #number(body: RunEventBody): RunEvent {
    return { run: this.#options.run, seq: ++this.#seq, atMs: this.#options.clock.nowMs(), ...body };
  }

  async #journal(events: readonly RunEvent[]): Promise<void> {
    if (this.#failure !== undefined) return;
    const { journal, durability } = this.#options;
    const appended = await journal.append(events as unknown as readonly Json[], { durability });
    if (!appended.ok) this.#failure = appended.problem;
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
