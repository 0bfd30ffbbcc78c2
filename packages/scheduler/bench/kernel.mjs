/**
 * Measures the kernel: everything is a miss, from admission to the end.
 *
 * - wide:   100,000 nodes and 350,000 edges in one delta; the case of a large build.
 * - visits: 100,000 nodes, each a delta of its own that requires the one before; the case of a long workflow.
 * - claims: 10,000 nodes, each with a mutex of its own; the worst case of the queue, which keeps a heap per claim.
 *
 * Run: `node packages/scheduler/bench/kernel.mjs [rounds]`. Prints medians and spreads in milliseconds.
 */
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const NODES = 100_000;
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

const PLAIN = { slots: 1, pools: [], mutexes: [], tags: [], terminal: false };
const spec = (requires, claim = PLAIN, weightMs = 1) => ({
  requires,
  after: [],
  validates: [],
  claim,
  priorityClass: 0,
  weightMs,
  lifetime: "task",
});

/** Each node requires three or four of the 500 before it: wide, deep, with diamonds. */
function wide() {
  let seed = 1;
  const random = (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  return Array.from({ length: NODES }, (_, node) => {
    const requires = Array.from({ length: Math.min(node, 3 + (node % 2)) }, () => Math.max(0, node - 1 - random(500)));
    return spec(requires, PLAIN, 1 + random(1000));
  });
}

const CASES = {
  wide: [wide()],
  visits: Array.from({ length: NODES }, (_, node) => [spec(node === 0 ? [] : [node - 1])]),
  claims: [
    Array.from({ length: NODES / 10 }, (_, node) =>
      spec([], { ...PLAIN, mutexes: [{ name: `m${node}`, mode: "exclusive" }] }),
    ),
  ],
};

const ANSWERS = {
  lookup: (id) => ({ kind: "looked-up", id, outcome: "miss" }),
  execute: (id) => ({ kind: "executed", id, outcome: "succeeded" }),
  store: (id) => ({ kind: "stored", id }),
};

/** Answers first in, first out, as from a machine with 8 slots; the next delta comes when nothing is left to do. */
function run(deltas) {
  const start = performance.now();
  let state = createKernel({ limits: { slots: 8, pools: {}, tagCaps: {}, io: 32 }, failure: "keep-going" });
  let queue = [];
  let settled = 0;
  const take = (event) => {
    const answer = step(state, event);
    state = answer.state;
    for (const effect of answer.effects) {
      if (effect.kind === "settled") settled++;
      else if (effect.kind !== "finished") queue.push(effect);
    }
  };
  for (const nodes of deltas) {
    take({ kind: "admit", nodes });
    for (let at = 0; at < queue.length; at++) take(ANSWERS[queue[at].kind](queue[at].id));
    queue = [];
  }
  take({ kind: "seal" });
  const wanted = deltas.reduce((sum, nodes) => sum + nodes.length, 0);
  if (settled !== wanted) throw new Error(`${settled} of ${wanted} nodes settled`);
  return performance.now() - start;
}

const ms = (value) => value.toFixed(0);
for (const [name, deltas] of Object.entries(CASES)) {
  const results = Array.from({ length: rounds }, () => run(deltas)).sort((left, right) => left - right);
  const nodes = deltas.flat();
  const edges = nodes.reduce((sum, node) => sum + node.requires.length, 0);
  const median = results[Math.floor(rounds / 2)];
  const perNode = ((median * 1000) / nodes.length).toFixed(2);
  console.log(
    `${name}: ${nodes.length} nodes, ${edges} edges: median ${ms(median)} ms, ` +
      `${ms(results[0])}–${ms(results[rounds - 1])} over ${rounds} rounds, ${perNode} µs a node`,
  );
}
