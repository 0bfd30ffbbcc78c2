/**
 * Those who follow a run in this process: its readers and hooks.
 *
 * Owns:      the events that are being told, and the wait for readers that have no room.
 * Invariant: each event is told to all before the next, in order; none is left out, however the run ends. A reader that
 *            takes its time holds up the run, and never what people tell the run: it may be its own reader who decides.
 */
import type { FlowDataEvent, FlowEvent } from "../../machine/state/events.ts";
import type { EventReader } from "./event-stream.ts";
import { callHook } from "./hooks.ts";
import type { FlowServices } from "./services.ts";

/** See the head of the file. */
export class Followers {
  readonly readers = new Set<EventReader>();
  readonly #services: Pick<FlowServices, "hooks" | "onData" | "warn">;
  readonly #isHurried: () => boolean;
  #events: readonly FlowEvent[] = [];
  #next = 0;
  /** Ends the wait for room. */
  #goOn: (() => void) | undefined;

  /** @param isHurried whether somebody waits for the run, so that no reader is waited for. */
  constructor(services: Pick<FlowServices, "hooks" | "onData" | "warn">, isHurried: () => boolean) {
    this.#services = services;
    this.#isHurried = isHurried;
  }

  /** Whether anybody is told of events. */
  get isAnybody(): boolean {
    return this.readers.size > 0 || this.#services.hooks.length > 0;
  }

  /** Tells events. `undefined` if that is done; else resolves when it is, for a reader has no room. */
  tell(events: readonly FlowEvent[]): Promise<void> | undefined {
    this.#events = events;
    this.#next = 0;
    const full = this.#tellOn();
    return full === undefined ? undefined : this.#tellInTime(full);
  }

  /** Looks again whether to wait; buffers grow by what is told to readers without room. */
  hurry(): void {
    this.#goOn?.();
  }

  /** Tells what is left, then the last event of all if there is one; ends all streams. */
  end(last?: FlowEvent): void {
    while (this.#next < this.#events.length) this.#tellOne(this.#events[this.#next++]!);
    if (last !== undefined) this.#tellOne(last);
    for (const reader of this.readers) reader.close();
  }

  /** Data from a node, to whoever wants it, without waiting for anybody. */
  data(event: FlowDataEvent): void {
    for (const reader of this.readers) reader.push(event);
    const { onData, warn } = this.#services;
    if (onData !== undefined) callHook(onData, event, warn);
  }

  async #tellInTime(first: EventReader): Promise<void> {
    for (let full: EventReader | undefined = first; full !== undefined; full = this.#tellOn()) {
      await new Promise<void>((resolve) => {
        this.#goOn = resolve;
        full!.onRoom(resolve);
      });
    }
    this.#goOn = undefined;
  }

  /** Tells until a reader has no room; that one. */
  #tellOn(): EventReader | undefined {
    for (;;) {
      // Looked at after the last event, too: the run is ahead of a reader by its buffer and one step.
      for (const reader of this.readers) if (reader.isFull && !this.#isHurried()) return reader;
      if (this.#next >= this.#events.length) break;
      this.#tellOne(this.#events[this.#next++]!);
    }
    this.#events = [];
    this.#next = 0;
    return undefined;
  }

  #tellOne(event: FlowEvent): void {
    for (const reader of this.readers) reader.push(event);
    const { hooks, warn } = this.#services;
    for (const hook of hooks) callHook(hook, event, warn);
  }
}
