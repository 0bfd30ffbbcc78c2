import fc from "fast-check";
import { expect, test } from "vitest";
import { buildGraph, END, map, reduce, state } from "../index.ts";
import { parentsOf } from "./draft.ts";
import { reduceValue } from "./reducers.ts";
import { research } from "./types.fixture.ts";

const fold = (reducer: (typeof reduce)["sum"], values: readonly unknown[], start: unknown = undefined) =>
  values.reduce<unknown>((existing, value) => {
    const result = reduceValue(reducer as never, existing, value);
    if (!result.ok) throw new Error(result.problem.message);
    return result.value;
  }, start);

// Goal: what commutes may be merged in any order. Method: permutations of whole numbers and of lists without order.
test("sum, min and max give the same in any order of writers, and whole numbers stay whole", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), fc.integer(), (numbers, seed) => {
      const shuffled = [...numbers].sort((a, b) => ((a * 31 + seed) % 17) - ((b * 31 + seed) % 17));
      for (const reducer of [reduce.sum, reduce.min, reduce.max]) {
        const value = fold(reducer, numbers);
        expect(fold(reducer, shuffled)).toBe(value);
        expect(Number.isInteger(value)).toBe(true);
      }
    }),
  );
});

test("append keeps every item in order; union keeps each once; both leave their input as it is", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.jsonValue())), (lists) => {
      const before = JSON.stringify(lists);
      expect(fold(reduce.append as never, lists, [])).toEqual(lists.flat());
      const united = fold(reduce.union as never, lists, []) as readonly unknown[];
      expect(new Set(united.map((each) => JSON.stringify(each))).size).toBeLessThanOrEqual(united.length);
      expect(fold(reduce.union as never, [united], united)).toEqual(united);
      expect(JSON.stringify(lists)).toBe(before);
    }),
  );
});

test("a value that does not fit a reducer is refused, whatever was there", () => {
  for (const [reducer, value] of [
    [reduce.sum, "1"],
    [reduce.sum, Number.NaN],
    [reduce.append, 1],
    [reduce.merge, [1]],
    [reduce.min, null],
  ] as const) {
    expect(reduceValue(reducer as never, undefined, value)).toMatchObject({
      ok: false,
      problem: { code: "flow-value-type" },
    });
  }
});

test("a graph that uses every kind is valid, and its hash does not depend on the order of nodes", () => {
  expect(research.warnings).toEqual([]);
  expect([...parentsOf(research).get("manual")!]).toEqual(["check", "write"]);
});

const S = state({ n: state.value(0) });
const task = { run: () => {} };
const problemsOf = (nodes: object, edges: readonly unknown[], more: object = {}) => {
  const built = buildGraph({ id: "g", state: S, start: "a", nodes, edges, ...more } as never);
  return (built.ok ? built.value.warnings : built.problem).map(({ code, message }) => `${code}: ${message}`);
};

test("the messages name the graph, the node and what to mend", () => {
  expect(
    problemsOf({ a: task, b: task }, [
      ["a", "c"],
      ["b", END],
    ]),
  ).toEqual(['flow-node-unknown: graph "g": edge a>c names "c", and there is no such node']);
  expect(
    problemsOf({ a: task, b: { ...task, join: { quorum: 3 } } }, [
      ["a", "b"],
      ["b", END],
    ]),
  ).toEqual(['flow-join-unsatisfiable: graph "g": join "b" waits for 3 of 1 parents']);
  expect(
    problemsOf({ a: task, b: task }, [
      ["a", END],
      ["b", END],
    ]),
  ).toEqual(['flow-unreachable: graph "g": "b" cannot be reached from "a"']);
  expect(problemsOf({ a: { ...task, timeout: "soon" } }, [["a", END]])).toEqual([
    'flow-option-invalid: graph "g": node "a" has a timeout that is no duration: "soon"',
  ]);
  expect(problemsOf({ a: map({ over: () => [], body: task as never }) as never }, [["a", END]])).toEqual([
    'flow-option-invalid: graph "g": node "a" has a body that is no function; it gives the node for an item',
  ]);
  expect(problemsOf({ a: task, b: task }, [["a", "b"], { from: "b", to: "a", fallback: true }, ["b", END]])).toEqual([
    'flow-cycle-unbounded: graph "g": no edge of the cycle a → b → a has a maxVisits',
    'flow-fallback-cycle: graph "g": the fallback edge b>a is part of a cycle',
  ]);
});
