import { virtualClock } from "@kahn/testing";
import type { FlowEvent, StreamEvent } from "@kahn/workflow";
import { expect, test } from "vitest";
import { bufferSink } from "../text/sink.ts";
import { flowReporter } from "./reporter.ts";

/** An event without its head. */
type FlowEventBody<E = FlowEvent> = E extends FlowEvent ? Omit<E, "run" | "seq" | "atMs"> : never;

/** Events with numbers, one second apart. */
function told(...bodies: readonly FlowEventBody[]): FlowEvent[] {
  return bodies.map((body, index) => ({ ...body, run: "r", seq: index + 1, atMs: index * 1000 }) as FlowEvent);
}

function shown(events: readonly StreamEvent[], options: { readonly isTerminal?: boolean } = {}): string {
  const sink = bufferSink(options);
  const reporter = flowReporter(sink, virtualClock());
  for (const event of events) reporter.event(event);
  reporter.close();
  return sink.text();
}

const started = (path: string, attempt = 1): FlowEventBody => {
  return { type: "node.started", path, node: path.replace(/#\d+$/, ""), attempt };
};
const committed = (path: string, ...next: readonly string[]): FlowEventBody => {
  return { type: "node.committed", path, node: path.replace(/#\d+$/, ""), next };
};

test("a node is one line when it begins and one when it ends, with its time and where it went", () => {
  const error = { class: "Retryable", code: "x", message: "busy" } as const;
  const text = shown(
    told(
      started("draft#1"),
      { type: "node.retrying", path: "draft#1", node: "draft", attempt: 2, dueMs: 1500, error },
      started("draft#1", 2),
      committed("draft#1", "review"),
    ),
  );
  expect(text.split("\n")).toEqual([
    "· draft#1 started",
    "↻ draft#1 attempt 2 in 500 ms: busy",
    "· draft#1 started",
    "✔ draft#1 3.0 s, attempt 2 → review",
    "",
  ]);
});

// Goal: a thousand branches are not a thousand lines.
test("branches are counted, and of many failures the first are named", () => {
  const branches = Array.from({ length: 1000 }, (_, index): FlowEventBody[] => [
    { type: "branch.started", path: `g#1/${index}`, node: String(index), attempt: 1 },
    index % 2 === 0
      ? { type: "branch.committed", path: `g#1/${index}`, node: String(index) }
      : {
          type: "node.failed",
          path: `g#1/${index}`,
          node: String(index),
          error: { class: "Terminal", code: "x", message: "no" },
        },
  ]);
  const events = told(started("g#1"), { type: "fan.opened", path: "g#1", node: "g", count: 1000 }, ...branches.flat());
  const lines = shown(events).split("\n");
  expect(lines.filter((line) => line.startsWith("✖"))).toHaveLength(5);
  expect(lines.filter((line) => line.includes("/1000 branches"))).toEqual(
    [100, 200, 300, 400, 500].map((done) => `· g#1 ${done}/1000 branches`),
  );
});

test("a decision is told with the visit that it ended", () => {
  const text = shown(
    told(
      started("ask#1"),
      { type: "barrier.opened", barrier: "ask#1", node: "ask", dueMs: 61_000 },
      {
        type: "barrier.decided",
        barrier: "ask#1",
        node: "ask",
        decision: "reject",
        by: "ann",
        reason: "no",
        token: "d1",
      },
      committed("ask#1", "draft"),
    ),
  );
  expect(text).toContain("⏸ ask#1 waits for a decision, 1 m 00 s left\n✔ ask#1 3.0 s rejected by ann: no → draft\n");
});

test("what nodes emit is shown at a terminal, line by line, and nowhere else", () => {
  const data = (text: unknown): StreamEvent => ({ type: "node.data", run: "r", seq: 1, path: "a#1", data: text });
  const [begun, ended] = told(started("a#1"), committed("a#1"));
  const stream = [begun!, data("to"), data("ken\nrest"), data({ kind: "output", stream: "stdout", text: "!" }), ended!];
  expect(shown(stream, { isTerminal: true })).toBe("  │ token\n  │ rest!\n✔ a#1 1.0 s\n");
  expect(shown(stream)).toBe("· a#1 started\n✔ a#1 1.0 s\n");
});

test("a subgraph is told to begin once", () => {
  expect(shown(told(started("s#1"), { type: "subgraph.opened", path: "s#1", node: "s" }))).toBe("· s#1 started\n");
});
