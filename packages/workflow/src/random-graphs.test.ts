/** Random graphs with random faults: every run ends, and its journal tells everything. */
import { forEachSeed, memoryJournalStore, type SeededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import { quiet, S, world } from "./flow.fixture.ts";
import type { AnyNode, Edge, FlowEvent, FlowGraph } from "./index.ts";
import { barrier, buildGraph, condition, END, fail, map, parallel } from "./index.ts";

type Values = Readonly<Record<string, unknown>>;

function randomTask(random: SeededRandom, targets: readonly string[]): AnyNode {
  const way = random.int(0, 9);
  const isAsync = random.chance(0.5);
  const roll = random.fork();
  const act = () => {
    if (way === 0 && roll.chance(0.5)) fail("no", { class: roll.chance(0.5) ? "Terminal" : "Retryable" });
    if (way === 1) return { fallback: "not now" };
    if (way === 2) return { goto: roll.pick(targets), add: { n: 1 } };
    if (way === 3 && roll.chance(0.2)) return { end: true as const };
    if (way === 4 && roll.chance(0.3)) return { set: { n: "wrong" as never } };
    return { add: { n: 1, log: "t" } };
  };
  const retry = random.chance(0.3) ? { retry: { max: 2, delay: 5 } } : {};
  return { ...retry, run: isAsync ? async () => act() : act } as unknown as AnyNode;
}

function randomNode(random: SeededRandom, targets: readonly string[]): AnyNode {
  const strategy = random.pick(["failFast", "collect", { quorum: 1 }] as const);
  switch (random.int(0, 7)) {
    case 0:
      return barrier({
        ...(random.chance(0.5) ? { timeout: 20, onTimeout: random.pick(["approve", "reject", "skip"] as const) } : {}),
      }) as AnyNode;
    case 1:
      return condition([[random.pick(targets), () => random.chance(0.5)]]) as AnyNode;
    case 2:
      return map<Values, number>({
        over: () => [1, 2, 3],
        strategy,
        limit: random.int(1, 3),
        run: ({ item }) => (item === 2 && strategy !== "failFast" ? fail("two") : { add: { n: item as never } }),
      }) as AnyNode;
    case 3:
      return parallel<Values>(
        { a: randomTask(random, targets) as never, b: barrier({ timeout: 10, onTimeout: "approve" }) as never },
        { strategy },
      ) as AnyNode;
    default:
      return randomTask(random, targets);
  }
}

function randomGraph(random: SeededRandom): FlowGraph | undefined {
  const names = Array.from({ length: random.int(2, 7) }, (_, index) => `n${index}`);
  const nodes: Record<string, AnyNode> = {};
  const edges: Edge<Values>[] = [];
  for (const [index, name] of names.entries()) {
    const isJoin = index > 1 && random.chance(0.25);
    const node = randomNode(random, names);
    nodes[name] = {
      ...node,
      targets: names,
      ...(isJoin ? { join: random.pick(["settled", "all", "any"] as const) } : {}),
    } as AnyNode;
    const next = names[index + 1] ?? END;
    const side = random.pick([...names, END]);
    const to = random.chance(0.3) && next !== END && side !== next ? [next, side] : next;
    edges.push([name, to]);
    if (random.chance(0.3))
      edges.push({ from: name, to: random.pick(names), when: (s) => Number(s.n) % 2 === 0, maxVisits: 3 });
    if (random.chance(0.3))
      edges.push({ from: name, to: random.pick([...names, END]), onError: ["Terminal"], maxVisits: 2 });
    if (random.chance(0.3)) edges.push({ from: name, to: random.pick([...names, END]), fallback: true, maxVisits: 2 });
  }
  const built = buildGraph({ id: "random", state: S, start: "n0", maxSteps: 40, nodes, edges });
  return built.ok ? built.value : undefined;
}

function mirrorOf(events: readonly FlowEvent[]): Record<string, unknown> {
  const mirror: Record<string, unknown> = {};
  for (const event of events) {
    if (event.type === "run.started") Object.assign(mirror, event.state);
    if (event.type !== "state.changed" || event.frame !== "") continue;
    if (event.op === "put") mirror[event.key] = event.value;
    else delete mirror[event.key];
  }
  return mirror;
}

// Goal: no graph, no fault and no order of things leaves a run without an end that says what it is. Method: random
// graphs of every kind of node with nodes that fail, go astray, end, time out; a journal that may refuse one write;
// now and then a cancel. Where only timers are left the clock moves; where only people are left the run waits.
test("every run of a random graph ends completed, failed, cancelled, waiting or suspended, and events fold to its state", async () => {
  const outcome = await forEachSeed(
    { name: "flows", count: 300, scaleEnv: process.env.KAHN_TEST_SCALE },
    async ({ random, tally }) => {
      const graph = randomGraph(random);
      if (graph === undefined) return tally("not a graph");
      const refused = random.chance(0.2) ? random.int(2, 12) : 0;
      const refusal = { code: "journal-io", severity: "error", message: "refused" } as const;
      const journals = memoryJournalStore({ faults: ({ nth }) => (nth === refused ? refusal : undefined) });
      const { flow, clock, events } = world({ grace: 50 }, journals);
      const run = await flow.start(graph, {}, { id: "r" });
      if (random.chance(0.1)) void run.cancel();
      for (let round = 0; round < 200; round++) {
        await quiet();
        const { barriers, status } = run.peek();
        if (status !== "waiting" && status !== "suspended") break;
        const open = barriers[0];
        if (open !== undefined && random.chance(0.5)) {
          await run.decide(open.barrier as never, random.chance(0.7) ? { approve: true } : { reject: "no" });
        }
        if (!clock.advanceToNext() && barriers.length === 0 && round > 3) break;
      }
      const left = run.peek().status;
      const result =
        left === "waiting" ? await run.leave() : await Promise.race([run.result, quiet().then(() => undefined)]);
      if (result === undefined) throw new Error(`silent: ${JSON.stringify(run.peek())}`);
      tally(result.status);
      const told = events("r");
      const ends = told.filter((event) => /^run\.(completed|failed|cancelled|suspended)$/.test(event.type));
      expect(ends.length).toBe(result.problem === undefined ? 1 : 0);
      expect(mirrorOf(told)).toEqual(result.state);
    },
  );
  expect(outcome.tallies.completed).toBeGreaterThan(0);
  expect(outcome.tallies.failed).toBeGreaterThan(0);
});
