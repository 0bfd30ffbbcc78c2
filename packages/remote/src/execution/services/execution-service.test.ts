/** REAPI §Execution over loopback, with a runner that does what each test says. Stages: 1 check, 2 queued, 3 runs, 4 done. */
import assert from "node:assert/strict";
import { digestOf, encodeActionResult, encodeDirectory, problem } from "@kahn/core";
import { afterEach, test } from "vitest";
import { StatusCode } from "../../grpc/index.ts";
import { digestMessage } from "../../names/request-digest.ts";
import { blobSubject, parseOperationName } from "../../names/resource-name.ts";
import { messageTimeMs } from "../../proto/core-messages.ts";
import type { ExecutionServer, StartOptions } from "../execution-server.fixture.ts";
import {
  completed,
  METHODS,
  missingOf,
  ofInvocation,
  saysWhenToRetry,
  startExecution,
  timedOut,
} from "../execution-server.fixture.ts";

const open: ExecutionServer[] = [];
const start = async (options?: StartOptions): Promise<ExecutionServer> => {
  const server = await startExecution(options);
  open.push(server);
  return server;
};

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

const SHARED = { instance: "" };

test("an action goes through its stages, and only the last message is done and ends the stream", async () => {
  const server = await start();
  const action = await server.put();
  const stream = server.execute(action);
  const first = await stream.next();
  assert.deepEqual([first?.metadata.stage, first?.done], [1, false]);
  (await server.runner.next()).finish();
  const rest = await stream.rest();
  assert.deepEqual(stream.stages, [1, 1, 2, 3, 3, 4]);
  assert.deepEqual(
    rest.map(({ done }) => done),
    [false, false, false, false, true],
  );
  assert.equal(await stream.code(), StatusCode.ok);
  const { name, metadata, response } = rest.at(-1)!;
  assert.equal(name, first?.name);
  assert.deepEqual(metadata.actionDigest, digestMessage(action));
  assert.equal(metadata.digestFunction, 1);
  assert.deepEqual([response?.status?.code, response?.cachedResult, response?.result?.exitCode], [0, false, 0]);
});

test("D3: a result of the cache is answered at once; nothing is queued, nothing runs, and it stays done", async () => {
  const server = await start();
  const action = await server.put({ without: ["action", "command", "root"] });
  const result = { outputFiles: [], outputDirectories: [], outputSymlinks: [], exitCode: 0, metadata: { worker: "x" } };
  await server.store.actions.put(SHARED, action, encodeActionResult(result));
  const stream = server.execute(action);
  const all = await stream.rest();
  assert.deepEqual(stream.stages, [1, 4]);
  assert.equal(all.at(-1)?.response?.cachedResult, true);
  assert.equal(all.at(-1)?.response?.result?.executionMetadata?.worker, "x");
  assert.equal(server.runner.runs.length, 0);
  const again = await server.waitExecution(all[0]!.name).rest();
  assert.deepEqual(
    again.map(({ metadata }) => metadata.stage),
    [4],
  );
});

test("D4: a cancelled action that waits does not run", async () => {
  const server = await start();
  const blocker = server.execute(await server.put());
  const run = await server.runner.next();
  const stream = server.execute(await server.put({ command: { arguments: ["other"] } }));
  let operation = await stream.next();
  while (operation?.metadata.stage !== 2) operation = await stream.next();
  await server.channel.unary(METHODS.cancel, { name: operation.name });
  assert.equal((await stream.response()).status?.code, StatusCode.cancelled);
  run.finish();
  await blocker.response();
  assert.equal(server.runner.runs.length, 1);
  assert.equal(server.execution.status().queued, 0);
});

test("D5: whatever goes wrong stands in ExecuteResponse.status and never in Operation.error", async () => {
  const server = await start();
  for (const [outcome, code] of [
    [{ kind: "errored", problem: problem("x", "the disk broke") }, StatusCode.internal],
    [{ kind: "errored", problem: problem("store-full", "no space") }, StatusCode.resourceExhausted],
    [{ kind: "invalid", problem: problem("command-invalid", "no") }, StatusCode.invalidArgument],
    [{ kind: "invalid", problem: problem("output-type-clash", "no") }, StatusCode.failedPrecondition],
    [{ kind: "cancelled" }, StatusCode.cancelled],
  ] as const) {
    const stream = server.execute(await server.put({ command: { arguments: [JSON.stringify(outcome)] } }));
    (await server.runner.next()).finish(outcome);
    // `response` fails when there is an error, or no response.
    assert.equal((await stream.response()).status?.code, code);
    assert.equal(await stream.code(), StatusCode.ok);
  }
});

