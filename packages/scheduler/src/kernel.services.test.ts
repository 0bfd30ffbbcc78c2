import assert from "node:assert/strict";
import { InvariantError } from "@kahn/core";
import { test } from "vitest";
import { createKernel, step } from "./index.ts";
import { checkLog, KernelScript, type ScriptNode, type ScriptOptions } from "./testing/index.ts";

function run(nodes: Readonly<Record<string, ScriptNode>>, options?: ScriptOptions) {
  const kernel = new KernelScript({ createKernel, step }, options);
  kernel.admit(nodes);
  kernel.seal();
  return kernel;
}

const service = { lifetime: "service" } as const;
const exclusive = (name: string) => ({ mutexes: [{ name, mode: "exclusive" as const }] });

test("a service that answers lets its dependents start, even with a single slot, and ends when they are done", () => {
  const kernel = run({ db: service, test: { requires: ["db"] }, later: { after: ["db"] } }, { slots: 1 });
  assert.deepEqual(kernel.miss("db"), ["execute db"]);
  assert.deepEqual(kernel.ready("db"), ["lookup test", "lookup later"]);
  assert.deepEqual(kernel.miss("test", "later"), ["execute test"]);
  assert.deepEqual(kernel.answer("test", "succeeded"), ["store test", "execute later"]);
  kernel.answer("test", "stored");
  kernel.answer("later", "succeeded");
  assert.deepEqual(kernel.answer("later", "stored"), ["settled later executed", "terminate db term"]);
  assert.deepEqual(kernel.answer("db", "cancelled"), ["settled db executed", "finished succeeded"]);
  assert.deepEqual(checkLog(kernel.log), []);
});

test("services end in the reverse order of their edges", () => {
  const kernel = run({ db: service, api: { ...service, requires: ["db"] }, e2e: { requires: ["api"] } });
  kernel.miss("db");
  kernel.ready("db");
  kernel.miss("api");
  kernel.ready("api");
  kernel.miss("e2e");
  kernel.answer("e2e", "succeeded");
  assert.deepEqual(kernel.answer("e2e", "stored"), ["settled e2e executed", "terminate api term"]);
  assert.deepEqual(kernel.answer("api", "cancelled"), ["settled api executed", "terminate db term"]);
});

test("a service that ends before it answers has failed, whatever its exit code", () => {
  const kernel = run({ db: service, test: { requires: ["db"] } });
  kernel.miss("db");
  assert.deepEqual(kernel.answer("db", "succeeded"), [
    "settled db failed",
    "settled test skipped by db",
    "finished failed",
  ]);
});

test("a service that answered and then exits well has succeeded, and its dependents go on", () => {
  const kernel = run({ db: service, test: { requires: ["db"] } });
  kernel.miss("db");
  kernel.ready("db");
  assert.deepEqual(kernel.answer("db", "succeeded"), ["settled db executed"]);
  assert.deepEqual(kernel.finish().at(-1), "finished succeeded");
});

// Goal: nothing is started against a dead service, and nothing that runs is thrown away.
// Method: the service dies with one dependent in each phase.
test("a service that dies takes the dependents that have not started, also those in look-up", () => {
  const needs = { requires: ["db"] };
  const kernel = run({ db: service, running: needs, queued: needs, hit: needs, missed: needs }, { slots: 1 });
  kernel.miss("db");
  kernel.ready("db");
  kernel.miss("running", "queued");
  assert.deepEqual(kernel.answer("db", "failed"), ["settled db failed", "settled queued skipped by db"]);
  assert.deepEqual(kernel.answer("missed", "miss"), ["settled missed skipped by db"]);
  assert.deepEqual(kernel.answer("hit", "hit"), ["restore hit"]);
  assert.deepEqual(kernel.answer("hit", "restored"), ["settled hit cached"]);
  assert.deepEqual(kernel.answer("running", "succeeded"), ["store running"]);
  assert.deepEqual(kernel.answer("running", "stored"), ["settled running executed", "finished failed"]);
  assert.deepEqual(checkLog(kernel.log), []);
});

