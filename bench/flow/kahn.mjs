/**
 * Kahn's workflow engine on the shapes of the flow benchmarks.
 *
 * `node bench/flow/kahn.mjs --shape=chain|fanout --persist=none|memory|disk --n=1000 --size=1024 [--durability=disk]`;
 * `--bundle=PATH` names the engine if it is bundled already. Other runners of the same kind may say `--persist=sqlite`:
 * this engine writes its file journal then, too.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleFlow } from "./bundle.mjs";
import { args, blob, directory, n, persist, report, shape, size, tick } from "./kit.mjs";

/** @type {typeof import("../../packages/workflow/src/index.ts") & Pick<typeof import("../../packages/journal/src/index.ts"), "fileJournalStore"> & Pick<typeof import("../../packages/cas/src/index.ts"), "openValueStore"> & Pick<typeof import("../../packages/system/src/index.ts"), "nodeClock" | "nodeFileSystem" | "nodeRandom">} */
const kahn = await import(pathToFileURL(args.bundle ?? bundleFlow()).href);
const { createFlow, defineGraph, END, map, memoryJournals, reduce, state } = kahn;
const [clock, random, fs] = [kahn.nodeClock(), kahn.nodeRandom(), kahn.nodeFileSystem()];

const onDisk = () => ({
  journals: kahn.fileJournalStore({ fs, clock, directory: join(directory, "journals") }),
  values: kahn.openValueStore({ fs, clock, random, root: join(directory, "values") }),
});
const stores =
  persist === "disk" ? onDisk() : { journals: memoryJournals({ keep: persist === "none" ? "nothing" : "all" }) };
const flow = createFlow({ clock, random, ...stores, durability: args.durability === "disk" ? "disk" : "process" });

const S = state({ blob: state.value(""), count: state.value(0, reduce.sum), sum: state.value(0, reduce.sum) });
const step = async () => {
  tick();
  return { set: { count: 1 } };
};
const chain = defineGraph(S, {
  id: "chain",
  start: "a",
  maxSteps: n + 10,
  nodes: { a: { run: step }, b: { run: step } },
  edges: [
    { from: "a", to: "b", when: ({ count }) => count < n },
    { from: "b", to: "a", when: ({ count }) => count < n },
    ["a", END],
    ["b", END],
  ],
});
const fanout = defineGraph(S, {
  id: "fanout",
  start: "m",
  nodes: {
    m: map({
      over: () => Array.from({ length: n }, (_, index) => index),
      run: async ({ item }) => {
        tick();
        return { set: { sum: item } };
      },
    }),
  },
  edges: [["m", END]],
});

const input = { blob: blob(size) };
const begun = performance.now();
const run = await (shape === "chain" ? flow.start(chain, input) : flow.start(fanout, input));
const result = await run.result;
const ms = performance.now() - begun;
report(args.durability === "disk" ? "kahn:disk" : "kahn", { ms, count: result.state.count, sum: result.state.sum });
