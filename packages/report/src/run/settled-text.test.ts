// Goal: one line says how a service ended, without numbers that it has not. Method: recorded events, whole lines.
import type { RunEvent } from "@kahn/core";
import { expect, test } from "vitest";
import { painter } from "../text/paint.ts";
import { settledText } from "./settled-text.ts";
import { emptyRunView, foldRunEvent, type SettledNode } from "./view.ts";

function lineOf(settled: Partial<SettledNode>, persistent = true): string {
  const view = emptyRunView();
  const nodes = [{ node: 0, label: "d#dev", requires: [], ...(persistent ? { persistent: true } : {}) }];
  foldRunEvent(view, { run: "R", seq: 1, atMs: 0, kind: "run.planned", nodes } as unknown as RunEvent);
  const event = { run: "R", seq: 2, atMs: 0, kind: "node.settled", node: 0, ...settled } as SettledNode;
  return settledText(view, event, painter(false));
}

test("a service that was not ready in time has no exit code", () => {
  const problem = { code: "service-not-ready", severity: "error", message: "no" } as const;
  expect(lineOf({ end: "failed", durationMs: 1000, problem })).toBe("✖ d#dev was not ready in time, 1.0 s");
});

test("a service that was ended because nothing needed it has no duration; one that ended by itself has", () => {
  expect(lineOf({ end: "succeeded", source: "executed" })).toBe("✔ d#dev ended, no longer needed");
  expect(lineOf({ end: "succeeded", source: "executed", durationMs: 5 })).toBe("✔ d#dev 5 ms");
});

test("a task that timed out says so, and one whose exit code is not known names none", () => {
  const problem = { code: "task-timed-out", severity: "error", message: "no" } as const;
  expect(lineOf({ end: "failed", durationMs: 1000, problem }, false)).toBe("✖ d#dev failed, timed out, 1.0 s");
  expect(lineOf({ end: "failed" }, false)).toBe("✖ d#dev failed");
});
