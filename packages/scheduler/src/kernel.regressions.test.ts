import assert from "node:assert/strict";
import { InvariantError } from "@kahn/core";
import { test } from "vitest";
import { createKernel, step } from "./index.ts";
import { checkLog, KernelScript, type ScriptNode, type ScriptOptions } from "./testing/index.ts";

// Defects of other schedulers, as far as a kernel can have them. R1 and R6 need a faulty kernel: kernel.mutants.test.ts.

function run(nodes: Readonly<Record<string, ScriptNode>>, options?: ScriptOptions) {
  const kernel = new KernelScript({ createKernel, step }, options);
  kernel.admit(nodes);
  kernel.seal();
  return kernel;
}

test("R2: a kernel that cannot be made says so at once", () => {
  const limits = { slots: 1, pools: {}, tagCaps: {}, io: 0 };
  assert.throws(() => createKernel({ limits, failure: "keep-going" }), InvariantError);
});

test("R3: a handler that threw is one errored end, and the run still finishes", () => {
  const kernel = run({ a: {}, b: { requires: ["a"] }, c: {} });
  const done = kernel.finish({ a: "errored" });
  assert.deepEqual(
    done.filter((line) => line.startsWith("settled a")),
    ["settled a errored"],
  );
  assert.equal(done.at(-1), "finished failed");
  assert.deepEqual(checkLog(kernel.log), []);
});

test("R3: a second answer for one effect is refused as a bug", () => {
  const kernel = run({ a: {} });
  const answer = { kind: "looked-up", id: 0, outcome: "miss" } as const;
  step(kernel.state, answer);
  assert.throws(() => step(kernel.state, answer), InvariantError);
});

test("R4: a cycle is refused before anything starts, and its nodes are named in order", () => {
  const kernel = new KernelScript({ createKernel, step });
  const refused = kernel.admit({
    app: { requires: ["lib"] },
    lib: { after: ["gen"] },
    gen: { requires: ["app"] },
    tool: { requires: ["app"] },
  });
  assert.deepEqual(refused, ['rejected [{"code":"cycle","nodes":[0,1,2]}]']);
  assert.deepEqual(kernel.seal(), ["finished succeeded"]);
});

test("R5: an empty graph, a single node and a graph of hits finish", () => {
  assert.deepEqual(run({}).trace, ["finished succeeded"]);
  assert.equal(run({ a: {} }).finish().at(-1), "finished succeeded");
  const hits = run({ a: {}, b: { requires: ["a"] } }).finish({ a: "hit", b: "hit" });
  assert.equal(hits.at(-1), "finished succeeded");
  assert.ok(!hits.some((line) => line.startsWith("execute")));
});

test("R7: duplicate edges and diamonds count once, and no node starts twice", () => {
  const kernel = run({
    base: {},
    left: { requires: ["base", "base"], after: ["base"] },
    right: { requires: ["base"] },
    top: { requires: ["left", "right", "left"], after: ["right", "base"] },
  });
  const started = kernel.finish().filter((line) => line.startsWith("execute"));
  assert.deepEqual(started, ["execute base", "execute left", "execute right", "execute top"]);
});

test("R9: after a failure under fail-fast the run finishes only when the running siblings have ended", () => {
  const kernel = run({ a: {}, sibling: {} }, { failure: "fail-fast" });
  kernel.miss("a", "sibling");
  assert.deepEqual(kernel.answer("a", "failed"), ["settled a failed"]);
  kernel.answer("sibling", "succeeded");
  assert.deepEqual(kernel.answer("sibling", "stored"), ["settled sibling executed", "finished failed"]);
});

// Goal: settling one node must not leave those behind it that only waited for its end.
// Method: a chain of soft edges behind a running node, with a branch of hard ones.
test("R20: a cancel drains to a fixpoint, through soft successors of what it settles", () => {
  const kernel = run({
    busy: {},
    a: { requires: ["busy"] },
    b: { after: ["a"] },
    c: { after: ["b"] },
    d: { requires: ["c"] },
    e: { after: ["busy"] },
  });
  kernel.miss("busy");
  assert.deepEqual(kernel.cancel(), [
    "settled a cancelled",
    "settled b cancelled",
    "settled c cancelled",
    "settled d cancelled",
    "settled e cancelled",
    "terminate busy term",
  ]);
  assert.deepEqual(kernel.answer("busy", "cancelled"), ["settled busy cancelled", "finished cancelled"]);
});

test("every fault of a delta is reported at once, and nothing of it is admitted", () => {
  const kernel = new KernelScript({ createKernel, step }, { pools: { db: 1 } });
  const [refused] = kernel.admit({
    a: { requires: ["a"] },
    b: { after: ["nowhere"] },
    c: { claim: { pools: [["toString", 1]] } },
    d: { claim: { slots: 3, pools: [["db", 2]] } },
    e: { requires: ["f"] },
    f: { after: ["e"] },
  });
  assert.deepEqual(JSON.parse(refused!.slice("rejected ".length)), [
    { code: "self-edge", node: 0 },
    { code: "unknown-node", node: 1, edge: -1 },
    { code: "unknown-pool", node: 2, pool: "toString" },
    { code: "claim-exceeds-limit", node: 3, resource: "slots", asked: 3, limit: 2 },
    { code: "claim-exceeds-limit", node: 3, resource: "pool:db", asked: 2, limit: 1 },
    { code: "cycle", nodes: [4, 5] },
  ]);
  assert.deepEqual(kernel.seal(), ["finished succeeded"]);
  assert.deepEqual(kernel.admit({}), ['rejected [{"code":"sealed"}]']);
});
