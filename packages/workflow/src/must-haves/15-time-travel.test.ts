/** Must-have 15: what a run did, its state at any record, and runs that go another way from there. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import fc from "fast-check";
import { expect, test } from "vitest";
import { line, logOf, runOf, S, world } from "../flow.fixture.ts";
import {
  barrier,
  createFlow,
  defineGraph,
  diffStates,
  END,
  history,
  inFolder,
  map,
  state,
  stateAt,
  subgraph,
} from "../index.ts";
import { decideBy } from "../testing/index.ts";

const entriesOf = (run: string, flow: ReturnType<typeof world>["flow"]) => {
  const found = history(run, flow.look());
  if (!found.ok) throw new Error(found.problem.message);
  return found.value;
};

test("must-have 15: every entry of a history has the digest of the state then, equal for equal states of any run", async () => {
  const at = world();
  const [one, two] = [await at.flow.start(line("a", "b")), await at.flow.start(line("a", "c"))];
  await Promise.all([one.result, two.result]);
  const [first, second] = [entriesOf(one.id, at.flow), entriesOf(two.id, at.flow)];
  expect(first.map(({ kind, changed }) => [kind, changed])).toEqual([
    ["started", ["n", "log"]],
    ["committed", ["log"]],
    ["committed", ["log"]],
    ["ended", []],
  ]);
  expect(new Set(first.map(({ digest }) => digest)).size).toBe(3);
  expect(first[3]!.digest).toBe(first[2]!.digest);
  expect(second.slice(0, 2).map(({ digest }) => digest)).toEqual(first.slice(0, 2).map(({ digest }) => digest));
  expect(second[2]!.digest).not.toBe(first[2]!.digest);
  // By a fork that does the same, the same states are reached.
  const fork = await at.flow.fork(one.id, line("a", "b"), { from: "a#1" });
  await fork.result;
  expect(entriesOf(fork.id, at.flow).at(-1)!.digest).toBe(first[3]!.digest);
});

// Goal: no two states that differ pass for equal, and no two equal ones for different. Method: values of every kind
// that a state holds, and copies of them whose members are in another order.
test("must-have 15: a difference sees dates, maps, sets and NaN, and not the order of members", () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.date({ noInvalidDate: true }),
    fc.bigInt(),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY),
    fc.uint8Array().map((bytes) => new Set(bytes)),
    fc.dictionary(fc.string(), fc.integer()).map((entries) => new Map(Object.entries(entries))),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), fc.dictionary(fc.string(), value), (one, two) => {
      const turned = Object.fromEntries(Object.entries(structuredClone(one)).reverse());
      expect(diffStates(one, turned)).toEqual([]);
      const keys = diffStates(one, two).map(({ key }) => key);
      for (const key of new Set([...Object.keys(one), ...Object.keys(two)])) {
        const isEqual = Object.hasOwn(one, key) && Object.hasOwn(two, key) && equals(one[key], two[key]);
        expect([key, keys.includes(key)]).toEqual([key, !isEqual]);
      }
    }),
  );
  expect(diffStates({ at: new Date(1), gone: 1 }, { at: new Date(2) })).toEqual([
    { key: "at", before: new Date(1), after: new Date(2) },
    { key: "gone", before: 1 },
  ]);
});

function equals(one: unknown, two: unknown): boolean {
  try {
    // -0 and 0 are one value in JSON.
    expect(JSON.stringify(one) === JSON.stringify(two) && one === two ? 0 : one).toEqual(one === two ? 0 : two);
    return one === two || typeof one === typeof two;
  } catch {
    return false;
  }
}

test("must-have 15: the state is known after every record, and no other record is made up", async () => {
  const { run, flow } = await runOf(line("a", "b", "c"));
  const at = (seq: number) => stateAt(run.id, { ...flow.look(), seq });
  expect([1, 2, 3, 4, 5].map((seq) => at(seq)).map((each) => each.ok && logOf({ state: each.value }))).toEqual([
    [],
    ["a"],
    ["a", "b"],
    ["a", "b", "c"],
    ["a", "b", "c"],
  ]);
  for (const seq of [0, -1, 6, 99]) {
    expect(at(seq)).toMatchObject({ ok: false, problem: { code: "flow-record-unknown" } });
    await expect(flow.fork(run.id, line("a", "b", "c"), { at: seq })).rejects.toThrow(/flow-record-unknown/);
  }
});

test("must-have 15: a run is made again from a node, a visit, or a visit inside of a subgraph, with edits", async () => {
  const inner = defineGraph(S, {
    id: "inner",
    start: "x",
    nodes: { x: { run: () => ({ add: { log: "x" } }) }, y: { run: ({ state }) => ({ add: { log: `y${state.n}` } }) } },
    edges: [
      ["x", "y"],
      ["y", END],
    ],
  });
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: { run: ({ occurrence }) => ({ add: { n: 1, log: `a${occurrence}` } }) },
      sub: subgraph({ graph: inner, input: (s) => ({ n: s.n }), output: (s) => ({ add: { log: s.log } }) }),
      each: map({ over: (s) => [s.n], run: ({ item }) => ({ add: { log: `each${item}` } }) }),
    },
    edges: [
      ["a", "sub"],
      ["sub", "each"],
      { from: "each", to: "a", when: (s) => s.n < 2, maxVisits: 1 },
      ["each", END],
    ],
  });
  const { run, result, flow } = await runOf(graph);
  const round = (n: number) => [`a${n}`, "x", `y${n}`, `each${n}`];
  expect(logOf(result)).toEqual([...round(1), ...round(2)]);
  const again = async (options: object) => logOf(await (await flow.fork(run.id, graph, options)).result);
  expect(await again({ from: "each" })).toEqual(logOf(result));
  expect(await again({ from: "each#2", set: { log: [] } })).toEqual(["each2"]);
  expect(await again({ from: "a#2", set: { n: 5 } })).toEqual([...round(1), "a2", "x", "y6", "each6"]);
  expect(await again({ from: "sub#1/y#1" })).toEqual(logOf(result));
  // The way back was taken before the fork, and may be taken once.
  expect(await again({ from: "a", goto: "each" })).toEqual([...round(1), "each1"]);
  await expect(again({ from: "a#3" })).rejects.toThrow(/flow-visit-unknown/);
  await expect(again({ from: "b" })).rejects.toThrow(/flow-visit-unknown/);
});

// The node that is made again reads what the fork set, as do its branches: not what it saw in the other run.
test("must-have 15: what a fork sets is what the node that is made again sees", async () => {
  const graph = defineGraph(S, {
    id: "sees",
    start: "a",
    nodes: {
      a: { run: ({ state }) => ({ add: { log: `a${state.n}` } }) },
      each: map({ over: (s) => ["x", String(s.n)], run: ({ item, state }) => ({ add: { log: `${item}${state.n}` } }) }),
    },
    edges: [
      ["a", "each"],
      ["each", END],
    ],
  });
  const { run, flow } = await runOf(graph);
  const again = async (options: object) => logOf(await (await flow.fork(run.id, graph, options)).result);
  expect(await again({ from: "a", set: { n: 7 } })).toEqual(["a7", "x7", "77"]);
  expect(await again({ from: "each", set: { n: 7 } })).toEqual(["a0", "x7", "77"]);
});

function filesOf(folder: string): Map<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
  return new Map(files.sort().map((name) => [name, readFileSync(join(folder, name))]));
}
const sizeOf = (files: Map<string, Buffer>) => [...files.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);

test("must-have 15: a fork on disk shares every large value, and leaves the other run as it is, byte for byte", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kahn-fork-"));
  try {
    const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), directory };
    const T = state({
      doc: state.value(""),
      file: state.blob(),
      pages: state.value<Record<string, string>>({}),
      n: state.value(0),
    });
    const text = (seed: number) =>
      Array.from({ length: 40_000 }, (_, index) => ((index * 7919 + seed) % 65_536).toString(16)).join("");
    const graph = defineGraph(T, {
      id: "g",
      start: "read",
      nodes: {
        read: { run: ({ putBlob }) => ({ set: { doc: text(1), file: putBlob(text(2).repeat(5)) } }) },
        split: { run: () => ({ set: { pages: { one: text(3), two: text(4) } } }) },
        ask: barrier({}),
        count: { run: ({ state }) => ({ set: { n: state.n + 1 } }) },
      },
      edges: [
        ["read", "split"],
        ["split", "ask"],
        ["ask", "count"],
        ["count", END],
      ],
    });
    const flow = createFlow(inFolder(ports));
    const run = await flow.start(graph, {}, { id: "one" });
    await decideBy(run as never, () => ({ approve: true }));
    const before = filesOf(directory);
    expect(sizeOf(before)).toBeGreaterThan(1_000_000);
    const fork = await flow.fork("one", graph, { id: "two", from: "ask#1", set: { n: 41 } });
    const result = await decideBy(fork as never, () => ({ approve: true }));
    expect(result).toMatchObject({ status: "completed", state: { n: 42, doc: text(1) } });
    const after = filesOf(directory);
    const grown = sizeOf(after) - sizeOf(before);
    expect(grown).toBeGreaterThan(0);
    expect(grown / sizeOf(before)).toBeLessThan(0.01);
    for (const [name, bytes] of before) expect([name, after.get(name)?.equals(bytes)]).toEqual([name, true]);
    expect(flow.peek("one")).toMatchObject({ ok: true, value: { state: { n: 1 } } });
    await flow.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("must-have 15: a fork of a run that waits waits by itself, and neither hears of the other", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "ask",
    nodes: { ask: barrier({}), end: { run: () => ({ add: { n: 1 } }) } },
    edges: [
      ["ask", "end"],
      ["end", END],
    ],
  });
  const { run, flow, events } = await runOf(graph);
  const fork = await flow.fork(run.id, graph, { id: "fork" });
  await fork.settled();
  await fork.decide("ask#1", { approve: true });
  expect((await fork.result).status).toBe("completed");
  expect((await run.settled()).barriers.map((each) => each.barrier)).toEqual(["ask#1"]);
  await run.decide("ask#1", { reject: "no" });
  expect((await run.result).status).toBe("failed");
  expect(flow.peek("fork")).toMatchObject({ value: { status: "completed" } });
  expect(events.length).toBeGreaterThan(0);
});
