/** Numbers of execution: each operation and each run is in one of them, once. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { digestOf, problem } from "@kahn/core";
import { directRunner, nodeClock, nodeFileSystem, startGuardian } from "@kahn/system";
import { afterAll, afterEach, test } from "vitest";
import type { ExecutionServer } from "../execution/execution-server.fixture.ts";
import { completed, METHODS, putAction, startExecution, timedOut } from "../execution/execution-server.fixture.ts";
import { digestMessage } from "../names/request-digest.ts";
import { testServer } from "../server.fixture.ts";
import { realPlace } from "../store/store.fixture.ts";
import { executionMetrics } from "./execution-metrics.ts";
import { Metrics } from "./metrics.ts";
import { parseMetrics } from "./prometheus-reader.fixture.ts";

const open: ExecutionServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function startCounted(limits = {}) {
  const metrics = new Metrics();
  const server = await startExecution({ listener: executionMetrics(metrics), limits });
  open.push(server);
  const read = (name: string): Record<string, number> => {
    const { samples } = parseMetrics(metrics.text());
    const of = samples.filter((sample) => sample.name === name && sample.value !== 0);
    return Object.fromEntries(of.map(({ labels, value }) => [Object.values(labels).join(), value]));
  };
  return { ...server, read };
}

test("results are counted by where they came from: a run, somebody else's run, the cache", async () => {
  const it = await startCounted();
  const action = await it.put();
  const streams = [it.execute(action), it.execute(action), it.execute(action)];
  const run = await it.runner.next();
  while (it.execution.status().operations < 3) await new Promise((resolve) => setImmediate(resolve));
  await it.pass(0);
  run.finish();
  for (const stream of streams) await stream.response();
  await it.execute(action).response();
  assert.deepEqual(it.read("kahn_execution_results_total"), { executed: 1, merged: 2, cached: 1 });
  assert.deepEqual(it.read("kahn_execution_runs_total"), { success: 1 });
  assert.deepEqual(it.read("kahn_execution_failures_total"), {});
});

test("what ended without a result is counted by its kind", async () => {
  const it = await startCounted({ unservedMs: 1000 });
  const outcomes = [
    [timedOut("so far"), "timeout"],
    [{ kind: "invalid", problem: problem("command-invalid", "no") }, "invalid"],
    [{ kind: "invalid", problem: problem("output-type-clash", "no") }, "invalid"],
    [{ kind: "missing-blobs", digests: [digestOf("gone")] }, "missing_inputs"],
    [{ kind: "errored", problem: problem("x", "the disk broke") }, "error"],
  ] as const;
  for (const [index, [outcome]] of outcomes.entries()) {
    const stream = it.execute(await it.put({ command: { arguments: [String(index)] } }));
    (await it.runner.next()).finish(outcome);
    await stream.response();
  }
  const failing = it.execute(await it.put({ command: { arguments: ["fails"] } }));
  (await it.runner.next()).finish(completed({ exitCode: 1 }));
  await failing.response();
  await it.execute(await it.put({ files: { f: "lacks" }, without: ["files"] })).response();
  const cancelled = it.execute(await it.put({ command: { arguments: ["cancelled"] } }));
  await it.runner.next();
  await it.channel.unary(METHODS.cancel, { name: (await cancelled.next())!.name });
  await cancelled.response();
  const platform = { properties: [{ name: "Pool", value: "nowhere" }] };
  const unserved = it.execute(await it.put({ action: { platform } }));
  while (it.execution.status().queued === 0) await new Promise((resolve) => setImmediate(resolve));
  await it.pass(1000);
  await unserved.response();
  assert.deepEqual(it.read("kahn_execution_failures_total"), {
    ...{ timeout: 1, invalid: 2, missing_inputs: 2, error: 1, cancelled: 1, unsatisfiable: 1 },
  });
  // The last one and the one whose inputs lacked had no run.
  assert.deepEqual(it.read("kahn_execution_runs_total"), {
    ...{ timeout: 1, invalid: 2, missing_inputs: 1, error: 1, failure: 1, cancelled: 1 },
  });
});

test("the time in the queue, of staging, of the run and of storing are told in seconds", async () => {
  const it = await startCounted();
  const first = it.execute(await it.put());
  const run = await it.runner.next();
  const second = it.execute(await it.put({ command: { arguments: ["second"] } }));
  while (it.execution.status().queued === 0) await new Promise((resolve) => setImmediate(resolve));
  await it.pass(3000);
  run.finish();
  (await it.runner.next()).finish();
  await Promise.all([first.response(), second.response()]);
  assert.deepEqual(it.read("kahn_execution_queue_seconds_sum"), { "": 3 });
  for (const phase of ["queue", "staging", "run", "storing"]) {
    assert.deepEqual(it.read(`kahn_execution_${phase}_seconds_count`), { "": 2 }, phase);
    // The scripted runner takes a second for each.
    if (phase !== "queue") assert.deepEqual(it.read(`kahn_execution_${phase}_seconds_sum`), { "": 2 }, phase);
  }
});

const place = realPlace();
const guardian = startGuardian({ token: `numbers-${process.pid}`, graceMs: 100 });
const processes = directRunner({ clock: nodeClock(), guardian });
afterAll(async () => {
  await processes.close();
  nodeFileSystem().removeTree(`${place.root}-server`);
  place.cleanup();
});

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
const LEVELS = spawnSync("/usr/bin/bwrap", bwrap).status === 0 ? ["bubblewrap", "none"] : ["none"];

test.each(LEVELS)("a server tells all of it at /metrics, with the level of its sandbox (%s)", async (level) => {
  const store = await place.open();
  const sandbox = level === "none" ? "off" : "enforce";
  const config = `dir: ${place.root}-server\nexecution: { sandbox: "${sandbox}", slots: 3 }\n`;
  const it = await testServer({ config, fs: nodeFileSystem(), ports: { store, processes } });
  try {
    const read = async () => parseMetrics(await (await fetch(`${it.url}/metrics`)).text());
    const series = async () => (await read()).samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
    const before = await series();
    const channel = it.channel();
    const command = { arguments: ["/bin/sh", "-c", `echo ${level}`] };
    const actionDigest = digestMessage(await putAction(store, { command }));
    for await (const _ of channel.read(METHODS.execute, { actionDigest }).messages);
    const { samples } = await read();
    const of = (name: string, ...values: string[]) =>
      samples.find((each) => each.name === name && values.every((value) => Object.values(each.labels).includes(value)))
        ?.value;
    assert.equal(of("kahn_execution_results_total", "executed"), 1);
    assert.equal(of("kahn_execution_run_seconds_count"), 1);
    assert.equal(of("kahn_execution_sandbox", level), 1);
    assert.deepEqual(
      ["kahn_persistent_workers", "kahn_persistent_worker_starts_total", "kahn_execution_slots"].map((name) =>
        of(name),
      ),
      [0, 0, 3],
    );
    const execution = (all: string[]) => all.filter((each) => /^kahn_(execution|persistent)/.test(each));
    assert.deepEqual(execution(await series()), execution(before), "a series came with its first event");
  } finally {
    await it.close();
  }
});
