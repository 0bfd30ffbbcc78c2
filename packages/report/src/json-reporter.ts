/** One event per line, for machines. Output is left out: it is in the results. */
import type { RunEvent, RunObserver } from "@kahn/core";
import type { TextSink } from "./text-sink.ts";

/** Writes a run as JSON lines; the last is `run.finished` with its counts as members. */
export class JsonReporter implements RunObserver {
  readonly #sink: TextSink;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  event(event: RunEvent): void {
    if (event.kind !== "run.finished") return this.#sink.write(`${JSON.stringify(event)}\n`);
    const { counts, ...rest } = event;
    this.#sink.write(`${JSON.stringify({ ...rest, ...counts })}\n`);
  }

  output(): void {}
}