test("a pinned node runs until the run is cancelled, and keeps the services beneath it", () => {
  const kernel = run({ db: service, dev: { lifetime: "pinned", requires: ["db"] }, build: {} });
  kernel.miss("db");
  kernel.ready("db");
  kernel.miss("dev");
  kernel.ready("dev");
  kernel.miss("build");
  kernel.answer("build", "succeeded");
  assert.deepEqual(kernel.answer("build", "stored"), ["settled build executed"]);
  assert.deepEqual(kernel.cancel(), ["terminate db term", "terminate dev term"]);
  kernel.answer("db", "cancelled");
  assert.deepEqual(kernel.answer("dev", "cancelled"), ["settled dev cancelled", "finished cancelled"]);
});

test("fail-fast ends services and pinned nodes once the rest has finished", () => {
  const kernel = run({ dev: { lifetime: "pinned" }, a: {}, b: {} }, { failure: "fail-fast", slots: 3 });
  kernel.miss("dev", "a", "b");
  assert.deepEqual(kernel.answer("a", "failed"), ["settled a failed"]);
  kernel.answer("b", "succeeded");
  assert.deepEqual(kernel.answer("b", "stored"), ["settled b executed", "terminate dev term"]);
  assert.deepEqual(kernel.answer("dev", "cancelled"), ["settled dev cancelled by a", "finished failed"]);
});

test("services outlive the nodes of one delta while the graph may still grow", () => {
  const kernel = new KernelScript({ createKernel, step });
  kernel.admit({ db: service, a: { requires: ["db"] } });
  kernel.miss("db");
  kernel.ready("db");
  kernel.miss("a");
  kernel.answer("a", "succeeded");
  assert.deepEqual(kernel.answer("a", "stored"), ["settled a executed"]);
  assert.deepEqual(kernel.admit({ b: { requires: ["db"] } }), ["lookup b"]);
});

test("a service that nothing needs any more gives way to a node that waits for what it holds", () => {
  const kernel = run({
    db: { ...service, claim: exclusive("port") },
    user: { requires: ["db"] },
    rival: { claim: exclusive("port"), after: ["user"] },
  });
  kernel.miss("db");
  kernel.ready("db");
  kernel.miss("user");
  kernel.answer("user", "succeeded");
  kernel.answer("user", "stored");
  assert.deepEqual(kernel.miss("rival"), ["terminate db term"]);
  assert.deepEqual(kernel.answer("db", "cancelled"), ["settled db executed", "execute rival"]);
});

test("a node that wants what the service it requires holds for its life is refused", () => {
  const kernel = new KernelScript({ createKernel, step });
  assert.deepEqual(
    kernel.admit({
      db: { ...service, claim: exclusive("port") },
      test: { requires: ["db", "db"], claim: exclusive("port") },
      other: { requires: ["db"], claim: exclusive("else") },
    }),
    ['rejected [{"code":"claim-exceeds-limit","resource":"mutex:port","asked":2,"limit":1,"node":1}]'],
  );
  assert.deepEqual(checkLog(kernel.log, { extent: "prefix" }), []);
});

// Goal: a deadlock that a configuration makes is named, never a silent hang.
// Method: a task wants the mutex that a service beneath the service it requires holds for its life.
test("services that hold what the nodes behind them wait for are reported as a stall", () => {
  const kernel = run({
    db: { ...service, claim: exclusive("port") },
    api: { ...service, requires: ["db"] },
    test: { requires: ["api"], claim: exclusive("port") },
  });
  kernel.miss("db");
  kernel.ready("db");
  kernel.miss("api");
  kernel.ready("api");
  assert.deepEqual(kernel.miss("test"), ['stalled [{"node":2,"reasons":[{"kind":"mutex","name":"port"}]}]']);
  assert.deepEqual(kernel.cancel(), ["settled test cancelled", "terminate db term", "terminate api term"]);
  kernel.answer("api", "cancelled");
  assert.deepEqual(kernel.answer("db", "cancelled"), ["settled db cancelled", "finished cancelled"]);
});

test("only a running service can become ready; a late or second answer is no news", () => {
  const kernel = run({ db: service, task: {} });
  assert.throws(() => kernel.ready("db"), InvariantError);
  kernel.miss("db", "task");
  assert.throws(() => kernel.ready("task"), InvariantError);
  kernel.ready("db");
  assert.deepEqual(kernel.ready("db"), []);
  kernel.answer("db", "succeeded");
  assert.deepEqual(kernel.ready("db"), []);
});