test("D6: every missing blob of the whole input tree is named in a PreconditionFailure", async () => {
  const server = await start();
  const here = digestOf("here");
  await server.store.blobs.write(here, Buffer.from("here"));
  const inner = encodeDirectory({
    files: [{ name: "lost", digest: digestOf("lost"), executable: false }],
    directories: [{ name: "gone", digest: digestOf("no directory here") }],
    symlinks: [],
  });
  await server.store.blobs.write(digestOf(inner), inner);
  const root = encodeDirectory({
    files: [
      { name: "a", digest: here, executable: false },
      { name: "b", digest: digestOf("also lost"), executable: false },
    ],
    directories: [{ name: "inner", digest: digestOf(inner) }],
    symlinks: [],
  });
  await server.store.blobs.write(digestOf(root), root);
  const action = await server.put({ action: { inputRootDigest: digestMessage(digestOf(root)) } });
  const { status } = await server.execute(action).response();
  assert.equal(status?.code, StatusCode.failedPrecondition);
  const subjects = ["lost", "no directory here", "also lost"].map((text) => `MISSING ${blobSubject(digestOf(text))}`);
  assert.deepEqual(missingOf(status).sort(), subjects.sort());
  assert.equal(server.runner.runs.length, 0);
});

test("D6: a missing Action or Command is named, and so is what goes missing while the action waits", async () => {
  const server = await start();
  const noAction = await server.put({ without: ["action"] });
  assert.deepEqual(missingOf((await server.execute(noAction).response()).status), [`MISSING ${blobSubject(noAction)}`]);
  const noCommand = await server.put({ command: { arguments: ["lost"] }, without: ["command"] });
  assert.equal(missingOf((await server.execute(noCommand).response()).status).length, 1);
  const stream = server.execute(await server.put());
  (await server.runner.next()).finish({ kind: "missing-blobs", digests: [digestOf("evicted")] });
  const { status } = await stream.response();
  assert.deepEqual(missingOf(status), [`MISSING ${blobSubject(digestOf("evicted"))}`]);
});

test("missing inputs by the thousand are all named", async () => {
  const server = await start();
  const files = Object.fromEntries(
    Array.from({ length: 3000 }, (_, index) => [`f${10_000 + index}`, `content ${index}`]),
  );
  const action = await server.put({ files, without: ["files"] });
  assert.equal(missingOf((await server.execute(action).response()).status).length, 3000);
});

test("D7: do_not_cache is neither stored nor merged", async () => {
  const server = await start({ slots: 2 });
  const action = await server.put({ action: { doNotCache: true } });
  const streams = [server.execute(action), server.execute(action)];
  for (const _ of streams) (await server.runner.next()).finish();
  for (const stream of streams) await stream.response();
  assert.equal(server.runner.runs.length, 2);
  assert.equal(server.store.actionsByKey.size, 0);
});

test("D7: skip_cache_lookup runs again and overwrites what is cached", async () => {
  const server = await start();
  const action = await server.put();
  const run = async (stdout: string, skipCacheLookup: boolean) => {
    const stream = server.execute(action, { skipCacheLookup });
    (await server.runner.next()).finish(completed({ stdoutRaw: Buffer.from(stdout) }));
    await stream.response();
  };
  await run("poisoned", false);
  await run("repaired", true);
  const { cachedResult, result } = await server.execute(action).response();
  assert.deepEqual([cachedResult, String(Buffer.from(result!.stdoutRaw))], [true, "repaired"]);
});

test("skip_cache_lookup shares no run that began before it, and the younger result stays", async () => {
  const server = await start({ slots: 2 });
  const action = await server.put();
  const old = server.execute(action);
  const oldRun = await server.runner.next();
  const fresh = server.execute(action, { skipCacheLookup: true });
  const freshRun = await server.runner.next();
  freshRun.finish(completed({ stdoutRaw: Buffer.from("young") }));
  await fresh.response();
  oldRun.finish(completed({ stdoutRaw: Buffer.from("old") }));
  assert.equal(String(Buffer.from((await old.response()).result!.stdoutRaw)), "old");
  const cached = await server.execute(action).response();
  assert.equal(String(Buffer.from(cached.result!.stdoutRaw)), "young");
});

