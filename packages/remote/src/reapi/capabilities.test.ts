import assert from "node:assert/strict";
import * as grpcjs from "@grpc/grpc-js";
import { test } from "vitest";
import type { Interceptor } from "../grpc/index.ts";
import { StatusCode } from "../grpc/index.ts";
import { GetCapabilitiesRequest, RequestMetadata, ServerCapabilities } from "../proto/generated/remote-execution.ts";
import {
  answered,
  blobOf,
  codeOf,
  METHODS,
  put,
  readAll,
  readName,
  startReapi,
  writeAll,
  writeName,
} from "./reapi-server.fixture.ts";
import type { Access, AccessQuestion } from "./requests/access-port.ts";
import { CALLER } from "./requests/access-port.ts";
import { requestMetadata } from "./requests/request-metadata.ts";

/** The bearer token is the name. */
const authenticated: Interceptor = (call) => {
  call.set(CALLER, { name: call.metadata.text("authorization") ?? "" });
  return undefined;
};

/** `reader` reads, `branch` writes its own layer, `main` may do all, nobody else anything. */
const access: Access = {
  may: ({ name }, { what }: AccessQuestion) => {
    if (name === "main") return { kind: "allowed" };
    if (name === "") return { kind: "denied", because: "unauthenticated", message: "show a token" };
    if (name === "branch" && what.startsWith("ac.")) return { kind: "overlay", overlay: "pr-1" };
    if (what.endsWith(".read") || (name === "branch" && what === "cas.write")) return { kind: "allowed" };
    return { kind: "denied", because: "forbidden", message: `${name} may not ${what}` };
  },
};

test("§2.2: what real clients need is announced", async () => {
  const server = await startReapi({ execution: { supportedNodeProperties: ["unix_mode"] } });
  const answer = answered(await server.channel.unary(METHODS.capabilities, { instanceName: "any/instance" }));
  const { cacheCapabilities: cache, executionCapabilities: execution } = answer;
  assert.deepEqual(cache!.digestFunctions, [1, 9, 2, 5, 6]);
  assert.equal(cache!.actionCacheUpdateCapabilities!.updateEnabled, true);
  assert.equal(cache!.cachePriorityCapabilities!.priorities[0]!.maxPriority > 1000, true);
  assert.equal(cache!.cachePriorityCapabilities!.priorities[0]!.minPriority < -1000, true);
  assert.equal(cache!.maxBatchTotalSizeBytes, (4 << 20) - (64 << 10));
  assert.equal(cache!.maxCasBlobSizeBytes, server.store.blobs.maxBlobBytes);
  assert.equal(cache!.symlinkAbsolutePathStrategy, 2);
  assert.deepEqual([cache!.supportedCompressors, cache!.supportedBatchUpdateCompressors], [[1], [1]]);
  assert.deepEqual([cache!.splitBlobSupport, cache!.spliceBlobSupport], [true, true]);
  assert.deepEqual(cache!.fastCdc2020Params, { avgChunkSizeBytes: 524_288, seed: 0 });
  // real-clients.md: Bazel 4 reads only the singular field, and refuses a low version above 2.0.
  assert.equal(execution!.digestFunction, 1);
  assert.deepEqual(execution!.digestFunctions, cache!.digestFunctions);
  assert.equal(execution!.execEnabled, true);
  assert.equal(execution!.executionPriorityCapabilities!.priorities.length, 1);
  assert.deepEqual(execution!.supportedNodeProperties, ["unix_mode"]);
  const { lowApiVersion: low, highApiVersion: high, deprecatedApiVersion: deprecated } = answer;
  assert.deepEqual([low!.major, low!.minor, high!.major, high!.minor, deprecated!.minor], [2, 0, 2, 3, 0]);
  assert.equal(codeOf(await server.channel.unary(METHODS.capabilities, { instanceName: "a/uploads" })), 3);
  await server.close();
});

test("§2.2: a server that only caches says nothing of execution; without zstd none is announced", async () => {
  const server = await startReapi({ zstd: "none", digestFunctions: ["sha256"] });
  const answer = answered(await server.channel.unary(METHODS.capabilities, {}));
  assert.equal(answer.executionCapabilities, undefined);
  assert.deepEqual(answer.cacheCapabilities!.supportedCompressors, []);
  assert.deepEqual(answer.cacheCapabilities!.digestFunctions, [1]);
  const sha1 = { blobDigests: [{ hash: "a".repeat(40), sizeBytes: 1 }] };
  assert.equal(codeOf(await server.channel.unary(METHODS.findMissing, sha1)), StatusCode.invalidArgument);
  await server.close();
});

test("§2.2: update_enabled follows the caller's rights", async () => {
  const server = await startReapi({
    access,
    interceptors: [authenticated],
    execution: { supportedNodeProperties: [] },
  });
  const ask = async (authorization: string) => {
    const answer = answered(await server.channel.unary(METHODS.capabilities, {}, { metadata: { authorization } }));
    const { updateEnabled } = answer.cacheCapabilities!.actionCacheUpdateCapabilities!;
    return [updateEnabled, answer.executionCapabilities!.execEnabled];
  };
  assert.deepEqual(
    [await ask("main"), await ask("branch"), await ask("reader")],
    [
      [true, true],
      [true, false],
      [false, false],
    ],
  );
  await server.close();
});

