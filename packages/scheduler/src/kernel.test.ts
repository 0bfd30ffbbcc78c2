import assert from "node:assert/strict";
import { InvariantError } from "@kahn/core";
import { test } from "vitest";
import { counts, createKernel, describeNode, nodeState, step, waitReasons } from "./index.ts";
import { checkLog, KernelScript, type ScriptNode, type ScriptOptions } from "./testing/index.ts";

const script = (options?: ScriptOptions) => new KernelScript({ createKernel, step }, options);

/** A script with one sealed delta. */
function run(nodes: Readonly<Record<string, ScriptNode>>, options?: ScriptOptions) {
  const kernel = script(options);
  kernel.admit(nodes);
  kernel.seal();
  return kernel;
}

test("a node goes from look-up over execution and store to its end", () => {
  const kernel = script();
  assert.deepEqual(kernel.admit({ app: {} }), ["lookup app"]);
  assert.deepEqual(kernel.answer("app", "miss"), ["execute app"]);
  assert.deepEqual(kernel.answer("app", "succeeded"), ["store app"]);
  assert.deepEqual(kernel.answer("app", "stored"), ["settled app executed"]);
  assert.deepEqual(kernel.seal(), ["finished succeeded"]);
});

test("a result that turns out incomplete during its restore is computed after all", () => {
  const kernel = run({ app: {} });
  assert.deepEqual(kernel.answer("app", "hit"), ["restore app"]);
  assert.deepEqual(kernel.answer("app", "missing"), ["execute app"]);
});

test("a look-up and a restore that cannot be done are errors of the node, and its dependents are skipped", () => {
  const kernel = run({ a: {}, b: {}, c: { requires: ["a"] }, d: { requires: ["b"] } });
  assert.deepEqual(kernel.answer("a", "errored"), ["settled a errored", "settled c skipped by a"]);
  kernel.answer("b", "hit");
  assert.deepEqual(kernel.answer("b", "errored"), ["settled b errored", "settled d skipped by b", "finished failed"]);
});

test("a failed validation fails the run and blocks nothing", () => {
  const kernel = run({ build: {}, lint: { validates: ["build"] }, test: { requires: ["build"] } });
  const done = kernel.finish({ lint: "failed" });
  assert.ok(done.includes("settled test executed"));
  assert.equal(done.at(-1), "finished failed");
});

test("a node neither waits for the node it validates nor falls with it", () => {
  const kernel = run({ build: {}, lint: { validates: ["build"] } });
  kernel.miss("build", "lint");
  kernel.answer("build", "failed");
  assert.deepEqual(kernel.answer("lint", "succeeded"), ["store lint"]);
});

test("a skipped node releases what comes after it", () => {
  const kernel = run({ a: {}, b: { requires: ["a"] }, c: { after: ["b"] } });
  kernel.miss("a");
  assert.deepEqual(kernel.answer("a", "failed"), ["settled a failed", "settled b skipped by a", "lookup c"]);
});

test("an edge that is both requires and after is requires", () => {
  const kernel = run({ a: {}, b: { requires: ["a"], after: ["a"] } });
  kernel.miss("a");
  assert.deepEqual(kernel.answer("a", "failed"), ["settled a failed", "settled b skipped by a", "finished failed"]);
});

test("fail-fast skips what needs the failure, cancels the rest in its name, and lets what runs finish", () => {
  const kernel = run({ a: {}, b: {}, c: { requires: ["a"] }, d: { requires: ["b"] }, e: {} }, { failure: "fail-fast" });
  kernel.miss("a", "b");
  assert.deepEqual(kernel.answer("a", "failed"), [
    "settled a failed",
    "settled c skipped by a",
    "settled d cancelled by a",
  ]);
  assert.deepEqual(kernel.answer("e", "hit"), ["settled e cancelled by a"]);
  assert.deepEqual(kernel.answer("b", "succeeded"), ["store b"]);
  assert.deepEqual(kernel.answer("b", "stored"), ["settled b executed", "finished failed"]);
});

test("a command that succeeds in spite of a cancel is stored and counts as succeeded", () => {
  const kernel = run({ a: {}, b: { requires: ["a"] } });
  kernel.miss("a");
  assert.deepEqual(kernel.cancel(), ["settled b cancelled", "terminate a term"]);
  assert.deepEqual(kernel.answer("a", "succeeded"), ["store a"]);
  assert.deepEqual(kernel.answer("a", "stored"), ["settled a executed", "finished cancelled"]);
});

