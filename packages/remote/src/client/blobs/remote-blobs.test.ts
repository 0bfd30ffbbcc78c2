// Goal: blobs get to a server and come back whole, whatever its limits, its moods and its connection are; nothing that
// is not what its digest says is ever given out.
// Method: the real services where they can do it, and a scripted server for what no honest one does.
import { digestSizeBytes } from "@kahn/core";
import { closedAddress, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import type { Interceptor, Registration } from "../../grpc/index.ts";
import { methodOf, StatusCode, StatusError, serve } from "../../grpc/index.ts";
import { digestMessage } from "../../names/request-digest.ts";
import { packAny } from "../../proto/core-messages.ts";
import { ByteStreamMethods } from "../../proto/generated/bytestream.ts";
import { RetryInfo } from "../../proto/generated/error-details.ts";
import {
  CapabilitiesMethods,
  CompressorValue,
  ContentAddressableStorageMethods,
  DigestFunctionValue,
} from "../../proto/generated/remote-execution.ts";
import { Status } from "../../proto/generated/status.ts";
import { noise } from "../../reapi/reapi-server.fixture.ts";
import { loadZstd } from "../../store/zstd.ts";
import { blob, clientOf, doubleServer, memoryFiles, realServer, value } from "../client.fixture.ts";
import { remoteBlobs } from "./remote-blobs.ts";

const SIZES = [0, 1, 3000, 200_000, 1_500_000, 5_000_000];

/** Files of all sizes, sent and fetched. */
async function roundTrip(address: string, options: Parameters<typeof clientOf>[1] = {}): Promise<void> {
  const fs = memoryFiles();
  const blobs = remoteBlobs(clientOf(address, options), fs);
  const all = SIZES.map((size, index) => blob(noise(size, index + 1)));
  for (const [index, { bytes }] of all.entries()) fs.writeFile(`/work/in${index}`, bytes);
  const requests = all.map((_, index) => ({ path: `/work/in${index}`, executable: false }));
  expect(value(await blobs.ingest(requests))).toStrictEqual(all.map(({ digest }) => digest));
  const absent = blob("never sent").digest;
  expect(value(await blobs.findMissing([...all.map(({ digest }) => digest), absent]))).toStrictEqual([absent]);
  const outcomes = await blobs.materialize([
    ...all.map(({ digest }, index) => ({
      digest,
      path: `/work/out${index}`,
      executable: index === 2,
      how: "copy" as const,
    })),
    { digest: absent, path: "/work/absent", executable: false, how: "copy" },
  ]);
  expect(value(outcomes)).toStrictEqual([...SIZES.map(() => "done"), "missing"]);
  for (const [index, { bytes }] of all.entries()) {
    expect(Buffer.compare(Buffer.from(fs.readFile(`/work/out${index}`)!), bytes)).toBe(0);
  }
  expect(fs.lstat("/work/out2")!.mode & 0o111).toBe(0o111);
  for (const { digest, bytes } of all)
    expect(Buffer.compare(Buffer.from(value(await blobs.read(digest))!), bytes)).toBe(0);
  expect(value(await blobs.read(absent))).toBe(undefined);
}

test("blobs of all sizes go there and come back: small ones in batches, large ones in streams", async () => {
  const { target, calls } = await realServer({ zstd: "none" });
  await roundTrip(target);
  expect(Object.fromEntries(calls)).toStrictEqual({
    GetCapabilities: 1,
    FindMissingBlobs: 1,
    BatchUpdateBlobs: 1,
    // The file's batch, and one for each blob that was read by itself.
    BatchReadBlobs: 1 + 5,
    Write: 1,
    Read: 2,
  });
});

test("a server with small batches gets small batches", async () => {
  const { target, calls } = await realServer({ zstd: "none", limits: { batchMaxBytes: 100_000 } });
  await roundTrip(target);
  expect(calls.get("BatchUpdateBlobs")).toBe(1);
  expect(calls.get("Write")).toBe(3);
});

/** Fails the calls of these methods, by number from 1. */
function failing(methods: readonly string[], fail: (call: number) => StatusError | undefined): Interceptor {
  let calls = 0;
  return ({ path }) => {
    if (!methods.some((name) => path.endsWith(`/${name}`))) return undefined;
    const error = fail(++calls);
    if (error !== undefined) throw error;
    return undefined;
  };
}

test("a server without batches gets and gives streams", async () => {
  const unimplemented = failing(
    ["BatchUpdateBlobs", "BatchReadBlobs"],
    () => new StatusError(StatusCode.unimplemented, ""),
  );
  const { target, calls } = await realServer({ zstd: "none", interceptors: [unimplemented] });
  await roundTrip(target);
  expect(calls.get("BatchUpdateBlobs")).toBe(1);
  expect(calls.get("BatchReadBlobs")).toBe(undefined);
});

test("a batch that is too much for the server after all is streamed", async () => {
  const tooLarge = failing(
    ["BatchUpdateBlobs", "BatchReadBlobs"],
    () => new StatusError(StatusCode.resourceExhausted, "message too large"),
  );
  const { target } = await realServer({ zstd: "none", interceptors: [tooLarge] });
  await roundTrip(target);
});

test("calls that fail for the moment are repeated, after the pause that the server asks for", async () => {
  const everySecond = (call: number) => (call % 2 === 1 ? new StatusError(StatusCode.unavailable, "busy") : undefined);
  const message = "come again";
  const details = Status.encode({
    code: StatusCode.resourceExhausted,
    message,
    details: [packAny(RetryInfo, { retryDelay: { seconds: 0, nanos: 1_000_000 } })],
  });
  const full = (call: number) =>
    call < 3 ? new StatusError(StatusCode.resourceExhausted, message, details) : undefined;
  const { target } = await realServer({
    zstd: "none",
    interceptors: [
      failing(["FindMissingBlobs", "Write", "Read", "GetCapabilities"], everySecond),
      failing(["BatchUpdateBlobs"], full),
    ],
  });
  await roundTrip(target);
});

test("a server that stays in trouble is a problem of the store, after as many attempts as the policy has", async () => {
  const down = failing(["FindMissingBlobs"], () => new StatusError(StatusCode.unavailable, "no backend"));
  const { target, calls } = await realServer({ interceptors: [down] });
  const found = await remoteBlobs(clientOf(target), memoryFiles()).findMissing([blob("x").digest]);
  expect(found).toMatchObject({ ok: false, problem: { code: "store-remote" } });
  expect(found.ok ? "" : found.problem.message).toContain("UNAVAILABLE: no backend");
  expect(calls.get("FindMissingBlobs")).toBe(4);
});

test("a refusal is not repeated, and names what to look at", async () => {
  const denied = failing(["GetCapabilities"], () => new StatusError(StatusCode.unauthenticated, "no token"));
  const { target, calls } = await realServer({ interceptors: [denied] });
  const found = await remoteBlobs(clientOf(target), memoryFiles()).read(blob("x").digest);
  expect(found).toMatchObject({ ok: false, problem: { code: "store-refused", next: /token or certificate/ } });
  expect(calls.get("GetCapabilities")).toBe(1);
});

test("nobody at the address: a problem, and no exception", async () => {
  const found = await remoteBlobs(clientOf(await closedAddress()), memoryFiles()).findMissing([blob("x").digest]);
  expect(found).toMatchObject({ ok: false, problem: { code: "store-remote" } });
});

/** Capabilities of a double, with batches of at most 1000 bytes. */
const capabilities = (compressors: readonly number[] = []): Registration =>
  serve(methodOf("unary", CapabilitiesMethods.getCapabilities), () => ({
    cacheCapabilities: {
      digestFunctions: [DigestFunctionValue.SHA256],
      maxBatchTotalSizeBytes: 1000,
      supportedCompressors: compressors,
      actionCacheUpdateCapabilities: { updateEnabled: true },
    },
  }));
const READ = methodOf("server-streaming", ByteStreamMethods.read);
const WRITE = methodOf("client-streaming", ByteStreamMethods.write);
const QUERY = methodOf("unary", ByteStreamMethods.queryWriteStatus);

test("a read whose connection breaks goes on at the byte where it broke", async () => {
  const { bytes, digest } = blob(noise(3_000_000));
  const offsets: number[] = [];
  const double = await doubleServer([
    capabilities(),
    serve(READ, async ({ readOffset }, call) => {
      offsets.push(readOffset);
      await call.send({ data: bytes.subarray(readOffset, readOffset + 1_000_000) });
      if (offsets.length < 3) {
        // The client must have what was sent before the connection goes.
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        throw new StatusError(StatusCode.unavailable, "going away");
      }
    }),
  ]);
  expect(
    Buffer.compare(Buffer.from(value(await remoteBlobs(clientOf(double.address), memoryFiles()).read(digest))!), bytes),
  ).toBe(0);
  expect(offsets).toStrictEqual([0, 1_000_000, 2_000_000]);
});

test("a connection that is cut in the middle of a write is made again, and the write goes on where the server was", async () => {
  const { bytes, digest } = blob(noise(5_000_000));
  const stored = Buffer.alloc(bytes.length);
  let committedSize = 0;
  const firstOffsets: number[] = [];
  const double = await doubleServer([
    capabilities(),
    serve(QUERY, () => ({ committedSize, complete: false })),
    serve(WRITE, async (requests) => {
      let isFirst = true;
      for await (const { data, writeOffset } of requests) {
        if (isFirst) firstOffsets.push(writeOffset);
        isFirst = false;
        stored.set(data, writeOffset);
        committedSize = writeOffset + data.length;
        if (firstOffsets.length === 1 && committedSize >= 2 << 20) {
          double.cut();
          throw new StatusError(StatusCode.unavailable, "cut");
        }
      }
      return { committedSize };
    }),
  ]);
  value(await remoteBlobs(clientOf(double.address), memoryFiles()).write(digest, bytes));
  expect(Buffer.compare(stored, bytes)).toBe(0);
  expect(firstOffsets).toStrictEqual([0, 2 << 20]);
});

test("a write that goes on where the server no longer is asks again, and is done", async () => {
  const { bytes, digest } = blob(noise(3_000_000));
  const firstOffsets: number[] = [];
  let committedSize = 0;
  const double = await doubleServer([
    capabilities(),
    // The first answer is given before what the cut-off call had sent is stored.
    serve(QUERY, () => ({ committedSize: firstOffsets.length === 1 ? 1000 : committedSize, complete: false })),
    serve(WRITE, async (requests) => {
      let isFirst = true;
      for await (const { data, writeOffset } of requests) {
        if (isFirst) firstOffsets.push(writeOffset);
        isFirst = false;
        if (writeOffset !== committedSize) throw new StatusError(StatusCode.invalidArgument, "write_offset");
        committedSize += data.length;
        if (firstOffsets.length === 1) throw new StatusError(StatusCode.unavailable, "cut");
      }
      return { committedSize };
    }),
  ]);
  value(await remoteBlobs(clientOf(double.address), memoryFiles()).write(digest, bytes));
  expect(firstOffsets).toStrictEqual([0, 1000, 1 << 20]);
});

test("a write that the server ends early, because it has the blob, is done", async () => {
  const { bytes, digest } = blob(noise(8_000_000));
  const double = await doubleServer([
    capabilities(),
    serve(WRITE, async (requests) => {
      await requests.ready();
      return { committedSize: bytes.length };
    }),
  ]);
  value(await remoteBlobs(clientOf(double.address), memoryFiles()).write(digest, bytes));
});

test("lies are not given out: wrong bytes, too many, too few, in batches and in streams", async () => {
  const small = blob("the truth").digest;
  const large = blob(noise(5000)).digest;
  let lie: Uint8Array = Buffer.alloc(0);
  const double = await doubleServer([
    capabilities(),
    serve(READ, async (_, call) => void (await call.send({ data: lie }))),
    serve(methodOf("unary", ContentAddressableStorageMethods.batchReadBlobs), ({ digests }) => ({
      responses: digests.map((digest) => ({ digest, data: lie })),
    })),
  ]);
  const fs = memoryFiles();
  const blobs = remoteBlobs(clientOf(double.address), fs);
  for (const length of [3, 9, 5000, 6000]) {
    lie = noise(length, 7);
    for (const digest of [small, large]) {
      expect(value(await blobs.read(digest))).toBe(undefined);
      const request = { digest, path: "/work/out", executable: false, how: "copy" as const };
      expect(value(await blobs.materialize([request]))).toStrictEqual(["corrupt"]);
      expect(fs.lstat("/work/out")).toBe(undefined);
    }
  }
});

test("a server that forgets blobs of a batch, or answers for others, has stored nothing", async () => {
  const other = digestMessage(blob("other").digest);
  const double = await doubleServer([
    capabilities(),
    serve(methodOf("unary", ContentAddressableStorageMethods.batchUpdateBlobs), () => ({
      responses: [{ digest: other }],
    })),
    serve(methodOf("unary", ContentAddressableStorageMethods.batchReadBlobs), () => ({
      responses: [{ digest: other, data: Buffer.from("other") }],
    })),
    serve(WRITE, () => {
      throw new StatusError(StatusCode.permissionDenied, "read only");
    }),
  ]);
  const blobs = remoteBlobs(clientOf(double.address), memoryFiles());
  const mine = blob("mine");
  expect(value(await blobs.read(mine.digest))).toBe(undefined);
  expect(await blobs.write(mine.digest, mine.bytes)).toMatchObject({ ok: false, problem: { code: "store-denied" } });
});

test("a stream on which nothing moves is given up, and the time is told", async () => {
  const clock = virtualClock();
  let begun = () => {};
  const asked = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const double = await doubleServer([
    capabilities(),
    serve(READ, async (_, call) => {
      begun();
      await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
    }),
  ]);
  const client = clientOf(double.address, {
    clock,
    retries: { attemptsMax: 1, firstMs: 1, maxMs: 1, askedMaxMs: 1, giveUpAfterMs: 1 },
  });
  const reading = remoteBlobs(client, memoryFiles()).read(blob(noise(5000)).digest);
  await asked;
  await clock.advance(30_000);
  const found = await reading;
  expect(found.ok ? "" : found.problem.message).toContain("DEADLINE_EXCEEDED: nothing moved for 30000 ms");
});

test("with zstd on both sides blobs travel compressed, and a broken read goes on in the middle", async () => {
  const zstd = await loadZstd();
  const { bytes, digest } = blob("a line that is there again and again\n".repeat(60_000));
  const names: string[] = [];
  const offsets: number[] = [];
  const parts: Uint8Array[] = [];
  let wireBytes = 0;
  const double = await doubleServer([
    capabilities([CompressorValue.ZSTD]),
    serve(READ, async ({ resourceName, readOffset }, call) => {
      names.push(resourceName);
      offsets.push(readOffset);
      const half = bytes.subarray(readOffset, readOffset === 0 ? 1_000_000 : undefined);
      await call.send({ data: await zstd.compress(half) });
      if (readOffset === 0) throw new StatusError(StatusCode.unavailable, "half of it");
    }),
    serve(WRITE, async (requests) => {
      const decompressor = zstd.decompressor();
      for await (const { data, resourceName } of requests) {
        if (resourceName !== "") names.push(resourceName);
        wireBytes += data.length;
        for (const piece of decompressor.push(data)) if (piece !== "malformed") parts.push(Buffer.from(piece));
      }
      return { committedSize: wireBytes };
    }),
  ]);
  const blobs = remoteBlobs(clientOf(double.address, { zstd: loadZstd }), memoryFiles());
  value(await blobs.write(digest, bytes));
  expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
  expect(wireBytes).toBeLessThan(bytes.length / 10);
  expect(Buffer.compare(Buffer.from(value(await blobs.read(digest))!), bytes)).toBe(0);
  expect(offsets[0]).toBe(0);
  expect(names.every((name) => name.includes(`compressed-blobs/zstd/`))).toBe(true);
  expect(digestSizeBytes(digest)).toBe(bytes.length);
});

test("an instance name is in every request and name", async () => {
  const { target } = await realServer({ zstd: "none" });
  await roundTrip(target, { instance: "team/main" });
});
