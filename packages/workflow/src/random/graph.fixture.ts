/**
 * Graphs drawn by chance: every kind of node and edge, subgraphs in branches of subgraphs, and nodes that fail, go
 * astray, end their frame, write nonsense, take their time, or do nothing at all.
 *
 * Invariant: equal seeds give equal graphs. What their nodes do is drawn while they run.
 */
import type { Clock } from "@kahn/core";
import type { SeededRandom } from "@kahn/testing";
import { S } from "../flow.fixture.ts";
import type { AnyNode, Edge, FlowGraph, NodeContext } from "../index.ts";
import { barrier, buildGraph, condition, END, fail, map, parallel, subgraph } from "../index.ts";

type Values = Readonly<Record<string, unknown>>;

/** Subgraphs inside of subgraphs, at most. */
const DEPTH_MAX = 3;
const STRATEGIES = ["failFast", "collect", { quorum: 1 }, { quorum: 2 }] as const;
const JOINS = ["settled", "all", "any", { quorum: 2 }] as const;

/** What the drawing needs; `clock` is that of the life in which a node runs. */
export interface Draw {
  readonly random: SeededRandom;
  readonly clock: () => Clock;
}

interface Place extends Draw {
  readonly targets: readonly string[];
  readonly depth: number;
}

/** Draws a graph; one that is not valid is drawn again. */
export function randomGraph(draw: Draw): FlowGraph {
  for (;;) {
    const graph = drawGraph(draw, 0);
    if (graph !== undefined) return graph;
  }
}

function drawGraph({ random, clock }: Draw, depth: number): FlowGraph | undefined {
  const isRoot = depth === 0;
  const names = Array.from({ length: isRoot ? random.int(2, 7) : random.int(1, 3) }, (_, index) => `n${index}`);
  const nodes: Record<string, AnyNode> = {};
  const edges: Edge<Values>[] = [];
  for (const [index, name] of names.entries()) {
    const join = index > 1 && random.chance(0.25) ? { join: random.pick(JOINS) } : {};
    nodes[name] = { ...drawNode({ random, clock, targets: names, depth }), targets: names, ...join } as AnyNode;
    edges.push(...drawEdges(random, name, { names, next: names[index + 1] ?? END }));
  }
  const head = { id: `depth${depth}`, state: S, start: "n0", maxSteps: isRoot ? 60 : 12 };
  const built = buildGraph({ ...head, nodes, edges });
  return built.ok ? built.value : undefined;
}

function drawEdges(
  random: SeededRandom,
  from: string,
  { names, next }: { readonly names: readonly string[]; readonly next: string },
): Edge<Values>[] {
  const anywhere = () => random.pick([...names, END]);
  const side = anywhere();
  const edges: Edge<Values>[] = [[from, random.chance(0.3) && next !== END && side !== next ? [next, side] : next]];
  const isEven = (s: Values) => Number(s.n) % 2 === 0;
  if (random.chance(0.3)) edges.push({ from, to: random.pick(names), when: isEven, maxVisits: 3 });
  if (random.chance(0.1)) edges.push({ from, to: anywhere(), when: (s) => s.n === 5 && fail("a bad predicate") });
  if (random.chance(0.4)) edges.push({ from, to: anywhere(), onError: ["Terminal", "Timeout"], maxVisits: 2 });
  if (random.chance(0.3)) edges.push({ from, to: anywhere(), fallback: true, maxVisits: 2 });
  return edges;
}

function drawNode(place: Place): AnyNode {
  switch (place.random.int(0, 9)) {
    case 0:
      return drawBarrier(place);
    case 1: {
      const { random, targets } = place;
      const isChosen = random.chance(0.5);
      return condition([[random.pick(targets), () => isChosen]]) as AnyNode;
    }
    case 2:
    case 3:
      return drawMap(place);
    case 4:
      return drawParallel(place);
    case 5:
    case 6:
      return drawSubgraph(place);
    default:
      return drawTask(place);
  }
}

function fanOptions(random: SeededRandom) {
  const order = random.pick(["declared", "completed"] as const);
  return { strategy: random.pick(STRATEGIES), order, limit: random.int(1, 3) };
}

