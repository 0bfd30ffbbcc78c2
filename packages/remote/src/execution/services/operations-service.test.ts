import assert from "node:assert/strict";
import { afterEach, test } from "vitest";
import type { CallOptions } from "../../grpc/index.ts";
import { StatusCode } from "../../grpc/index.ts";
import type { Access } from "../../reapi/requests/access-port.ts";
import { CALLER } from "../../reapi/requests/access-port.ts";
import type { ExecutionServer, HeldRun, StartOptions } from "../execution-server.fixture.ts";
import { completed, METHODS, ofInvocation, seen, startExecution } from "../execution-server.fixture.ts";

const open: ExecutionServer[] = [];
const start = async (options?: StartOptions): Promise<ExecutionServer> => {
  const server = await startExecution(options);
  open.push(server);
  return server;
};

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** An operation that runs. */
async function running(server: ExecutionServer, salt: number, options: CallOptions = {}) {
  const action = await server.put({ action: { salt: Buffer.from([salt]) } });
  const stream = server.execute(action, {}, { options });
  const { name } = (await stream.next())!;
  return { stream, name, run: (): Promise<HeldRun> => server.runner.next() };
}

test("Get tells the stage of an operation, and its response once it is done", async () => {
  const server = await start();
  const { stream, name, run } = await running(server, 1);
  const held = await run();
  const during = await server.channel.unary(METHODS.get, { name });
  assert.ok(during.ok);
  assert.deepEqual([seen(during.value).metadata.stage, during.value.done], [3, false]);
  held.finish(completed({ exitCode: 7 }));
  await stream.response();
  const after = await server.channel.unary(METHODS.get, { name });
  assert.ok(after.ok);
  assert.deepEqual([after.value.done, seen(after.value).response?.result?.exitCode], [true, 7]);
});

test("Cancel ends an operation at any stage, and the run with it when nobody else waits for it", async () => {
  const server = await start();
  server.runner.isStubborn = true;
  const action = await server.put();
  const [first, second] = [server.execute(action), server.execute(action)];
  const names = [(await first.next())!.name, (await second.next())!.name];
  const run = await server.runner.next();
  assert.ok((await server.channel.unary(METHODS.cancel, { name: names[0]! })).ok);
  assert.equal((await first.response()).status?.code, StatusCode.cancelled);
  assert.equal(run.signal.aborted, false, "another waits for the same run");
  assert.ok((await server.channel.unary(METHODS.cancel, { name: names[1]! })).ok);
  assert.equal((await second.response()).status?.code, StatusCode.cancelled);
  assert.equal(run.signal.aborted, true);
  assert.equal(server.execution.status().slotsUsed, 1, "its slot is free when it has ended");
  run.finish();
  await server.pass(0);
  assert.equal(server.execution.status().slotsUsed, 0);
  assert.ok((await server.channel.unary(METHODS.cancel, { name: names[0]! })).ok, "a completed one may be cancelled");
});

test("D23: a deleted operation ends its streams, its run goes on, and the slot is free after it", async () => {
  const server = await start();
  const { stream, name, run } = await running(server, 1);
  const held = await run();
  assert.ok((await server.channel.unary(METHODS.delete, { name })).ok);
  assert.equal((await stream.response()).status?.code, StatusCode.cancelled);
  const get = await server.channel.unary(METHODS.get, { name });
  assert.equal(get.ok ? 0 : get.problem.code, StatusCode.notFound);
  assert.equal(held.signal.aborted, false);
  held.finish();
  while (server.store.actionsByKey.size === 0) await server.pass(0);
  await server.pass(0);
  const { slotsUsed, running: runs, storing } = server.execution.status();
  assert.deepEqual([slotsUsed, runs, storing], [0, 0, 0]);
});

test("Wait answers when it is done, or with how it stands when the time is over", async () => {
  const server = await start();
  const { stream, name, run } = await running(server, 1);
  const held = await run();
  const short = server.channel.unary(METHODS.wait, { name, timeout: { seconds: 5, nanos: 0 } });
  const long = server.channel.unary(METHODS.wait, { name });
  // The kept-alive stream, both waits, and the time limit.
  while (server.clock.pendingTimers < 4) await server.pass(0);
  await server.pass(5000);
  const stands = await short;
  assert.ok(stands.ok && !stands.value.done);
  held.finish();
  const done = await long;
  assert.ok(done.ok && done.value.done);
  await stream.response();
});

