/**
 * Spans in the shape of OpenTelemetry, made from events alone.
 *
 * Invariant: ids follow from run, path and attempt, so a run that was resumed continues the spans of its past, and
 *            whoever reads the journal later gets the same tree.
 */
import { digestHash, digestOf } from "@kahn/core";
import type { FlowEvent } from "../../machine/state/events.ts";

/** A finished or open span. */
export interface FlowSpan {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: "run" | "node" | "attempt" | "barrier";
  readonly startMs: number;
  readonly endMs: number | undefined;
  readonly status: "unset" | "ok" | "error";
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

type OpenSpan = { -readonly [K in keyof FlowSpan]: FlowSpan[K] };

/** The spans of a run's events, in the order in which they began. */
export function spansOf(events: Iterable<FlowEvent>): readonly FlowSpan[] {
  const builder = new SpanBuilder();
  for (const event of events) builder.add(event);
  return builder.spans;
}

class SpanBuilder {
  readonly spans: OpenSpan[] = [];
  readonly #open = new Map<string, OpenSpan>();
  readonly #attempts = new Map<string, OpenSpan>();
  #trace = "";
  #run = "";

  add(event: FlowEvent): void {
    switch (event.type) {
      case "run.started":
        this.#trace = event.trace;
        this.#run = event.run;
        this.#begin("", { name: event.graph, kind: "run", startMs: event.atMs });
        return;
      case "node.started":
      case "branch.started":
        this.#begin(event.path, { name: event.node, kind: "node", startMs: event.atMs });
        this.#attempt(event.path, event.attempt, event.atMs);
        return;
      case "node.retrying":
        this.#endAttempt(event.path, event.atMs, "error");
        this.#attempt(event.path, event.attempt, event.dueMs);
        return;
      case "barrier.opened":
        this.#retype(event.barrier, "barrier");
        return;
      case "node.committed":
      case "branch.committed":
        this.#end(event.path, event.atMs, "ok");
        return;
      case "node.failed":
        this.#endAttempt(event.path, event.atMs, "error");
        this.#end(event.path, event.atMs, "error");
        return;
      case "node.skipped":
        this.#end(event.path, event.atMs, "unset");
        return;
      case "run.completed":
        this.#end("", event.atMs, "ok");
        return;
      case "run.failed":
      case "run.cancelled":
        this.#end("", event.atMs, event.type === "run.failed" ? "error" : "unset");
        return;
      default:
        return;
    }
  }

  #begin(path: string, head: Pick<FlowSpan, "name" | "kind" | "startMs">): void {
    const parent = path === "" ? undefined : this.#idOf(path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "");
    const span: OpenSpan = {
      ...head,
      traceId: this.#trace,
      spanId: this.#idOf(path),
      parentSpanId: parent,
      endMs: undefined,
      status: "unset",
      attributes: { "kahn.run": this.#run, "kahn.path": path },
    };
    this.spans.push(span);
    this.#open.set(path, span);
  }

  #attempt(path: string, attempt: number, startMs: number): void {
    const span: OpenSpan = {
      traceId: this.#trace,
      spanId: this.#idOf(`${path}@${attempt}`),
      parentSpanId: this.#idOf(path),
      name: `attempt ${attempt}`,
      kind: "attempt",
      startMs,
      endMs: undefined,
      status: "unset",
      attributes: { "kahn.path": path, "kahn.attempt": attempt },
    };
    this.spans.push(span);
    this.#attempts.set(path, span);
  }

  #retype(path: string, kind: FlowSpan["kind"]): void {
    const span = this.#open.get(path);
    if (span !== undefined) span.kind = kind;
  }

  #endAttempt(path: string, endMs: number, status: FlowSpan["status"]): void {
    const attempt = this.#attempts.get(path);
    this.#attempts.delete(path);
    if (attempt !== undefined) Object.assign(attempt, { endMs, status });
  }

  #end(path: string, endMs: number, status: FlowSpan["status"]): void {
    this.#endAttempt(path, endMs, status);
    const span = this.#open.get(path);
    // The run's own span stays: a failed run may go on.
    if (path !== "") this.#open.delete(path);
    if (span !== undefined) Object.assign(span, { endMs, status });
  }

  #idOf(path: string): string {
    return digestHash(digestOf(`${this.#run}\n${path}`)).slice(0, 16);
  }
}