test("only exit code 0 is cached, unless failures are to be", async () => {
  for (const cacheFailures of [false, true]) {
    const server = await start({ cacheFailures });
    const stream = server.execute(await server.put());
    (await server.runner.next()).finish(completed({ exitCode: 3 }));
    const { status, result } = await stream.response();
    assert.deepEqual([status?.code, result?.exitCode], [0, 3]);
    assert.equal(server.store.actionsByKey.size, cacheFailures ? 1 : 0);
  }
});

test("D8: a run that reached its limit is DEADLINE_EXCEEDED, with what it had printed", async () => {
  const server = await start();
  const stream = server.execute(await server.put());
  (await server.runner.next()).finish(timedOut("so far"));
  const { status, result } = await stream.response();
  assert.equal(status?.code, StatusCode.deadlineExceeded);
  assert.equal(String(Buffer.from(result!.stdoutRaw)), "so far");
  assert.equal(server.store.actionsByKey.size, 0);
});

test("a timeout that is absent is the server's, a larger one than allowed is refused", async () => {
  const server = await start({ limits: { timeoutMs: 5000, timeoutMaxMs: 60_000 } });
  for (const [seconds, expected] of [
    [undefined, 5000],
    [0, 5000],
    [7, 7000],
    [60, 60_000],
  ] as const) {
    const timeout = seconds === undefined ? undefined : { seconds, nanos: 0 };
    const stream = server.execute(await server.put({ action: { timeout, salt: Buffer.from([seconds ?? 1]) } }));
    const run = await server.runner.next();
    assert.equal(run.request.timeoutMs, expected);
    run.finish();
    await stream.response();
  }
  for (const seconds of [61, -1]) {
    const stream = server.execute(await server.put({ action: { timeout: { seconds, nanos: 0 } } }));
    assert.equal((await stream.response()).status?.code, StatusCode.invalidArgument);
  }
});

test("fifty requests for one action at once are one run, and all are answered", async () => {
  const server = await start({ slots: 8 });
  const action = await server.put({ files: { a: "1" } });
  const streams = Array.from({ length: 50 }, (_, index) =>
    server.execute(action, {}, { channel: index % 2 === 0 ? server.channel : server.connect() }),
  );
  const names = new Set<string>();
  for (const stream of streams) names.add((await stream.next())!.name);
  assert.equal(names.size, 50);
  (await server.runner.next()).finish(completed({ stdoutRaw: Buffer.from("once") }));
  for (const stream of streams) {
    assert.equal(String(Buffer.from((await stream.response()).result!.stdoutRaw)), "once");
  }
  assert.equal(server.runner.runs.length, 1);
});

test("D19: WaitExecution finds the operation from another connection, at any stage and after its end", async () => {
  const server = await start();
  const stream = server.execute(await server.put());
  const { name } = (await stream.next())!;
  const run = await server.runner.next();
  stream.cancel();
  const waiting = server.waitExecution(name, server.connect());
  const first = await waiting.next();
  assert.deepEqual([first?.name, first?.metadata.stage], [name, 3]);
  run.finish();
  assert.equal((await waiting.response()).status?.code, 0);
  assert.equal((await server.waitExecution(name, server.connect()).response()).status?.code, 0);
});

test("names of operations are bound to their instance and cannot be guessed", async () => {
  const server = await start();
  const stream = server.execute(await server.put(), { instanceName: "team/a" });
  const { name } = (await stream.next())!;
  const parsed = parseOperationName(name);
  assert.ok(parsed.ok && parsed.value.instance === "team/a" && /^[0-9a-f]{32}$/.test(parsed.value.id));
  for (const wrong of [name.replace("team/a", "team/b"), `operations/${parsed.value.id}`, `${name}0`]) {
    assert.equal(await server.waitExecution(wrong).code(), StatusCode.notFound);
  }
  assert.equal(await server.waitExecution("no operation").code(), StatusCode.invalidArgument);
  (await server.runner.next()).finish();
  await stream.response();
});