test("List filters and pages, and a token is good for the next page only", async () => {
  const server = await start();
  const all: { name: string; stream: { response(): Promise<unknown> } }[] = [];
  for (let salt = 0; salt < 7; salt++)
    all.push(await running(server, salt, ofInvocation(salt % 2 === 0 ? "even" : "odd one")));
  const list = async (request: Parameters<typeof server.channel.unary<unknown, { filter?: string }>>[1] & object) => {
    const page = await server.channel.unary(METHODS.list, request);
    assert.ok(page.ok, page.ok ? "" : page.problem.message);
    return page.value;
  };
  const first = await server.runner.next();
  while (server.execution.status().queued < 6) await server.pass(0);
  server.clock.advance(1000);
  first.finish();
  await all[0]!.stream.response();
  const names = async (filter: string) => (await list({ filter })).operations.map(({ name }) => name);
  const expected = all.map(({ name }) => name);
  assert.deepEqual(await names(""), expected);
  assert.deepEqual(await names("done=true"), [expected[0]]);
  assert.deepEqual(await names('invocation="odd one" AND done=false'), [expected[1], expected[3], expected[5]]);
  assert.deepEqual(await names("stage=EXECUTING"), [expected[1]]);
  assert.deepEqual(await names("invocation != even AND stage=QUEUED"), [expected[3], expected[5]]);
  const paged: string[] = [];
  let pageToken = "";
  do {
    const page = await server.channel.unary(METHODS.list, { pageSize: 3, pageToken });
    assert.ok(page.ok && page.value.operations.length <= 3);
    paged.push(...page.value.operations.map(({ name }) => name));
    pageToken = page.value.nextPageToken;
  } while (pageToken !== "");
  assert.deepEqual(paged, expected);
  for (const bad of [
    { filter: "color=red" },
    { filter: Array.from({ length: 1000 }, () => "done=true").join(" AND ") },
    { filter: "done" },
    { filter: "done=true OR done=false" },
    { pageToken: "x" },
  ]) {
    const refused = await server.channel.unary(METHODS.list, bad);
    assert.equal(refused.ok ? 0 : refused.problem.code, StatusCode.invalidArgument, JSON.stringify(bad));
  }
  const elsewhere = await server.channel.unary(METHODS.list, { name: "team/a/operations" });
  assert.deepEqual(elsewhere.ok && elsewhere.value.operations, []);
  for (let salt = 1; salt < 7; salt++) (await server.runner.next()).finish();
});

test("a page of large operations stays below what a client takes in one message", async () => {
  const server = await start({ limits: { answerMaxBytes: 100_000 } });
  for (let salt = 0; salt < 5; salt++) {
    const { stream, run } = await running(server, salt);
    (await run()).finish(completed({ stdoutRaw: Buffer.alloc(40_000) }));
    await stream.response();
  }
  const page = await server.channel.unary(METHODS.list, {});
  assert.ok(page.ok && page.value.operations.length === 2 && page.value.nextPageToken !== "");
});

// Goal: rights decide over every method, and layers keep results apart. Method: callers by a header, a policy by name.
test("who may not execute may do nothing here; others see their own operations, and keep to their layer", async () => {
  const access: Access = {
    may: ({ name }, { what }) => {
      if (name === "nobody") return { kind: "denied", because: "forbidden", message: "not you" };
      if (what === "admin" && name !== "root") return { kind: "denied", because: "forbidden", message: "not you" };
      return name === "pr" && what.startsWith("ac.") ? { kind: "overlay", overlay: "pr-7" } : { kind: "allowed" };
    },
  };
  const server = await start({
    access,
    interceptors: [
      (call) => {
        call.set(CALLER, { name: call.metadata.text("x-caller") ?? "" });
        return undefined;
      },
    ],
  });
  const as = (name: string): CallOptions => ({ metadata: { "x-caller": name } });
  const { stream, name, run } = await running(server, 1, as("ann"));
  (await run()).finish();
  await stream.response();
  const calls = ["get", "cancel", "delete", "wait"] as const;
  for (const method of calls) {
    const refused = await server.channel.unary(METHODS[method], { name }, as("nobody"));
    assert.equal(refused.ok ? 0 : refused.problem.code, StatusCode.permissionDenied, method);
  }
  assert.equal(
    await server.execute(await server.put(), {}, { options: as("nobody") }).code(),
    StatusCode.permissionDenied,
  );
  for (const [caller, count] of [
    ["ann", 1],
    ["bob", 0],
    ["root", 1],
  ] as const) {
    const page = await server.channel.unary(METHODS.list, {}, as(caller));
    assert.equal(page.ok && page.value.operations.length, count, caller);
  }
  // Ann's result is read by the layer; the layer's is not read by Bob.
  const shared = await server.put({ action: { salt: Buffer.from([1]) } });
  assert.equal((await server.execute(shared, {}, { options: as("pr") }).response()).cachedResult, true);
  const layered = await server.put({ command: { arguments: ["layered"] } });
  const first = server.execute(layered, {}, { options: as("pr") });
  (await server.runner.next()).finish();
  await first.response();
  assert.equal((await server.execute(layered, {}, { options: as("pr") }).response()).cachedResult, true);
  const bob = server.execute(layered, {}, { options: as("bob") });
  (await server.runner.next()).finish();
  assert.equal((await bob.response()).cachedResult, false);
});
