/**
 * Test fixture: a process that executes the crash graph in a folder, until it has ended or kills itself.
 *
 *   node worker.mjs DIRECTORY [RECORD before|after|BYTES]
 *
 * At its RECORD-th append to the journal it sends itself SIGKILL: before it, after it, or when so many of its bytes are
 * written. Prints its result as JSON. Each execution of a node is a line of `DIRECTORY/executions`.
 */
import { appendFileSync } from "node:fs";
import { type DiskStore, openDiskStore } from "@kahn/cas";
import type { FileSystem } from "@kahn/core";
import { ok } from "@kahn/core";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { type FileSystemCall, interceptFileSystem, type Perform } from "@kahn/testing";
import { createFlow, type FlowRun, inFolder } from "../index.ts";
import { BUILT, crashGraph, decideAhead, decideOpen, PACE, RUN } from "./graph.fixture.ts";

const [directory = "", record = "0", how = "before"] = process.argv.slice(2);

function mortal(fs: FileSystem): FileSystem {
  let left = Number(record);
  const die = () => {
    process.kill(process.pid, "SIGKILL");
    // Nothing more, should the signal take its time.
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  };
  return interceptFileSystem(fs, <T>(call: FileSystemCall, perform: Perform<T>): T => {
    const isRecord = call.operation === "append" && call.path.includes("/journals/");
    if (!isRecord || --left !== 0) return perform();
    if (how === "after") perform();
    else if (how !== "before") perform(Number(how) < 0 ? call.sizeBytes! + Number(how) : Number(how));
    return die();
  });
}

const [fs, clock, random] = [mortal(nodeFileSystem()), nodeClock(), nodeRandom()];
const store = openDiskStore({ fs, clock, random, root: `${directory}/cache`, owner: ownIdentity(), livenessOf });
const flow = createFlow({
  ...inFolder({ fs, clock, random, directory }),
  snapshots: { kind: "every", records: 20 },
  nodeCache: (store as { value: DiskStore }).value.actions,
  workspaceRoot: "/work",
  runCommand: async () => ok(BUILT),
});
const did = (path: string, attempt: number) =>
  appendFileSync(`${directory}/executions`, `${JSON.stringify({ path, attempt, atMs: clock.nowMs() })}\n`);
const graph = crashGraph({ clock, did, pace: PACE });
const found = flow.journals.peek(RUN);
const records = found.ok ? [...found.value].map(({ body }) => body as { readonly k: string }) : [];
const run = (await (records.length === 0 ? flow.start(graph, {}, { id: RUN }) : flow.resume(RUN, graph))) as FlowRun;
const isDone = run.result.then(() => true);
void decideAhead(run, records as never);
while (!(await Promise.race([isDone, new Promise<false>((resolve) => setTimeout(resolve, 2, false))]))) {
  await decideOpen(run);
}
console.log(JSON.stringify(await run.result));