test("rights: a reader writes nothing by any method, a stranger is asked who he is, a branch writes its own layer", async () => {
  const server = await startReapi({ access, interceptors: [authenticated] });
  const { channel, store } = server;
  const blob = blobOf("content");
  await put(store, blob);
  const as = (authorization: string) => ({ metadata: { authorization } });
  const fresh = blobOf("fresh");
  const outcomes = async (name: string) => {
    const options = name === "" ? {} : as(name);
    const write = channel.call(METHODS.write, options);
    write.end({ resourceName: writeName(fresh.digest, "u"), data: fresh.bytes, finishWrite: true });
    const created = channel.unary(METHODS.createLog, { parent: "x" }, options);
    const register = channel.call(METHODS.registerMapping, options);
    register.end({ blobDigest: fresh.message, chunkDigests: [blob.message] });
    return {
      writes: [
        codeOf(await write.answer()),
        codeOf(await channel.unary(METHODS.batchUpdate, { requests: [] }, options)),
        codeOf(await channel.unary(METHODS.updateAction, { actionDigest: fresh.message, actionResult: {} }, options)),
        codeOf(await channel.unary(METHODS.splice, { blobDigest: fresh.message }, options)),
        codeOf(await channel.unary(METHODS.pushBlob, { uris: ["u"], blobDigest: blob.message }, options)),
        codeOf(await channel.unary(METHODS.pushDirectory, { uris: ["u"], rootDirectoryDigest: blob.message }, options)),
        codeOf(await channel.unary(METHODS.writeStatus, { resourceName: writeName(fresh.digest, "u") }, options)),
        codeOf(await created),
        codeOf(await register.answer()),
      ],
      reads: [
        (await readAll(server, { resourceName: readName(blob.digest) }, options)).code,
        codeOf(await channel.unary(METHODS.findMissing, { blobDigests: [blob.message] }, options)),
        codeOf(await channel.unary(METHODS.batchRead, { digests: [blob.message] }, options)),
        codeOf(await channel.unary(METHODS.split, { blobDigest: blob.message }, options)),
      ],
    };
  };
  const reader = await outcomes("reader");
  assert.deepEqual(reader.writes, Array(9).fill(StatusCode.permissionDenied));
  // To split a blob writes its chunks: a reader is told of those that a writer had made.
  assert.deepEqual(reader.reads, [0, 0, 0, StatusCode.permissionDenied]);
  answered(await channel.unary(METHODS.split, { blobDigest: blob.message }, as("main")));
  assert.deepEqual((await outcomes("reader")).reads, [0, 0, 0, 0]);
  const stranger = await outcomes("");
  assert.deepEqual([...stranger.writes, ...stranger.reads], Array(13).fill(StatusCode.unauthenticated));
  assert.ok(!store.blobsByDigest.has(fresh.digest));

  const key = { actionDigest: blobOf("key").message };
  answered(
    await channel.unary(
      METHODS.updateAction,
      { ...key, actionResult: { stdoutRaw: Buffer.from("mine") } },
      as("branch"),
    ),
  );
  assert.equal(codeOf(await channel.unary(METHODS.getAction, key, as("main"))), StatusCode.notFound);
  assert.equal(String(answered(await channel.unary(METHODS.getAction, key, as("branch"))).stdoutRaw), "mine");
  await server.close();
});

test("§2.1: what clients tell of themselves is parsed once, and a broken header harms nobody", async () => {
  const seen: string[] = [];
  const told: Interceptor = (call) => {
    const metadata = requestMetadata(call);
    if (metadata === undefined) return;
    seen.push(`${metadata.toolDetails?.toolName} ${metadata.targetId} ${requestMetadata(call) === metadata}`);
  };
  const server = await startReapi({ interceptors: [told] });
  const name = "build.bazel.remote.execution.v2.requestmetadata-bin";
  const bytes = RequestMetadata.encode({
    toolDetails: { toolName: "bazel" },
    targetId: "//a:b",
    toolInvocationId: "i",
  });
  for (const value of [bytes, Buffer.from([0xff, 0xff]), Buffer.alloc(9000)]) {
    assert.ok((await server.channel.unary(METHODS.capabilities, {}, { metadata: { [name]: value } })).ok);
  }
  assert.deepEqual(seen, ["bazel //a:b true"]);
  await server.close();
});

test("grpc-js understands what is answered, and its blobs", async () => {
  const server = await startReapi();
  const client = new grpcjs.Client(server.target, grpcjs.credentials.createInsecure());
  const capabilities = await new Promise<ServerCapabilities>((resolve, reject) => {
    client.makeUnaryRequest(
      METHODS.capabilities.path,
      (request: Uint8Array) => Buffer.from(request),
      (bytes) => ServerCapabilities.decode(bytes),
      GetCapabilitiesRequest.encode({}),
      (error, answer) => (error ? reject(error) : resolve(answer!)),
    );
  });
  assert.equal(capabilities.lowApiVersion?.major, 2);
  client.close();
  const blob = blobOf("by us");
  answered(await writeAll(server, blob.bytes, { resourceName: writeName(blob.digest, "u") }));
  await server.close();
});
