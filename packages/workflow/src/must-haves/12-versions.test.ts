/** Must-have 12: a run under way meets another version of its graph. */
import type { JournalStore } from "@kahn/core";
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { logOf, runOf, S, world } from "../flow.fixture.ts";
import type { AnyNode, FlowGraph, ResumeMode } from "../index.ts";
import { barrier, compareStructures, defineGraph, END, map, parallel, reduce, state, subgraph } from "../index.ts";
import { decideBy } from "../testing/index.ts";

type Names = (name: string) => string;
const same: Names = (name) => name;
const says = (text: string) => ({ run: () => ({ add: { log: text } }) });

/** A graph by names that are computed; what it writes does not depend on them. */
function graphOf(named: Names, id = "g", part: (named: Names) => object = () => ({})): FlowGraph {
  const review = defineGraph(S, {
    id: "review",
    start: named("read"),
    nodes: { [named("read")]: says("read"), [named("sign")]: barrier({}) } as never,
    edges: [
      [named("read"), named("sign")],
      { from: named("sign"), to: named("read"), when: (s: { n: number }) => s.n < 0, maxVisits: 2 },
      [named("sign"), END],
    ] as never,
  });
  const deep = defineGraph(S, {
    id: "deep",
    start: named("inner"),
    nodes: {
      [named("inner")]: subgraph({
        graph: review,
        input: () => ({}),
        output: (s: { log: readonly string[] }) => ({ add: { log: s.log } }),
      } as never),
    } as never,
    edges: [[named("inner"), END]] as never,
  });
  const sub = () =>
    subgraph({ graph: deep, input: () => ({}), output: (s: { log: string[] }) => ({ add: { log: s.log } }) } as never);
  return defineGraph(S, {
    id,
    start: named("a"),
    nodes: {
      [named("a")]: says("a"),
      [named("both")]: parallel({ [named("left")]: sub(), [named("right")]: barrier({}) } as never),
      [named("each")]: map({ over: () => [1, 2], body: () => sub() as never }),
      [named("j")]: { run: () => ({ add: { n: 1 } }), join: "all" },
      [named("last")]: says("last"),
      ...part(named),
    } as never,
    edges: [
      [named("a"), [named("both"), named("each")]],
      [named("both"), named("j")],
      [named("each"), named("j")],
      { from: named("j"), to: named("a"), when: (s: { n: number }) => s.n < 2, maxVisits: 1 },
      [named("j"), named("last")],
      [named("last"), END],
    ] as never,
  }) as FlowGraph;
}

const newer: Names = (name) => `${name}-2`;
const migrateAll: ResumeMode = {
  migrate: (path) =>
    path
      .split("/")
      .map((part) => (part === "*" ? part : newer(part)))
      .join("/"),
};
const approveAll = (run: unknown) => decideBy(run as never, () => ({ approve: true }));

async function journalsOf(records: readonly unknown[]): Promise<JournalStore> {
  const store = memoryJournalStore();
  const created = store.create("r");
  if (created.ok) await created.value.append(records as never, { durability: "process" });
  return store;
}

