/** The plain view: one line for each thing that ends, output below it. For logs, pipes and CI. */
import type { OutputEvent, RunEvent, RunObserver } from "@kahn/core";
import { type Paint, painter } from "../text/paint.ts";
import { problemText } from "../text/problem.ts";
import type { TextSink } from "../text/sink.ts";
import { type OutputMode, RunOutput } from "./output.ts";
import { settledText } from "./settled-text.ts";
import { summaryText } from "./summary.ts";
import { emptyRunView, foldRunEvent, labelOf, type RunView, type SettledNode } from "./view.ts";

/** Writes a run as plain text. */
export class PlainReporter implements RunObserver {
  readonly view: RunView = emptyRunView();
  readonly #sink: TextSink;
  readonly #paint: Paint;
  readonly #mode: OutputMode;
  readonly #output: RunOutput;

  constructor(sink: TextSink, mode: OutputMode) {
    this.#sink = sink;
    this.#mode = mode;
    this.#paint = painter(sink.colour);
    this.#output = new RunOutput(mode, this.view, { paint: this.#paint, write: (text) => this.write(text) });
  }

  event(event: RunEvent): void {
    foldRunEvent(this.view, event);
    const text = this.#textOf(event);
    if (text !== "") this.write(text);
    if (event.kind === "node.settled") this.#output.settled(event);
  }

  output(event: OutputEvent): void {
    this.#output.take(event);
  }

  /** Writes finished lines. */
  protected write(text: string): void {
    this.#sink.write(text);
  }

  #textOf(event: RunEvent): string {
    switch (event.kind) {
      case "node.settled":
        return this.#settledLine(event);
      case "node.retried":
        return `${this.#paint("↻", "yellow")} ${labelOf(this.view, event.node)} attempt ${event.attempt}: ${event.problem.message}\n`;
      case "node.ready":
        return `${this.#paint("●", "green")} ${labelOf(this.view, event.node)} is ready\n`;
      case "node.warned":
      case "run.warned":
        return problemText(event.problem, this.#paint);
      case "run.cancelling":
        return event.how === "term" ? `\ncancelling (${event.by}); once more to kill at once\n` : "\nkilling\n";
      case "run.finished":
        return summaryText(this.view, this.#paint);
      case "run.started":
      case "run.planned":
      case "node.missed":
      case "node.started":
        return "";
    }
  }

  #settledLine(event: SettledNode): string {
    // With output off, a line for each hit of a large workspace is only noise; the summary counts them.
    const quiet = this.#mode === "errors" || this.#mode === "none";
    if (quiet && event.end === "succeeded" && event.source !== "executed") return "";
    if (event.end === "succeeded" && event.source === undefined) return "";
    return `${settledText(this.view, event, this.#paint)}\n`;
  }
}
