import assert from "node:assert/strict";
import { digestOf } from "@kahn/core";
import { testScale } from "@kahn/testing";
import { afterAll, test } from "vitest";
import type { CallContext } from "../../grpc/index.ts";
import { StatusCode } from "../../grpc/index.ts";
import { digestMessage } from "../../names/request-digest.ts";
import { answered, blobOf, codeOf, METHODS, noise, put, startReapi, type TestBlob } from "../reapi-server.fixture.ts";

const server = await startReapi();
const { store, channel } = server;
afterAll(async () => {
  await server.close();
  assert.deepEqual([server.faults, store.openReaders(), store.openWriters()], [[], 0, 0]);
});

const split = (blob: TestBlob, chunkingFunction = 0) =>
  channel.unary(METHODS.split, { blobDigest: blob.message, chunkingFunction });

const large = blobOf(noise(5 << 20));
await put(store, large);

test("§2.3 SplitBlob: chunks are stored, join to the blob, and are the same when asked again", async () => {
  const { chunkDigests, chunkingFunction } = answered(await split(large));
  assert.ok(chunkDigests.length > 3);
  assert.equal(chunkingFunction, 1);
  const read = async ({ hash, sizeBytes }: { hash: string; sizeBytes: number }) => {
    const [response] = answered(await channel.unary(METHODS.batchRead, { digests: [{ hash, sizeBytes }] })).responses;
    return Buffer.from(response!.data);
  };
  const chunks = await Promise.all(chunkDigests.map(read));
  assert.ok(Buffer.concat(chunks).equals(large.bytes));
  assert.deepEqual(answered(await split(large, 1)).chunkDigests, chunkDigests);
});

// Goal: nobody keeps the server busy with what it has left. Method: count how often the blob is opened, by two who ask at
// once; and leave in the middle, the store being held at its first chunk.
test("a blob is split once for all who ask at the same time, and no further when they have gone", async () => {
  let seen: CallContext | undefined;
  const watched = await startReapi({ store, interceptors: [(call) => void (seen = call)] });
  const twice = blobOf(noise(3 << 20, 21));
  await put(store, twice);
  const { write, open } = store.blobs;
  let opened = 0;
  const counted = (digest: typeof twice.digest) => {
    if (digest === twice.digest || digest === left.digest) opened++;
    return open.call(store.blobs, digest);
  };
  const left = blobOf(noise(6 << 20, 22));
  await put(store, left);
  try {
    Object.assign(store.blobs, { open: counted });
    const [one, other] = await Promise.all([split(twice), split(twice)]);
    assert.deepEqual(answered(one).chunkDigests, answered(other).chunkDigests);
    assert.equal(opened, 1);
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let written = 0;
    Object.assign(store.blobs, {
      write: async (...of: Parameters<typeof write>) => {
        written++;
        await held;
        return await write.apply(store.blobs, of);
      },
    });
    const call = watched.channel.unary(METHODS.split, { blobDigest: left.message }, { timeoutMs: 50 });
    assert.equal(codeOf(await call), StatusCode.deadlineExceeded);
    while (seen?.isCancelled !== true) await new Promise((resolve) => setImmediate(resolve));
    letGo();
    while (store.openReaders() > 0) await new Promise((resolve) => setImmediate(resolve));
    // What was cut from the piece that had been read, and nothing after it.
    assert.ok(written < 8, `${written} chunks`);
  } finally {
    Object.assign(store.blobs, { open, write });
    await watched.close();
  }
});

test("chunks are written for who may write; who may only read is told of those that are there", async () => {
  const blob = blobOf(noise(2 << 20, 23));
  await put(store, blob);
  const may = (_: unknown, { what }: { readonly what: string }) =>
    what === "cas.read"
      ? ({ kind: "allowed" } as const)
      : ({ kind: "denied", because: "forbidden", message: `no right to ${what}` } as const);
  const reader = await startReapi({ store, access: { may } });
  const asked = () => reader.channel.unary(METHODS.split, { blobDigest: blob.message });
  const before = store.blobsByDigest.size;
  assert.equal(codeOf(await asked()), StatusCode.permissionDenied);
  assert.equal(store.blobsByDigest.size, before);
  const { chunkDigests } = answered(await split(blob));
  assert.deepEqual(answered(await asked()).chunkDigests, chunkDigests);
  await reader.close();
});

test("§2.3 SplitBlob: lifetimes of blob and chunks are extended; lost chunks are made again", async () => {
  const { chunkDigests } = answered(await split(large));
  store.touched.length = 0;
  answered(await split(large));
  const touched = new Set<string>(store.touched);
  assert.ok(touched.has(large.digest));
  assert.ok(chunkDigests.every(({ hash, sizeBytes }) => touched.has(`sha256:${hash}/${sizeBytes}`)));
  const { hash, sizeBytes } = chunkDigests[1]!;
  const lost = `sha256:${hash}/${sizeBytes}` as typeof large.digest;
  store.blobsByDigest.delete(lost);
  assert.deepEqual(answered(await split(large)).chunkDigests, chunkDigests);
  assert.ok(store.blobsByDigest.has(lost));
});

