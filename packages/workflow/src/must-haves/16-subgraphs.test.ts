/** Must-have 16: graphs inside of graphs: their limits, the names of what they do, and where they go on after a crash. */
import { seededRandom, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { logOf, runOf, S, world } from "../flow.fixture.ts";
import type { FlowGraph } from "../index.ts";
import { barrier, defineGraph, END, parallel, subgraph } from "../index.ts";
import { crashAtEveryRecord, decideBy } from "../testing/index.ts";

const silent = () => {};
/** Three subgraphs deep in a branch of a parallel, with a barrier at the bottom. */
function deepGraph(did: (path: string) => void = silent): FlowGraph {
  const says = (text: string) => ({
    run: ({ path }: { readonly path: string }) => {
      did(path);
      return { add: { log: text } };
    },
  });
  const output = (s: { readonly log: readonly string[] }) => ({ add: { log: s.log } });
  const bottom = defineGraph(S, {
    id: "bottom",
    start: "read",
    nodes: { read: says("read"), sign: barrier({ onReject: { goto: "read" } }), file: says("file") },
    edges: [
      ["read", "sign"],
      ["sign", "file"],
      ["file", END],
    ],
  });
  const middle = defineGraph(S, {
    id: "middle",
    start: "down",
    nodes: { down: subgraph({ graph: bottom, input: (s) => ({ n: s.n + 1 }), output }), up: says("up") },
    edges: [
      ["down", "up"],
      ["up", END],
    ],
  });
  const top = defineGraph(S, {
    id: "top",
    start: "in",
    nodes: { in: says("in"), deeper: subgraph({ graph: middle, input: (s) => ({ n: s.n + 1 }), output }) },
    edges: [
      ["in", "deeper"],
      ["deeper", END],
    ],
  });
  return defineGraph(S, {
    id: "outer",
    start: "fan",
    nodes: {
      fan: parallel({ left: subgraph({ graph: top, input: () => ({ n: 1 }), output }), right: says("right") }),
      last: says("last"),
    },
    edges: [
      ["fan", "last"],
      ["last", END],
    ],
  }) as FlowGraph;
}
const LOG = ["in", "read", "read", "file", "up", "right", "last"];
const DEEP = "fan#1/left/deeper#1/down#1";

/** Rejects the first time, then approves. */
const twice = () => {
  let asked = 0;
  return ({ barrier: id }: { readonly barrier: string }) =>
    asked++ === 0 && id.endsWith("#1") ? { reject: "again" } : { approve: true as const };
};

test("must-have 16: barriers and events inside of subgraphs are named by the way there", async () => {
  const { run, events } = await runOf(deepGraph());
  expect(run.peek().barriers.map((each) => each.barrier)).toEqual([`${DEEP}/sign#1`]);
  const of = (type: string) =>
    events.filter((event) => event.type === type).map((event) => (event as { path?: string }).path);
  expect(of("subgraph.opened")).toEqual(["fan#1/left", "fan#1/left/deeper#1", DEEP]);
  expect(of("node.committed")).toEqual(["fan#1/left/in#1", `${DEEP}/read#1`]);
  const changes = events.flatMap((event) => (event.type === "state.changed" ? [[event.frame, event.path]] : []));
  expect(changes).toContainEqual([DEEP, `${DEEP}/read#1`]);
  const result = await decideBy(run as never, twice());
  expect([result.status, logOf(result)]).toEqual(["completed", LOG]);
});

// Goal: a kill anywhere inside of three subgraphs in a branch costs nothing that was done. Method: the run dies after each
// of its records; each life counts what it runs.
test("must-have 16: a run that dies inside of a subgraph three deep in a branch goes on in place", async () => {
  const outcomes = await crashAtEveryRecord({
    graph: deepGraph,
    options: { clock: virtualClock(), random: seededRandom(1) },
    finish: (run) =>
      decideBy(run, (open) => (open.barrier.endsWith("sign#1") ? { reject: "again" } : { approve: true })),
  });
  expect(outcomes.length).toBeGreaterThan(20);
  for (const { records, result, repeated } of outcomes) {
    expect([records, result.status, logOf(result), repeated]).toEqual([records, "completed", LOG, []]);
    expect(result.steps).toBe(outcomes[0]!.result.steps);
  }
});

test("must-have 16: a resumed run waits at the same visit, with its decision and its occurrence kept", async () => {
  const { run, again } = await runOf(deepGraph());
  await run.decide(`${DEEP}/sign#1`, { reject: "again" });
  await run.settled();
  await run.leave();
  const at = again();
  const resumed = await at.flow.resume(run.id, deepGraph());
  expect((await resumed.settled()).barriers.map((each) => each.barrier)).toEqual([`${DEEP}/sign#2`]);
  expect(await resumed.decide(`${DEEP}/sign#1`, { approve: true })).toMatchObject({ ack: "late" });
  expect(await resumed.decide({ node: "fan/left/deeper/down/sign" }, { approve: true })).toMatchObject({
    ack: "accepted",
  });
  expect(logOf(await resumed.result)).toEqual(LOG);
});

/** A subgraph that turns `rounds` times, under limits of its own and of the run. */
function looping(rounds: number, limits: { readonly own: number; readonly run: number }) {
  const inner = defineGraph(S, {
    id: "inner",
    start: "turn",
    maxSteps: limits.own,
    nodes: { turn: { run: () => ({ add: { n: 1 } }) } },
    edges: [{ from: "turn", to: "turn", when: (s) => s.n < rounds }, ["turn", END]],
  });
  return defineGraph(S, {
    id: "g",
    start: "sub",
    maxSteps: limits.run,
    nodes: {
      sub: subgraph({ graph: inner, input: () => ({}), output: (s) => ({ add: { n: s.n } }) }),
      rescue: { run: () => ({ add: { log: "rescued" } }) },
    },
    edges: [["sub", END], { from: "sub", to: "rescue", onError: ["Terminal"] }, ["rescue", END]],
  });
}

test("must-have 16: a subgraph has a limit of its own, and its steps count in the run's", async () => {
  const within = await runOf(looping(5, { own: 5, run: 6 }));
  expect(within.result).toMatchObject({ status: "completed", steps: 6, state: { n: 5 } });
  // Its own limit is a failure of the node that it is, which may be handled.
  const beyond = await runOf(looping(6, { own: 5, run: 100 }));
  expect(beyond.result).toMatchObject({ status: "completed", state: { n: 0, log: ["rescued"] } });
  const failed = beyond.events.find((event) => event.type === "node.failed");
  expect(failed).toMatchObject({ path: "sub#1/turn#6", error: { code: "flow-steps-exceeded" } });
  // The run's is the end of the run, and can be raised.
  const { result, run, again } = await runOf(looping(6, { own: 50, run: 6 }));
  expect(result).toMatchObject({ status: "failed", error: { code: "flow-steps-exceeded" } });
  expect(result.error?.message).toContain("of the run");
  const resumed = await again().flow.resume(run.id, looping(6, { own: 50, run: 6 }), { maxSteps: 7 });
  expect(await resumed.result).toMatchObject({ status: "completed", steps: 7, state: { n: 6 } });
});

test("must-have 16: each visit of a subgraph begins anew, with limits, counts and names of its own", async () => {
  const inner = looping(3, { own: 4, run: 4 });
  const graph = defineGraph(S, {
    id: "outer",
    start: "one",
    nodes: { one: subgraph({ graph: inner, input: () => ({}), output: (s) => ({ add: { n: s.n } }) }) },
    edges: [{ from: "one", to: "one", when: (s) => s.n < 6, maxVisits: 3 }, ["one", END]],
  });
  const { result, events } = await runOf(graph);
  expect(result).toMatchObject({ status: "completed", state: { n: 6 } });
  const turns = events.flatMap((event) => (event.type === "node.started" && event.node === "turn" ? [event.path] : []));
  expect(turns).toEqual([1, 2].flatMap((visit) => [1, 2, 3].map((turn) => `one#${visit}/sub#1/turn#${turn}`)));
});

test("must-have 16: what goes into a subgraph and comes out of it is checked by key", async () => {
  const inner = defineGraph(S, { id: "i", start: "a", nodes: { a: { run: silent } }, edges: [["a", END]] });
  const of = (input: unknown, output: unknown) =>
    defineGraph(S, {
      id: "g",
      start: "sub",
      nodes: { sub: subgraph({ graph: inner, input: () => input, output: () => output } as never) } as never,
      edges: [["sub", END]] as never,
    });
  const { flow } = world();
  const code = async (input: unknown, output: unknown) =>
    (await (await flow.start(of(input, output))).result).error?.code;
  expect(await code({}, {})).toBeUndefined();
  expect(await code({ m: 1 }, {})).toBe("flow-key-unknown");
  expect(await code({}, { set: { m: 1 } })).toBe("flow-key-unknown");
  expect(await code({}, { set: { n: "1" } })).toBe("flow-value-type");
  expect(await code({ x: silent }, {})).toBe("flow-value-unserialisable");
});
