import assert from "node:assert/strict";
import { digestOf } from "@kahn/core";
import { settled, virtualClock } from "@kahn/testing";
import { afterAll, test } from "vitest";
import { StatusCode } from "../../grpc/index.ts";
import { emptyDigest } from "../../names/digest-function.ts";
import {
  answered,
  blobOf,
  codeOf,
  contentsOf,
  METHODS,
  noise,
  put,
  readAll,
  readName,
  startReapi,
  writeAll,
  writeName,
} from "../reapi-server.fixture.ts";
import { frameOf, STORED_ZSTD } from "../stored-zstd.fixture.ts";

const server = await startReapi();
const { store } = server;
afterAll(async () => {
  await server.close();
  assert.deepEqual(server.faults, []);
});

const large = blobOf(noise(2_500_000));
await put(store, large);

async function unpacked(bytes: Uint8Array): Promise<Uint8Array> {
  const result = await STORED_ZSTD.decompress(bytes, 1 << 30);
  assert.ok(result.ok);
  return result.value;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settled();
}

test("§2.4 Read: a blob comes in messages, with and without an instance name with slashes", async () => {
  for (const instance of ["", "a", "team/x/y"]) {
    const read = await readAll(server, { resourceName: readName(large.digest, "identity", instance) });
    assert.equal(read.code, 0);
    assert.ok(read.bytes.equals(large.bytes));
    assert.ok(read.messages > 1);
  }
  assert.equal(store.openReaders(), 0);
});

test("§2.4 Read: offset and limit choose a range; the end is no error, what lies behind it is", async () => {
  const resourceName = readName(large.digest);
  const size = large.bytes.length;
  const cases = [
    { readOffset: 10, readLimit: 5, code: 0, bytes: large.bytes.subarray(10, 15) },
    { readOffset: 0, readLimit: 300_000, code: 0, bytes: large.bytes.subarray(0, 300_000) },
    { readOffset: size - 3, readLimit: 100, code: 0, bytes: large.bytes.subarray(size - 3) },
    { readOffset: size, readLimit: 0, code: 0, bytes: Buffer.alloc(0) },
    { readOffset: size, readLimit: 7, code: 0, bytes: Buffer.alloc(0) },
    { readOffset: size + 1, readLimit: 0, code: StatusCode.outOfRange, bytes: Buffer.alloc(0) },
    { readOffset: -1, readLimit: 0, code: StatusCode.invalidArgument, bytes: Buffer.alloc(0) },
    { readOffset: 0, readLimit: -1, code: StatusCode.outOfRange, bytes: Buffer.alloc(0) },
  ];
  for (const { code, bytes, ...range } of cases) {
    const read = await readAll(server, { resourceName, ...range });
    assert.equal(read.code, code, JSON.stringify(range));
    assert.ok(read.bytes.equals(bytes), JSON.stringify(range));
  }
});

test("§2.4 Read, D15: a compressed blob can be had from any offset of the blob, and has no limit", async () => {
  const resourceName = readName(large.digest, "zstd");
  for (const readOffset of [0, 1, 1_048_576, 2_499_999, 2_500_000]) {
    const read = await readAll(server, { resourceName, readOffset });
    assert.equal(read.code, 0);
    assert.ok(large.bytes.subarray(readOffset).equals(await unpacked(read.bytes)), `from ${readOffset}`);
  }
  assert.equal((await readAll(server, { resourceName, readLimit: 1 })).code, StatusCode.invalidArgument);
  assert.equal((await readAll(server, { resourceName, readLimit: -1 })).code, StatusCode.invalidArgument);
  assert.equal((await readAll(server, { resourceName, readOffset: 2_500_001 })).code, StatusCode.outOfRange);
});