test("a client that waits hears every minute that the server is still there", async () => {
  const server = await start();
  const stream = server.execute(await server.put());
  const run = await server.runner.next();
  while (stream.stages.at(-1) !== 3) await stream.next();
  await stream.next();
  for (let minute = 0; minute < 3; minute++) {
    await server.pass(60_000);
    const operation = await stream.next();
    assert.deepEqual([operation?.metadata.stage, operation?.done], [3, false]);
  }
  run.finish();
  await stream.response();
});

test("a run that nobody waits for is stopped after the grace, and not before", async () => {
  const server = await start();
  const stream = server.execute(await server.put());
  const { name } = (await stream.next())!;
  const run = await server.runner.next();
  stream.cancel();
  // The server has noticed when it holds only the timer of the grace.
  while (server.clock.pendingTimers > 1) await server.pass(0);
  await server.pass(59_000);
  assert.equal(run.signal.aborted, false);
  const back = server.waitExecution(name);
  await back.next();
  await server.pass(120_000);
  assert.equal(run.signal.aborted, false);
  back.cancel();
  while (server.execution.status().running > 0) await server.pass(30_000);
  assert.equal(run.signal.aborted, true);
  assert.equal((await server.waitExecution(name).response()).status?.code, StatusCode.cancelled);
});

test("the platform of the action counts, that of the command where the action has none", async () => {
  const server = await start();
  const os = (value: string) => ({ properties: [{ name: "OSFamily", value }] });
  const fitting = server.execute(await server.put({ command: { platform: os("Linux") } }), {}, {});
  const other = server.execute(
    await server.put({ action: { platform: os("windows") }, command: { platform: os("linux") } }),
  );
  if (process.platform === "linux") {
    (await server.runner.next()).finish();
    await fitting.response();
  } else fitting.cancel();
  while (other.stages.at(-1) !== 2) await other.next();
  await server.pass(60_000);
  const { status } = await other.response();
  assert.equal(status?.code, StatusCode.failedPrecondition);
  assert.match(status?.message ?? "", /OSFamily="windows"/);
});

test("an unknown platform property is INVALID_ARGUMENT, what other servers run containers by is taken", async () => {
  const server = await start();
  const withProperty = (name: string) =>
    server.put({ action: { platform: { properties: [{ name, value: "docker://x" }] } } });
  const refused = await server.execute(await withProperty("gpu-kind")).response();
  assert.equal(refused.status?.code, StatusCode.invalidArgument);
  assert.match(refused.status?.message ?? "", /gpu-kind.*known are Arch, EstimatedCPU/);
  const taken = server.execute(await withProperty("container-image"));
  (await server.runner.next()).finish();
  assert.equal((await taken.response()).status?.code, 0);
});

test("an action waits for a worker that fits, when one comes within the grace", async () => {
  const server = await start();
  const platform = { properties: [{ name: "Pool", value: "gpu" }] };
  const stream = server.execute(await server.put({ action: { platform } }));
  while (stream.stages.at(-1) !== 2) await stream.next();
  await server.pass(59_000);
  server.execution.join({ name: "gpu1", slots: 1, properties: { Pool: ["gpu"] }, runner: server.runner });
  (await server.runner.next()).finish();
  const { result } = await stream.response();
  assert.equal(result?.executionMetadata?.worker, "gpu1");
});

test("an action whose worker is lost goes back to the queue once, and is refused after the second", async () => {
  const server = await start();
  const action = await server.put();
  const stream = server.execute(action);
  const lost = { kind: "lost", problem: problem("x", "the worker went away") } as const;
  (await server.runner.next()).finish(lost);
  (await server.runner.next()).finish();
  await stream.response();
  assert.deepEqual(
    stream.stages.filter((stage, index) => stage !== stream.stages[index - 1]),
    [1, 2, 3, 2, 3, 4],
  );
  const poison = await server.put({ command: { arguments: ["poison"] } });
  const second = server.execute(poison);
  (await server.runner.next()).finish(lost);
  (await server.runner.next()).finish(lost);
  assert.equal((await second.response()).status?.code, StatusCode.failedPrecondition);
  assert.equal((await server.execute(poison).response()).status?.code, StatusCode.failedPrecondition);
});