function drawMap(place: Place): AnyNode {
  const { random } = place;
  const items = [1, 2, 3, 4].slice(0, random.int(0, 4));
  const over = random.chance(0.05) ? () => fail("no list") : () => items;
  if (random.chance(0.5)) {
    const [odd, even] = [drawBranch(place), drawBranch(place)];
    const body = (item: number) => (item % 2 === 0 ? even : odd) as never;
    return map<Values, number>({ over, ...fanOptions(random), body }) as AnyNode;
  }
  const failing = random.int(1, 8);
  const run = ({ item }: { readonly item: number }) =>
    item === failing ? fail("this item") : { add: { n: item as never, log: `item ${item}` as never } };
  return map<Values, number>({ over, ...fanOptions(random), run }) as AnyNode;
}

function drawParallel(place: Place): AnyNode {
  const branches = { a: drawBranch(place), b: drawBranch(place), c: drawBranch(place) };
  return parallel<Values>(branches as never, fanOptions(place.random)) as AnyNode;
}

/** A branch may be anything, also another node with branches. */
function drawBranch(place: Place): AnyNode {
  const { random } = place;
  const inner = { ...place, targets: [], depth: place.depth + 1 };
  switch (random.int(0, 5)) {
    case 0:
      return drawBarrier(inner);
    case 1:
      return drawSubgraph(inner);
    case 2:
      return place.depth < DEPTH_MAX && random.chance(0.3) ? drawParallel(inner) : drawTask(inner);
    default:
      return drawTask(inner);
  }
}

function drawSubgraph(place: Place): AnyNode {
  const { random, depth } = place;
  const graph = depth >= DEPTH_MAX ? undefined : drawGraph(place, depth + 1);
  if (graph === undefined) return drawTask(place);
  const [isInputBad, isOutputBad] = [random.chance(0.03), random.chance(0.03)];
  return subgraph<Values, Values>({
    graph: graph as FlowGraph<Values>,
    input: (s) => (isInputBad ? fail("a bad input") : { n: s.n }),
    output: (inner) => (isOutputBad ? fail("a bad output") : { add: { n: 1 as never, log: inner.log as never } }),
  }) as unknown as AnyNode;
}

function drawBarrier({ random, targets }: Place): AnyNode {
  const timeout = random.chance(0.5)
    ? { timeout: random.int(1, 40), onTimeout: random.pick(["approve", "reject", "skip"] as const) }
    : {};
  const onReject = random.pick<object>([
    {},
    { onReject: "continue" },
    targets[0] ? { onReject: { goto: targets[0] } } : {},
  ]);
  const isBad = random.chance(0.05);
  return barrier<Values>({
    ...timeout,
    ...onReject,
    payload: (s) => ({ n: Number(s.n) }),
    decided: ({ kind }) => (isBad ? fail("a bad decided") : { add: { log: kind as never } }),
  }) as AnyNode;
}

function drawTask({ random, targets, clock }: Place): AnyNode {
  const way = random.int(0, 11);
  const takes = random.chance(0.4) ? random.int(1, 9) : 0;
  const isAsync = takes > 0 || random.chance(0.5);
  const roll = random.fork();
  const act = ({ path }: NodeContext) => {
    if (way === 0 && roll.chance(0.6)) fail("no", { class: roll.chance(0.5) ? "Terminal" : "Retryable" });
    if (way === 1) return { fallback: "not now" };
    if (way === 2 && targets.length > 0) return { goto: roll.pick(targets), add: { n: 1 } };
    if (way === 3 && roll.chance(0.2)) return { end: true as const };
    if (way === 4 && roll.chance(0.3)) return { set: { n: "wrong" as never } };
    if (way === 5) return { delete: ["x"] };
    if (way === 6) return { set: { x: `${path} ${"long ".repeat(roll.chance(0.2) ? 1000 : 1)}` } };
    return { add: { n: 1, log: "t" }, cost: 1 };
  };
  const pause = async (context: NodeContext) => {
    const drawn = way === 7 ? await context.once("draw", () => roll.int(1, 9)) : 0;
    await new Promise<void>((resolve) => {
      clock().setTimer(takes, resolve);
      if (roll.chance(0.5)) context.signal.addEventListener("abort", () => resolve());
    });
    return drawn === 9 ? fail("nine") : act(context);
  };
  const run = takes > 0 ? pause : isAsync ? async (context: NodeContext) => act(context) : act;
  const retry = random.chance(0.3) ? { retry: { max: 2, delay: 5 } } : {};
  const timeout = takes > 0 && random.chance(0.2) ? { timeout: 3 } : {};
  return { ...retry, ...timeout, run } as unknown as AnyNode;
}