test("§2.4 Read: absent is NOT_FOUND; compressors that are not announced are INVALID_ARGUMENT", async () => {
  const absent = digestOf("absent");
  assert.equal((await readAll(server, { resourceName: readName(absent) })).code, StatusCode.notFound);
  const hash = "a".repeat(64);
  for (const name of [`compressed-blobs/brotli/${hash}/1`, `compressed-blobs/deflate/${hash}/1`, `blobs/${hash}/1/x`]) {
    assert.equal((await readAll(server, { resourceName: name })).code, StatusCode.invalidArgument, name);
  }
  const plain = await startReapi({ store, zstd: "none" });
  const packed = await readAll(plain, { resourceName: readName(large.digest, "zstd") });
  assert.equal(packed.code, StatusCode.invalidArgument);
  assert.equal(
    codeOf(await writeAll(plain, frameOf(large.bytes), { resourceName: writeName(absent, "u", "zstd") })),
    3,
  );
  await plain.close();
});

test("a blob that turns out damaged is NOT_FOUND, for reading and for splitting", async () => {
  for (const seed of [1, 2]) {
    const blob = blobOf(noise(5000, 60 + seed));
    await put(store, blob);
    store.damaged.add(blob.digest);
    const code =
      seed === 1
        ? (await readAll(server, { resourceName: readName(blob.digest) })).code
        : codeOf(await server.channel.unary(METHODS.split, { blobDigest: blob.message }));
    assert.equal(code, StatusCode.notFound);
  }
  assert.equal(store.openReaders(), 0);
});

test("D2: short, long and upper-case hashes are INVALID_ARGUMENT on every method, and the server lives", async () => {
  const bad = [
    "blobs/ab/1",
    "blobs/a/1",
    `blobs/${"A".repeat(64)}/1`,
    `blobs/${"a".repeat(63)}/1`,
    "blobs//1",
    "blobs",
  ];
  for (const name of bad) {
    assert.equal((await readAll(server, { resourceName: name })).code, StatusCode.invalidArgument, name);
    const upload = `uploads/u/${name}`;
    assert.equal(codeOf(await writeAll(server, Buffer.from("x"), { resourceName: upload })), 3, upload);
    assert.equal(codeOf(await server.channel.unary(METHODS.writeStatus, { resourceName: upload })), 3, upload);
  }
});

test("D13: the empty blob of every function is read without having been written, and may be written", async () => {
  for (const fn of ["sha256", "sha1", "sha384", "sha512", "blake3"] as const) {
    const digest = emptyDigest(fn);
    const read = await readAll(server, { resourceName: readName(digest) });
    assert.deepEqual([read.code, read.bytes.length], [0, 0]);
    const write = answered(await writeAll(server, Buffer.alloc(0), { resourceName: writeName(digest, "u") }));
    assert.equal(write.committedSize, 0);
  }
});

test("§2.4 Write: plain and compressed, in pieces of every size; metadata behind the name means nothing", async () => {
  for (const [index, pieceBytes] of [4, 8800, 16_384, 65_536, 1 << 20].entries()) {
    const blob = blobOf(noise(pieceBytes === 4 ? 1025 : 700_000, 10 + index));
    const resourceName = `${writeName(blob.digest, "u")}/file.txt/more`;
    const plain = answered(await writeAll(server, blob.bytes, { resourceName, pieceBytes }));
    assert.equal(plain.committedSize, blob.bytes.length);
    assert.deepEqual(store.blobsByDigest.get(blob.digest), Uint8Array.from(blob.bytes));
    const packed = blobOf(noise(pieceBytes === 4 ? 1025 : 700_000, 20 + index));
    const frame = Buffer.concat([frameOf(packed.bytes.subarray(0, 500)), frameOf(packed.bytes.subarray(500))]);
    const name = writeName(packed.digest, "u", "zstd", "some/instance");
    // D16: of a compressed upload the bytes on the wire are committed.
    assert.equal(
      answered(await writeAll(server, frame, { resourceName: name, pieceBytes })).committedSize,
      frame.length,
    );
    assert.deepEqual(store.blobsByDigest.get(packed.digest), Uint8Array.from(packed.bytes));
  }
  assert.equal(store.openWriters(), 0);
});

