/**
 * What nodes emit, as lines: text as it is, what an action's command printed, the ends of an action's tasks.
 *
 * Owns:      the end of a text whose line has not come, by who said it.
 */
import type { RunEvent } from "@kahn/core";
import { settledText } from "../run/settled-text.ts";
import { emptyRunView, foldRunEvent, type RunView } from "../run/view.ts";
import type { Paint } from "../text/paint.ts";
import { valueText } from "./value-text.ts";

/** Of a text without a line's end, so much is kept. */
const PARTIAL_MAX = 2000;

/** Makes lines of what the nodes of one run emit. */
export class EmittedLines {
  readonly #paint: Paint;
  /** What nodes said last: text whose line has not ended, or a value. By path. */
  readonly #last = new Map<string, string>();
  readonly #runs = new Map<string, RunView>();

  constructor(paint: Paint) {
    this.#paint = paint;
  }

  /** Whole lines that are to be shown now, each with its newline. */
  take(path: string, data: unknown): string {
    if (typeof data === "string") return this.#text(path, data);
    const { kind } = (typeof data === "object" && data !== null ? data : {}) as { readonly kind?: unknown };
    if (kind === "output") return this.#text(path, String((data as { readonly text?: unknown }).text ?? ""));
    if (typeof kind === "string" && /^(run|node)\./.test(kind)) return this.#runEvent(path, data as RunEvent);
    const isWaiting = kind === "waiting" && typeof (data as { readonly for?: unknown }).for === "string";
    this.#last.set(path, isWaiting ? `waits ${(data as { readonly for: string }).for}` : valueText(data, 200));
    return "";
  }

  /** What a node said last, for a line about it. */
  last(path: string): string | undefined {
    return this.#last.get(path);
  }

  /** The visit has ended: what it said and did not end with a line. */
  end(path: string): string {
    const rest = this.#last.get(path);
    this.#last.delete(path);
    this.#runs.delete(path);
    return rest === undefined || rest === "" ? "" : this.#line(rest);
  }

  #text(path: string, text: string): string {
    const lines = `${this.#last.get(path) ?? ""}${text}`.split("\n");
    this.#last.set(path, lines.pop()!.slice(-PARTIAL_MAX));
    return lines.map((line) => this.#line(line)).join("");
  }

  /** The tasks of an action: how each ended. */
  #runEvent(path: string, event: RunEvent): string {
    const view = this.#runs.get(path) ?? emptyRunView();
    this.#runs.set(path, view);
    foldRunEvent(view, event);
    if (event.kind !== "node.settled") return "";
    return this.#line(settledText(view, event, (text) => text));
  }

  #line(text: string): string {
    return `${this.#paint(`  │ ${text}`, "dim")}\n`;
  }
}
