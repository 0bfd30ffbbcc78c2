/**
 * The live view: the plain view's lines, and below them a few lines that are drawn again in place.
 *
 * Owns:      the status block (progress, the longest running tasks, an estimate) and its redrawing.
 * Invariant: the block is wiped before anything else is written, so a terminal's scroll-back holds whole lines only;
 *            drawing happens at most ten times a second, however many events come.
 */
import type { Clock, RunEvent, Timer } from "@kahn/core";
import { type Paint, painter } from "../text/paint.ts";
import type { TextSink } from "../text/sink.ts";
import { durationText } from "../text/units.ts";
import type { OutputMode } from "./output.ts";
import { PlainReporter } from "./plain-reporter.ts";
import { labelOf, remainingMs } from "./view.ts";

const FRAME_MS = 100;
const RUNNING_SHOWN_MAX = 5;

/** Writes a run to a terminal. */
export class TerminalReporter extends PlainReporter {
  readonly #terminal: TextSink;
  readonly #clock: Clock;
  readonly #colours: Paint;
  #drawnLines = 0;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(sink: TextSink, mode: OutputMode, clock: Clock) {
    super(sink, mode);
    this.#terminal = sink;
    this.#clock = clock;
    this.#colours = painter(sink.colour);
  }

  override event(event: RunEvent): void {
    if (event.kind === "run.finished") this.#stop();
    super.event(event);
    if (event.kind === "node.started" && this.#timer === undefined) this.#schedule();
  }

  protected override write(text: string): void {
    this.#wipe();
    super.write(text);
    // A burst of lines is not interleaved with as many drawings; the next frame brings the block back.
    if (this.#timer !== undefined && this.#clock.monotonicMs() - this.#drawnAtMs >= FRAME_MS) this.#draw();
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(FRAME_MS, () => {
      this.#wipe();
      this.#draw();
      this.#schedule();
    });
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wipe();
  }

  #wipe(): void {
    if (this.#drawnLines > 0) this.#terminal.write(`\u001b[${this.#drawnLines}A\r\u001b[J`);
    this.#drawnLines = 0;
  }

  #draw(): void {
    const lines = this.#block();
    this.#terminal.write(lines.map((line) => `${line}\n`).join(""));
    this.#drawnLines = lines.length;
    this.#drawnAtMs = this.#clock.monotonicMs();
  }

  #block(): string[] {
    const nowMs = this.#clock.nowMs();
    const width = Math.max(20, this.#terminal.columns() - 1);
    const longest = [...this.view.running.values()].sort((a, b) => a.sinceMs - b.sinceMs);
    const lines = longest.slice(0, RUNNING_SHOWN_MAX).map(({ node, sinceMs }) => {
      return clip(`  ${labelOf(this.view, node)} ${durationText(nowMs - sinceMs)}`, width);
    });
    if (longest.length > RUNNING_SHOWN_MAX) lines.push(`  and ${longest.length - RUNNING_SHOWN_MAX} more`);
    lines.push(this.#progressLine(nowMs, width));
    return lines.map((line, index) => (index === lines.length - 1 ? line : this.#colours(line, "dim")));
  }

  #progressLine(nowMs: number, width: number): string {
    const { nodes, settled, counts, startedAtMs } = this.view;
    const done = settled.size;
    const failed = counts.failed + counts.errored;
    const left = remainingMs(this.view, nowMs);
    const parts = [`${done}/${nodes.length}`, durationText(nowMs - (startedAtMs ?? nowMs))];
    if (left !== undefined && left >= 1000) parts.push(`about ${durationText(left)} left`);
    if (failed > 0) parts.push(`${failed} failed`);
    const filled = nodes.length === 0 ? 0 : Math.round((done / nodes.length) * 20);
    const bar = `[${"#".repeat(filled)}${"-".repeat(20 - filled)}]`;
    return clip(`${bar} ${parts.join(" · ")}`, width);
  }
}

function clip(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}
