/**
 * Takes what a flow tells from its first moment on, for whoever follows the run a moment later.
 *
 * Invariant: nothing is lost and the order is that of the engine: a run does not wait until somebody reads its events.
 */
import type { StreamEvent } from "@kahn/workflow";

/** Between the engine and whoever shows a run. */
export class EventTap {
  #pending: StreamEvent[] = [];
  #tell: ((event: StreamEvent) => void) | undefined;
  /** Number of the last control event told. */
  #seq = 0;

  /** For the engine: control events and data alike. */
  readonly take = (event: StreamEvent): void => {
    if (this.#tell === undefined) this.#pending.push(event);
    else this.#pass(event);
  };

  /**
   * Says who is told, at once of what came before.
   *
   * @param earlier what the journal has by now: the first record is made before there is anybody to tell.
   * @param seq of the last event that is known already.
   */
  open(tell: (event: StreamEvent) => void, { earlier, seq }: { earlier: readonly StreamEvent[]; seq: number }): void {
    this.#tell = tell;
    this.#seq = seq;
    const all = [...earlier, ...this.#pending.splice(0)];
    // Data has the number of the event before it.
    all.sort((a, b) => a.seq - b.seq || Number(a.type === "node.data") - Number(b.type === "node.data"));
    for (const event of all) this.#pass(event);
  }

  #pass(event: StreamEvent): void {
    if (event.type !== "node.data") {
      if (event.seq <= this.#seq) return;
      this.#seq = event.seq;
    }
    this.#tell!(event);
  }
}
