/** What one client can make a server keep. */
import assert from "node:assert/strict";
import { problem } from "@kahn/core";
import { nodeRandom } from "@kahn/system";
import { afterEach, test } from "vitest";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import { InputClosures } from "../actions/input-closure.ts";
import type { ExecutionServer } from "../execution-server.fixture.ts";
import { METHODS, startExecution } from "../execution-server.fixture.ts";
import { NO_LISTENER } from "../machine/execution-listener.ts";
import { DEFAULT_MACHINE_LIMITS } from "../machine/operation-state.ts";
import { ExecutionPool } from "./execution-pool.ts";
import type { WorkPlace } from "./job-work.ts";

const open: ExecutionServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

test("an action that took too much of the disk is RESOURCE_EXHAUSTED, with the limit and what it had printed", async () => {
  const server = await startExecution();
  open.push(server);
  const stream = server.execute(await server.put());
  const limit = problem("action-disk-limit", "make took more than 1000 bytes of the disk beside its inputs");
  const streams = { stdoutRaw: Buffer.from("half") };
  (await server.runner.next()).finish({ kind: "invalid", problem: limit, streams });
  const { status, result } = await stream.response();
  assert.deepEqual([status?.code, status?.message], [StatusCode.resourceExhausted, limit.message]);
  assert.equal(Buffer.from(result?.stdoutRaw ?? []).toString(), "half");
});

test("operations that share one run are bounded as well", async () => {
  const server = await startExecution({ limits: { openMax: 3 } });
  open.push(server);
  const action = await server.put();
  const streams = [1, 2, 3].map(() => server.execute(action));
  const run = await server.runner.next();
  while (server.execution.status().operations < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await server.execute(action).code(), StatusCode.resourceExhausted);
  run.finish();
  for (const stream of streams) assert.equal((await stream.response()).status?.code, 0);
  assert.equal((await server.execute(action, { skipCacheLookup: false }).response()).cachedResult, true);
});

// Goal: ten thousand completed operations are remembered; each may have come with 64 KiB of names. Method: the record.
test("what a client wished of an answer is forgotten with the answer", async () => {
  const server = await startExecution();
  open.push(server);
  const { store, clock } = server;
  // Nothing is run, so nothing else is asked for.
  const context = { store } as unknown as WorkPlace["context"];
  const place: WorkPlace = {
    ...{ context, closures: new InputClosures(store), logs: undefined, cacheFailures: false },
    ...{ listener: NO_LISTENER, onFault: (error) => assert.ifError(error) },
  };
  const pool = new ExecutionPool({
    clock,
    random: nodeRandom(),
    limits: DEFAULT_MACHINE_LIMITS,
    keepAliveMs: 1000,
    place,
  });
  const wishes = { inlineStdout: true, inlineStderr: true, inlineOutputFiles: ["a".repeat(65_000)] };
  const action = await server.put();
  const request = {
    instance: "",
    scope: { instance: "" },
    action,
    caller: "c",
    client: undefined,
    isFresh: false,
    priority: 0,
  };
  const record = pool.open({ ...request, wishes });
  pool.answer(record, { kind: "answered", response: new Uint8Array(), isReusable: true });
  assert.equal(pool.status().completed, 1);
  assert.deepEqual(record.request.wishes.inlineOutputFiles, []);
  // Empty names cost as well, and all that wait share one bound.
  const many = { ...wishes, inlineOutputFiles: Array.from({ length: 2000 }, () => "") };
  const records = Array.from({ length: 300 }, () => pool.open({ ...request, wishes: many }));
  const heard = () => records.filter((each) => each.request.wishes.inlineOutputFiles.length > 0).length;
  assert.equal(heard(), 262);
  for (const each of records) pool.answer(each, { kind: "answered", response: new Uint8Array(), isReusable: true });
  assert.equal(heard(), 0);
  assert.ok(pool.open({ ...request, wishes }).request.wishes.inlineOutputFiles.length > 0);
  pool.close();
});

// Goal: nobody has more actions under way than it may by leaving its calls, its operations, or both. Method: a quota of
// one, and one run that nothing ends but the test.
test("an action counts for its caller until it has run, though its call was cancelled and its operation deleted", async () => {
  const counts: number[] = [];
  const mayBegin = (_caller: unknown, underWay: number): void => {
    counts.push(underWay);
    if (underWay > 0) throw new StatusError(StatusCode.resourceExhausted, "one at a time");
  };
  const server = await startExecution({ mayBegin });
  open.push(server);
  server.runner.isStubborn = true;
  const [first, second] = [await server.put(), await server.put({ command: { arguments: ["other"] } })];
  const stream = server.execute(first);
  const name = (await stream.next())!.name;
  const run = await server.runner.next();
  stream.cancel();
  assert.equal(await stream.code(), StatusCode.cancelled);
  assert.equal(await server.execute(second).code(), StatusCode.resourceExhausted);
  assert.ok((await server.channel.unary(METHODS.delete, { name })).ok);
  assert.equal(await server.execute(second).code(), StatusCode.resourceExhausted);
  run.finish();
  while (server.execution.status().running > 0) await new Promise((resolve) => setImmediate(resolve));
  const after = server.execute(second);
  const cancelled = (await after.next())!.name;
  const other = await server.runner.next();
  assert.ok((await server.channel.unary(METHODS.cancel, { name: cancelled })).ok);
  await after.rest();
  // It was told to end, and has not.
  assert.equal(await server.execute(first, { skipCacheLookup: true }).code(), StatusCode.resourceExhausted);
  other.finish();
  while (server.execution.status().running > 0) await new Promise((resolve) => setImmediate(resolve));
  const last = server.execute(first, { skipCacheLookup: true });
  (await server.runner.next()).finish();
  assert.equal((await last.response()).status?.code, 0);
  assert.deepEqual(counts, [0, 1, 1, 0, 1, 0]);
});
