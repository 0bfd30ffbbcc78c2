import assert from "node:assert/strict";
import { digestOf } from "@kahn/core";
import { afterAll, test } from "vitest";
import { RAW_BYTES, StatusCode } from "../../grpc/index.ts";
import { digestFunctionNumber, emptyDigest } from "../../names/digest-function.ts";
import { digestMessage } from "../../names/request-digest.ts";
import { CompressorValue, FindMissingBlobsRequest } from "../../proto/generated/remote-execution.ts";
import { answered, blobOf, codeOf, contentsOf, METHODS, noise, put, startReapi } from "../reapi-server.fixture.ts";
import { frameOf, STORED_ZSTD } from "../stored-zstd.fixture.ts";

const server = await startReapi();
const { store, channel } = server;
afterAll(async () => {
  await server.close();
  assert.deepEqual(server.faults, []);
});

const one = blobOf("one");
const two = blobOf(noise(3000));
await put(store, one, two);
const absent = blobOf("absent");

test("§2.3 FindMissingBlobs: exact, each once, in one look at the index, and present blobs count as used", async () => {
  store.counts.findMissing = 0;
  store.touched.length = 0;
  const blobDigests = [one.message, absent.message, two.message, absent.message, one.message];
  const found = answered(await channel.unary(METHODS.findMissing, { blobDigests }));
  assert.deepEqual(found.missingBlobDigests, [absent.message]);
  assert.equal(store.counts.findMissing, 1);
  assert.deepEqual(new Set(store.touched), new Set([one.digest, two.digest]));
  assert.deepEqual(answered(await channel.unary(METHODS.findMissing, {})).missingBlobDigests, []);
});

test("§2.3 FindMissingBlobs: a question in an unusual encoding has the same answer", async () => {
  const message = FindMissingBlobsRequest.encode({ blobDigests: [one.message, absent.message, absent.message] });
  const unknownField = Buffer.from([0x98, 0x06, 1]);
  for (const bytes of [message, Buffer.concat([unknownField, message]), Buffer.concat([message, unknownField])]) {
    const raw = { ...METHODS.findMissing, request: RAW_BYTES };
    assert.deepEqual(answered(await channel.unary(raw, bytes)).missingBlobDigests, [absent.message]);
  }
});

test("D13: the empty blob is never missing, in any function", async () => {
  for (const fn of ["sha256", "sha1", "sha384", "sha512", "blake3"] as const) {
    const request = { blobDigests: [digestMessage(emptyDigest(fn))], digestFunction: digestFunctionNumber(fn) };
    assert.deepEqual(answered(await channel.unary(METHODS.findMissing, request)).missingBlobDigests, [], fn);
  }
});

test("D14: a wrong size is another blob, and malformed digests and unserved functions are INVALID_ARGUMENT", async () => {
  const other = { ...one.message, sizeBytes: one.message.sizeBytes + 1 };
  const found = answered(await channel.unary(METHODS.findMissing, { blobDigests: [other] }));
  assert.deepEqual(found.missingBlobDigests, [other]);
  const hash = one.message.hash;
  const bad = [
    { blobDigests: [{ hash: hash.toUpperCase(), sizeBytes: 3 }] },
    { blobDigests: [{ hash: hash.slice(1), sizeBytes: 3 }] },
    { blobDigests: [{ hash, sizeBytes: -1 }] },
    { blobDigests: [{ hash: "", sizeBytes: 0 }] },
    { blobDigests: [one.message, { hash: hash.slice(0, 40), sizeBytes: 3 }] },
    { blobDigests: [one.message], digestFunction: 2 },
    { blobDigests: [one.message], digestFunction: 7 },
    { blobDigests: [one.message], digestFunction: 99 },
    { blobDigests: [{ hash: "a".repeat(32), sizeBytes: 3 }], digestFunction: 3 },
    { blobDigests: [one.message], instanceName: "a/blobs/b" },
    { blobDigests: [one.message], instanceName: "../x" },
  ];
  for (const request of bad) {
    assert.equal(codeOf(await channel.unary(METHODS.findMissing, request)), 3, JSON.stringify(request));
  }
});

test("§2.3 BatchUpdateBlobs: each blob has its own outcome; duplicates and compressed ones are fine", async () => {
  const plain = blobOf("plain");
  const packed = blobOf(noise(5000, 2));
  const wrong = blobOf("wrong");
  const requests = [
    { digest: plain.message, data: plain.bytes },
    { digest: plain.message, data: plain.bytes },
    { digest: packed.message, data: frameOf(packed.bytes), compressor: CompressorValue.ZSTD },
    { digest: wrong.message, data: Buffer.from("other") },
    { digest: { ...wrong.message, sizeBytes: 99 }, data: wrong.bytes },
    { digest: { hash: "short", sizeBytes: 5 }, data: Buffer.from("short") },
    { data: Buffer.from("none") },
    { digest: wrong.message, data: wrong.bytes, compressor: CompressorValue.BROTLI },
    { digest: wrong.message, data: frameOf(Buffer.alloc(1 << 20)), compressor: CompressorValue.ZSTD },
    { digest: wrong.message, data: wrong.bytes, compressor: CompressorValue.ZSTD },
  ];
  const { responses } = answered(await channel.unary(METHODS.batchUpdate, { requests }));
  const codes = responses.map(({ status }) => status?.code ?? 0);
  assert.deepEqual(codes, [0, 0, 0, 3, 3, 3, 3, 3, 3, 3]);
  assert.deepEqual(
    responses.map(({ digest }) => digest?.hash),
    requests.map(({ digest }) => digest?.hash),
  );
  assert.deepEqual(store.blobsByDigest.get(packed.digest), Uint8Array.from(packed.bytes));
  assert.ok(!store.blobsByDigest.has(wrong.digest));
});

