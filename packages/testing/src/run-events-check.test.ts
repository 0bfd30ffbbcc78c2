import assert from "node:assert/strict";
import type { RunEvent, RunEventBody } from "@kahn/core";
import { newRunId } from "@kahn/core";
import { test } from "vitest";
import { recorder } from "./recorder.ts";
import { checkRunEvents } from "./run-events-check.ts";
import { seededRandom } from "./seeded-random.ts";
import { virtualClock } from "./virtual-clock.ts";

const RUN = newRunId(virtualClock(), seededRandom(1));
const COUNTS = { executed: 1, cached: 1, failed: 1, errored: 0, skipped: 1, cancelled: 0 };

/** A run of four nodes: one cached, one executed after it at the second attempt, one failed, one skipped for that. */
const BODIES: readonly RunEventBody[] = [
  { kind: "run.started", version: "0", argv: [], workspace: "/w", concurrency: 2, pid: 1 },
  {
    kind: "run.planned",
    nodes: [
      { node: 0, label: "a", requires: [] },
      { node: 1, label: "b", requires: [0] },
      { node: 2, label: "c", requires: [], after: [1] },
      { node: 3, label: "d", requires: [2] },
    ],
  },
  { kind: "node.settled", node: 0, end: "succeeded", source: "cached" },
  { kind: "node.missed", node: 1, reasons: [{ code: "first-run" }] },
  { kind: "node.started", node: 1, attempt: 1 },
  { kind: "node.retried", node: 1, attempt: 2, problem: { code: "x", severity: "error", message: "again" } },
  { kind: "node.started", node: 1, attempt: 2 },
  { kind: "node.settled", node: 1, end: "succeeded", source: "executed" },
  { kind: "node.started", node: 2, attempt: 1 },
  { kind: "node.settled", node: 2, end: "failed", source: "executed", exitCode: 1 },
  { kind: "node.settled", node: 3, end: "skipped", cause: 2 },
  { kind: "run.finished", status: "failed", counts: COUNTS, durationMs: 1, savedMs: 0 },
];

function logOf(bodies: readonly RunEventBody[]): RunEvent[] {
  return bodies.map((body, index) => ({ run: RUN, seq: index + 1, atMs: 0, ...body }));
}

/** The log with one event replaced, left out or moved. */
const without = (...indices: number[]) => logOf(BODIES.filter((_, index) => !indices.includes(index)));
const swapped = (one: number, two: number) =>
  logOf(BODIES.map((body, index) => (index === one ? BODIES[two]! : index === two ? BODIES[one]! : body)));
const followedBy = (index: number, body: RunEventBody) => logOf(BODIES.toSpliced(index + 1, 0, body));
const replaced = (index: number, body: RunEventBody) => logOf(BODIES.with(index, body));

test("an orderly log has no violations", () => {
  assert.deepEqual(checkRunEvents(logOf(BODIES)), []);
});

test("a log that was cut is orderly as far as it goes", () => {
  for (let length = 0; length < BODIES.length; length++) {
    const cut = logOf(BODIES.slice(0, length));
    assert.deepEqual(checkRunEvents(cut, { finished: false }), []);
    assert.ok(checkRunEvents(cut).length > 0);
  }
});

test("a retry announces an attempt by itself, so further starts need not be told", () => {
  const again = BODIES[5]!;
  assert.deepEqual(checkRunEvents(replaced(6, { ...again, attempt: 3 } as RunEventBody)), []);
  assert.notDeepEqual(checkRunEvents(replaced(6, { ...again, attempt: 4 } as RunEventBody)), []);
});

