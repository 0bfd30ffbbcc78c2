import assert from "node:assert/strict";
import { loadEngine } from "@kahn/cas";
import { digestFunction } from "@kahn/core";
import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { afterAll, test } from "vitest";
import { RAW_BYTES, StatusCode } from "../grpc/index.ts";
import { nearNames } from "../names/names.fixture.ts";
import type { Codec } from "../proto/codec.ts";
import {
  answered,
  blobOf,
  METHODS,
  noise,
  put,
  readAll,
  readName,
  startReapi,
  writeName,
} from "./reapi-server.fixture.ts";
import { frameOf } from "./stored-zstd.fixture.ts";

const scale = testScale(process.env.KAHN_TEST_SCALE);
const server = await startReapi();
const { store, channel } = server;
afterAll(() => server.close());

const known = blobOf(noise(2000));
await put(store, known);
const fresh = blobOf("fresh");

/** What may be answered to bytes that mean nothing: never UNKNOWN, never a broken connection. */
const ALLOWED: ReadonlySet<number> = new Set([
  StatusCode.ok,
  StatusCode.invalidArgument,
  StatusCode.notFound,
  StatusCode.failedPrecondition,
  StatusCode.outOfRange,
  StatusCode.unimplemented,
  // A message that cannot be decoded at all is the transport's to answer, and gRPC says INTERNAL.
  StatusCode.internal,
]);

/** A request of each method that would succeed or nearly, to be mutated. */
const SEEDS: readonly (readonly [keyof typeof METHODS, Uint8Array])[] = [
  seed("capabilities", METHODS.capabilities.request, { instanceName: "a/b" }),
  seed("findMissing", METHODS.findMissing.request, { blobDigests: [known.message, fresh.message] }),
  seed("batchUpdate", METHODS.batchUpdate.request, {
    requests: [{ digest: fresh.message, data: frameOf(fresh.bytes), compressor: 1 }],
  }),
  seed("batchRead", METHODS.batchRead.request, { digests: [known.message], acceptableCompressors: [1] }),
  seed("getTree", METHODS.getTree.request, { rootDigest: known.message, pageSize: 3, pageToken: "3.0" }),
  seed("split", METHODS.split.request, { blobDigest: known.message, chunkingFunction: 1 }),
  seed("splice", METHODS.splice.request, { blobDigest: fresh.message, chunkDigests: [known.message] }),
  seed("chunkMapping", METHODS.chunkMapping.request, { blobDigest: known.message }),
  seed("registerMapping", METHODS.registerMapping.request, {
    blobDigest: fresh.message,
    chunkDigests: [known.message],
  }),
  seed("getAction", METHODS.getAction.request, { actionDigest: known.message, inlineOutputFiles: ["a"] }),
  seed("updateAction", METHODS.updateAction.request, {
    actionDigest: fresh.message,
    actionResult: { exitCode: 1, outputFiles: [{ path: "/a", digest: known.message }] },
  }),
  seed("read", METHODS.read.request, { resourceName: readName(known.digest, "zstd"), readOffset: 5 }),
  seed("write", METHODS.write.request, {
    resourceName: writeName(fresh.digest, "u"),
    data: Buffer.from("wrong"),
    finishWrite: true,
  }),
  seed("writeStatus", METHODS.writeStatus.request, { resourceName: writeName(fresh.digest, "u") }),
  seed("createLog", METHODS.createLog.request, { parent: "x/blobs" }),
  seed("fetchBlob", METHODS.fetchBlob.request, { uris: ["http://x"], qualifiers: [{ name: "directory", value: "x" }] }),
  seed("fetchDirectory", METHODS.fetchDirectory.request, { uris: ["http://x"] }),
  seed("pushBlob", METHODS.pushBlob.request, { uris: ["x"], blobDigest: fresh.message }),
  seed("pushDirectory", METHODS.pushDirectory.request, { uris: ["x"], rootDirectoryDigest: fresh.message }),
];

