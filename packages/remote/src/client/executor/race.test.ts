// Goal: with a race each task still has one result: whole, from the side that won, and the loser leaves nothing; a server
// that goes leaves the race to this machine. Method: a scripted server against a scripted runner of this machine.
import type { ActionExecutor, ExecuteOutcome, RanAt } from "@kahn/core";
import { digestOf, treeOf } from "@kahn/core";
import type { HermeticOutcome, HermeticRunner } from "@kahn/exec";
import { expect, test } from "vitest";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import { actionResultMessage } from "../../proto/core-messages.ts";
import { blob } from "../client.fixture.ts";
import { type Answer, done, type RunWish, run, scripted, stage } from "./executor.fixture.ts";

/** A result with one file, of one side. */
function resultOf(side: string, exitCode = 0) {
  const file = blob(`made ${side}`);
  const tree = treeOf([{ kind: "file", path: "made", digest: file.digest, executable: false }]);
  const result = {
    outputFiles: [],
    outputDirectories: exitCode === 0 ? [{ path: "dist", tree: tree.digest, rootDirectory: digestOf("unused") }] : [],
    outputSymlinks: [],
    exitCode,
    stdoutRaw: new Uint8Array(Buffer.from(`said ${side}`)),
    metadata: { worker: side },
  };
  return { result, blobs: [file, { digest: tree.digest, bytes: tree.bytes }] };
}

type Here = (signal: AbortSignal) => Promise<HermeticOutcome>;

const completed = (exitCode = 0): HermeticOutcome => ({
  kind: "completed",
  result: resultOf("here", exitCode).result,
  timings: { startedAtMs: 0, completedAtMs: 5, executionMs: 5 },
  use: {},
  sandbox: "none",
});
const hangs: Here = (signal) =>
  new Promise((resolve) => {
    const end = () => resolve({ kind: "cancelled" });
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
  });

const answers =
  (exitCode = 0): Answer =>
  (call) =>
    void call.send(done({ status: { code: 0 }, result: actionResultMessage(resultOf("there", exitCode).result) }));
const hangsThere: Answer = async (call) => {
  await call.send(stage("operations/1"));
  await new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve()));
};

/** Runs one task on both. */
async function raced(there: readonly Answer[], here: Here, { executor, ...wish }: RunWish = {}) {
  const server = await scripted({ execute: there });
  for (const side of ["here", "there"]) {
    for (const { digest, bytes } of resultOf(side).blobs) await server.store.blobs.write(digest, bytes);
  }
  const ends: string[] = [];
  const runner: HermeticRunner = {
    run: async (_, observer, signal) => {
      observer?.started?.(1);
      const outcome = await here(signal!);
      ends.push(outcome.kind);
      return outcome;
    },
    sandbox: async () => ({ kind: "level", level: "none" }),
    close: () => {},
  };
  const running = run(server.address, { ...wish, executor: { race: { runner, slots: 1 }, ...executor } });
  return { ...running, server, ends };
}

const placeOf = ({ action: _, ...at }: RanAt = { where: "" }) => at;
const made = (outcome: ExecuteOutcome) =>
  outcome.kind === "completed"
    ? [placeOf(outcome.ran), Buffer.from(outcome.result.stdoutRaw ?? []).toString()]
    : outcome;
const fileOf = ({ fs }: { readonly fs: { readFile(path: string): Uint8Array | undefined } }) =>
  Buffer.from(fs.readFile("/work/a/dist/made") ?? []).toString();

test("the server first: its outputs are in the workspace, and what ran here is ended", async () => {
  const racing = await raced([answers()], hangs);
  expect(made(await racing.outcome)).toStrictEqual([
    { where: `grpc://${racing.server.address}`, before: "here" },
    "said there",
  ]);
  expect(fileOf(racing)).toBe("made there");
  expect(racing.ends.every((kind) => kind === "cancelled")).toBe(true);
});

test("this machine first: its outputs are in the workspace, and the server is left", async () => {
  const racing = await raced([hangsThere], async () => completed());
  expect(made(await racing.outcome)).toStrictEqual([
    { where: "here", before: `grpc://${racing.server.address}` },
    "said here",
  ]);
  expect(fileOf(racing)).toBe("made here");
  expect(racing.warnings).toStrictEqual([]);
});

test("a failure waits for the other side: its success counts and is remarked on, a second failure is one", async () => {
  const saved = await raced([answers(3)], async () => completed());
  expect(made(await saved.outcome)).toMatchObject([{ where: "here" }, "said here"]);
  expect(saved.warnings).toMatchObject([{ code: "race-sides-differ", message: expect.stringContaining("code 3") }]);
  const failed = await raced([answers(3)], async () => completed(4));
  expect(await failed.outcome).toMatchObject({ kind: "completed", result: { exitCode: 3 } });
  expect(failed.fs.lstat("/work/a/dist/stale")).toBeDefined();
});

test("a server that goes leaves the race: a success here counts, anything else runs in the workspace as without it", async () => {
  const gone: Answer = () => Promise.reject(new StatusError(StatusCode.unavailable, "going down"));
  const wish = { server: { retries: { attemptsMax: 1, firstMs: 1, maxMs: 1, askedMaxMs: 1, giveUpAfterMs: 1 } } };
  const alone = await raced([gone, gone, gone, gone, gone], async () => completed(), wish);
  expect(made(await alone.outcome)).toMatchObject([{ where: "here" }, "said here"]);
  const inWorkspace: ActionExecutor = {
    execute: () => ({ outcome: Promise.resolve({ kind: "cancelled" }), cancel: () => {} }),
  };
  const failing = await raced([], async () => completed(1), { ...wish, executor: { local: inWorkspace } });
  failing.server.cut();
  expect((await failing.outcome).kind).toBe("cancelled");
  expect(failing.warnings.map(({ code }) => code)).toStrictEqual(["remote-exec-down"]);
});

test("cancelling ends both sides, and what is followed is shown once, from the winner", async () => {
  const both = await raced([hangsThere], hangs);
  while (both.server.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  both.cancel();
  expect(await both.outcome).toStrictEqual({ kind: "cancelled" });
  const followed = await raced([answers()], hangs, { executor: { live: true } });
  await followed.outcome;
  expect(followed.shown).toStrictEqual([["stdout", "said there"]]);
});
