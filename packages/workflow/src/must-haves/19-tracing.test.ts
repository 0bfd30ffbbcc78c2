/** Spans, metrics and hooks: made from events, the same through any number of lives. */
import { expect, test } from "vitest";
import { deferred, quiet, S, world } from "../flow.fixture.ts";
import {
  barrier,
  defineGraph,
  END,
  type FlowGraph,
  type FlowSpan,
  fail,
  flowMetrics,
  map,
  spansOf,
  subgraph,
} from "../index.ts";

const inner = defineGraph(S, {
  id: "inner",
  start: "leaf",
  nodes: { leaf: { run: () => ({ add: { n: 1 } }) } },
  edges: [["leaf", END]],
});

const graph = (): FlowGraph =>
  defineGraph(S, {
    id: "tree",
    start: "flaky",
    nodes: {
      flaky: {
        retry: { max: 2, delay: 100, jitter: 0 },
        run: ({ attempt }) => (attempt === 1 ? fail("busy", { class: "Retryable" }) : {}),
      },
      each: map({ over: () => ["x", "y"], run: () => ({ add: { n: 1 } }) }),
      ask: barrier({}),
      sub: subgraph({ graph: inner, input: () => ({}), output: () => ({}) }),
      bad: { run: () => fail("broken") },
    },
    edges: [
      ["flaky", "each"],
      ["each", "ask"],
      ["ask", "sub"],
      ["sub", "bad"],
      ["bad", END],
    ],
  }) as FlowGraph;

/** The tree, indented: kind, name, how long it took, how it ended. */
function drawn(spans: readonly FlowSpan[], below: string | undefined = undefined, depth = 0): string[] {
  return spans
    .filter((span) => span.parentSpanId === below)
    .flatMap((span) => {
      const tookMs = span.endMs === undefined ? "…" : `${span.endMs - span.startMs}ms`;
      return [
        `${"  ".repeat(depth)}${span.kind} ${span.name} ${tookMs} ${span.status}`,
        ...drawn(spans, span.spanId, depth + 1),
      ];
    });
}

const GOLDEN = [
  "run tree 1100ms error",
  "  node flaky 100ms ok",
  "    attempt attempt 1 0ms error",
  "    attempt attempt 2 0ms ok",
  "  node each 0ms ok",
  "    attempt attempt 1 0ms ok",
  "    node x 0ms ok",
  "      attempt attempt 1 0ms ok",
  "    node y 0ms ok",
  "      attempt attempt 1 0ms ok",
  "  barrier ask 1000ms ok",
  "    attempt attempt 1 1000ms ok",
  "  node sub 0ms ok",
  "    attempt attempt 1 0ms ok",
  "    node leaf 0ms ok",
  "      attempt attempt 1 0ms ok",
  "  node bad 0ms error",
  "    attempt attempt 1 0ms error",
];

/** Runs to the end; with `lives`, in a new process after each thing that happens. */
async function traced(lives: boolean) {
  let at = world();
  let run = await at.flow.start(graph(), {}, { id: "r", trace: "a".repeat(32) });
  const next = async () => {
    await quiet();
    if (!lives) return;
    at = at.again();
    run = await at.flow.resume("r", graph());
    await quiet();
  };
  await next();
  at.clock.advance(100);
  await next();
  at.clock.advance(1000);
  await next();
  await run.decide("ask#1" as never, { approve: true });
  await run.result;
  return at.events("r");
}

test("must-have 19: the tree of spans is this one, in one life or in many, with the same ids and parents", async () => {
  const spans = spansOf(await traced(false));
  const name = (text: string) => text.replace(" 0 ", " x ").replace(" 1 0ms", " 1 0ms");
  expect(
    drawn(spans).map((line) =>
      name(line)
        .replace(/node 0 /, "node x ")
        .replace(/node 1 /, "node y "),
    ),
  ).toEqual(GOLDEN);
  expect(spans.every((span) => span.traceId === "a".repeat(32) && /^[0-9a-f]{16}$/.test(span.spanId))).toBe(true);
  expect(new Set(spans.map((span) => span.spanId)).size).toBe(spans.length);
  const across = spansOf(await traced(true));
  expect(across.map(({ spanId, parentSpanId, name: its }) => [spanId, parentSpanId, its])).toEqual(
    spans.map(({ spanId, parentSpanId, name: its }) => [spanId, parentSpanId, its]),
  );
});

