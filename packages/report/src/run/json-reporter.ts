/** One event per line, for machines. Output is left out: it is in the results. */
import type { Problem, RunEvent, RunObserver } from "@kahn/core";
import type { TextSink } from "../text/sink.ts";

/** Writes a run as JSON lines; the last is `run.finished` with its counts as members, or the only one `run.refused`. */
export class JsonReporter implements RunObserver {
  readonly #sink: TextSink;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  event(event: RunEvent): void {
    if (event.kind === "run.finished") {
      const { counts, ...rest } = event;
      this.#line({ ...rest, ...counts });
    } else this.#line(event);
  }

  /** In place of a run that was refused before it started. */
  refused(problems: readonly Problem[]): void {
    this.#line({ kind: "run.refused", problems });
  }

  #line(value: object): void {
    this.#sink.write(`${JSON.stringify(value)}\n`);
  }

  output(): void {}
}
