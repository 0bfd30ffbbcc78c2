/** Must-have 18: the test kit runs a graph from any step, and plays real journals to new code. */
import { expect, test } from "vitest";
import { logOf, runOf, S, world } from "../flow.fixture.ts";
import type { FlowGraph } from "../index.ts";
import { barrier, condition, defineGraph, END, fail, map, reduce, replay, state, subgraph } from "../index.ts";
import { decideBy, runFrom, startingAt } from "../testing/index.ts";

const says = (text: string) => ({ run: () => ({ add: { log: text } }) });

interface Change {
  readonly limit?: number;
  readonly keep?: boolean;
  readonly onReject?: "end" | "plan";
  readonly late?: string;
  readonly inner?: number;
}

/** Every way that routing has: conditions, predicates on state and decision, fallbacks, failures, fans, subgraphs. */
function graphOf({
  limit = 3,
  onReject = "plan",
  late = "end",
  inner: bound = 2,
  keep = true,
}: Change = {}): FlowGraph {
  const inner = defineGraph(S, {
    id: "inner",
    start: "step",
    nodes: { step: { run: () => ({ add: { n: 1 } }) }, done: says("inner") },
    edges: [{ from: "step", to: "step", when: (s) => s.n < bound, maxVisits: 9 }, ["step", "done"], ["done", END]],
  });
  return defineGraph(S, {
    id: "g",
    start: "plan",
    nodes: {
      plan: { run: () => ({ add: { n: 1, log: "plan" } }) },
      each: map({ over: () => [1, 2], run: () => ({ add: { n: 1 } }) }),
      pick: condition([["ask", (s: { n: number }) => s.n >= limit]]),
      ask: barrier({ onReject: { goto: onReject } }),
      wait: barrier({ timeout: 10, onTimeout: "skip" }),
      weak: { run: () => ({ fallback: "not today" }) },
      bad: { run: () => fail("broken") },
      sub: subgraph({ graph: inner, input: () => ({}), output: (s) => ({ add: { log: s.log } }) }),
      end: says("end"),
      other: says("other"),
    },
    edges: [
      ["plan", "each"],
      { from: "each", to: "other", when: (s) => s.n > 1000 },
      ["each", "pick"],
      ["pick", "plan"],
      { from: "ask", to: "other", when: (_s, { decision }) => decision?.kind === "modify" },
      ["ask", "wait"],
      { from: "wait", to: "other", when: (_s, { decision }) => decision?.kind === "approve" },
      ["wait", "weak"],
      { from: "weak", to: "bad", fallback: true },
      ["weak", END],
      { from: "bad", to: "sub", onError: ["Terminal"] },
      ...(keep ? [["bad", "sub"] as const] : []),
      ["sub", late as "end"],
      ["end", END],
      ["other", END],
    ],
  }) as FlowGraph;
}

/** A production run: rejected once, then approved; one barrier times out; a fallback, a failure, a subgraph. */
async function recorded() {
  const at = world();
  const run = await at.flow.start(graphOf());
  let asked = 0;
  const script = ({ node }: { readonly node: string }) => {
    if (node !== "ask") return undefined;
    return ++asked === 1 ? { reject: "again" } : { approve: true as const };
  };
  await decideBy(run as never, script);
  at.clock.advance(10);
  const result = await run.result;
  expect(result.status).toBe("completed");
  expect(logOf(result)).toEqual(["plan", "plan", "inner", "end"]);
  const differences = (change: Change) => {
    const found = replay(run.id, graphOf(change), at.flow.look());
    if (!found.ok) throw new Error(found.problem.message);
    return found.value.map(({ path, what, recorded: then, now }) => `${path}: ${what} ${then} → ${now}`);
  };
  return { at, run, differences };
}

test("must-have 18: a production journal played to the code that wrote it shows no difference", async () => {
  expect((await recorded()).differences({})).toEqual([]);
});

