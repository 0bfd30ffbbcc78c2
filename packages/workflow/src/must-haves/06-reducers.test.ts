/** Must-have 6: one reducer for every write, sequential or parallel; deletes are writes of their own; a refusal changes nothing. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { runOf, world } from "../flow.fixture.ts";
import type { NodeOutput } from "../index.ts";
import { defineGraph, END, map, parallel, reduce, state, stateAt } from "../index.ts";

const longest = reduce.custom<string>("longest", (a, b) => (b.length > a.length ? b : a), "");
const S = state({
  sum: state.value(0, reduce.sum),
  min: state.value<number>(undefined as never, reduce.min),
  max: state.value<number>(undefined as never, reduce.max),
  list: state.value<readonly number[]>([], reduce.append),
  set: state.value<readonly number[]>([], reduce.union),
  object: state.value<Readonly<Record<string, number>>>({}, reduce.merge),
  last: state.value("", reduce.replace),
  long: state.value("", longest),
  big: state.value(0n, reduce.sum),
});
type Write = NodeOutput<typeof S extends { readonly type?: infer T } ? NonNullable<T> : never>;

const number = fc.integer({ min: -1_000_000, max: 1_000_000 });
/** What one writer writes: any of the keys, each through its reducer, as it is, or as a delete. */
const writes: fc.Arbitrary<Write> = fc.record(
  {
    set: fc.record(
      {
        sum: number,
        min: number,
        max: number,
        list: fc.array(number, { maxLength: 3 }),
        set: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
        object: fc.dictionary(fc.constantFrom("a", "b", "c"), number),
        last: fc.string({ maxLength: 3 }),
        long: fc.string({ maxLength: 5 }),
        big: fc.bigInt({ min: -9n, max: 9n }),
      },
      { requiredKeys: [] },
    ),
    replace: fc.record({ sum: number, list: fc.array(number, { maxLength: 2 }) }, { requiredKeys: [] }),
    delete: fc.subarray(["sum", "list", "last", "object"] as const),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Write>;

const scale = Number(process.env.KAHN_TEST_SCALE ?? 1);
const options = { numRuns: 60 * scale };

/** The writers one after the other, each a node. */
function inSequence(all: readonly Write[]) {
  const names = all.map((_, index) => `n${index}`);
  return defineGraph(S, {
    id: "line",
    start: "n0",
    nodes: Object.fromEntries(all.map((output, index) => [names[index]!, { run: () => output }])) as never,
    edges: names.map((name, index) => [name, names[index + 1] ?? END]) as never,
  });
}

/** The writers side by side: branches, or items of a map; they end in another order than they stand in. */
function sideBySide(all: readonly Write[], kind: "parallel" | "map") {
  const later = async (index: number) => {
    for (let turns = (index * 7) % 5; turns > 0; turns--) await undefined;
    return all[index]!;
  };
  const branches = Object.fromEntries(all.map((_, index) => [`b${index}`, { run: () => later(index) }]));
  const fan =
    kind === "parallel"
      ? parallel(branches as never)
      : map({
          over: () => all.map((_, index) => index),
          run: ({ item }: { readonly item: number }) => later(item),
        } as never);
  return defineGraph(S, { id: "fan", start: "fan", nodes: { fan } as never, edges: [["fan", END]] as never });
}

/** What a run comes to, and what its journal alone gives: custom reducers included. */
async function stateOf(graph: ReturnType<typeof inSequence>): Promise<unknown> {
  const { result, run, flow } = await runOf(graph);
  expect([result.status, result.error]).toEqual(["completed", undefined]);
  expect(stateAt(run.id, flow.look())).toEqual({ ok: true, value: result.state });
  return result.state;
}

test("must-have 6: n writers in parallel give what n writes in a row give, and one writer what one gives", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(writes, { minLength: 1, maxLength: 6 }), async (all) => {
      const expected = await stateOf(inSequence(all));
      expect(await stateOf(sideBySide(all, "parallel"))).toEqual(expected);
      expect(await stateOf(sideBySide(all, "map"))).toEqual(expected);
    }),
    options,
  );
});

test("must-have 6: the order of branches does not matter to reducers that commute, and whole numbers stay whole", async () => {
  const commuting = fc.record(
    { sum: number, min: number, max: number, set: fc.array(number, { maxLength: 3 }), big: fc.bigInt() },
    { requiredKeys: [] },
  );
  const shuffled = fc
    .array(commuting, { minLength: 1, maxLength: 6 })
    .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
  const sorted = (given: unknown) => {
    const { set, ...rest } = given as { readonly set: readonly number[] };
    return { ...rest, set: [...set].sort((a, b) => a - b) };
  };
  await fc.assert(
    fc.asyncProperty(shuffled, async ([all, other]) => {
      const [one, two] = [all, other].map((each) => each.map((set) => ({ set })) as unknown as readonly Write[]);
      const first = (await stateOf(sideBySide(one!, "parallel"))) as Record<string, unknown>;
      expect(sorted(await stateOf(sideBySide(two!, "parallel")))).toEqual(sorted(first));
      for (const key of ["sum", "min", "max"]) {
        if (first[key] !== undefined) expect(Number.isInteger(first[key])).toBe(true);
      }
      expect(typeof first.big).toBe("bigint");
    }),
    options,
  );
});

