// Goal: what a person reads of a run in a log: one line per ended task, its output below, the reason of each miss, the
// summary. Method: recorded events, a buffer instead of a terminal, whole texts compared.
import type { RunEvent, RunEventBody } from "@kahn/core";
import { expect, test } from "vitest";
import { bufferSink } from "../text/sink.ts";
import { JsonReporter } from "./json-reporter.ts";
import type { OutputMode } from "./output.ts";
import { PlainReporter } from "./plain-reporter.ts";

const DONE = { executed: 1, cached: 1, failed: 1, errored: 0, skipped: 1, cancelled: 0 };

const EVENTS: RunEventBody[] = [
  { kind: "run.started", version: "1", argv: ["run", "build"], workspace: "/w", concurrency: 2, pid: 1 },
  {
    kind: "run.planned",
    nodes: [
      { node: 0, label: "lib#build", requires: [] },
      { node: 1, label: "app#build", requires: [0] },
      { node: 2, label: "web#build", requires: [0] },
      { node: 3, label: "web#test", requires: [2] },
    ],
  },
  { kind: "node.settled", node: 0, end: "succeeded", source: "cached", durationMs: 1500, restoredFiles: 2 },
  {
    kind: "node.missed",
    node: 1,
    reasons: [
      { code: "input-changed", name: "app/src.ts" },
      { code: "env-changed", name: "MODE" },
    ],
  },
  { kind: "node.started", node: 1, attempt: 1 },
  { kind: "node.settled", node: 1, end: "succeeded", source: "executed", durationMs: 3210 },
  {
    kind: "node.settled",
    node: 2,
    end: "failed",
    exitCode: 2,
    durationMs: 40,
    problem: { code: "command-failed", severity: "error", message: "web#build exited with code 2" },
  },
  { kind: "node.settled", node: 3, end: "skipped", cause: 2 },
  { kind: "run.finished", status: "failed", counts: DONE, durationMs: 4000, savedMs: 1500 },
];

function replay(mode: OutputMode): string {
  const sink = bufferSink();
  const reporter = new PlainReporter(sink, mode);
  for (const [index, body] of EVENTS.entries()) {
    const event = { run: "R", seq: index + 1, atMs: index, ...body } as RunEvent;
    if (event.kind === "node.settled" && (event.node === 1 || event.node === 2)) {
      const bytes = Buffer.from(`output of ${event.node}\n`);
      reporter.output({ kind: "node.output", node: event.node, stream: "stdout", bytes, replayed: false });
    }
    reporter.event(event);
  }
  return sink.text();
}

test("grouped: each task has its line, its output below it, and why it had to run", () => {
  expect(replay("grouped")).toBe(`= lib#build cached, 2 files restored
✔ app#build 3.2 s · input app/src.ts changed and 1 more
output of 1
✖ web#build failed, exit 2, 40 ms
output of 2
○ web#test skipped: web#build failed

✖ failed  4 tasks: 1 executed, 1 cached, 1 failed, 1 skipped
  time 4.0 s, saved 1.5 s of work
error[command-failed]: web#build exited with code 2
`);
});

test("errors: hits are counted only, and only a failure's output is shown", () => {
  const text = replay("errors");
  expect(text).toContain("output of 2");
  expect(text).not.toContain("output of 1");
  expect(text).not.toContain("lib#build cached");
});

test("live: lines carry their task's label and an unfinished last line is completed", () => {
  const sink = bufferSink();
  const reporter = new PlainReporter(sink, "live");
  const output = (text: string) =>
    reporter.output({ kind: "node.output", node: 0, stream: "stdout", bytes: Buffer.from(text), replayed: false });
  for (const [index, body] of EVENTS.slice(0, 2).entries()) {
    reporter.event({ run: "R", seq: index + 1, atMs: 0, ...body } as RunEvent);
  }
  output("one\ntw");
  output("o\nthree");
  expect(sink.text()).toBe("lib#build │ one\nlib#build │ two\n");
  reporter.event({
    run: "R",
    seq: 3,
    atMs: 0,
    kind: "node.settled",
    node: 0,
    end: "succeeded",
    source: "executed",
  } as RunEvent);
  expect(sink.text()).toContain("lib#build │ three\n");
});

test("JSON: one object per line, the last with the counts as members", () => {
  const sink = bufferSink();
  const reporter = new JsonReporter(sink);
  for (const [index, body] of EVENTS.entries())
    reporter.event({ run: "R", seq: index + 1, atMs: 0, ...body } as RunEvent);
  const lines = sink
    .text()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(EVENTS.length);
  expect(lines.at(-1)).toMatchObject({ kind: "run.finished", status: "failed", ...DONE });
});
