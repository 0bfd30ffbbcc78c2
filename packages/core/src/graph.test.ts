import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import {
  criticalPaths,
  findCycles,
  graphFromLists,
  labelGraph,
  reachableFrom,
  reverseGraph,
  topologicalOrder,
} from "./graph.ts";
import { InvariantError } from "./result.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const RUNS = { numRuns: Math.round(300 * SCALE) };

/** Any graph of up to 12 nodes, with repetitions, self edges and cycles. */
const anyLists = fc.integer({ min: 0, max: 12 }).chain((size) =>
  fc.array(fc.array(fc.integer({ min: 0, max: Math.max(0, size - 1) }), { maxLength: 4 }), {
    minLength: size,
    maxLength: size,
  }),
);

/** Which nodes lie on a path of at least one edge from each node: the definition, by brute force. */
function reach(lists: readonly (readonly number[])[]): boolean[][] {
  const matrix = lists.map((list) => lists.map((_, to) => list.includes(to)));
  for (let via = 0; via < lists.length; via++) {
    for (let from = 0; from < lists.length; from++) {
      for (let to = 0; to < lists.length; to++) {
        if (matrix[from]![via] && matrix[via]![to]) matrix[from]![to] = true;
      }
    }
  }
  return matrix;
}

// Goal: an order exists exactly if no node reaches itself, and then respects every edge.
// Method: any graph; reachability by Warshall as the independent definition.
test("the topological order respects every edge and exists exactly for acyclic graphs", () => {
  fc.assert(
    fc.property(anyLists, (lists) => {
      const order = topologicalOrder(graphFromLists(lists));
      const cyclic = reach(lists).some((row, node) => row[node]);
      assert.equal(order === undefined, cyclic);
      if (order === undefined) return;
      const position = new Map([...order].map((node, at) => [node, at]));
      assert.equal(position.size, lists.length);
      lists.forEach((list, node) => {
        for (const target of list) assert.ok(position.get(target)! < position.get(node)!);
      });
    }),
    RUNS,
  );
});

// Goal: each knot is named once, by a real cycle through its lowest node. Method: Warshall gives the knots.
test("each knot has one reported cycle, and every reported cycle is one", () => {
  fc.assert(
    fc.property(anyLists, (lists) => {
      const cycles = findCycles(graphFromLists(lists));
      const matrix = reach(lists);
      const lowestOfKnots = lists
        .map((_, node) => node)
        .filter((node) => matrix[node]![node])
        .filter((node) => !lists.some((_, lower) => lower < node && matrix[node]![lower] && matrix[lower]![node]));
      assert.deepEqual(
        cycles.map((cycle) => cycle[0]),
        lowestOfKnots,
      );
      for (const cycle of cycles) {
        assert.equal(new Set(cycle).size, cycle.length);
        cycle.forEach((node, at) => {
          assert.ok(lists[node]!.includes(cycle[(at + 1) % cycle.length]!));
        });
      }
    }),
    RUNS,
  );
});

test("a cycle is named in order from its lowest node, each node depending on the next", () => {
  assert.deepEqual(findCycles(graphFromLists([[], [3], [1], [2, 0], [4]])), [[1, 3, 2], [4]]);
});

// Goal: no recursion. Method: a chain far longer than the call stack, once open, once closed to a ring.
test("a chain of 200,000 nodes exhausts no stack", () => {
  const size = 200_000;
  const chain = Array.from({ length: size }, (_, node) => (node + 1 < size ? [node + 1] : []));
  assert.deepEqual(findCycles(graphFromLists(chain)), []);
  chain[size - 1] = [0];
  assert.equal(findCycles(graphFromLists(chain))[0]!.length, size);
  assert.equal(topologicalOrder(graphFromLists(chain)), undefined);
});

// Goal: the length is the heaviest chain of dependents. Method: the recursive definition on the reversed graph.
test("a critical path is the node's weight and the heaviest chain of its dependents", () => {
  const acyclic = anyLists.map((lists) => lists.map((list, node) => list.filter((target) => target < node)));
  fc.assert(
    fc.property(acyclic, fc.array(fc.nat(100), { minLength: 12, maxLength: 12 }), (lists, weights) => {
      const longest = (node: number): number =>
        weights[node]! + Math.max(0, ...lists.flatMap((list, other) => (list.includes(node) ? [longest(other)] : [])));
      assert.deepEqual(
        [...criticalPaths(graphFromLists(lists), weights)],
        lists.map((_, node) => longest(node)),
      );
    }),
    RUNS,
  );
});

test("reachability contains the roots and exactly what they depend on", () => {
  fc.assert(
    fc.property(anyLists, fc.array(fc.nat(11), { maxLength: 3 }), (lists, picks) => {
      const roots = picks.filter((node) => node < lists.length);
      const matrix = reach(lists);
      const expected = lists
        .map((_, node) => node)
        .filter((node) => roots.includes(node) || roots.some((root) => matrix[root]![node]));
      assert.deepEqual([...reachableFrom(graphFromLists(lists), roots)], expected);
    }),
    RUNS,
  );
});

test("turning a graph round twice gives the same edges in ascending order", () => {
  fc.assert(
    fc.property(anyLists, (lists) => {
      const sorted = graphFromLists(lists.map((list) => [...list].sort((a, b) => a - b)));
      assert.deepEqual(reverseGraph(reverseGraph(graphFromLists(lists))), sorted);
    }),
    RUNS,
  );
});

test("labels are numbered in order, and dependencies outside the graph are left out", () => {
  const needs: Record<string, string[]> = { app: ["lib", "elsewhere"], lib: [], tool: ["lib"] };
  const { graph, labels, numbers } = labelGraph(Object.keys(needs), (label) => needs[label]!);
  assert.deepEqual(labels, ["app", "lib", "tool"]);
  assert.equal(numbers.get("tool"), 2);
  assert.deepEqual([...graph.targets], [1, 1]);
});

test("an edge to a number that is no node is a bug", () => {
  assert.throws(() => graphFromLists([[1]]), InvariantError);
  assert.throws(() => criticalPaths(graphFromLists([[0]]), [1]), InvariantError);
});