test("D1: a batch of lies stores nothing", async () => {
  const before = contentsOf(store);
  const requests = Array.from({ length: 50 }, (_, index) => ({
    digest: blobOf(`true ${index}`).message,
    data: Buffer.from(`lies ${index}`),
  }));
  const { responses } = answered(await channel.unary(METHODS.batchUpdate, { requests }));
  assert.ok(responses.every(({ status }) => status?.code === StatusCode.invalidArgument));
  assert.deepEqual(contentsOf(store), before);
});

test("D17: a batch of just the announced size is taken, a larger one is INVALID_ARGUMENT both ways", async () => {
  const capabilities = answered(await channel.unary(METHODS.capabilities, {}));
  const limit = capabilities.cacheCapabilities!.maxBatchTotalSizeBytes;
  assert.ok(limit > 3 << 20 && limit < 4 << 20);
  const full = blobOf(noise(limit));
  const update = (...blobs: readonly (typeof full)[]) =>
    channel.unary(METHODS.batchUpdate, {
      requests: blobs.map(({ bytes, message }) => ({ data: bytes, digest: message })),
    });
  assert.equal(answered(await update(full)).responses[0]?.status?.code ?? 0, 0);
  assert.equal(codeOf(await update(full, one)), StatusCode.invalidArgument);
  const read = answered(await channel.unary(METHODS.batchRead, { digests: [full.message] }));
  assert.ok(full.bytes.equals(read.responses[0]!.data));
  const more = await channel.unary(METHODS.batchRead, { digests: [full.message, one.message] });
  assert.equal(codeOf(more), StatusCode.invalidArgument);
});

test("a batch of bombs is refused as a whole before anything is unpacked", async () => {
  const requests = Array.from({ length: 200 }, (_, index) => ({
    digest: { hash: digestOf(`${index}`).slice(7, 71), sizeBytes: 1 << 20 },
    data: frameOf(Buffer.alloc(1000)),
    compressor: CompressorValue.ZSTD,
  }));
  assert.equal(codeOf(await channel.unary(METHODS.batchUpdate, { requests })), StatusCode.invalidArgument);
});

test("§2.3 BatchReadBlobs: status by digest, duplicates answered, compressed only for those who accept it", async () => {
  const digests = [one.message, absent.message, two.message, one.message, digestMessage(emptyDigest("sha256"))];
  const plain = answered(await channel.unary(METHODS.batchRead, { digests })).responses;
  assert.deepEqual(
    plain.map(({ status }) => status?.code ?? 0),
    [0, StatusCode.notFound, 0, 0, 0],
  );
  assert.deepEqual(
    plain.map(({ digest }) => digest),
    digests,
  );
  assert.ok(plain.every(({ compressor }) => compressor === CompressorValue.IDENTITY));
  assert.ok(two.bytes.equals(plain[2]!.data));
  const same = blobOf(Buffer.alloc(9000, 7));
  await put(store, same);
  for (const acceptableCompressors of [[CompressorValue.ZSTD], [CompressorValue.BROTLI], []]) {
    const request = { digests: [same.message], acceptableCompressors };
    const [response] = answered(await channel.unary(METHODS.batchRead, request)).responses;
    const isPacked = acceptableCompressors.includes(1 as never);
    assert.equal(response!.compressor, isPacked ? CompressorValue.ZSTD : CompressorValue.IDENTITY);
    const bytes = isPacked
      ? await STORED_ZSTD.decompress(response!.data, 9000)
      : { ok: true as const, value: response!.data };
    assert.ok(bytes.ok && same.bytes.equals(bytes.value));
  }
});

test("functions beside sha256 need no name where their hashes tell them apart, and one where not", async () => {
  const bytes = Buffer.from("many functions");
  const { loadEngine } = await import("@kahn/cas");
  for (const fn of ["sha1", "sha384", "sha512", "blake3"] as const) {
    const digest = digestMessage((await loadEngine(fn)).digest(bytes));
    const digestFunction = fn === "blake3" ? digestFunctionNumber(fn) : 0;
    const update = { requests: [{ digest, data: bytes }], digestFunction };
    assert.equal(answered(await channel.unary(METHODS.batchUpdate, update)).responses[0]?.status?.code ?? 0, 0, fn);
    const read = answered(await channel.unary(METHODS.batchRead, { digests: [digest], digestFunction }));
    assert.deepEqual(Buffer.from(read.responses[0]!.data), bytes);
  }
});

test("a full store is RESOURCE_EXHAUSTED of each blob, with the time to come back", async () => {
  const full = await startReapi();
  full.store.failWrites({ code: "store-limit", severity: "error", message: "full" });
  const requests = [{ digest: one.message, data: one.bytes }];
  const [response] = answered(await full.channel.unary(METHODS.batchUpdate, { requests })).responses;
  assert.equal(response!.status!.code, StatusCode.resourceExhausted);
  assert.equal(response!.status!.details[0]!.typeUrl, "type.googleapis.com/google.rpc.RetryInfo");
  await full.close();
});