// Goal: a duration is never negative and never too long because somebody set the clock. Method: the wall clock is set
// back by an hour while a barrier waits; the monotonic one goes on.
test("must-have 19: a wall clock that is set back neither shortens a duration nor holds a timer up", async () => {
  const { flow, clock, events } = world();
  const waits = defineGraph(S, {
    id: "waits",
    start: "a",
    nodes: { a: { run: () => ({}) }, ask: barrier({ timeout: "10s", onTimeout: "approve" }), b: { run: () => ({}) } },
    edges: [
      ["a", "ask"],
      ["ask", "b"],
      ["b", END],
    ],
  });
  const run = await flow.start(waits, {}, { id: "r" });
  await quiet();
  clock.advance(4000);
  clock.jump(clock.nowMs() - 3_600_000);
  clock.advance(5999);
  await quiet();
  expect(run.peek().barriers.length).toBe(1);
  clock.advance(1);
  expect((await run.result).status).toBe("completed");
  const spans = spansOf(events("r"));
  const durations = Object.fromEntries(spans.map((span) => [span.name, span.endMs! - span.startMs]));
  expect(durations).toMatchObject({ waits: 10_000, ask: 10_000, a: 0, b: 0 });
});

test("must-have 19: metrics count by node what was started, committed, failed and retried, with durations; and what is open", async () => {
  const metrics = flowMetrics();
  const at = world({ hooks: [metrics.hook] });
  const run = await at.flow.start(graph(), {}, { id: "r" });
  await quiet();
  at.clock.advance(100);
  await quiet();
  at.clock.advance(1000);
  await run.decide("nobody#1" as never, { approve: true });
  expect(metrics.read()).toMatchObject({ running: 1, barriersOpen: 1, visitsOpen: 1 });
  await run.decide("ask#1" as never, { approve: true });
  await run.result;
  const read = metrics.read();
  expect(read).toMatchObject({ running: 0, barriersOpen: 0, visitsOpen: 0, ended: { failed: 1, completed: 0 } });
  expect(Object.fromEntries(read.decisions)).toEqual({ unknown: 1, accepted: 1 });
  expect(Object.fromEntries(read.nodes)).toMatchObject({
    flaky: { started: 1, committed: 1, retried: 1, totalMs: 100, maxMs: 100 },
    "each/*": { started: 2, committed: 2, failed: 0 },
    ask: { committed: 1, totalMs: 1000 },
    "sub/leaf": { committed: 1 },
    bad: { started: 1, committed: 0, failed: 1 },
  });
  const again = flowMetrics();
  for (const event of at.events("r")) again.hook(event);
  expect(again.read()).toEqual(read);
});

test("must-have 19: hooks are told every event once, in order, from the first to the last", async () => {
  const told: number[] = [];
  const at = world({ hooks: [({ seq }) => void told.push(seq)] });
  const run = await at.flow.start(graph(), {}, { id: "r" });
  await quiet();
  at.clock.advance(100);
  await quiet();
  await run.decide("ask#1" as never, { approve: true });
  await run.result;
  expect(told).toEqual(at.events("r").map(({ seq }) => seq));
});

test("must-have 19: the load of a flow tells what runs and what waits for a place", async () => {
  const gate = deferred();
  const wide = defineGraph(S, {
    id: "wide",
    start: "each",
    nodes: { each: map({ over: () => [1, 2, 3, 4, 5], run: () => gate.promise }) },
    edges: [["each", END]],
  });
  const { flow } = world({ concurrency: 2 });
  const run = await flow.start(wide);
  await quiet();
  expect(flow.load()).toEqual({ runs: 1, running: 2, queued: 3 });
  gate.resolve();
  await run.result;
  expect(flow.load()).toEqual({ runs: 0, running: 0, queued: 0 });
});