test("a worker that leaves gives its runs to another", async () => {
  const server = await start();
  server.runner.isStubborn = true;
  const stream = server.execute(await server.put());
  const first = await server.runner.next();
  server.execution.leave("w");
  assert.equal(first.signal.aborted, true);
  server.execution.join({ name: "w2", slots: 1, properties: {}, runner: server.runner });
  const second = await server.runner.next();
  // The first answers late: it is not listened to.
  first.finish(completed({ exitCode: 9 }));
  await server.pass(0);
  second.finish(completed({ stdoutRaw: Buffer.from("second") }));
  const { result } = await stream.response();
  assert.deepEqual([result?.exitCode, result?.executionMetadata?.worker], [0, "w2"]);
});

test("a full queue is RESOURCE_EXHAUSTED and says when to come again", async () => {
  const server = await start({ limits: { queueMax: 2 } });
  const action = (salt: number) => server.put({ action: { salt: Buffer.from([salt]) } });
  const streams = [server.execute(await action(1))];
  const run = await server.runner.next();
  for (const salt of [2, 3]) {
    const stream = server.execute(await action(salt));
    await stream.next();
    streams.push(stream);
  }
  const call = server.channel.read(METHODS.execute, { actionDigest: digestMessage(await action(4)) });
  const status = await call.status;
  assert.equal(status.code, StatusCode.resourceExhausted);
  assert.ok(saysWhenToRetry(status.details));
  run.finish();
  for (const _ of [2, 3]) (await server.runner.next()).finish();
  for (const stream of streams) await stream.response();
});

test("a drain lets running actions finish, answers the waiting and refuses the new with UNAVAILABLE", async () => {
  const server = await start();
  const running = server.execute(await server.put());
  const run = await server.runner.next();
  const waiting = server.execute(await server.put({ command: { arguments: ["waits"] } }));
  while (waiting.stages.at(-1) !== 2) await waiting.next();
  let isDrained = false;
  const drained = server.execution.drain().then(() => {
    isDrained = true;
  });
  const answer = await waiting.response();
  assert.equal(answer.status?.code, StatusCode.unavailable);
  assert.equal(answer.status?.details.length, 1);
  const status = await server.channel.read(METHODS.execute, { actionDigest: digestMessage(await server.put()) }).status;
  assert.equal(status.code, StatusCode.unavailable);
  assert.ok(saysWhenToRetry(status.details));
  assert.equal(isDrained, false);
  run.finish();
  assert.equal((await running.response()).status?.code, 0);
  await drained;
});

test("progress, queue time and worker are shown while it runs, and all times in the result", async () => {
  const server = await start({ withLogs: true });
  const stream = server.execute(await server.put());
  const run = await server.runner.next();
  run.observer.phase?.("fetching-inputs", 1000);
  run.observer.phase?.("executing", 2000);
  let operation = await stream.next();
  while (operation?.metadata.partialExecutionMetadata?.executionStartTimestamp === undefined)
    operation = await stream.next();
  const { partialExecutionMetadata: partial, stdoutStreamName, stderrStreamName } = operation.metadata;
  assert.equal(partial?.worker, "w");
  assert.equal(messageTimeMs(partial!.queuedTimestamp!), server.clock.nowMs());
  assert.ok(partial?.workerStartTimestamp !== undefined && partial.inputFetchCompletedTimestamp !== undefined);
  run.observer.output?.("stdout", Buffer.from("live"));
  const log = server.logs.find({ kind: "log-stream", parent: "", id: stdoutStreamName.split("/").at(-1)!, token: "" });
  assert.equal(log?.sizeBytes, 4);
  assert.notEqual(stdoutStreamName, stderrStreamName);
  run.finish();
  const metadata = (await stream.response()).result?.executionMetadata;
  assert.equal(log?.isFinal, true);
  for (const time of ["queuedTimestamp", "workerStartTimestamp", "workerCompletedTimestamp"] as const) {
    assert.ok(metadata?.[time] !== undefined, time);
  }
  assert.equal(messageTimeMs(metadata!.inputFetchCompletedTimestamp!), 2000);
  assert.equal(messageTimeMs(metadata!.outputUploadCompletedTimestamp!), 6000);
  assert.deepEqual(metadata?.virtualExecutionDuration, { seconds: 1, nanos: 0 });
  server.logs.close();
});

