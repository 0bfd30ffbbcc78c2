// Goal: an action that goes to a server ends in exactly one outcome, whatever the server does on the way; what it made is
// in the workspace and nothing else is; a server that is gone costs a warning.
// Method: the real services for blobs, and an Execution service that does what a test scripts.
import type { ActionExecutor } from "@kahn/core";
import { treeOf } from "@kahn/core";
import { closedAddress } from "@kahn/testing";
import { expect, test } from "vitest";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import { digestMessage } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import { actionResultMessage, packAny } from "../../proto/core-messages.ts";
import { PreconditionFailure } from "../../proto/generated/error-details.ts";
import type { ExecuteResponse } from "../../proto/generated/remote-execution.ts";
import { blob } from "../client.fixture.ts";
import { type Answer, done, RESOLVED, run, scripted, stage } from "./executor.fixture.ts";

/** A result with two files in `dist`, one of them not an output. */
const made = blob("made");
const tree = treeOf([
  { kind: "file", path: "made", digest: made.digest, executable: false },
  { kind: "file", path: "x.tmp", digest: made.digest, executable: false },
]);
const success: Init<ExecuteResponse> = {
  status: { code: 0 },
  message: 'undeclared outputs were dropped: ["a.log"]',
  result: actionResultMessage({
    outputFiles: [],
    outputDirectories: [{ path: "dist", tree: tree.digest }],
    outputSymlinks: [],
    exitCode: 0,
    stdoutRaw: Buffer.from("said"),
    metadata: { worker: "w", executionStartedAtMs: 1000, executionCompletedAtMs: 1250 },
  }),
};

async function withOutputs(server: Awaited<ReturnType<typeof scripted>>) {
  await server.store.blobs.write(made.digest, made.bytes);
  await server.store.blobs.write(tree.digest, tree.bytes);
  return server;
}

test("outputs come into the workspace, stale ones go, and what is not declared is named and not brought", async () => {
  const server = await withOutputs(await scripted({ execute: [(call) => void call.send(done(success))] }));
  const { fs, outcome, warnings } = run(server.address);
  const ended = await outcome;
  expect(ended).toMatchObject({ kind: "completed", outputPaths: ["a/dist/made"], durationMs: 250 });
  expect(fs.readDirectory("/work/a/dist")?.map(({ name }) => name)).toStrictEqual(["made"]);
  const told = ended.kind === "completed" ? ended.warnings : [];
  expect(told).toMatchObject([
    { code: "undeclared-output-dropped", message: expect.stringContaining("a/dist/x.tmp, a.log") },
  ]);
  expect(warnings).toStrictEqual([]);
  expect(server.store.blobsByDigest.has(blob("echo hello\n").digest)).toBe(true);
});

test("D21: a stream that breaks goes on by WaitExecution; an execution that the server forgot is asked for anew", async () => {
  const breaks: Answer = async (call) => {
    await call.send(stage("operations/1"));
    throw new StatusError(StatusCode.unavailable, "restarting");
  };
  const forgotten: Answer = () => {
    throw new StatusError(StatusCode.notFound, "no such operation");
  };
  const server = await withOutputs(
    await scripted({ execute: [breaks, (call) => void call.send(done(success))], wait: [breaks, forgotten] }),
  );
  expect(await run(server.address).outcome).toMatchObject({ kind: "completed" });
  expect(server.calls).toStrictEqual(["execute", "wait", "wait", "execute"]);
});

test("blobs that the server lost in between are sent again", async () => {
  const script = blob("echo hello\n").digest;
  const subject = `blobs/${digestMessage(script).hash}/${digestMessage(script).sizeBytes}`;
  const value = { violations: [{ type: "MISSING", subject, description: "" }] };
  const server = await withOutputs(
    await scripted({
      execute: [
        (call) => {
          server.store.blobsByDigest.delete(script);
          const details = [packAny(PreconditionFailure, value)];
          void call.send(done({ status: { code: StatusCode.failedPrecondition, message: "missing", details } }));
        },
        (call) => void call.send(done(success)),
      ],
    }),
  );
  expect(await run(server.address).outcome).toMatchObject({ kind: "completed" });
  expect(server.store.blobsByDigest.has(script)).toBe(true);
});

test("a command that fails has failed, with what it printed and the inputs that it lacked", async () => {
  const failure = actionResultMessage({
    ...{ outputFiles: [], outputDirectories: [], outputSymlinks: [], exitCode: 2, metadata: { worker: "w" } },
    stderrRaw: Buffer.from("sh: 0: cannot open other.sh: No such file"),
  });
  const server = await scripted({
    execute: [(call) => void call.send(done({ status: { code: 0 }, result: failure }))],
  });
  const { fs, outcome } = run(server.address);
  expect(await outcome).toMatchObject({
    kind: "completed",
    result: { exitCode: 2, stderrRaw: new Uint8Array(Buffer.from("sh: 0: cannot open other.sh: No such file")) },
    hint: expect.stringContaining("a/other.sh is in the workspace"),
  });
  expect(fs.lstat("/work/a/dist/stale")).toBeDefined();
});

