/** Must-have 8: joins see what became of their parents, and a run that cannot go on says what each join waits for. */
import { forEachSeed, type SeededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import { logOf, runOf, S } from "../flow.fixture.ts";
import type { AnyNode, Edge } from "../index.ts";
import { barrier, buildGraph, condition, defineGraph, END, fail, NodeFailure } from "../index.ts";

const says = (text: string) => ({ run: () => ({ add: { log: text } }) });
const told = (join: "settled" | "all" | "any" | { readonly quorum: number }) => ({
  run: ({ parents }: { readonly parents: Readonly<Record<string, string>> }) => ({
    add: {
      log: Object.keys(parents)
        .sort()
        .map((name) => `${name} ${parents[name]}`)
        .join(", "),
    },
  }),
  join,
});

// The case of #2666: a branch that is skipped left the join of its siblings waiting, and the run ended as if all was well.
test("must-have 8: a settled join is told which parents arrived, were skipped, failed, or were cancelled", async () => {
  const cancelled = new NodeFailure({ class: "Cancelled", code: "flow-node-aborted", message: "called off" });
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: says("a"),
      good: says("good"),
      gate: condition([["late", () => false]]),
      late: says("late"),
      bad: { run: () => fail("broken") },
      off: {
        run: () => {
          throw cancelled;
        },
      },
      other: says("other"),
      j: told("settled"),
    },
    edges: [
      ["a", ["good", "gate", "bad", "off"]],
      ["good", "j"],
      ["gate", END],
      ["late", "j"],
      ["bad", "j"],
      { from: "bad", to: "other", onError: ["Terminal"] },
      ["off", "j"],
      { from: "off", to: "other", onError: ["Cancelled"] },
      ["other", END],
      ["j", END],
    ],
  });
  const { result, events } = await runOf(graph);
  expect(result.status).toBe("completed");
  expect(logOf(result)).toContain("bad failed, good arrived, late skipped, off cancelled");
  expect(events.filter((event) => event.type === "join.fired")).toMatchObject([
    { path: "j#1", parents: { good: "arrived", late: "skipped", bad: "failed", off: "cancelled" } },
  ]);
});

test("must-have 8: joins that wait for each other, and for parents that were skipped, end the run as deadlocked", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: says("a"),
      gate: condition([["b", (s) => s.n > 0]]),
      b: says("b"),
      c: says("c"),
      both: told("all"),
      most: told({ quorum: 2 }),
    },
    edges: [
      ["a", ["gate", "c"]],
      ["gate", END],
      ["b", ["both", "most"]],
      ["c", ["both", "most"]],
      ["both", END],
      ["most", END],
    ],
  });
  const { result, events } = await runOf(graph);
  expect(result).toMatchObject({
    status: "failed",
    error: {
      class: "Terminal",
      code: "flow-deadlocked",
      message: "nothing runs, and both, most will never get what they wait for",
      facts: [
        ["both", "has c, waits for b"],
        ["most", "has c, waits for b"],
      ],
    },
  });
  expect(events.filter((event) => event.type === "run.failed")).toHaveLength(1);
});

test("must-have 8: a run with a join may wait for a person, and is no deadlock while it can go on", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: says("a"), ask: barrier({}), b: says("b"), j: told("all") },
    edges: [
      ["a", ["ask", "b"]],
      ["ask", "j"],
      ["b", "j"],
      ["j", END],
    ],
  });
  const { run, result } = await runOf(graph);
  expect(result).toMatchObject({ status: "waiting", barriers: [{ barrier: "ask#1" }] });
  await run.decide("ask#1", { approve: true });
  expect(logOf(await run.result).at(-1)).toBe("ask arrived, b arrived");
});

/** Graphs of forks, choices, failures and joins, forwards only, so that the reference can say what happens. */
function randomForks(random: SeededRandom) {
  const names = Array.from({ length: random.int(3, 9) }, (_, index) => `n${index}`);
  const nodes: Record<string, AnyNode> = {};
  const edges: Edge<Readonly<Record<string, unknown>>>[] = [];
  for (const [index, name] of names.entries()) {
    const later = [...names.slice(index + 1), END];
    const joins = ["settled", "settled", "all", "any", { quorum: 2 }] as const;
    const join = index > 0 && random.chance(0.5) ? { join: random.pick(joins) } : {};
    const fails = random.chance(0.2);
    nodes[name] = { ...join, run: () => (fails ? fail("no") : { add: { log: name } }) } as AnyNode;
    const targets = [...new Set([random.pick(later), random.pick(later), random.pick(later)])];
    edges.push([name, targets]);
    if (random.chance(0.3)) edges.push({ from: name, to: random.pick(later), when: () => true });
    if (random.chance(0.6)) edges.push({ from: name, to: random.pick(later), onError: ["Terminal"] });
  }
  return buildGraph({ id: "forks", state: S, start: "n0", nodes, edges });
}

// Goal: no run with joins ends silently. Method: random graphs; a completed run has no token left at a join, a deadlock
// names each join that has one, with parents that did not come.
test("must-have 8: every run of a random graph of forks and joins completes, or says why not", async () => {
  const options = { name: "forks and joins", count: 300, scaleEnv: process.env.KAHN_TEST_SCALE };
  const { tallies } = await forEachSeed(options, async ({ random, tally }) => {
    const built = randomForks(random);
    if (!built.ok) return;
    const graph = built.value;
    const { result, events } = await runOf(graph);
    const end = result.error?.code ?? result.status;
    tally(end);
    expect(["completed", "flow-deadlocked", "flow-node-failed"]).toContain(end);
    const waiting = new Set<string>();
    for (const event of events) {
      if (event.type === "join.fired" && !isCounted(graph.nodes.get(event.node))) waiting.delete(event.node);
      if (event.type !== "node.committed") continue;
      for (const next of event.next) {
        const join = graph.nodes.get(next)?.join;
        if (join === "settled" || join === "all") waiting.add(next);
      }
    }
    if (end === "completed") expect([...waiting]).toEqual([]);
    if (end !== "flow-deadlocked") return;
    const named = (result.error?.facts ?? []).map(([name]) => name);
    expect(named.length).toBeGreaterThan(0);
    for (const name of waiting) expect(named).toContain(name);
    for (const [name, why] of result.error?.facts ?? []) {
      expect(graph.nodes.get(name)?.join).toBeDefined();
      expect(why).toMatch(/^has n\d.*, waits for n\d/);
    }
  });
  expect(tallies.completed).toBeGreaterThan(10);
  expect(tallies["flow-deadlocked"]).toBeGreaterThan(10);
});

function isCounted(node: AnyNode | undefined): boolean {
  return node?.join === "any" || typeof node?.join === "object";
}