test("a second cancel kills what still runs, and repeating either does nothing", () => {
  const kernel = run({ a: {} });
  kernel.miss("a");
  assert.deepEqual(kernel.cancel("term"), ["terminate a term"]);
  assert.deepEqual(kernel.cancel("term"), []);
  assert.deepEqual(kernel.cancel("kill"), ["terminate a kill"]);
  assert.deepEqual(kernel.cancel("kill"), []);
});

// `short` goes before `next`: a free slot is not kept for a node that is still to be released and looked up.
test("priority is class, then the weight of what follows, then number", () => {
  const kernel = run(
    {
      short: { weightMs: 5 },
      long: { weightMs: 1 },
      next: { requires: ["long"], weightMs: 9 },
      alike: { weightMs: 5 },
      first: { priorityClass: 1 },
    },
    { io: 1, slots: 1 },
  );
  const order = kernel.finish().filter((line) => line.startsWith("execute"));
  assert.deepEqual(order, ["execute first", "execute long", "execute short", "execute next", "execute alike"]);
});

// Goal: a heavy node neither starves nor idles the machine. Method: four slots; the heavy node needs three.
test("what the head of the queue leaves over may be used by others", () => {
  const kernel = run(
    {
      a: { priorityClass: 2, claim: { slots: 2 } },
      heavy: { priorityClass: 1, claim: { slots: 3 } },
      b: {},
      free: { claim: { slots: 0 } },
    },
    { slots: 4 },
  );
  assert.deepEqual(kernel.miss("a", "heavy", "b", "free"), ["execute a", "execute free"]);
  assert.deepEqual(waitReasons(kernel.state, kernel.number("heavy")), [{ kind: "slots" }]);
  assert.deepEqual(waitReasons(kernel.state, kernel.number("b")), [
    { kind: "reservation", node: kernel.number("heavy") },
  ]);
  assert.deepEqual(kernel.answer("a", "succeeded"), ["store a", "execute heavy", "execute b"]);
});

// Goal: a mutex must not serialise the rest of the run. Method: two slots, one mutex with a queue, and ordinary nodes.
test("beside the holder of a mutex the other slot is used, since the holder's own comes free with the mutex", () => {
  const mutex = { mutexes: [{ name: "port", mode: "exclusive" as const }] };
  const kernel = run({ x: { claim: mutex }, y: { claim: mutex }, z: {}, w: {} });
  assert.deepEqual(kernel.miss("x", "y", "z", "w"), ["execute x", "execute z"]);
  assert.deepEqual(kernel.answer("z", "succeeded"), ["store z", "execute w"]);
  assert.deepEqual(kernel.answer("x", "succeeded"), ["store x", "execute y"]);
});

test("I/O places bound look-ups, restores and stores, and stores go first", () => {
  const kernel = script({ io: 1 });
  assert.deepEqual(kernel.admit({ a: {}, b: {}, c: {} }), ["lookup a"]);
  assert.deepEqual(kernel.answer("a", "miss"), ["execute a", "lookup b"]);
  assert.deepEqual(kernel.answer("a", "succeeded"), []);
  assert.deepEqual(waitReasons(kernel.state, kernel.number("a")), [{ kind: "io" }]);
  assert.deepEqual(waitReasons(kernel.state, kernel.number("c")), [{ kind: "io" }]);
  assert.deepEqual(kernel.answer("b", "hit"), ["restore b"]);
  assert.deepEqual(kernel.answer("b", "restored"), ["settled b cached", "store a"]);
  assert.deepEqual(kernel.answer("a", "stored"), ["settled a executed", "lookup c"]);
});

test("a delta onto settled nodes is met or skipped at once, with the root cause", () => {
  const kernel = script();
  kernel.admit({ good: {}, bad: {}, skipped: { requires: ["bad"] } });
  kernel.finish({ bad: "failed" });
  assert.deepEqual(
    kernel.admit({
      a: { requires: ["good"] },
      b: { requires: ["skipped"] },
      c: { requires: ["b"] },
      d: { after: ["bad"] },
    }),
    ["settled b skipped by bad", "settled c skipped by bad", "lookup a", "lookup d"],
  );
});

test("a delta after a cancel is settled as cancelled", () => {
  const kernel = script();
  kernel.cancel();
  assert.deepEqual(kernel.admit({ a: {}, b: { requires: ["a"] } }), ["settled a cancelled", "settled b cancelled"]);
  assert.deepEqual(kernel.seal(), ["finished cancelled"]);
});