test("refusals and timeouts are outcomes, each of its kind", async () => {
  const answers =
    (status: { code: number; message: string }): Answer =>
    (call) =>
      void call.send(done({ status }));
  const cases: readonly [Answer, object][] = [
    [
      answers({ code: StatusCode.invalidArgument, message: "bad" }),
      { kind: "errored", problem: { code: "remote-exec-failed" } },
    ],
    [
      answers({ code: StatusCode.deadlineExceeded, message: "late" }),
      { kind: "timed-out", problem: { code: "task-timed-out" } },
    ],
    [(call) => void call.send(done({})), { kind: "errored", problem: { code: "remote-exec-failed" } }],
    [
      () => Promise.reject(new StatusError(StatusCode.permissionDenied, "no")),
      { kind: "errored", problem: { code: "remote-exec-failed" } },
    ],
  ];
  for (const [answer, expected] of cases) {
    const server = await scripted({ execute: [answer] });
    expect(await run(server.address).outcome).toMatchObject(expected);
  }
});

test("outputs that the server no longer has are made anew; a server that loses them again is left", async () => {
  const lost: Answer = (call) => void call.send(done(success));
  const again = await scripted({
    execute: [
      lost,
      async (call) => {
        await withOutputs(again);
        await call.send(done(success));
      },
    ],
  });
  expect(await run(again.address).outcome).toMatchObject({ kind: "completed", outputPaths: ["a/dist/made"] });
  // The second time its own cache would only give the same.
  expect(again.requests.map(({ skipCacheLookup }) => skipCacheLookup)).toStrictEqual([false, true]);
  const local: ActionExecutor = {
    execute: () => ({ outcome: Promise.resolve({ kind: "cancelled" }), cancel: () => {} }),
  };
  const loses = await scripted({ execute: [lost, lost] });
  const { outcome, warnings } = run(loses.address, { executor: { local } });
  expect((await outcome).kind).toBe("cancelled");
  expect(warnings).toMatchObject([{ code: "remote-exec-down", cause: { code: "remote-output-lost" } }]);
});

test("the action's digest is told here and, by Execute, to the server's logs", async () => {
  const answer: Answer = (call) => void call.send(done(success));
  const server = await withOutputs(await scripted({ execute: [answer] }));
  const caller = { tool: "kahn", version: "1", invocation: "run" };
  const ended = await run(server.address, { server: { caller } }).outcome;
  const action = ended.kind === "completed" ? ended.ran?.action : undefined;
  const { hash } = digestMessage(action!);
  expect(server.requests[0]?.actionDigest?.hash).toBe(hash);
  expect(server.store.blobsByDigest.has(action!)).toBe(true);
  expect(server.callers).toMatchObject([
    { actionId: hash, toolInvocationId: "run", toolDetails: { toolName: "kahn" } },
  ]);
});

test("what the server has is not asked for when the run is forced, or the task is run again", async () => {
  const answer: Answer = (call) => void call.send(done(success));
  const server = await withOutputs(await scripted({ execute: [answer, answer] }));
  const cached = await run(server.address).outcome;
  expect(cached).toMatchObject({ ran: { where: `grpc://${server.address}` } });
  await run(server.address, { executor: { skipCacheLookup: true } }).outcome;
  expect(server.requests.map(({ skipCacheLookup }) => skipCacheLookup)).toStrictEqual([false, true]);
});

test("cancelling leaves the execution, and a task's own timeout runs from when it executes", async () => {
  const hangs: Answer = async (call) => {
    await call.send(stage("operations/1"));
    await new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve()));
  };
  const server = await scripted({ execute: [hangs, hangs] });
  const running = run(server.address);
  while (server.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  running.cancel();
  expect(await running.outcome).toStrictEqual({ kind: "cancelled" });
  const late = run(server.address, { over: { run: { ...RESOLVED.run, timeoutMs: 1 } } });
  expect(await late.outcome).toMatchObject({ kind: "timed-out", problem: { code: "task-timed-out" } });
});

test("nobody at the address: the task runs here, and one warning says so; what cannot go is not sent at all", async () => {
  const here: string[] = [];
  const local: ActionExecutor = {
    execute: ({ resolved }) => {
      here.push(resolved.label);
      return { outcome: Promise.resolve({ kind: "cancelled" }), cancel: () => {} };
    },
  };
  const address = await closedAddress();
  const gone = run(address, { executor: { local } });
  expect(await gone.outcome).toStrictEqual({ kind: "cancelled" });
  expect(gone.warnings.map(({ code }) => code)).toStrictEqual(["remote-exec-down"]);
  const uncached = run(address, {
    over: { cacheable: false, label: "a#dev" },
    executor: { local },
  });
  await uncached.outcome;
  expect(uncached.warnings).toStrictEqual([]);
  expect(here).toStrictEqual(["a#build", "a#dev"]);
});
