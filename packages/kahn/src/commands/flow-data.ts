/**
 * What the nodes of a run emit, put where it belongs between its events.
 *
 * Invariant: data is told after the event that it followed, though a node may emit before anybody follows the run.
 */
import type { FlowDataEvent } from "@kahn/workflow";

/** So much is kept of what cannot be told yet; older data is dropped. */
const PENDING_MAX = 4096;

/** Takes data in at once, and gives it out in its place. */
export class DataTap {
  #pending: FlowDataEvent[] = [];
  #told = 0;
  #tell: ((event: FlowDataEvent) => void) | undefined;

  /** For the engine. */
  readonly take = (event: FlowDataEvent): void => {
    if (this.#tell !== undefined && event.seq <= this.#told) this.#tell(event);
    else this.#pending.push(event);
    if (this.#pending.length > PENDING_MAX) this.#pending = this.#pending.slice(PENDING_MAX / 2);
  };

  /** Says who is told from now on, and which event was told last. */
  open(tell: (event: FlowDataEvent) => void, told: number): void {
    this.#tell = tell;
    this.told(told);
  }

  /** An event was told: so is what was emitted after it. */
  told(seq: number): void {
    this.#told = seq;
    if (this.#pending.length === 0) return;
    const due = this.#pending.filter((event) => event.seq <= seq);
    this.#pending = this.#pending.filter((event) => event.seq > seq);
    for (const event of due) this.#tell?.(event);
  }
}