test("D16: of a blob that is there the upload ends at once, with its size, or -1 if compressed", async () => {
  for (const compressor of ["identity", "zstd"] as const) {
    const call = server.channel.call(METHODS.write);
    const resourceName = writeName(large.digest, "present", compressor);
    await call.send({ resourceName, data: Buffer.from([1, 2, 3]) });
    // Nothing more is sent and the stream is not closed: the answer comes nevertheless.
    const answer = answered(await call.answer());
    assert.equal(answer.committedSize, compressor === "identity" ? large.bytes.length : -1);
  }
});

test("D16: an upload ends early when the blob arrives by another way meanwhile", async () => {
  const blob = blobOf(noise(8 << 20, 3));
  const call = server.channel.call(METHODS.write);
  const resourceName = writeName(blob.digest, "slow");
  await call.send({ resourceName, data: blob.bytes.subarray(0, 100_000) });
  await until(() => store.openWriters() === 1);
  await put(store, blob);
  await call.send({ data: blob.bytes.subarray(100_000, 2_000_000), writeOffset: 100_000 });
  assert.equal(answered(await call.answer()).committedSize, blob.bytes.length);
  assert.equal(store.openWriters(), 0);
});

test("D1, D14: bytes that are not the digest's are refused whatever is wrong, and nothing is stored", async () => {
  const before = contentsOf(store);
  const right = blobOf("the right bytes");
  const sized = (size: number) => writeName(right.digest, "u").replace(/\/\d+$/, `/${size}`);
  const wrong = [
    { bytes: Buffer.from("the wrong bytes"), resourceName: writeName(right.digest, "u") },
    { bytes: right.bytes, resourceName: sized(right.bytes.length + 1) },
    { bytes: right.bytes, resourceName: sized(right.bytes.length - 1) },
    { bytes: right.bytes.subarray(1), resourceName: writeName(right.digest, "u") },
    { bytes: frameOf(Buffer.from("the wrong bytes")), resourceName: writeName(right.digest, "u", "zstd") },
    { bytes: right.bytes, resourceName: writeName(right.digest, "u", "zstd") },
    { bytes: frameOf(right.bytes).subarray(0, -1), resourceName: writeName(right.digest, "u", "zstd") },
    { bytes: Buffer.alloc(0), resourceName: "" },
  ];
  for (const { bytes, resourceName } of wrong) {
    for (const pieceBytes of [3, 1 << 20]) {
      const code = codeOf(await writeAll(server, bytes, { resourceName, pieceBytes }));
      assert.equal(code, StatusCode.invalidArgument, `${resourceName} ${bytes.length}`);
    }
  }
  assert.deepEqual(contentsOf(store), before);
  assert.equal(store.openWriters(), 0);
});

test("a bomb is refused before it is unpacked", async () => {
  const digest = digestOf("small");
  const bomb = frameOf(Buffer.alloc(8 << 20));
  assert.ok(bomb.length < 4096);
  const outcome = await writeAll(server, bomb, { resourceName: writeName(digest, "u", "zstd") });
  assert.equal(codeOf(outcome), StatusCode.invalidArgument);
  assert.equal(store.openWriters(), 0);
});

test("§2.4 Write: names must not change, offsets must be the next byte's, nothing at all is no upload", async () => {
  const blob = blobOf(noise(100, 77));
  const resourceName = writeName(blob.digest, "rules");
  const sequences = [
    [
      { resourceName, data: blob.bytes.subarray(0, 10) },
      { resourceName: writeName(blob.digest, "other"), writeOffset: 10 },
    ],
    [
      { resourceName, data: blob.bytes.subarray(0, 10) },
      { writeOffset: 11, data: blob.bytes.subarray(11) },
    ],
    [
      { resourceName, data: blob.bytes.subarray(0, 10) },
      { writeOffset: 0, data: blob.bytes.subarray(10) },
    ],
    [{ resourceName, writeOffset: 5, data: blob.bytes.subarray(5), finishWrite: true }],
    [{ resourceName, writeOffset: -1, data: blob.bytes, finishWrite: true }],
    [{ data: blob.bytes, finishWrite: true }],
    [],
  ];
  for (const messages of sequences) {
    const call = server.channel.call(METHODS.write);
    for (const message of messages) await call.send(message);
    call.end();
    assert.equal(codeOf(await call.answer()), StatusCode.invalidArgument, JSON.stringify(messages.length));
  }
  assert.ok(!store.blobsByDigest.has(blob.digest));
  assert.equal(store.openWriters(), 0);
});

