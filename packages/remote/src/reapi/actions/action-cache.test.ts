import assert from "node:assert/strict";
import { digestOf, encodeAction, encodeCommand, parseDigest } from "@kahn/core";
import { afterAll, test } from "vitest";
import { RAW_BYTES, StatusCode } from "../../grpc/index.ts";
import { digestMessage } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import { unpackAny } from "../../proto/core-messages.ts";
import { PreconditionFailure } from "../../proto/generated/error-details.ts";
import {
  ActionResult,
  type GetActionResultRequest,
  UpdateActionResultRequest,
} from "../../proto/generated/remote-execution.ts";
import { Status } from "../../proto/generated/status.ts";
import { answered, blobOf, codeOf, METHODS, noise, put, startReapi } from "../reapi-server.fixture.ts";
import { field } from "../wire/fields.ts";

const server = await startReapi({ actionCache: { workerName: "somebody" } });
const { store, channel } = server;
afterAll(async () => {
  await server.close();
  assert.deepEqual(server.faults, []);
});

const out = blobOf("output");
const stdout = blobOf("said\n");
const stderr = blobOf("warned\n");
await put(store, out, stdout, stderr);

/** Keys are digests of anything. */
const keyOf = (name: string) => digestMessage(digestOf(`{"moon":"${name}"}`));

const RESULT: Init<ActionResult> = {
  outputFiles: [
    { path: "dist/a.js", digest: out.message, isExecutable: true, nodeProperties: { unixMode: { value: 420 } } },
  ],
  stdoutDigest: stdout.message,
  stderrDigest: stderr.message,
  executionMetadata: { worker: "moon" },
};

const rawGet = { ...METHODS.getAction, response: RAW_BYTES };
const rawUpdate = { ...METHODS.updateAction, request: RAW_BYTES, response: RAW_BYTES };

const update = (name: string, actionResult: Init<ActionResult>) =>
  channel.unary(METHODS.updateAction, { actionDigest: keyOf(name), actionResult });
const get = (name: string, more: Init<GetActionResultRequest> = {}) =>
  channel.unary(METHODS.getAction, { actionDigest: keyOf(name), ...more });

test("§2.5 Get: NOT_FOUND on a miss; what was stored comes back byte for byte, unknown fields too", async () => {
  assert.equal(codeOf(await get("never")), StatusCode.notFound);
  const unknown = field(2042, Buffer.from("from the future"));
  const sent = Buffer.concat([ActionResult.encode(RESULT), unknown]);
  const request = Buffer.concat([
    UpdateActionResultRequest.encode({ actionDigest: keyOf("exact") }),
    field(0o32, sent),
  ]);
  assert.deepEqual(Buffer.from(answered(await channel.unary(rawUpdate, request))), sent);
  const got = answered(await channel.unary(rawGet, { actionDigest: keyOf("exact") }));
  assert.deepEqual(Buffer.from(got), sent);
});

test("§2.5: keys are of instance, function and digest", async () => {
  answered(
    await channel.unary(METHODS.updateAction, { instanceName: "a/b", actionDigest: keyOf("k"), actionResult: RESULT }),
  );
  assert.equal((await get("k", { instanceName: "a/b" })).ok, true);
  assert.equal(codeOf(await get("k")), StatusCode.notFound);
  assert.equal(codeOf(await get("k", { instanceName: "a" })), StatusCode.notFound);
  assert.equal(codeOf(await get("k", { instanceName: "a/b", digestFunction: 9 })), StatusCode.notFound);
  assert.equal(codeOf(await get("k", { instanceName: "a/blobs" })), StatusCode.invalidArgument);
});

test("D18: a result of which a blob is gone is a miss", async () => {
  const gone = blobOf("gone soon");
  await put(store, gone);
  answered(await update("gone", { outputFiles: [{ path: "x", digest: gone.message }] }));
  assert.equal((await get("gone")).ok, true);
  store.blobsByDigest.delete(gone.digest);
  assert.equal(codeOf(await get("gone")), StatusCode.notFound);
});

