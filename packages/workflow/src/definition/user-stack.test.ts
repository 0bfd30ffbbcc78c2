// Goal: a failure says where in the graph's file it happened. Method: code compiled under the name of a file that is not
// the engine's.
import { runInThisContext } from "node:vm";
import { expect, test } from "vitest";
import { line, S, world } from "../flow.fixture.ts";
import { defineGraph, END } from "../index.ts";

const compiled = (text: string) => runInThisContext(`\n\n(${text})`, { filename: "/project/graph.ts" }) as () => never;

test("a node that throws keeps the frames of its own code, and no others, with the failure", async () => {
  const { flow, events } = world();
  const node = { run: compiled("function inner() { throw new TypeError('no'); }") };
  const graph = defineGraph(S, { id: "g", start: "a", nodes: { a: node }, edges: [["a", END]] });
  const run = await flow.start(graph);
  const { error } = await run.result;
  expect(error).toMatchObject({ code: "flow-node-failed", message: "TypeError: no" });
  expect(error?.stack).toMatch(/^\S*inner \(\/project\/graph\.ts:3:\d+\)$/);
  expect(events(run.id).find((event) => event.type === "node.failed")).toMatchObject({
    error: { stack: error?.stack },
  });
});

test("what an attempt keeps of a deep stack is bounded", async () => {
  const { flow } = world();
  const deep = compiled(`function deep() {
    const down = (left) => { if (left === 0) throw new Error("deep"); return down(left - 1) + 1; };
    Error.stackTraceLimit = 200;
    try { return down(150); } finally { Error.stackTraceLimit = 10; }
  }`);
  const graph = defineGraph(S, { id: "g", start: "a", nodes: { a: { run: deep } }, edges: [["a", END]] });
  const { error } = await (await flow.start(graph)).result;
  expect(error?.stack?.split("\n")).toHaveLength(8);
  expect(error!.stack!.length).toBeLessThanOrEqual(2000);
});

test("what only the engine threw has no stack", async () => {
  const { flow } = world();
  const run = await flow.start(line("a", "b"), {}, { maxSteps: 1 });
  expect((await run.result).error).not.toHaveProperty("stack");
});
