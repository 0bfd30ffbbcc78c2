/** What one client can make a server keep. */
import assert from "node:assert/strict";
import { nodeRandom } from "@kahn/system";
import { afterEach, test } from "vitest";
import { StatusCode } from "../grpc/index.ts";
import { NO_LISTENER } from "./execution-listener.ts";
import { ExecutionPool } from "./execution-pool.ts";
import type { ExecutionServer } from "./execution-server.fixture.ts";
import { startExecution } from "./execution-server.fixture.ts";
import { InputClosures } from "./input-closure.ts";
import type { WorkPlace } from "./job-work.ts";
import { DEFAULT_MACHINE_LIMITS } from "./operation-state.ts";

const open: ExecutionServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
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
  pool.close();
});
