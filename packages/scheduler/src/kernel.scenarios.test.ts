import assert from "node:assert/strict";
import { test } from "vitest";
import { createKernel, step } from "./index.ts";
import { checkLog, KernelScript, type ScriptNode, type ScriptOptions } from "./testing/index.ts";

// Two projects, `lib` and `app`, with a build and a test each: what a task runner must get right across projects.

const PROJECTS = {
  "lib#build": {},
  "lib#test": { requires: ["lib#build"] },
  "app#build": { requires: ["lib#build"] },
  "app#test": { requires: ["app#build"], after: ["lib#test"] },
} satisfies Record<string, ScriptNode>;

function run(nodes: Readonly<Record<string, ScriptNode>>, options?: ScriptOptions) {
  const kernel = new KernelScript({ createKernel, step }, options);
  kernel.admit(nodes);
  kernel.seal();
  return kernel;
}

const executed = (kernel: { readonly trace: readonly string[] }) =>
  kernel.trace.filter((line) => line.startsWith("execute ")).map((line) => line.slice("execute ".length));
const ends = (kernel: { readonly trace: readonly string[] }) =>
  kernel.trace.filter((line) => line.startsWith("settled "));

test("fresh: every task runs once, dependencies first", () => {
  const kernel = run(PROJECTS);
  kernel.finish();
  assert.deepEqual(executed(kernel), ["lib#build", "lib#test", "app#build", "app#test"]);
  assert.deepEqual(checkLog(kernel.log), []);
});

test("hit: a second run executes nothing and ends alike", () => {
  const kernel = run(PROJECTS);
  kernel.finish({ "lib#build": "hit", "lib#test": "hit", "app#build": "hit", "app#test": "hit" });
  assert.deepEqual(executed(kernel), []);
  assert.equal(ends(kernel).filter((line) => line.endsWith("cached")).length, 4);
  assert.equal(kernel.trace.at(-1), "finished succeeded");
  assert.deepEqual(checkLog(kernel.log), []);
});

test("failure cascade: descendants are skipped for the root, independent work goes on", () => {
  const kernel = run({ ...PROJECTS, "docs#build": {} });
  kernel.finish({ "lib#build": "failed" });
  assert.deepEqual(ends(kernel), [
    "settled lib#build failed",
    "settled lib#test skipped by lib#build",
    "settled app#build skipped by lib#build",
    "settled app#test skipped by lib#build",
    "settled docs#build executed",
  ]);
  assert.deepEqual(checkLog(kernel.log), []);
});

test("soft edge: a failure in front of an `after` does not stop what follows", () => {
  const kernel = run(PROJECTS);
  kernel.finish({ "lib#test": "failed" });
  assert.ok(ends(kernel).includes("settled app#test executed"));
  assert.equal(kernel.trace.at(-1), "finished failed");
});

test("mutex: exclusive holders take turns, shared ones run together, a hit takes none", () => {
  const db = (mode: "shared" | "exclusive") => ({ claim: { mutexes: [{ name: "db", mode }] } });
  const kernel = run(
    { reader: db("shared"), other: db("shared"), writer: db("exclusive"), cached: db("exclusive"), late: db("shared") },
    { slots: 8 },
  );
  assert.deepEqual(kernel.miss("reader", "other", "writer"), ["execute reader", "execute other"]);
  assert.deepEqual(kernel.answer("cached", "hit"), ["restore cached"]);
  // A reader that comes late must not keep the writer out.
  assert.deepEqual(kernel.miss("late"), []);
  assert.deepEqual(kernel.answer("reader", "succeeded"), ["store reader"]);
  assert.deepEqual(kernel.answer("other", "failed"), ["settled other failed", "execute writer"]);
  assert.deepEqual(kernel.answer("writer", "errored"), ["settled writer errored", "execute late"]);
  assert.equal(kernel.finish().at(-1), "finished failed");
  assert.deepEqual(checkLog(kernel.log), []);
});

test("tag cap: no more carriers than the cap run, whatever slots are free; a tag without a cap is free", () => {
  const tagged = (...tags: string[]) => ({ claim: { tags } });
  const kernel = run(
    { a: tagged("heavy"), b: tagged("heavy", "free"), c: tagged("free") },
    { slots: 8, tagCaps: { heavy: 1 } },
  );
  assert.deepEqual(kernel.miss("a", "b", "c"), ["execute a", "execute c"]);
  assert.deepEqual(kernel.answer("a", "failed"), ["settled a failed", "execute b"]);
});

test("live cancel: what runs is ended, what waits is cancelled, what is done stays done", () => {
  const kernel = run(PROJECTS);
  kernel.miss("lib#build");
  kernel.answer("lib#build", "succeeded");
  kernel.answer("lib#build", "stored");
  kernel.miss("app#build");
  assert.deepEqual(kernel.cancel(), ["settled app#test cancelled", "terminate app#build term"]);
  assert.deepEqual(kernel.answer("lib#test", "miss"), ["settled lib#test cancelled"]);
  assert.deepEqual(kernel.answer("app#build", "cancelled"), ["settled app#build cancelled", "finished cancelled"]);
  assert.deepEqual(checkLog(kernel.log), []);
});

test("cycle: a cycle across projects is refused with its nodes, and nothing starts", () => {
  const kernel = new KernelScript({ createKernel, step });
  const nodes = { ...PROJECTS, "lib#build": { after: ["app#test"] } };
  assert.deepEqual(kernel.admit(nodes), ['rejected [{"code":"cycle","nodes":[0,3,2]}]']);
  assert.deepEqual(checkLog(kernel.log, { extent: "prefix" }), []);
});
