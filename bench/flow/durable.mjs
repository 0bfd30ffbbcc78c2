/**
 * Disk-durable steps beside a bare loop that appends as many bytes and waits for the device after each.
 *
 * In one process and in turn, so that the ratio is of neighbours in time: what a device does a second later is another
 * thing. `in place` calls `fdatasyncSync`; `pool` awaits `fdatasync`, which any program does that must not be held up.
 *
 * `node bench/flow/durable.mjs [--rounds=15] [--steps=500] [--dir=FOLDER] [--bundle=PATH]`
 */
import { closeSync, fdatasync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { bundleFlow } from "./bundle.mjs";

/** @type {Readonly<Record<string, string | undefined>>} */
const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
const steps = Number(args.steps ?? 500);
const rounds = Number(args.rounds ?? 15);
const directory = mkdtempSync(join(args.dir ?? tmpdir(), "flowbench-"));

/** @type {typeof import("../../packages/workflow/src/index.ts") & Pick<typeof import("../../packages/journal/src/index.ts"), "fileJournalStore"> & Pick<typeof import("../../packages/cas/src/index.ts"), "openValueStore"> & Pick<typeof import("../../packages/system/src/index.ts"), "nodeClock" | "nodeFileSystem" | "nodeRandom">} */
const kahn = await import(pathToFileURL(args.bundle ?? bundleFlow()).href);
const { defineGraph, END, reduce, state } = kahn;
const [clock, random, fs] = [kahn.nodeClock(), kahn.nodeRandom(), kahn.nodeFileSystem()];
const flow = kahn.createFlow({
  clock,
  random,
  journals: kahn.fileJournalStore({ fs, clock, directory: join(directory, "journals") }),
  values: kahn.openValueStore({ fs, clock, random, root: join(directory, "values") }),
  durability: "disk",
});
const step = async () => ({ set: { count: 1 } });
const graph = defineGraph(state({ count: state.value(0, reduce.sum) }), {
  id: "durable",
  start: "a",
  maxSteps: steps + 10,
  nodes: { a: { run: step }, b: { run: step } },
  edges: [
    { from: "a", to: "b", when: ({ count }) => count < steps },
    { from: "b", to: "a", when: ({ count }) => count < steps },
    ["a", END],
    ["b", END],
  ],
});

const bytes = Buffer.from(`${"x".repeat(70)}\n`);
const flushed = promisify(fdatasync);
let files = 0;
/** @param {(fd: number) => Promise<void> | void} flush */
async function bare(flush) {
  const fd = openSync(join(directory, `bare-${files++}`), "a");
  for (let done = 0; done < steps; done++) {
    writeSync(fd, bytes);
    await flush(fd);
  }
  closeSync(fd);
}

/** @type {Readonly<Record<string, () => Promise<void>>>} */
const loops = {
  kahn: async () => {
    const run = await flow.start(graph, {});
    const { state: after } = await run.result;
    if (after.count !== steps) throw new Error(`wrong result: ${after.count}`);
  },
  "bare, in place": () => bare(fdatasyncSync),
  "bare, pool": () => bare(flushed),
};

/** @type {Record<string, number[]>} */
const times = Object.fromEntries(Object.keys(loops).map((name) => [name, []]));
for (let round = -2; round < rounds; round++) {
  // The first to run changes from round to round.
  const entries = Object.entries(loops);
  const turns = entries
    .map((_, index) => entries.at((index + round) % entries.length))
    .filter((each) => each !== undefined);
  for (const [name, loop] of turns) {
    const begun = performance.now();
    await loop();
    if (round >= 0) times[name]?.push(((performance.now() - begun) / steps) * 1000);
  }
}
rmSync(directory, { recursive: true, force: true });

const own = times.kahn ?? [];
console.log("| disk-durable | us a step | kahn : it |\n| --- | --: | --: |");
for (const [name, all] of Object.entries(times)) {
  const ratio = median(own.map((value, round) => value / (all[round] ?? Number.NaN)));
  console.log(`| ${name} | ${median(all).toFixed(0)} | ${name === "kahn" ? "" : ratio.toFixed(2)} |`);
}

/** @param {readonly number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