// Goal: the checker sees each of its invariants broken, so that a simulation that passes has proved something.
// Method: one damage to the orderly log per invariant.
const DAMAGED: Readonly<Record<string, readonly [events: RunEvent[], violation: RegExp]>> = {
  "a gap in the sequence": [logOf(BODIES).toSpliced(3, 1), /event 5 .* follows event 3/],
  "another run's event": [
    logOf(BODIES).with(3, { ...logOf(BODIES)[3]!, run: "other" as typeof RUN }),
    /belongs to run/,
  ],
  "a node that was never planned": [followedBy(2, { kind: "node.started", node: 9, attempt: 1 }), /never planned/],
  "a node planned twice": [followedBy(1, BODIES[1]!), /plans node 0 again/],
  "a node that never settles": [without(10), /d never settled|comes before d settled/],
  "a node that settles twice": [followedBy(7, BODIES[7]!), /after b settled/],
  "a start after the end": [followedBy(7, { kind: "node.started", node: 1, attempt: 3 }), /after b settled/],
  "a start before what it requires": [swapped(2, 4), /starts b before a, which it requires/],
  "a start before what it comes after": [swapped(7, 8), /starts c while b/],
  "a success without what it requires": [
    replaced(10, { kind: "node.settled", node: 3, end: "succeeded", source: "cached" }),
    /settles d before c/,
  ],
  "an attempt left out": [
    without(5, 6).with(4, { ...logOf(BODIES)[4]!, attempt: 2 } as RunEvent),
    /attempt 2 of b after attempt 0/,
  ],
  "an execution that never started": [without(4, 5, 6), /b ran, but it never started/],
  "a cached node that was started": [
    replaced(7, { kind: "node.settled", node: 1, end: "succeeded", source: "cached" }),
    /cached, but it was started/,
  ],
  "a run that never finishes": [without(11), /never finished/],
  "a run that finishes twice": [followedBy(11, BODIES[11]!), /comes after run.finished/],
  "an event after the finish": [swapped(10, 11), /comes after run.finished/],
  "counts that are wrong": [
    replaced(11, {
      kind: "run.finished",
      status: "failed",
      counts: { ...COUNTS, failed: 0 },
      durationMs: 1,
      savedMs: 0,
    }),
    /counts 0 failed, the events say 1/,
  ],
};

for (const [damage, [events, violation]] of Object.entries(DAMAGED)) {
  test(`the checker finds ${damage}`, () => {
    assert.ok(
      checkRunEvents(events).some((found) => violation.test(found)),
      checkRunEvents(events).join("\n"),
    );
  });
}

test("what requires a persistent node may start once that is ready", () => {
  const bodies: RunEventBody[] = [
    {
      kind: "run.planned",
      nodes: [
        { node: 0, label: "db", requires: [], persistent: true },
        { node: 1, label: "t", requires: [0] },
      ],
    },
    { kind: "node.started", node: 0, attempt: 1 },
    { kind: "node.ready", node: 0, afterMs: 5 },
    { kind: "node.started", node: 1, attempt: 1 },
    { kind: "node.settled", node: 1, end: "succeeded", source: "executed" },
    { kind: "node.settled", node: 0, end: "cancelled" },
  ];
  assert.deepEqual(checkRunEvents(logOf(bodies), { finished: false }), []);
  assert.equal(checkRunEvents(logOf(bodies.toSpliced(2, 1)), { finished: false }).length, 2);
});

test("a recorder answers by label what a run did", () => {
  const watched = recorder();
  for (const event of logOf(BODIES)) watched.event(event);
  const output = (stream: "stdout" | "stderr", text: string) =>
    watched.output({ kind: "node.output", node: 1, stream, bytes: Buffer.from(text), replayed: false });
  output("stdout", "one ");
  output("stderr", "two ");
  output("stdout", "three");
  assert.deepEqual(watched.ends(), { a: "succeeded", b: "succeeded", c: "failed", d: "skipped" });
  assert.deepEqual(watched.sources(), { a: "cached", b: "executed" });
  assert.deepEqual(watched.startedOrder(), ["b", "b", "c"]);
  assert.deepEqual(watched.misses(), { b: "first-run" });
  assert.deepEqual([watched.outputOf("b"), watched.outputOf("b", "stderr")], ["one two three", "two "]);
  assert.equal(watched.settledOf("c")?.exitCode, 1);
  assert.equal(watched.finished?.status, "failed");
  assert.deepEqual(watched.warnings(), []);
});