test("§2.3 SplitBlob: absent is NOT_FOUND, an unserved chunking INVALID_ARGUMENT, a small blob its own chunk", async () => {
  assert.equal(codeOf(await split(blobOf("absent"))), StatusCode.notFound);
  assert.equal(codeOf(await split(large, 2)), StatusCode.invalidArgument);
  assert.equal(codeOf(await channel.unary(METHODS.split, {})), StatusCode.invalidArgument);
  const small = blobOf("small");
  await put(store, small);
  assert.deepEqual(answered(await split(small)).chunkDigests, [small.message]);
  assert.deepEqual(answered(await split(blobOf(""))).chunkDigests, []);
});

test("§2.3 SpliceBlob: made of its chunks, verified; a blob that is there needs none of them", async () => {
  const parts = [blobOf("one "), blobOf("two "), blobOf("three")];
  await put(store, ...parts);
  const whole = blobOf("one two three");
  const request = { blobDigest: whole.message, chunkDigests: parts.map(({ message }) => message) };
  assert.deepEqual(answered(await channel.unary(METHODS.splice, request)).blobDigest, whole.message);
  assert.deepEqual(store.blobsByDigest.get(whole.digest), Uint8Array.from(whole.bytes));
  store.blobsByDigest.delete(parts[0]!.digest);
  assert.equal((await channel.unary(METHODS.splice, request)).ok, true);
});

test("§2.3 SpliceBlob: a missing chunk is NOT_FOUND; other bytes, another size or no chunk INVALID_ARGUMENT", async () => {
  const before = store.blobsByDigest.size;
  const [a, b] = [blobOf("aaaa"), blobOf("bbbb")];
  await put(store, a, b);
  const whole = blobOf("aaaabbbb");
  const code = async (chunkDigests: readonly TestBlob[]) => {
    const messages = chunkDigests.map(({ message }) => message);
    return codeOf(await channel.unary(METHODS.splice, { blobDigest: whole.message, chunkDigests: messages }));
  };
  assert.equal(await code([a, blobOf("cccc")]), StatusCode.notFound);
  assert.equal(await code([b, a]), StatusCode.invalidArgument);
  assert.equal(await code([a]), StatusCode.invalidArgument);
  assert.equal(await code([]), StatusCode.invalidArgument);
  assert.equal(store.blobsByDigest.size, before + 2);
  assert.equal(await code([a, b]), 0);
});

test("chunk mappings are told in pages and registered by making the blob", async () => {
  const parts = [blobOf("left "), blobOf("right")];
  await put(store, ...parts);
  const whole = blobOf("left right");
  const mapping = async () => {
    const call = channel.read(METHODS.chunkMapping, { blobDigest: whole.message });
    const chunks: unknown[] = [];
    try {
      for await (const page of call.messages) chunks.push(...page.chunkDigests);
    } catch {
      // The status tells.
    }
    return { code: (await call.status).code, chunks };
  };
  assert.equal((await mapping()).code, StatusCode.notFound);
  const call = channel.call(METHODS.registerMapping);
  await call.send({ blobDigest: whole.message, chunkDigests: [parts[0]!.message] });
  call.end({ chunkDigests: [parts[1]!.message] });
  assert.deepEqual(answered(await call.answer()).blobDigest, whole.message);
  assert.deepEqual(
    (await mapping()).chunks,
    parts.map(({ message }) => message),
  );
  const nothing = channel.call(METHODS.registerMapping);
  nothing.end();
  assert.equal(codeOf(await nothing.answer()), StatusCode.invalidArgument);
});

// Goal: a large artefact that changed a little travels a little. Method: split, change one byte, split again, and count
// the bytes of the chunks that were not there before.
test("a byte changed in 100 MB (20 MB in a short run) costs less than 3 MB to send", { timeout: 120_000 }, async () => {
  const sizeBytes = testScale(process.env.KAHN_TEST_SCALE) > 1 ? 100e6 : 20e6;
  const before = blobOf(noise(sizeBytes, 5));
  const bytes = Buffer.from(before.bytes);
  bytes[sizeBytes / 2] = bytes[sizeBytes / 2]! ^ 0xff;
  const after = blobOf(bytes);
  await put(store, before, after);
  const known = new Set(answered(await split(before)).chunkDigests.map(({ hash }) => hash));
  const fresh = answered(await split(after)).chunkDigests.filter(({ hash }) => !known.has(hash));
  const freshBytes = fresh.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
  assert.ok(freshBytes > 0 && freshBytes < 3e6, `${freshBytes} bytes`);
  assert.ok(digestMessage(digestOf(bytes)).sizeBytes === sizeBytes);
});