test("a later delta raises the priority of the waiting nodes beneath it", () => {
  const kernel = script({ io: 1 });
  kernel.admit({ root: {}, a: { requires: ["root"], weightMs: 5 }, b: { requires: ["root"], weightMs: 1 } });
  kernel.admit({ big: { requires: ["b"], weightMs: 100 } });
  assert.equal(describeNode(kernel.state, kernel.number("b")).criticalPathMs, 101);
  kernel.answer("root", "hit");
  assert.deepEqual(kernel.answer("root", "restored"), ["settled root cached", "lookup b"]);
});

// Goal: admission stays linear. Method: a chain admitted link by link, each link heavier than all; the bound shows as
// an estimate at the root that is too low, and never too high.
test("the raising of earlier priorities is bounded per delta", () => {
  const kernel = script();
  kernel.admit({ gate: {}, n0: { requires: ["gate"] } });
  for (let at = 1; at < 200; at++) kernel.admit({ [`n${at}`]: { requires: [`n${at - 1}`] } });
  const { criticalPathMs } = describeNode(kernel.state, kernel.number("n0"));
  assert.ok(criticalPathMs > 5 && criticalPathMs < 200, `${criticalPathMs}`);
});

test("a node says why it has not started", () => {
  const pool = {
    pools: [["db", 1] as const],
    tags: ["heavy"],
    mutexes: [{ name: "m", mode: "exclusive" as const }],
    terminal: true,
  };
  const kernel = script({ slots: 1, pools: { db: 1 }, tagCaps: { heavy: 1 } });
  kernel.admit({ a: { claim: pool }, b: { claim: pool }, c: { requires: ["a"], after: ["b"] } });
  const reasons = (name: string) => waitReasons(kernel.state, kernel.number(name));
  kernel.miss("a", "b");
  assert.deepEqual(reasons("b"), [
    { kind: "slots" },
    { kind: "terminal" },
    { kind: "pool", name: "db" },
    { kind: "mutex", name: "m" },
    { kind: "tag", name: "heavy" },
  ]);
  assert.deepEqual(reasons("c"), [
    { kind: "requires", node: kernel.number("a") },
    { kind: "after", node: kernel.number("b") },
  ]);
  assert.deepEqual(reasons("a"), []);
  const { nodes, waiting, queued, running } = counts(kernel.state);
  assert.deepEqual({ nodes, waiting, queued, running }, { nodes: 3, waiting: 1, queued: 1, running: 1 });
  assert.equal(nodeState(kernel.state, kernel.number("a")), "running");
});

test("a look-up that is out when the run is cancelled says that it drains", () => {
  const kernel = run({ a: {} });
  kernel.cancel();
  assert.deepEqual(waitReasons(kernel.state, 0), [{ kind: "draining" }]);
});

test("nodes by their end are counted", () => {
  const kernel = run({ a: {}, b: {}, c: { requires: ["b"] }, d: {} });
  kernel.finish({ a: "hit", b: "failed", d: "errored" });
  const { executed, cached, failed, errored, skipped, cancelled } = counts(kernel.state);
  assert.deepEqual([executed, cached, failed, errored, skipped, cancelled], [0, 1, 1, 1, 1, 0]);
  assert.equal(describeNode(kernel.state, kernel.number("c")).cause, kernel.number("b"));
  assert.deepEqual(checkLog(kernel.log), []);
});

test("an answer that nothing awaits is a bug and changes nothing", () => {
  const { state, effects } = step(
    createKernel({ limits: { slots: 1, pools: {}, tagCaps: {}, io: 1 }, failure: "keep-going" }),
    {
      kind: "admit",
      nodes: [
        {
          requires: [],
          after: [],
          validates: [],
          claim: { slots: 1, pools: [], mutexes: [], tags: [], terminal: false },
          priorityClass: 0,
          weightMs: 1,
          lifetime: "task",
        },
      ],
    },
  );
  const id = (effects[0] as { id: number }).id;
  for (const unknown of [id + 1, id + 4, -1, id + 0.5, Number.NaN]) {
    assert.throws(() => step(state, { kind: "looked-up", id: unknown, outcome: "miss" }), InvariantError);
  }
  assert.throws(() => step(state, { kind: "stored", id }), InvariantError);
  step(state, { kind: "looked-up", id, outcome: "miss" });
  assert.throws(() => step(state, { kind: "looked-up", id, outcome: "miss" }), InvariantError);
  assert.equal(nodeState(state, 0), "running");
});

test("questions about a node that was never admitted are bugs", () => {
  assert.throws(() => nodeState(script().state, 0), InvariantError);
  assert.throws(() => script({ io: 0 }), InvariantError);
});