test("§2.5 inlining: what is asked for, nothing else, and everything beside it unchanged", async () => {
  answered(await update("inline", RESULT));
  const plain = answered(await get("inline"));
  assert.deepEqual([plain.stdoutRaw.length, plain.stderrRaw.length, plain.outputFiles[0]!.contents.length], [0, 0, 0]);
  const both = answered(await get("inline", { inlineStdout: true, inlineStderr: true }));
  assert.deepEqual([String(both.stdoutRaw), String(both.stderrRaw)], ["said\n", "warned\n"]);
  assert.equal(both.outputFiles[0]!.contents.length, 0);
  const inlined = answered(await get("inline", { inlineOutputFiles: ["nothing", "dist/a.js"] }));
  assert.deepEqual(inlined, {
    ...plain,
    outputFiles: [{ ...plain.outputFiles[0]!, contents: inlined.outputFiles[0]!.contents }],
  });
  assert.equal(String(inlined.outputFiles[0]!.contents), "output");
});

test("§2.5 inlining never makes an answer larger than a message may be", async () => {
  const blobs = Array.from({ length: 5 }, (_, index) => blobOf(noise(1 << 20, index + 50)));
  await put(store, ...blobs);
  const outputFiles = blobs.map(({ message }, index) => ({ path: `f${index}`, digest: message }));
  answered(await update("large", { outputFiles }));
  const inlineOutputFiles = outputFiles.map(({ path }) => path);
  const got = answered(await channel.unary(rawGet, { actionDigest: keyOf("large"), inlineOutputFiles }));
  assert.ok(got.length < 4 << 20);
  const files = ActionResult.decode(got).outputFiles;
  assert.equal(files.filter(({ contents }) => contents.length > 0).length, 3);
});

test("§2.5: raw stdout is kept as it was sent; of a result that no answer could hold it becomes a blob", async () => {
  const small = answered(await update("raw", { stdoutRaw: Buffer.from("raw"), executionMetadata: { worker: "w" } }));
  assert.equal(String(small.stdoutRaw), "raw");
  assert.equal(String(answered(await get("raw", { inlineStdout: true })).stdoutRaw), "raw");
  const text = blobOf(noise(5 << 20));
  const large = answered(await update("raw large", { ...RESULT, stdoutDigest: undefined, stdoutRaw: text.bytes }));
  assert.deepEqual([large.stdoutRaw.length, large.stdoutDigest], [0, text.message]);
  assert.ok(store.blobsByDigest.has(text.digest));
  assert.deepEqual(large.outputFiles, ActionResult.decode(ActionResult.encode(RESULT)).outputFiles);
  const many = Array.from({ length: 60_000 }, (_, index) => ({
    path: `a/long/path/to/file/${index}`,
    digest: out.message,
  }));
  assert.equal(codeOf(await update("too large", { outputFiles: many })), StatusCode.invalidArgument);
});

test("§2.5: an empty worker is filled, another stays", async () => {
  assert.equal(answered(await update("named", RESULT)).executionMetadata?.worker, "moon");
  const queuedTimestamp = { seconds: 12, nanos: 5 };
  for (const executionMetadata of [undefined, { queuedTimestamp }]) {
    const filled = answered(await update("unnamed", { executionMetadata }));
    assert.equal(filled.executionMetadata?.worker, "somebody");
    if (executionMetadata) assert.deepEqual(filled.executionMetadata?.queuedTimestamp, queuedTimestamp);
    assert.equal(answered(await get("unnamed")).executionMetadata?.worker, "somebody");
  }
});

