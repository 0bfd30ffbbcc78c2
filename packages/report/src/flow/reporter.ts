/**
 * Writes a workflow's run as text, from its events alone.
 *
 * Owns:      lines for what ends, and on a terminal a block below them of what runs, drawn again in place.
 * Invariant: the block is wiped before anything else is written; it is drawn at most ten times a second.
 */
import type { Clock, Timer } from "@kahn/core";
import type { FlowEvent, StreamEvent } from "@kahn/workflow";
import { type Paint, painter } from "../text/paint.ts";
import type { TextSink } from "../text/sink.ts";
import { durationText } from "../text/units.ts";
import { EmittedLines } from "./emitted-lines.ts";
import { flowLine } from "./line.ts";
import { clip } from "./value-text.ts";
import { emptyFlowView, type FlowView, foldFlowEvent, parentOf } from "./view.ts";

const FRAME_MS = 100;
const SHOWN_MAX = 6;

/** A reader of a run's stream that shows it. */
export interface FlowReporter {
  readonly view: FlowView;
  /** What happened before somebody looked: taken in, not shown. */
  past(event: FlowEvent): void;
  event(event: StreamEvent): void;
  /** Writes whole lines of somebody else. */
  note(text: string): void;
  /** While somebody is asked nothing is drawn in place; `above` writes lines over the question. */
  hold(above: ((text: string) => void) | undefined): void;
  close(): void;
}

/** Makes the reporter that suits a sink. */
export function flowReporter(sink: TextSink, clock: Clock): FlowReporter {
  return new TextFlowReporter(sink, clock);
}

class TextFlowReporter implements FlowReporter {
  readonly view = emptyFlowView();
  readonly #sink: TextSink;
  readonly #clock: Clock;
  readonly #paint: Paint;
  readonly #data: EmittedLines;
  #above: ((text: string) => void) | undefined;
  #drawnLines = 0;
  #timer: Timer | undefined;

  constructor(sink: TextSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
    this.#paint = painter(sink.colour);
    this.#data = new EmittedLines(this.#paint);
  }

  past(event: FlowEvent): void {
    foldFlowEvent(this.view, event);
  }

  event(event: StreamEvent): void {
    if (event.type === "node.data") {
      const lines = this.#sink.isTerminal ? this.#data.take(event.path, event.data) : "";
      if (lines !== "") this.#write(lines);
      return;
    }
    const visit = foldFlowEvent(this.view, event);
    const rest = visit === undefined ? "" : this.#data.end(visit.path);
    if (rest !== "") this.#write(rest);
    const context = { view: this.view, visit, paint: this.#paint, tellsStarts: !this.#sink.isTerminal };
    const line = flowLine(event, context);
    if (line !== undefined) this.#write(`${line}\n`);
    if (this.#sink.isTerminal && this.#timer === undefined && this.view.visits.size > 0) this.#schedule();
  }

  note(text: string): void {
    this.#write(text);
  }

  hold(above: ((text: string) => void) | undefined): void {
    this.#wipe();
    this.#above = above;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wipe();
  }

  #write(text: string): void {
    this.#wipe();
    if (this.#above === undefined) this.#sink.write(text);
    else this.#above(text);
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(FRAME_MS, () => {
      this.#timer = undefined;
      this.#wipe();
      if (this.#above === undefined) this.#draw();
      if (this.view.visits.size > 0) this.#schedule();
    });
  }

  #wipe(): void {
    if (this.#drawnLines > 0) this.#sink.write(`\u001b[${this.#drawnLines}A\r\u001b[J`);
    this.#drawnLines = 0;
  }

  #draw(): void {
    const lines = this.#block();
    this.#sink.write(lines.map((line) => `${this.#paint(line, "dim")}\n`).join(""));
    this.#drawnLines = lines.length;
  }

  #block(): string[] {
    const { visits, waiting } = this.view;
    const nowMs = this.#clock.nowMs();
    const width = Math.max(20, this.#sink.columns() - 1);
    // Branches are counted, not shown one by one.
    const running = [...visits.values()].filter(
      ({ path }) => !waiting.has(path) && visits.get(parentOf(path))?.fan === undefined,
    );
    const lines = running.slice(0, SHOWN_MAX).map((visit) => {
      const { fan, path, sinceMs } = visit;
      const failed = fan === undefined || fan.failed === 0 ? "" : `, ${fan.failed} failed`;
      const branches = fan === undefined ? "" : ` ${fan.done}/${fan.count} branches${failed}`;
      const said = this.#data.last(path);
      return clip(
        `  ${path}${branches} ${durationText(nowMs - sinceMs)}${said === undefined ? "" : ` ${said}`}`,
        width,
      );
    });
    if (running.length > SHOWN_MAX) lines.push(`  and ${running.length - SHOWN_MAX} more`);
    for (const { barrier, dueMs } of waiting.values()) {
      const left = dueMs === undefined ? "" : `, ${durationText(Math.max(0, dueMs - nowMs))} left`;
      lines.push(clip(`  ${barrier} waits${left}`, width));
    }
    return lines;
  }
}
