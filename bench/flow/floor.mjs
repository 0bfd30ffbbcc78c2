/** No engine: a loop that appends one small line for each step, and the state once. What an engine has to stay near. */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { args, blob, directory, n, persist, report, shape, size, tick } from "./kit.mjs";

/** @type {string[]} */
const kept = [];
const log = persist === "disk" ? openSync(join(directory, "log"), "a") : undefined;
/** @param {unknown} record */
function save(record) {
  if (persist === "none") return;
  const text = `${JSON.stringify(record)}\n`;
  if (log === undefined) kept.push(text);
  else writeSync(log, text);
  if (log !== undefined && args.durability === "disk") fdatasyncSync(log);
}

const state = { blob: blob(size), count: 0, sum: 0 };
const begun = performance.now();
save({ put: state });
if (shape === "chain") {
  const step = async () => {
    tick();
    return { count: 1 };
  };
  for (let node = "a"; state.count < n; node = node === "a" ? "b" : "a") {
    const delta = await step();
    state.count += delta.count;
    save({ node, delta });
  }
} else {
  const work = async (/** @type {number} */ item) => {
    tick();
    return { sum: item };
  };
  const branches = Array.from({ length: n }, async (_, index) => {
    const delta = await work(index);
    save({ index, delta });
    state.sum += delta.sum;
  });
  await Promise.all(branches);
}
const ms = performance.now() - begun;
if (log !== undefined) closeSync(log);
report(args.durability === "disk" ? "floor:disk" : "floor", { ms, ...state });
