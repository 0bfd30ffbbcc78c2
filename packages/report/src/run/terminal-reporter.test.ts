// Goal: a terminal's scroll-back holds whole lines only: the status block is always wiped before anything is written.
// Method: a tiny terminal that understands the three control sequences in use, virtual time.
import type { RunEvent, RunEventBody } from "@kahn/core";
import { virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { TerminalReporter } from "./terminal-reporter.ts";

/** Lines as a terminal shows them. */
function screen() {
  const lines = [""];
  const write = (text: string) => {
    for (const part of text.split(/(\u001b\[\d*[A-Za-z]|\n|\r)/)) {
      const up = /^\u001b\[(\d+)A$/.exec(part);
      if (up !== null) lines.length = Math.max(1, lines.length - Number(up[1]));
      else if (part === "\u001b[J") lines[lines.length - 1] = "";
      else if (part === "\n") lines.push("");
      else if (part !== "\r" && part !== "") lines[lines.length - 1] += part;
    }
  };
  return { lines, sink: { write, isTerminal: true, colour: false, columns: () => 80 } };
}

test("the block shows what runs and how far the run is, and is gone at the end", () => {
  const clock = virtualClock();
  const { lines, sink } = screen();
  const reporter = new TerminalReporter(sink, "grouped", clock);
  let seq = 0;
  const event = (body: RunEventBody) =>
    reporter.event({ run: "R", seq: ++seq, atMs: clock.nowMs(), ...body } as RunEvent);
  event({ kind: "run.started", version: "1", argv: [], workspace: "/w", concurrency: 2, pid: 1 });
  const nodes = [0, 1].map((node) => ({ node, label: `p${node}#build`, requires: [], estimateMs: 5000 }));
  event({ kind: "run.planned", nodes });
  event({ kind: "node.started", node: 0, attempt: 1 });
  clock.advance(1000);
  expect(lines).toEqual(["  p0#build 1.0 s", "[--------------------] 0/2 · 1.0 s · about 5.0 s left", ""]);
  event({ kind: "node.settled", node: 0, end: "succeeded", source: "executed", durationMs: 1000 });
  expect(lines).toEqual(["✔ p0#build 1.0 s", ""]);
  clock.advance(100);
  expect(lines).toEqual(["✔ p0#build 1.0 s", "[##########----------] 1/2 · 1.1 s · about 5.0 s left", ""]);
  const counts = { executed: 1, cached: 0, failed: 0, errored: 0, skipped: 0, cancelled: 1 };
  event({ kind: "run.finished", status: "cancelled", counts, durationMs: 1000, savedMs: 0 });
  expect(lines.join("\n")).toBe(
    "✔ p0#build 1.0 s\n\n○ cancelled  2 tasks: 1 executed, 0 cached, 1 cancelled\n  time 1.0 s\n",
  );
  clock.advance(10_000);
  expect(lines.at(-1)).toBe("");
});
