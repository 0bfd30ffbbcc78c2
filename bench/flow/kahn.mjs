/**
 * The workflow engine on the shapes of the flow benchmarks, in the format of their kit.
 *
 * `node bench/flow/kahn.mjs --shape=chain|fanout --persist=none|memory|sqlite --n=1000 --size=1024 [--durability=disk]`;
 * for `sqlite`, which other engines use, this one writes its file journal. `--kit=PATH` names the kit's `common.mjs`;
 * without it a small stand-in prints the same members. Bundled on the fly, for Node 20 does not strip types.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
const n = Number(args.n ?? 1000);
const size = Number(args.size ?? 1024);
const shape = args.shape ?? "chain";
const persist = args.persist ?? "none";

/**
 * Text of a size that does not compress to nothing.
 *
 * @param {number} sizeBytes
 */
function blob(sizeBytes) {
  let x = 0x9e3779b9;
  let text = "";
  while (text.length < sizeBytes) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    text += x.toString(36).padStart(7, "0");
  }
  return text.slice(0, sizeBytes);
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const cache = join(root, "node_modules/.cache/kahn-tools");
mkdirSync(cache, { recursive: true });
const outfile = join(cache, `flow-bench.${process.pid}.mjs`);
const entry = `
  export * from ${JSON.stringify(join(root, "packages/workflow/src/index.ts"))};
  export { fileJournalStore } from ${JSON.stringify(join(root, "packages/journal/src/index.ts"))};
  export { openValueStore } from ${JSON.stringify(join(root, "packages/cas/src/index.ts"))};
  export { nodeClock, nodeFileSystem, nodeRandom } from ${JSON.stringify(join(root, "packages/system/src/index.ts"))};
`;
await build({
  stdin: { contents: entry, resolveDir: root, loader: "ts" },
  outfile,
  bundle: true,
  format: "esm",
  platform: "node",
  packages: "bundle",
  logLevel: "error",
  banner: { js: "import { createRequire as __r } from 'node:module'; const require = __r(import.meta.url);" },
});
const kahn = await import(pathToFileURL(outfile).href).finally(() => rmSync(outfile, { force: true }));

const { createFlow, defineGraph, END, fileJournalStore, map, memoryJournals, nodeClock, reduce, state } = kahn;
const directory = mkdtempSync(join(args.dir ?? tmpdir(), "flowbench-"));
const clock = nodeClock();
const random = kahn.nodeRandom();
const fs = kahn.nodeFileSystem();

/** @type {Readonly<Record<string, () => unknown>>} */
const stores = {
  none: () => memoryJournals({ keep: "nothing" }),
  memory: () => memoryJournals(),
  sqlite: () => fileJournalStore({ fs, directory: join(directory, "journals") }),
};
const journals = stores[persist]?.();
const values =
  persist === "sqlite" ? { values: kahn.openValueStore({ fs, clock, random, root: join(directory, "values") }) } : {};
const flow = createFlow({ clock, random, journals, ...values, durability: args.durability ?? "process" });

/** @type {number[]} */
const stamps = [];
/** @type {NodeJS.CpuUsage | undefined} */
let cpu;
const tick = () => {
  cpu ??= process.cpuUsage();
  stamps.push(performance.now());
};
const S = state({ blob: state.value(""), count: state.value(0, reduce.sum), sum: state.value(0, reduce.sum) });
const step = async () => {
  tick();
  return { set: { count: 1 } };
};
/** @param {"a" | "b"} other */
const again = (other) => ({
  from: other === "a" ? "b" : "a",
  to: other,
  when: (/** @type {{ count: number }} */ { count }) => count < n,
});
const chain = defineGraph(S, {
  id: "chain",
  start: "a",
  maxSteps: n + 10,
  nodes: { a: { run: step }, b: { run: step } },
  edges: [again("b"), again("a"), ["a", END], ["b", END]],
});
const fanout = defineGraph(S, {
  id: "fanout",
  start: "m",
  nodes: {
    m: map({
      over: () => Array.from({ length: n }, (_, index) => index),
      run: async (/** @type {{ item: number }} */ { item }) => {
        tick();
        return { set: { sum: item } };
      },
    }),
  },
  edges: [["m", END]],
});

const input = { blob: blob(size) };
const begun = performance.now();
const run = await flow.start(shape === "chain" ? chain : fanout, input);
const result = await run.result;
const ms = performance.now() - begun;
const isRight = shape === "chain" ? result.state.count === n : result.state.sum === (n * (n - 1)) / 2;
if (!isRight) throw new Error(`wrong result: ${JSON.stringify({ ...result, state: undefined })}`);
report();

/** One line, with the members that the kit prints. */
function report() {
  const used = process.cpuUsage(cpu);
  const gaps = stamps.slice(1).map((stamp, index) => stamp - (stamps[index] ?? stamp));
  gaps.sort((a, b) => a - b);
  const quantile = (/** @type {number} */ p) => gaps[Math.min(gaps.length - 1, Math.floor(p * gaps.length))] ?? 0;
  const bytes = bytesIn(directory);
  rmSync(directory, { recursive: true, force: true });
  const line = {
    engine: "kahn",
    shape,
    persist,
    size,
    n,
    ms: +ms.toFixed(1),
    stepsPerSec: +(n / (ms / 1000)).toFixed(1),
    p50us: +(quantile(0.5) * 1000).toFixed(1),
    p99us: +(quantile(0.99) * 1000).toFixed(1),
    cpuUsPerStep: +((used.user + used.system) / n).toFixed(1),
    rssMiB: +(process.resourceUsage().maxRSS / 1024).toFixed(1),
    dbBytesPerStep: persist === "sqlite" ? Math.round(bytes / n) : 0,
  };
  console.log(JSON.stringify(line));
}

/** @param {string} path */
function bytesIn(path) {
  let bytes = 0;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    bytes += entry.isDirectory() ? bytesIn(inner) : statSync(inner).size;
  }
  return bytes;
}
