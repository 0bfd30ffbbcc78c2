/**
 * Readers of a run's events.
 *
 * Owns:      the buffer of each reader, and what happens when it is full.
 * Invariant: control events come in order, without gaps, each once; exactly one of them ends the stream, and it is the
 *            last. Only data events are ever dropped. What happened before a reader came is told from the journal.
 */
import type { FlowDataEvent, FlowEvent } from "../../machine/state/events.ts";
import { isTerminal } from "../../machine/state/events.ts";

/** How to follow a run. */
export interface EventOptions {
  /** Number of the first event wanted; default: from the beginning. */
  readonly from?: number;
  /** How many events wait for the reader at most; default 256. */
  readonly buffer?: number;
  /**
   * What a full buffer does: `block` the run (default; but never what people tell it, so that its reader may), drop data events only and let the buffer grow by control
   * events (`drop-data`), or end this stream (`disconnect`), to be followed again from the last number.
   */
  readonly onFull?: "block" | "drop-data" | "disconnect";
  /** Whether to tell what nodes emit, too; default false. */
  readonly data?: boolean;
  /** What leaving the loop does to the run; default `detach`. */
  readonly onLeave?: "detach" | "cancel";
}

/** An event of a stream. */
export type StreamEvent = FlowEvent | FlowDataEvent;

/** What happened before a reader came. */
export interface Backlog {
  readonly events: Iterator<FlowEvent>;
  /** Number of the last of them. */
  readonly through: number;
}

/** Follows one run for one reader. */
export class EventReader implements AsyncIterableIterator<StreamEvent> {
  readonly #buffer: StreamEvent[] = [];
  readonly #limit: number;
  readonly #onFull: NonNullable<EventOptions["onFull"]>;
  readonly #wantsData: boolean;
  readonly #leave: (reader: EventReader) => void;
  readonly #from: number;
  /** Joins the run; called when the first event is asked for, so that nobody waits for a reader that never reads. */
  #attach: ((reader: EventReader) => Backlog) | undefined;
  #backlog: Iterator<FlowEvent> | undefined;
  /** Number of the last event of the backlog: others may be told of it only now. */
  #through = 0;
  #head = 0;
  #waiting: ((result: IteratorResult<StreamEvent>) => void) | undefined;
  #space: (() => void) | undefined;
  #ended = false;
  /** How many data events this reader missed. */
  dropped = 0;

  /** @param attach joins the run and gives what happened before, from the number wanted on. */
  constructor(options: EventOptions, attach: (reader: EventReader) => Backlog, leave: (reader: EventReader) => void) {
    this.#limit = Math.max(1, options.buffer ?? 256);
    this.#onFull = options.onFull ?? "block";
    this.#wantsData = options.data ?? false;
    this.#from = options.from ?? 1;
    this.#attach = attach;
    this.#leave = leave;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<StreamEvent>> {
    if (this.#attach !== undefined) {
      const { events, through } = this.#attach(this);
      this.#backlog = events;
      this.#through = through;
      this.#attach = undefined;
    }
    const before = this.#backlog?.next();
    if (before !== undefined && before.done !== true) return Promise.resolve({ done: false, value: before.value });
    this.#backlog = undefined;
    if (this.#head < this.#buffer.length) return Promise.resolve({ done: false, value: this.#shift() });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<StreamEvent>> {
    this.#end();
    this.#leave(this);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Gives the reader an event. */
  push(event: StreamEvent): void {
    if (this.#ended || event.seq < this.#from) return;
    const isFull = this.#buffer.length - this.#head >= this.#limit;
    if (event.type === "node.data") {
      if (!this.#wantsData) return;
      if (isFull) {
        this.dropped++;
        return;
      }
    } else if (event.seq <= this.#through) {
      return;
    } else if (isFull && this.#onFull === "disconnect") {
      this.#end();
      this.#leave(this);
      return;
    }
    if (this.#waiting === undefined) this.#buffer.push(event);
    else this.#resolveWaiting({ done: false, value: event });
    if (isTerminal(event)) this.#ended = true;
  }

  /** Ends the stream after what is buffered. */
  close(): void {
    this.#ended = true;
    this.#freeSpace();
    if (this.#waiting !== undefined) this.#resolveWaiting({ done: true, value: undefined });
  }

  /** Whether the run has to wait for it. */
  get isFull(): boolean {
    return this.#onFull === "block" && !this.#ended && this.#buffer.length - this.#head >= this.#limit;
  }

  /** Has `free` called when it is full no more, once; of several calls the last counts. */
  onRoom(free: () => void): void {
    this.#space = free;
  }

  #shift(): StreamEvent {
    const event = this.#buffer[this.#head++]!;
    if (this.#head > 64 && this.#head * 2 > this.#buffer.length) {
      this.#buffer.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.#buffer.length - this.#head < this.#limit) this.#freeSpace();
    return event;
  }

  #freeSpace(): void {
    const space = this.#space;
    this.#space = undefined;
    space?.();
  }

  #resolveWaiting(result: IteratorResult<StreamEvent>): void {
    const waiting = this.#waiting!;
    this.#waiting = undefined;
    waiting(result);
  }

  #end(): void {
    this.#ended = true;
    this.#backlog = undefined;
    this.#buffer.length = 0;
    this.#head = 0;
    this.#freeSpace();
    if (this.#waiting !== undefined) this.#resolveWaiting({ done: true, value: undefined });
  }
}
