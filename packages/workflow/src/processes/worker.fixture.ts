/**
 * Test fixture: a process that executes a run in a folder until it has ended, or is killed.
 *
 *   node worker.mjs DIRECTORY RUN long|waits [EFFECTS]
 *
 * Prints `waiting` when the run waits for a decision, and its result as JSON when it has ended. Each execution of a
 * node of `long` appends its path to `DIRECTORY/effects`; after so many it does nothing any more, and waits to be killed.
 */
import { appendFileSync } from "node:fs";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { createFlow, type FlowGraph, inFolder } from "../index.ts";
import { approval, longRun } from "./graphs.fixture.ts";

const [directory = "", run = "", which = "long", effects = "Infinity"] = process.argv.slice(2);
const flow = createFlow(inFolder({ fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), directory }));
let left = Number(effects);
const did = (path: string) => {
  appendFileSync(`${directory}/effects`, `${path}\n`);
  if (--left <= 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};
const graph: FlowGraph = which === "long" ? longRun(did) : approval;
const taken = await (flow.journals.list().includes(run) ? flow.resume(run, graph) : flow.start(graph, {}, { id: run }));
void taken.settled().then(({ status }) => {
  if (status === "waiting") console.log("waiting");
});
const result = await taken.result;
console.log(JSON.stringify(result));