function seed(name: keyof typeof METHODS, codec: { encode(message: never): unknown }, message: object) {
  return [name, (codec as unknown as Codec<object>).encode(message as never)] as const;
}

const mutations = fc.array(
  fc.record({
    at: fc.nat({ max: 400 }),
    kind: fc.constantFrom("flip", "drop", "insert", "cut"),
    byte: fc.nat({ max: 255 }),
  }),
  { maxLength: 4 },
);

function mutated(bytes: Uint8Array, steps: readonly { at: number; kind: string; byte: number }[]): Uint8Array {
  let current = Buffer.from(bytes);
  for (const { at, kind, byte } of steps) {
    const place = current.length === 0 ? 0 : at % current.length;
    if (kind === "flip" && current.length > 0) current[place] = byte;
    else if (kind === "drop") current = Buffer.concat([current.subarray(0, place), current.subarray(place + 1)]);
    else if (kind === "insert")
      current = Buffer.concat([current.subarray(0, place), Buffer.from([byte]), current.subarray(place)]);
    else if (kind === "cut") current = current.subarray(0, place);
  }
  return current;
}

async function outcome(name: keyof typeof METHODS, bytes: Uint8Array): Promise<number> {
  const call = channel.call({
    path: METHODS[name].path,
    kind: METHODS[name].kind,
    request: RAW_BYTES,
    response: RAW_BYTES,
  });
  call.end(bytes);
  try {
    for await (const _ of call.messages);
  } catch {
    // The status tells.
  }
  return (await call.status).code;
}

/** Blobs of the store that are not what they are called. */
async function liars(): Promise<string[]> {
  const found: string[] = [];
  for (const [digest, bytes] of store.blobsByDigest) {
    if ((await loadEngine(digestFunction(digest))).digest(bytes) !== digest) found.push(digest);
  }
  return found;
}

// Goal: no bytes of a peer harm the server or its store. Method: right requests of every method with up to four changes,
// and random bytes, each a call of its own on a real connection.
test("whatever bytes a method is called with, the answer is a code of the checklist and the store is unharmed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...SEEDS),
      fc.oneof(mutations, fc.uint8Array({ maxLength: 60 })),
      async ([name, bytes], how) => {
        const sent = how instanceof Uint8Array ? how : mutated(bytes, how);
        const code = await outcome(name, sent);
        assert.ok(ALLOWED.has(code), `${name} answered ${code} to ${Buffer.from(sent).toString("hex")}`);
      },
    ),
    { numRuns: 600 * scale },
  );
  assert.deepEqual(server.faults, []);
  assert.equal(store.openReaders(), 0);
  assert.deepEqual(await liars(), []);
  assert.deepEqual((await readAll(server, { resourceName: readName(known.digest) })).bytes, known.bytes);
});

test("no resource name is more than a name: reads, writes and questions about it end with a code of the checklist", async () => {
  const before = store.blobsByDigest.size;
  await fc.assert(
    fc.asyncProperty(fc.oneof(nearNames, fc.string({ unit: "binary", maxLength: 80 })), async (resourceName) => {
      const read = METHODS.read.request as unknown as Codec<object>;
      const write = METHODS.write.request as unknown as Codec<object>;
      const codes = [
        await outcome("read", read.encode({ resourceName } as never)),
        await outcome("write", write.encode({ resourceName, data: Buffer.from("x"), finishWrite: true } as never)),
        await outcome("writeStatus", read.encode({ resourceName } as never)),
      ];
      assert.ok(
        codes.every((code) => ALLOWED.has(code)),
        `${JSON.stringify(resourceName)}: ${codes}`,
      );
    }),
    { numRuns: 150 * scale },
  );
  assert.deepEqual(server.faults, []);
  assert.equal(store.blobsByDigest.size, before);
  assert.ok(answered(await channel.unary(METHODS.capabilities, {})));
});