test("inputs stay pinned while an action waits and runs, its results until they can be fetched", async () => {
  const server = await start();
  const held = new Set<object>();
  server.store.pin = () => {
    const pin = { release: () => void held.delete(pin) };
    held.add(pin);
    return pin;
  };
  const stream = server.execute(await server.put({ files: { a: "1" } }));
  const run = await server.runner.next();
  assert.equal(held.size, 1);
  run.finish();
  await stream.response();
  assert.equal(held.size, 2);
  await server.pass(60_000);
  assert.equal(held.size, 0);
});

test("what a client asks to have inlined is in its answer", async () => {
  const server = await start();
  const file = digestOf("file content");
  const out = digestOf("printed");
  for (const text of ["file content", "printed"]) await server.store.blobs.write(digestOf(text), Buffer.from(text));
  const action = await server.put();
  const wish = { inlineStdout: true, inlineOutputFiles: ["f"] };
  const stream = server.execute(action, wish);
  const outputFiles = [{ path: "f", digest: file, executable: false }];
  (await server.runner.next()).finish(completed({ outputFiles, stdout: out }));
  for (const { result } of [await stream.response(), await server.execute(action, wish).response()]) {
    assert.equal(String(Buffer.from(result!.stdoutRaw)), "printed");
    assert.equal(String(Buffer.from(result!.outputFiles[0]!.contents)), "file content");
  }
});

test("ten actions of one invocation do not wait for a hundred of another", async () => {
  const server = await start();
  const finished: string[] = [];
  const all: Promise<unknown>[] = [];
  const ask = async (invocation: string, count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const action = await server.put({ command: { arguments: [invocation, String(index)] } });
      const stream = server.execute(action, {}, { options: ofInvocation(invocation) });
      while (stream.stages.at(-1) !== 2 && stream.stages.at(-1) !== 3) await stream.next();
      all.push(stream.response());
    }
  };
  await ask("large", 100);
  await ask("small", 10);
  for (let index = 0; index < 110; index++) {
    const run = await server.runner.next();
    finished.push(run.request.command.arguments[0]!);
    server.clock.advance(1000);
    run.finish();
  }
  await Promise.all(all);
  assert.ok(finished.lastIndexOf("small") <= 21, `the small one ended as number ${finished.lastIndexOf("small")}`);
});

test("a lower priority number runs sooner", async () => {
  const server = await start();
  const blocker = server.execute(await server.put());
  const run = await server.runner.next();
  const streams = [];
  for (const priority of [5, 0, -5]) {
    const action = await server.put({ command: { arguments: [String(priority)] } });
    const stream = server.execute(action, { executionPolicy: { priority } });
    while (stream.stages.at(-1) !== 2) await stream.next();
    streams.push(stream);
  }
  run.finish();
  await blocker.response();
  for (const expected of ["-5", "0", "5"]) {
    const next = await server.runner.next();
    assert.equal(next.request.command.arguments[0], expected);
    next.finish();
  }
  for (const stream of streams) await stream.response();
});

test("a runner that breaks is INTERNAL, and its slot is free again", async () => {
  const faults: unknown[] = [];
  const broken = { run: () => Promise.reject(new TypeError("a bug")) };
  const server = await start({ runner: broken, onFault: (error) => void faults.push(error) });
  assert.equal((await server.execute(await server.put()).response()).status?.code, StatusCode.internal);
  assert.equal(faults.length, 1);
  assert.equal(server.execution.status().slotsUsed, 0);
});

test("D26: completed operations are bounded in number and bytes", async () => {
  const server = await start({ limits: { keptMax: 5, keptMaxBytes: 100_000 } });
  const names: string[] = [];
  for (let index = 0; index < 8; index++) {
    const stream = server.execute(await server.put({ action: { salt: Buffer.from([index]) } }));
    names.push((await stream.next())!.name);
    (await server.runner.next()).finish(completed({ stdoutRaw: Buffer.alloc(30_000) }));
    await stream.response();
  }
  const { completed: kept, keptBytes, operations } = server.execution.status();
  assert.deepEqual([kept, operations], [3, 3]);
  assert.ok(keptBytes <= 100_000);
  assert.equal(await server.waitExecution(names[0]!).code(), StatusCode.notFound);
});