test("§2.4 Write: the resource-name header is to be the request's name", async () => {
  const header = "build.bazel.remote.execution.v2.resource-name";
  const resourceName = readName(large.digest);
  assert.equal((await readAll(server, { resourceName }, { metadata: { [header]: resourceName } })).code, 0);
  assert.equal((await readAll(server, { resourceName }, { metadata: { [header]: "blobs/other" } })).code, 3);
});

test("§2.4 resumption: a broken upload goes on where QueryWriteStatus says, plain and compressed", async () => {
  for (const compressor of ["identity", "zstd"] as const) {
    const blob = blobOf(noise(1_000_000, compressor === "zstd" ? 41 : 42));
    const resourceName = writeName(blob.digest, "resumed", compressor);
    const unknown = await server.channel.unary(METHODS.writeStatus, { resourceName });
    assert.equal(codeOf(unknown), StatusCode.notFound);
    const wire = (bytes: Uint8Array) => (compressor === "zstd" ? frameOf(bytes) : bytes);
    const broken = server.channel.call(METHODS.write);
    await broken.send({ resourceName, data: wire(blob.bytes.subarray(0, 500_000)) });
    await until(() => store.openWriters() === 1);
    await settled();
    broken.cancel();
    let committed = 0;
    for (;;) {
      const status = answered(await server.channel.unary(METHODS.writeStatus, { resourceName }));
      assert.equal(status.complete, false);
      committed = status.committedSize;
      if (committed > 0) break;
    }
    assert.ok(committed <= 500_000);
    // Anywhere else is an error, and does no harm.
    const early = await writeAll(server, blob.bytes, { resourceName, offset: committed - 1 });
    assert.equal(codeOf(early), StatusCode.invalidArgument);
    const rest = wire(blob.bytes.subarray(committed));
    const resumed = answered(await writeAll(server, rest, { resourceName, offset: committed }));
    assert.equal(resumed.committedSize, committed + rest.length);
    assert.deepEqual(store.blobsByDigest.get(blob.digest), Uint8Array.from(blob.bytes));
    const done = answered(await server.channel.unary(METHODS.writeStatus, { resourceName }));
    assert.deepEqual(done, { committedSize: blob.bytes.length, complete: true });
  }
  assert.equal(store.openWriters(), 0);
});

test("§2.4 resumption: who half-closes without finishing keeps what is there; offset 0 begins anew", async () => {
  const blob = blobOf(noise(300_000, 5));
  const resourceName = writeName(blob.digest, "halves");
  const half = answered(await writeAll(server, blob.bytes.subarray(0, 1000), { resourceName, finish: false }));
  assert.equal(half.committedSize, 1000);
  const whole = answered(await writeAll(server, blob.bytes, { resourceName }));
  assert.equal(whole.committedSize, blob.bytes.length);
  assert.equal(store.openWriters(), 0);
});

