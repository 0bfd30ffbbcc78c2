/**
 * Measures the kernel: 100,000 nodes and 350,000 edges, everything a miss, admitted and stepped to the end.
 *
 * Run: `node packages/scheduler/bench/kernel.mjs [rounds]`. Prints the median and the spread in milliseconds.
 */
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const NODES = 100_000;
const EDGES_PER_NODE = 3.5;
const rounds = Number(process.argv[2] ?? 9);

const bundle = await build({
  entryPoints: [fileURLToPath(new URL("../src/index.ts", import.meta.url))],
  bundle: true,
  write: false,
  format: "esm",
  platform: "node",
});
const source = Buffer.from(bundle.outputFiles[0].contents).toString("base64");
const { createKernel, step } = await import(`data:text/javascript;base64,${source}`);

/** Each node requires three or four of the 500 before it: wide, deep, with diamonds. */
function specs() {
  let seed = 1;
  const random = (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const claim = { slots: 1, pools: [], mutexes: [], tags: [], terminal: false };
  return Array.from({ length: NODES }, (_, node) => {
    const wanted = Math.min(node, Math.floor(EDGES_PER_NODE + (node % 2) / 2 + 0.25));
    const requires = Array.from({ length: wanted }, () => Math.max(0, node - 1 - random(500)));
    return {
      requires,
      after: [],
      validates: [],
      claim,
      priorityClass: 0,
      weightMs: 1 + random(1000),
      lifetime: "task",
    };
  });
}

const ANSWERS = {
  lookup: (id) => ({ kind: "looked-up", id, outcome: "miss" }),
  execute: (id) => ({ kind: "executed", id, outcome: "succeeded" }),
  store: (id) => ({ kind: "stored", id }),
};

/** First in, first out answers, as from a machine with 8 slots. */
function run(nodes) {
  const start = performance.now();
  const state = createKernel({
    limits: { slots: 8, pools: {}, tagCaps: {}, io: 32 },
    failure: "keep-going",
  });
  const queue = [];
  let settled = 0;
  let steps = 0;
  const take = (event) => {
    steps++;
    for (const effect of step(state, event).effects) {
      if (effect.kind === "settled") settled++;
      else if (effect.kind !== "finished") queue.push(effect);
    }
  };
  take({ kind: "admit", nodes });
  const admitted = performance.now();
  take({ kind: "seal" });
  for (let at = 0; at < queue.length; at++) take(ANSWERS[queue[at].kind](queue[at].id));
  if (settled !== NODES) throw new Error(`${settled} of ${NODES} nodes settled`);
  return { admitMs: admitted - start, totalMs: performance.now() - start, steps };
}

const nodes = specs();
const edges = nodes.reduce((sum, node) => sum + node.requires.length, 0);
const results = Array.from({ length: rounds }, () => run(nodes)).sort((left, right) => left.totalMs - right.totalMs);
const median = results[Math.floor(rounds / 2)];
const ms = (value) => value.toFixed(0);
console.log(
  `${NODES} nodes, ${edges} edges, ${median.steps} steps: median ${ms(median.totalMs)} ms (admission ${ms(median.admitMs)}), ` +
    `${ms(results[0].totalMs)}–${ms(results[rounds - 1].totalMs)} over ${rounds} rounds, ` +
    `${((median.totalMs * 1000) / NODES).toFixed(2)} µs a node`,
);
