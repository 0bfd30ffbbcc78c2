/** An observer that keeps everything, and the questions that tests ask of a run. */
import type { NodeEnd, OutputEvent, ResultSource, RunEvent, RunObserver } from "@kahn/core";

/** The events of one kind. */
export type RunEventOf<Kind extends RunEvent["kind"]> = Extract<RunEvent, { kind: Kind }>;

/** A run that was watched. Nodes are asked for by label. */
export class Recorder implements RunObserver {
  readonly events: RunEvent[] = [];
  readonly outputs: OutputEvent[] = [];
  readonly #labels = new Map<number, string>();

  event(event: RunEvent): void {
    this.events.push(event);
    if (event.kind === "run.planned") for (const { node, label } of event.nodes) this.#labels.set(node, label);
  }

  output(event: OutputEvent): void {
    this.outputs.push(event);
  }

  /** The events of one kind, in order. */
  ofKind<Kind extends RunEvent["kind"]>(kind: Kind): RunEventOf<Kind>[] {
    return this.events.filter((event): event is RunEventOf<Kind> => event.kind === kind);
  }

  /** The label a node was planned with; `#7` for a node that nobody planned. */
  labelOf(node: number): string {
    return this.#labels.get(node) ?? `#${node}`;
  }

  /** How each node ended, by label. */
  ends(): Record<string, NodeEnd> {
    return Object.fromEntries(this.ofKind("node.settled").map(({ node, end }) => [this.labelOf(node), end]));
  }

  /** Where each succeeded node's result came from, by label. */
  sources(): Record<string, ResultSource | undefined> {
    const succeeded = this.ofKind("node.settled").filter(({ end }) => end === "succeeded");
    return Object.fromEntries(succeeded.map(({ node, source }) => [this.labelOf(node), source]));
  }

  /** The settling of one node; `undefined` when it never settled. */
  settledOf(label: string): RunEventOf<"node.settled"> | undefined {
    return this.ofKind("node.settled").find(({ node }) => this.labelOf(node) === label);
  }

  /** Labels in the order in which commands were started, once per attempt. */
  startedOrder(): string[] {
    return this.ofKind("node.started").map(({ node }) => this.labelOf(node));
  }

  /** Why nodes had to run: the first reason's code, by label. */
  misses(): Record<string, string | undefined> {
    return Object.fromEntries(
      this.ofKind("node.missed").map(({ node, reasons }) => [this.labelOf(node), reasons[0]?.code]),
    );
  }

  /** The codes of all problems warned of, in order. */
  warnings(): string[] {
    return this.events.flatMap((event) =>
      event.kind === "node.warned" || event.kind === "run.warned" ? [event.problem.code] : [],
    );
  }

  /** What a node wrote, as text; both streams in the order in which they came, or one of them. */
  outputOf(label: string, stream?: "stdout" | "stderr"): string {
    const parts = this.outputs.filter(
      (output) => this.labelOf(output.node) === label && (stream === undefined || output.stream === stream),
    );
    return Buffer.concat(parts.map(({ bytes }) => bytes)).toString("utf8");
  }

  /** How the run ended; `undefined` while it has not. */
  get finished(): RunEventOf<"run.finished"> | undefined {
    return this.ofKind("run.finished")[0];
  }
}

/** An observer that keeps everything. */
export function recorder(): Recorder {
  return new Recorder();
}