test("an unfinished upload is given up after its time, and when there are too many", async () => {
  const clock = virtualClock();
  const kept = await startReapi({ clock, limits: { uploadKeptMs: 1000, uploadsKeptMax: 2 } });
  const begin = async (upload: string) => {
    const blob = blobOf(noise(1000, upload.charCodeAt(0)));
    const resourceName = writeName(blob.digest, upload);
    answered(await writeAll(kept, blob.bytes.subarray(0, 10), { resourceName, finish: false }));
    return resourceName;
  };
  const names = [await begin("a"), await begin("b"), await begin("c")];
  const known = async (name: string) => (await kept.channel.unary(METHODS.writeStatus, { resourceName: name })).ok;
  assert.deepEqual([await known(names[0]!), await known(names[1]!), await known(names[2]!)], [false, true, true]);
  clock.advance(1000);
  assert.equal(await known(names[2]!), false);
  assert.equal(kept.store.openWriters(), 0);
  assert.equal(clock.pendingTimers, 0);
  await kept.close();
});

test("unfinished uploads are kept up to so many bytes together, the last one whatever its size", async () => {
  const kept = await startReapi({ clock: virtualClock(), limits: { uploadsKeptMaxBytes: 2500 } });
  const begin = async (upload: string, sizeBytes: number) => {
    const blob = blobOf(noise(10_000, upload.charCodeAt(0)));
    const resourceName = writeName(blob.digest, upload);
    answered(await writeAll(kept, blob.bytes.subarray(0, sizeBytes), { resourceName, finish: false }));
    return resourceName;
  };
  const known = async (names: readonly string[]) => {
    const asked = names.map((resourceName) => kept.channel.unary(METHODS.writeStatus, { resourceName }));
    return (await Promise.all(asked)).map(({ ok }) => ok);
  };
  const names = [await begin("a", 1000), await begin("b", 1000), await begin("c", 1000)];
  assert.deepEqual(await known(names), [false, true, true]);
  // Going on with one does not count it twice.
  await begin("c", 1500);
  assert.deepEqual(await known(names), [false, true, true]);
  names.push(await begin("d", 5000));
  assert.deepEqual(await known(names), [false, false, false, true]);
  assert.equal(kept.store.openWriters(), 1);
  await kept.close();
});

test("§2.4 Write: too large is INVALID_ARGUMENT, a full store RESOURCE_EXHAUSTED with the time to come back", async () => {
  const { memoryServerStore } = await import("../memory-server-store.fixture.ts");
  const small = await startReapi({ store: memoryServerStore({ maxBlobBytes: 1000 }) });
  const big = blobOf(noise(1001));
  assert.equal(codeOf(await writeAll(small, big.bytes, { resourceName: writeName(big.digest, "u") })), 3);
  small.store.failWrites({ code: "store-limit", severity: "error", message: "full" });
  const some = blobOf("some");
  const refused = await writeAll(small, some.bytes, { resourceName: writeName(some.digest, "u") });
  assert.ok(!refused.ok && refused.problem.code === StatusCode.resourceExhausted);
  assert.ok(refused.problem.details !== undefined && Buffer.from(refused.problem.details).includes("RetryInfo"));
  await small.close();
});

test("an upload belongs to the newest call of its name; the older one hears ABORTED, or that the blob is there", async () => {
  for (const finish of [true, false]) {
    const blob = blobOf(noise(400_000, finish ? 6 : 7));
    const resourceName = writeName(blob.digest, "twice");
    const old = server.channel.call(METHODS.write);
    await old.send({ resourceName, data: blob.bytes.subarray(0, 100_000) });
    await until(() => store.openWriters() === 1);
    const status = () => server.channel.unary(METHODS.writeStatus, { resourceName });
    while (answered(await status()).committedSize < 100_000);
    const rest = blob.bytes.subarray(100_000, finish ? undefined : 200_000);
    const fresh = await writeAll(server, rest, { resourceName, offset: 100_000, finish });
    assert.equal(answered(fresh).committedSize, 100_000 + rest.length);
    await old.send({ data: blob.bytes.subarray(100_000, 200_000), writeOffset: 100_000 });
    old.end();
    assert.equal(codeOf(await old.answer()), finish ? 0 : StatusCode.aborted);
    assert.equal(store.openWriters(), finish ? 0 : 1);
  }
  server.services.close();
  assert.equal(store.openWriters(), 0);
});