// Goal: wherever a run stands, every name in its state changes together. Method: a graph with a barrier three levels
// deep in branches and in a map, a join and a bounded loop; it dies after each of its records and goes on with a graph in
// which every node has another name, then once more without a migration.
test("must-have 12: a run that died at any record goes on under new names for every node at every depth", async () => {
  const { flow, journals } = world();
  const whole = await approveAll(await flow.start(graphOf(same), {}, { id: "r" }));
  expect(whole).toMatchObject({ status: "completed", state: { n: 2 } });
  const read = journals.peek("r");
  const records = read.ok ? [...read.value].map(({ body }) => body) : [];
  expect(records.length).toBeGreaterThan(60);
  for (let length = 1; length < records.length; length++) {
    const at = world({}, (await journalsOf(records.slice(0, length))) as never);
    const run = await at.flow.resume("r", graphOf(newer), { mode: migrateAll });
    const open = (await run.settled()).barriers;
    expect(
      open.map(({ barrier: id }) => id).filter((id) => !/^([\w]+-2(#\d+)?|\d+)(\/([\w]+-2(#\d+)?|\d+))*$/.test(id)),
    ).toEqual([]);
    await run.leave();
    // The records of the migration alone tell the same: no mode is needed any more.
    const later = await at.again().flow.resume("r", graphOf(newer));
    expect((await later.settled()).barriers).toEqual(open);
    const result = await approveAll(later);
    expect([result.status, result.state, result.steps]).toEqual(["completed", whole.state, whole.steps]);
  }
});

test("must-have 12: strict refuses, and names what differs at every depth", async () => {
  const { run, again } = await runOf(graphOf(same));
  const changed: Names = (name) => (name === "sign" || name === "right" ? newer(name) : name);
  await expect(again().flow.resume(run.id, graphOf(changed))).rejects.toMatchObject({
    problems: [{ code: "flow-graph-changed" }],
  });
  const names = compareStructures(graphOf(same).structure, graphOf(changed).structure).map(
    ({ what, name, change }) => `${what} ${name} ${change}`,
  );
  const inner = (path: string) => [
    `node ${path}/inner/sign removed`,
    `node ${path}/inner/sign-2 added`,
    `edges ${path}/inner/read changed`,
    `edges ${path}/inner/sign removed`,
    `edges ${path}/inner/sign-2 added`,
  ];
  expect(names).toEqual([
    ...inner("both/left"),
    "node both/right removed",
    "node both/right-2 added",
    ...inner("each/*"),
  ]);
});

test("must-have 12: compatible names everything that is open and gone, or of another kind; new nodes do no harm", async () => {
  const { run, again } = await runOf(graphOf(same));
  const gone: Names = (name) => (name === "sign" || name === "j" ? newer(name) : name);
  await expect(again().flow.resume(run.id, graphOf(gone), { mode: "compatible" })).rejects.toThrow(
    "needs what the graph does not have: node both/left/inner/sign, node each/*/inner/sign",
  );
  const kinds = graphOf(same, "g", () => ({ both: barrier({}), each: parallel({ "0": says("x") as never }) }));
  await expect(again().flow.resume(run.id, kinds, { mode: "compatible" })).rejects.toThrow(
    "does not have: node both (open as branches), node each (open as a map)",
  );
  const more = graphOf(same, "g", () => ({ last: barrier({}) }));
  const resumed = await again().flow.resume(run.id, more, { mode: "compatible" });
  expect((await approveAll(resumed)).status).toBe("completed");
});

test("must-have 12: force takes any graph; what it cannot go on with fails by name, and can be resumed", async () => {
  const { run, again } = await runOf(graphOf(same));
  const kinds = graphOf(same, "g", () => ({ both: says("no branches any more") }));
  const forced = await again().flow.resume(run.id, kinds, { mode: "force" });
  const failed = await forced.result;
  expect(failed.error).toMatchObject({ code: "flow-node-missing", message: expect.stringContaining("both#1") });
  const mended = await again().flow.resume(run.id, graphOf(same), { mode: "compatible" });
  expect((await approveAll(mended)).status).toBe("completed");
});

test("must-have 12: decisions that wait, counts and wildcards follow a name; occurrences go on", async () => {
  const of = (name: string) =>
    defineGraph(S, {
      id: "g",
      start: "a",
      nodes: { a: says("a"), [name]: barrier({}) } as never,
      edges: [
        ["a", name],
        { from: name, to: "a", when: (s: { log: readonly string[] }) => s.log.length < 4, maxVisits: 2 },
        [name, END],
      ] as never,
    });
  const { run, again } = await runOf(of("ask"));
  await run.decide("ask#1" as never, { approve: true });
  await run.settled();
  expect(await run.decide("ask#3" as never, { reject: "early" })).toMatchObject({ ack: "accepted" });
  await run.leave();
  const resumed = await again().flow.resume(run.id, of("question"), { mode: { migrate: { ask: "question" } } });
  expect((await resumed.settled()).barriers.map((each) => each.barrier)).toEqual(["question#2"]);
  expect(await resumed.decide("question#1" as never, { approve: true })).toMatchObject({ ack: "late" });
  await resumed.decide("question#2" as never, { approve: true });
  // The second of two returns is used up, so the third visit is the last, and its decision was there before it.
  expect(await resumed.result).toMatchObject({
    status: "failed",
    error: { code: "flow-rejected", path: "question#3" },
  });
});

test("must-have 12: a node that had the new name before keeps its visits, and numbers go on from there", async () => {
  const of = (names: readonly [string, string]) =>
    defineGraph(S, {
      id: "g",
      start: "x",
      nodes: { x: barrier({}), ...(names[1] === "x" ? {} : { [names[1]]: barrier({}) }) } as never,
      edges: (names[1] === "x"
        ? [["x", END]]
        : [
            ["x", names[1]],
            [names[1], END],
          ]) as never,
    });
  const { run, again } = await runOf(of(["x", "y"]));
  await run.decide("x#1" as never, { approve: true });
  await run.settled();
  expect(await run.decide({ node: "y" } as never, { approve: true }, { count: 0 })).toMatchObject({ ack: "invalid" });
  const merged = await again().flow.resume(run.id, of(["x", "x"]), { mode: { migrate: { y: "x" } } });
  expect((await merged.settled()).barriers.map((each) => each.barrier)).toEqual(["x#2"]);
  expect((await approveAll(merged)).status).toBe("completed");
});

test("must-have 12: an open subgraph goes on with the reducers of the new graph, also when its journal is read again", async () => {
  const of = (isSum: boolean) => {
    const T = state({ n: state.value(1, isSum ? reduce.sum : reduce.replace) });
    const inner = defineGraph(T, {
      id: "inner",
      start: "ask",
      nodes: { ask: barrier({}), add: { run: () => ({ set: { n: 5 } }) }, again: barrier({}) },
      edges: [
        ["ask", "add"],
        ["add", "again"],
        ["again", END],
      ],
    });
    const sub = subgraph({
      graph: inner,
      input: () => ({}),
      output: (s: { n: number }) => ({ add: { n: s.n } }),
    } as never);
    return defineGraph(S, {
      id: "g",
      start: "sub",
      nodes: { sub: sub as AnyNode } as never,
      edges: [["sub", END]] as never,
    });
  };
  const { run, again } = await runOf(of(false));
  const at = again();
  const resumed = await at.flow.resume(run.id, of(true), { mode: "compatible" });
  await resumed.decide("sub#1/ask#1" as never, { approve: true });
  await resumed.settled();
  await resumed.leave();
  const later = await at.again().flow.resume(run.id, of(true));
  expect((await approveAll(later)).state).toMatchObject({ n: 6 });
});

test("must-have 12: a node cannot move to another graph by a migration", async () => {
  const { run, again } = await runOf(graphOf(same));
  for (const migrate of [{ "both/left": "left" + "/x/y" }, { both: "" }, { "each/*": "x" }]) {
    await expect(again().flow.resume(run.id, graphOf(same), { mode: { migrate } })).rejects.toThrow(
      /flow-migration-invalid/,
    );
  }
});

test("must-have 12: of several registered versions a run takes the one that it began with", async () => {
  const of = (version: string, text: string) =>
    defineGraph(S, {
      id: "g",
      version,
      start: "ask",
      nodes: { ask: barrier({}), [text]: says(text) } as never,
      edges: [
        ["ask", text],
        [text, END],
      ] as never,
    });
  const [one, two, three] = [of("1", "one"), of("2", "two"), of("3", "three")];
  for (const [graph, text] of [
    [one, "one"],
    [two, "two"],
  ] as const) {
    const { run, again } = await runOf(graph);
    const resumed = await again().flow.resume(run.id, [three, two, one]);
    expect(logOf(await approveAll(resumed))).toEqual([text]);
  }
  const { run, again } = await runOf(one);
  // Its version is there, but changed: strict says so, and never takes another version instead.
  await expect(again().flow.resume(run.id, [three, of("1", "other")])).rejects.toMatchObject({
    problems: [
      {
        facts: expect.arrayContaining([
          ["node removed", "one"],
          ["node added", "other"],
        ]),
      },
    ],
  });
  const mended = await again().flow.resume(run.id, [three, of("1", "other")], { mode: "compatible" });
  expect(logOf(await approveAll(mended))).toEqual(["other"]);
  const other = defineGraph(S, { id: "h", start: "a", nodes: { a: says("a") }, edges: [["a", END]] });
  await expect(again().flow.resume(run.id, [other])).rejects.toThrow(/flow-graph-other/);
});
