/**
 * Output of tasks, in one of four modes.
 *
 * Owns:      what of a task's output is shown, and where lines begin and end.
 * Invariant: `live` never mixes two tasks within a line; `grouped` never mixes them at all.
 */
import type { OutputEvent } from "@kahn/core";
import { LinePrefixer } from "../text/line-prefixer.ts";
import { labelColour, type Paint } from "../text/paint.ts";
import { labelOf, type RunView, type SettledNode } from "./view.ts";

/** How output is shown: as it comes, task by task, of failures only, or not at all. */
export type OutputMode = "live" | "grouped" | "errors" | "none";

/** Shows output of one run. */
export class RunOutput {
  readonly #mode: OutputMode;
  readonly #view: RunView;
  readonly #paint: Paint;
  readonly #write: (text: string) => void;
  readonly #live = new Map<string, LinePrefixer>();
  /** Bytes by node, for the modes that wait for its end. */
  readonly #held = new Map<number, Uint8Array[]>();

  constructor(
    mode: OutputMode,
    view: RunView,
    output: { readonly paint: Paint; readonly write: (text: string) => void },
  ) {
    this.#mode = mode;
    this.#view = view;
    this.#paint = output.paint;
    this.#write = output.write;
  }

  /** Takes a piece of output. */
  take(event: OutputEvent): void {
    if (this.#mode === "none") return;
    const persistent = this.#view.nodes[event.node]?.persistent === true;
    if (this.#mode === "live" || persistent) this.#prefixer(event).push(event.bytes);
    else {
      const held = this.#held.get(event.node);
      if (held === undefined) this.#held.set(event.node, [event.bytes]);
      else held.push(event.bytes);
    }
  }

  /** Writes what was held of a node that has settled, below its line. */
  settled(event: SettledNode): void {
    for (const stream of ["stdout", "stderr"]) {
      this.#live.get(`${event.node}/${stream}`)?.end();
      this.#live.delete(`${event.node}/${stream}`);
    }
    const held = this.#held.get(event.node);
    this.#held.delete(event.node);
    if (held === undefined || (this.#mode === "errors" && event.end === "succeeded")) return;
    const text = Buffer.concat(held).toString();
    if (text !== "") this.#write(text.endsWith("\n") ? text : `${text}\n`);
  }

  #prefixer({ node, stream }: OutputEvent): LinePrefixer {
    const key = `${node}/${stream}`;
    let prefixer = this.#live.get(key);
    if (prefixer === undefined) {
      const label = labelOf(this.#view, node);
      prefixer = new LinePrefixer(`${this.#paint(label, labelColour(label))} │ `, this.#write);
      this.#live.set(key, prefixer);
    }
    return prefixer;
  }
}