test("must-have 18: a production journal played to new code shows each route that would differ", async () => {
  const { differences } = await recorded();
  expect(differences({ limit: 100 })).toEqual(["pick#1: route ask → plan", "pick#2: route ask → plan"]);
  expect(differences({ onReject: "end" })).toEqual(["ask#1: route plan → end"]);
  expect(differences({ late: "other" })).toEqual(["sub#1: route end → other"]);
  expect(differences({ inner: 3 })).toEqual(["sub#1/step#2: route done → step"]);
});

test("must-have 18: a replay finds nodes and keys that are gone, at any depth, and failures that nobody takes", async () => {
  const at = world();
  const T = state({ x: state.value(0, reduce.sum), log: state.value<string[]>([], reduce.append) });
  const of = (schema: typeof S | typeof T, step: string, onError: "Terminal" | "Timeout" = "Terminal") => {
    const inner = defineGraph(schema as typeof S, {
      id: "inner",
      start: step,
      nodes: { [step]: { run: () => ({ add: { n: 1 } }) } } as never,
      edges: [[step, END]] as never,
    });
    return defineGraph(S, {
      id: "g",
      start: "sub",
      nodes: {
        sub: subgraph({ graph: inner, input: () => ({}), output: () => ({ add: { log: "s" } }) } as never),
        bad: { run: () => fail("no") },
        end: says("end"),
      } as never,
      edges: [["sub", "bad"], { from: "bad", to: "end", onError: [onError] }, ["bad", END], ["end", END]] as never,
    });
  };
  const run = await at.flow.start(of(S, "step"));
  await run.result;
  const found = (graph: FlowGraph) => replay(run.id, graph, at.flow.look());
  expect(found(of(S, "step") as FlowGraph)).toEqual({ ok: true, value: [] });
  expect(found(of(S, "move") as FlowGraph)).toMatchObject({ value: [{ path: "sub#1/step#1", what: "node-missing" }] });
  expect(found(of(T, "step") as FlowGraph)).toMatchObject({
    value: [{ path: "sub#1/step#1", what: "key-missing", recorded: ["n"] }],
  });
  expect(found(of(S, "step", "Timeout") as FlowGraph)).toMatchObject({
    value: [{ path: "bad#1", what: "cannot-route", recorded: ["end"] }],
  });
});

test("must-have 18: a run begins at any step with any state, with stubs and a script for what follows", async () => {
  const { flow } = world();
  const stubs = { weak: { run: () => ({ add: { log: "strong" } }) } };
  const script = () => ({ approve: true as const });
  const result = await runFrom(flow, graphOf(), { node: "ask", state: { n: 7, log: ["before"] }, stubs, script });
  expect(result).toMatchObject({ status: "completed", state: { n: 7, log: ["before", "other"] } });
  const later = await runFrom(flow, graphOf(), { node: "weak", stubs });
  expect(later).toMatchObject({ status: "completed", state: { n: 0, log: ["strong"] } });
  const waiting = await runFrom(flow, graphOf(), { node: "ask" });
  expect(waiting).toMatchObject({ status: "waiting", barriers: [{ barrier: "ask#1" }] });
  const failed = await runFrom(flow, graphOf({ keep: false }), {
    node: "sub",
    stubs: { end: { run: () => fail("end") } },
  });
  expect(failed).toMatchObject({ status: "failed", error: { path: "end#1" } });
  await expect(runFrom(flow, graphOf(), { node: "pik" })).rejects.toThrow(
    'no node "pik" to start at; did you mean "pick"?',
  );
  await expect(runFrom(flow, graphOf(), { node: "pick", state: { m: 1 } as never })).rejects.toThrow(
    /flow-key-unknown/,
  );
});

test("must-have 18: a real run goes on in a test from where it stood, with stubs for what is outside", async () => {
  const { run, flow, again } = await runOf(graphOf());
  expect(run.peek().barriers.map((each) => each.barrier)).toEqual(["ask#1"]);
  const stubbed = startingAt(graphOf(), "plan");
  expect(stubbed.hash).toBe(graphOf().hash);
  const fork = await again().flow.fork(run.id, stubbed, { id: "test", goto: "end" });
  expect(logOf(await fork.result)).toEqual(["plan", "end"]);
  expect(flow.peek(run.id)).toMatchObject({ value: { status: "waiting" } });
});