// Goal: a write that is refused leaves nothing behind, whatever was written beside it. Method: good writes before, and a
// bad one among good ones, in a node or a branch; the state of before is compared as text.
test("must-have 6: a write that is refused leaves the state as it was, byte for byte, and names key and writers", async () => {
  const bad = fc.constantFrom<readonly [object, string, RegExp]>(
    [{ set: { sum: "1" } }, "flow-value-type", /key "sum"/],
    [{ set: { list: 1 } }, "flow-value-type", /key "list"/],
    [{ set: { min: Number.NaN } }, "flow-value-type", /key "min"/],
    [{ set: { big: 1 } }, "flow-value-type", /key "big"/],
    [{ set: { last: () => 1 } }, "flow-value-unserialisable", /key "last"/],
    [{ set: { nothing: 1 } }, "flow-key-unknown", /"nothing"/],
    [{ delete: ["nothing"] }, "flow-key-unknown", /"nothing"/],
  );
  await fc.assert(
    fc.asyncProperty(writes, writes, bad, fc.boolean(), async (before, beside, [wrong, code, names], inBranch) => {
      const node = { run: () => ({ ...beside, ...wrong, set: { ...beside.set, ...(wrong as Write).set } }) };
      const last = inBranch ? parallel({ fine: { run: () => beside }, wrong: node } as never) : node;
      const graph = defineGraph(S, {
        id: "g",
        start: "a",
        nodes: { a: { run: () => before }, last } as never,
        edges: [
          ["a", "last"],
          ["last", END],
        ] as never,
      });
      const { result, run, flow } = await runOf(graph);
      expect(result.error).toMatchObject({ code, message: expect.stringMatching(names) });
      const after = stateAt(run.id, { ...flow.look(), seq: 2 });
      const text = (given: unknown) =>
        JSON.stringify(given, (_, each) => (typeof each === "bigint" ? `${each}n` : each));
      expect(text(result.state)).toBe(after.ok && text(after.value));
    }),
    options,
  );
});

test("must-have 6: two branches that write a key without reducer conflict by name, and neither write stays", async () => {
  const T = state({ x: state.value("before"), n: state.value(0, reduce.sum) });
  const says = (text: string) => ({ run: () => ({ set: { x: text }, add: { n: 1 } }) });
  const graph = defineGraph(T, {
    id: "g",
    start: "fan",
    nodes: { fan: parallel({ left: says("l"), middle: { run: () => ({ add: { n: 1 } }) }, right: says("r") }) },
    edges: [["fan", END]],
  });
  const { result } = await runOf(graph);
  expect(result.error).toMatchObject({
    class: "Conflict",
    code: "flow-write-conflict",
    message: 'branches of fan#1 both wrote the key "x"',
    facts: [
      ["branch", "left"],
      ["branch", "right"],
    ],
  });
  expect(result.state).toEqual({ x: "before", n: 0 });
});

test("must-have 6: a reducer that throws in a branch or a node changes nothing, and is named", async () => {
  const picky = reduce.custom<number>(
    "picky",
    (a, b) => {
      if (b < 0) throw new Error("no negative ones");
      return a + b;
    },
    0,
  );
  const T = state({ p: state.value(1, picky), n: state.value(0, reduce.sum) });
  const add = (p: number) => ({ run: () => ({ set: { p }, add: { n: 1 } }) });
  const graph = defineGraph(T, {
    id: "g",
    start: "one",
    nodes: { one: add(2), fan: parallel({ a: add(3), b: add(-1) }) },
    edges: [
      ["one", "fan"],
      ["fan", END],
    ],
  });
  const { result } = await runOf(graph);
  expect(result.error).toMatchObject({ code: "flow-reducer-failed" });
  expect(result.error?.message).toMatch(/picky.*no negative ones/);
  expect(result.state).toEqual({ p: 3, n: 1 });
});

test("must-have 6: a delete is a write of its own: the key is gone, and the next write meets nothing", async () => {
  const { flow } = world();
  const of = (...all: readonly Write[]) => inSequence(all);
  const final = async (...all: readonly Write[]) => (await (await flow.start(of(...all))).result).state;
  expect(await final({ set: { sum: 5 } }, { delete: ["sum"] })).not.toHaveProperty("sum");
  expect(await final({ set: { max: 5 } }, { delete: ["max"] }, { set: { max: -2 } })).toMatchObject({ max: -2 });
  expect(await final({ set: { list: [1] } }, { delete: ["list"] }, { set: { list: [2] } })).toMatchObject({
    list: [2],
  });
  // In one output: what is set goes first, so the delete has the last word.
  expect(await final({ set: { last: "x" }, delete: ["last"] })).not.toHaveProperty("last");
  const graph = sideBySide([{ set: { sum: 5 } }, { delete: ["sum"] }, { set: { sum: 2 } }], "parallel");
  const run = await flow.start(graph);
  expect((await run.result).state).toMatchObject({ sum: 2 });
});
