/** The whole way, from a client's Execute to a command that runs on this machine and back. */
import assert from "node:assert/strict";
import type { Digest } from "@kahn/core";
import { digestOf } from "@kahn/core";
import { directRunner, nodeClock, nodeFileSystem, startGuardian } from "@kahn/system";
import { afterAll, beforeAll, test } from "vitest";
import type { Channel } from "../grpc/index.ts";
import { StatusCode } from "../grpc/index.ts";
import { digestMessage, messageDigest } from "../names/request-digest.ts";
import type { Init } from "../proto/codec.ts";
import type { Command, ExecuteRequest, ExecuteResponse } from "../proto/generated/remote-execution.ts";
import type { TestServer } from "../server.fixture.ts";
import { testServer } from "../server.fixture.ts";
import type { ServerStore } from "../store/server-store.ts";
import { realPlace, value } from "../store/store.fixture.ts";
import type { ActionWish } from "./execution-server.fixture.ts";
import { METHODS, missingOf, putAction, seen } from "./execution-server.fixture.ts";

const place = realPlace();
const guardian = startGuardian({ token: `execution-${process.pid}`, graceMs: 100 });
const processes = directRunner({ clock: nodeClock(), guardian });
let server: TestServer;
let store: ServerStore;
let channel: Channel;

beforeAll(async () => {
  store = await place.open();
  const config = `dir: ${place.root}-work\nexecution: { sandbox: "off", slots: 2 }\n`;
  server = await testServer({ config, fs: nodeFileSystem(), ports: { store, processes } });
  channel = server.channel();
});

afterAll(async () => {
  await server.close();
  await processes.close();
  nodeFileSystem().removeTree(`${place.root}-work`);
  place.cleanup();
});

async function run(wish: ActionWish, request: Init<ExecuteRequest> = {}): Promise<ExecuteResponse> {
  const action = await putAction(store, wish);
  const call = channel.read(METHODS.execute, { actionDigest: digestMessage(action), ...request });
  const all = [];
  for await (const operation of call.messages) all.push(seen(operation));
  assert.equal((await call.status).code, StatusCode.ok);
  const last = all.at(-1);
  assert.ok(last?.done === true && last.response !== undefined);
  return last.response;
}

const shell = (script: string, rest: Init<Command> = {}): Init<Command> => ({
  arguments: ["/bin/sh", "-c", script],
  environmentVariables: [{ name: "PATH", value: "/usr/bin:/bin" }],
  ...rest,
});
const text = async (digest: Digest): Promise<string> => Buffer.from(value(await store.blobs.read(digest))!).toString();

test("a command's outputs are in the store, its result in the cache, and the second time it does not run", async () => {
  const wish = { files: { in: "input\n" }, command: shell("cat in in > out; echo said", { outputPaths: ["out"] }) };
  const first = await run(wish);
  assert.deepEqual([first.status?.code, first.result?.exitCode, first.cachedResult], [0, 0, false]);
  const out = messageDigest(first.result?.outputFiles[0]?.digest, "sha256");
  assert.ok(out.ok);
  assert.equal(await text(out.value), "input\ninput\n");
  assert.equal(Buffer.from(first.result!.stdoutRaw).toString(), "said\n");
  const metadata = first.result!.executionMetadata!;
  for (const time of ["queuedTimestamp", "executionStartTimestamp", "outputUploadCompletedTimestamp"] as const) {
    assert.ok(metadata[time] !== undefined, time);
  }
  assert.equal((await run(wish)).cachedResult, true);
  assert.equal((await run(wish, { skipCacheLookup: true })).cachedResult, false);
});

test("D10: an action has the environment it was given and nothing on its standard input", async () => {
  const { result } = await run({ command: shell("env; readlink /proc/self/fd/0") });
  const lines = Buffer.from(result!.stdoutRaw).toString().trim().split("\n");
  const known = lines.filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
  assert.deepEqual(
    known.sort(),
    process.platform === "linux" ? ["/dev/null", "PATH=/usr/bin:/bin"] : ["PATH=/usr/bin:/bin"],
  );
});

test("a failing command is a result that is not cached; one that takes too long is DEADLINE_EXCEEDED", async () => {
  const failing = { command: shell("echo why >&2; exit 3") };
  for (const _ of [1, 2]) {
    const { status, result, cachedResult } = await run(failing);
    assert.deepEqual([status?.code, result?.exitCode, cachedResult], [0, 3, false]);
    assert.equal(Buffer.from(result!.stderrRaw).toString(), "why\n");
  }
  const timeout = { seconds: 0, nanos: 200_000_000 };
  const { status, result } = await run({ command: shell("echo begun; sleep 60"), action: { timeout } });
  assert.equal(status?.code, StatusCode.deadlineExceeded);
  assert.equal(Buffer.from(result!.stdoutRaw).toString(), "begun\n");
});

test("a missing input is named, and the action runs once it was uploaded", async () => {
  const wish = { files: { in: "late" }, command: shell("cat in") };
  const { status } = await run({ ...wish, without: ["files"] });
  assert.equal(status?.code, StatusCode.failedPrecondition);
  assert.deepEqual(missingOf(status), [`MISSING blobs/${digestOf("late").slice("sha256:".length)}`]);
  assert.equal(Buffer.from((await run(wish)).result!.stdoutRaw).toString(), "late");
});

test("declared outputs that older clients name have their kind, and symlinks stand in the older fields too", async () => {
  const script = "mkdir -p tree/inner; echo x > tree/inner/f; ln -s tree/inner/f link; echo y > file";
  const outputs = { outputFiles: ["file", "link"], outputDirectories: ["tree"] };
  const { result, status } = await run({ command: shell(script, outputs) });
  assert.equal(status?.code, 0, status?.message);
  assert.deepEqual(
    result?.outputFiles.map(({ path }) => path),
    ["file"],
  );
  assert.deepEqual(
    result?.outputFileSymlinks.map(({ path, target }) => [path, target]),
    [["link", "tree/inner/f"]],
  );
  assert.deepEqual(
    result?.outputDirectories.map(({ path, isTopologicallySorted }) => [path, isTopologicallySorted]),
    [["tree", true]],
  );
});