test("§2.5 Update: malformed results are INVALID_ARGUMENT, and nothing is stored", async () => {
  const records = store.actionsByKey.size;
  const digest = out.message;
  const bad: Init<ActionResult>[] = [
    { outputFiles: [{ path: "/etc/passwd", digest }] },
    { outputFiles: [{ path: "", digest }] },
    { outputFiles: [{ path: "nil" }] },
    { outputFiles: [{ path: "negative", digest: { ...digest, sizeBytes: -1 } }] },
    { outputFiles: [{ path: "upper", digest: { ...digest, hash: digest.hash.toUpperCase() } }] },
    { outputFiles: [{ path: "nul\0", digest }] },
    { outputDirectories: [{ path: "/abs", treeDigest: digest }] },
    { outputDirectories: [{ path: "nil" }] },
    { outputSymlinks: [{ path: "empty", target: "" }] },
    { outputSymlinks: [{ path: "/abs", target: "x" }] },
    { outputFileSymlinks: [{ path: "empty", target: "" }] },
    { stdoutDigest: { hash: "abc", sizeBytes: 1 } },
    { stderrDigest: { ...digest, sizeBytes: -5 } },
  ];
  for (const result of bad) {
    const outcome = await update("bad", result);
    assert.equal(codeOf(outcome), StatusCode.invalidArgument, JSON.stringify(result));
  }
  assert.equal(codeOf(await channel.unary(METHODS.updateAction, { actionDigest: keyOf("none") })), 3);
  assert.equal(codeOf(await channel.unary(METHODS.updateAction, { actionResult: RESULT })), 3);
  assert.equal(codeOf(await channel.unary(METHODS.getAction, {})), 3);
  assert.equal(store.actionsByKey.size, records);
});

test("§2.5: failures are not cached unless that was chosen; empty stdout digests are fine", async () => {
  const failed = { ...RESULT, exitCode: 3 };
  assert.equal(codeOf(await update("failed", failed)), StatusCode.failedPrecondition);
  assert.equal(codeOf(await get("failed")), StatusCode.notFound);
  const kind = await startReapi({ store, actionCache: { cacheFailures: true } });
  answered(await kind.channel.unary(METHODS.updateAction, { actionDigest: keyOf("failed"), actionResult: failed }));
  assert.equal(answered(await get("failed")).exitCode, 3);
  await kind.close();
  answered(await update("empty", { stdoutDigest: blobOf("").message }));
  assert.equal(answered(await get("empty", { inlineStdout: true })).stdoutDigest?.sizeBytes, 0);
});

test("§2.5 strict: without Action or Command FAILED_PRECONDITION, with a violation that names what is missing", async () => {
  const strict = await startReapi({ store, actionCache: { strict: true } });
  const command = encodeCommand({
    arguments: ["true"],
    environment: [],
    outputPaths: [],
    platform: [],
    workingDirectory: "",
  });
  const inputRoot = parseDigest(`sha256:${blobOf("").message.hash}/0`);
  assert.ok(inputRoot.ok);
  const action = encodeAction({
    command: digestOf(command),
    inputRoot: inputRoot.value,
    doNotCache: false,
    salt: new Uint8Array(),
    platform: [],
  });
  const record = () =>
    strict.channel.unary(METHODS.updateAction, { actionDigest: digestMessage(digestOf(action)), actionResult: RESULT });
  for (const missing of [action, command]) {
    const refused = await record();
    assert.ok(!refused.ok && refused.problem.code === StatusCode.failedPrecondition);
    const detail = Status.decode(refused.problem.details!).details[0]!;
    const { hash, sizeBytes } = digestMessage(digestOf(missing));
    assert.deepEqual(
      unpackAny(PreconditionFailure, detail)?.violations.map(({ type, subject }) => [type, subject]),
      [["MISSING", `blobs/${hash}/${sizeBytes}`]],
    );
    await put(store, blobOf(missing));
  }
  answered(await record());
  await strict.close();
});

test("a full store is RESOURCE_EXHAUSTED", async () => {
  store.failWrites({ code: "store-full", severity: "error", message: "no space left" });
  assert.equal(codeOf(await update("full", RESULT)), StatusCode.resourceExhausted);
  store.failWrites(undefined);
});
