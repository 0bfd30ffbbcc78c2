// Goal: the client goes on with any server there is, and with anything that stands between: what one lacks is done without,
// what one refuses is not tried again, and one that says nothing costs a bounded time.
// Method: doubles that lack or refuse what Buildbarn, NativeLink, BuildBuddy and bazel-remote do in one setting or another;
// a proxy that cuts connections; a port behind which nobody speaks.
import { createServer, connect as dial, type Socket } from "node:net";
import { tiered } from "@kahn/cas";
import { type ActionResult, digestOf, type Problem } from "@kahn/core";
import { nodeClock, nodeRandom } from "@kahn/system";
import { memoryActionCache, memoryBlobStore, virtualClock } from "@kahn/testing";
import { expect, onTestFinished, test } from "vitest";
import type { Interceptor } from "../grpc/index.ts";
import { methodOf, StatusCode, StatusError, serve } from "../grpc/index.ts";
import { ByteStreamMethods } from "../proto/generated/bytestream.ts";
import { CapabilitiesMethods, CompressorValue, DigestFunctionValue } from "../proto/generated/remote-execution.ts";
import { loadZstd } from "../store/zstd.ts";
import { remoteBlobs } from "./blobs/remote-blobs.ts";
import { featuresOf } from "./calls/server-features.ts";
import { blob, clientOf, doubleServer, memoryFiles, realServer, value } from "./client.fixture.ts";
import { run, scripted } from "./executor/executor.fixture.ts";
import { reapiTier } from "./tiers/remote-tier.ts";

const noise = (length: number, seed: number) => {
  const bytes = Buffer.alloc(length);
  for (let at = 0, x = seed; at < length; at++) bytes[at] = (x = (x * 1103515245 + 12345) & 0x7fffffff) >> 16;
  return bytes;
};

/** A port in front of another one; each connection is given to `handle`. @returns its address. */
async function portOf(handle: (client: Socket) => void): Promise<string> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.on("error", () => {});
    handle(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

/** A proxy that cuts a connection once so many bytes went either way. */
function cutting(target: string, afterBytes: number): Promise<string> {
  const [host = "", port = ""] = target.split(":");
  return portOf((client) => {
    const server = dial(Number(port), host);
    const ends = [client, server] as const;
    let bytes = 0;
    for (const [from, to] of [ends, [server, client]] as const) {
      from.on("error", () => {});
      from.on("close", () => to.destroy());
      from.on("data", (data: Buffer) => {
        bytes += data.length;
        to.write(data);
        if (bytes > afterBytes) setImmediate(() => ends.map((each) => each.destroySoon()));
      });
    }
  });
}

/** Answers some methods with a status. */
const refusing =
  (methods: readonly string[], code: StatusCode): Interceptor =>
  ({ path }) => {
    if (methods.includes(path.slice(path.lastIndexOf("/") + 1))) throw new StatusError(code, "not here");
    return undefined;
  };

test("through a proxy that cuts after a megabyte, large blobs and batches arrive whole", async () => {
  const { target } = await realServer({ zstd: "none" });
  const fs = memoryFiles();
  const blobs = remoteBlobs(clientOf(await cutting(target, 1 << 20)), fs);
  const large = [1, 2].map((seed) => blob(noise(6_000_000, seed)));
  const small = Array.from({ length: 30 }, (_, index) => blob(noise(100_000, 100 + index)));
  const all = [...large, ...small];
  for (const [index, { bytes }] of all.entries()) fs.writeFile(`/work/${index}`, bytes);
  const files = all.map(({ digest }, index) => ({ path: `/work/${index}`, executable: false, expected: digest }));
  value(await blobs.ingest(files));
  const requests = all.map(({ digest }, index) => ({
    ...{ digest, path: `/work/again-${index}`, executable: false },
    how: "copy" as const,
  }));
  expect(value(await blobs.materialize(requests)).every((outcome) => outcome === "done")).toBe(true);
});

test("a compressed upload that keeps breaking, and cannot go on where it was, is sent plain", async () => {
  const { bytes, digest } = blob(noise(3_000_000, 5));
  const names: string[] = [];
  let takenBytes = 0;
  const double = await doubleServer([
    serve(methodOf("unary", CapabilitiesMethods.getCapabilities), () => ({
      cacheCapabilities: {
        ...{ digestFunctions: [DigestFunctionValue.SHA256], maxBatchTotalSizeBytes: 1000 },
        supportedCompressors: [CompressorValue.ZSTD],
      },
    })),
    serve(methodOf("client-streaming", ByteStreamMethods.write), async (requests) => {
      for await (const { resourceName, data } of requests) {
        if (resourceName !== "") names.push(resourceName.includes("compressed-blobs/zstd") ? "zstd" : "plain");
        if (names.at(-1) === "zstd") throw new StatusError(StatusCode.unavailable, "cut");
        takenBytes += data.length;
      }
      return { committedSize: takenBytes };
    }),
  ]);
  value(await remoteBlobs(clientOf(double.address, { zstd: loadZstd }), memoryFiles()).write(digest, bytes));
  expect([names, takenBytes]).toStrictEqual([["zstd", "zstd", "plain"], bytes.length]);
});

test("a server that never answers costs one deadline, and no more", async () => {
  const clock = virtualClock();
  let connections = 0;
  const address = await portOf((client) => void client.on("data", () => connections++));
  const asking = remoteBlobs(clientOf(address, { clock }), memoryFiles()).findMissing([blob("x").digest]);
  let found: Awaited<typeof asking> | undefined;
  void asking.then((answer) => {
    found = answer;
  });
  const waited = clock.monotonicMs();
  while (found === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(500);
  }
  expect(found).toMatchObject({ ok: false, problem: { code: "store-remote" } });
  expect(connections).toBeGreaterThan(0);
  // In virtual time, of which some passes while the connection is made.
  expect(clock.monotonicMs() - waited).toBeLessThan(60_000);
});

test("another protocol at the port is a problem that says so", async () => {
  for (const [greeting, address] of [
    ["SSH-2.0-OpenSSH_9.2\r\n", ""],
    ["HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n", ""],
  ] as const) {
    const port = address + (await portOf((client) => void client.end(greeting)));
    const found = await remoteBlobs(clientOf(port), memoryFiles()).findMissing([blob("x").digest]);
    expect(found).toMatchObject({ ok: false, problem: { code: "store-remote" } });
    expect(found.ok ? "" : found.problem.message).toContain("cannot be reached");
  }
});

test("a server that takes an execution and says nothing is left, and the task runs here", async () => {
  const server = await scripted({
    execute: [(call) => new Promise((resolve) => call.signal.addEventListener("abort", () => resolve()))],
  });
  const local = { execute: () => ({ outcome: Promise.resolve({ kind: "cancelled" as const }), cancel: () => {} }) };
  const silent = run(server.address, { executor: { local }, server: { deadlines: { acceptMs: 20 } } });
  expect((await silent.outcome).kind).toBe("cancelled");
  expect([server.calls, silent.warnings.map(({ code }) => code)]).toStrictEqual([["execute"], ["remote-exec-down"]]);
});

test("a server that takes nothing from us is told of once, sent nothing more, and read all the same", async () => {
  const readOnly = refusing(["UpdateActionResult", "BatchUpdateBlobs", "Write"], StatusCode.permissionDenied);
  const { target, calls, store } = await realServer({ interceptors: [readOnly] });
  const { bytes, digest } = blob("of somebody else");
  await store.blobs.write(digest, bytes);
  const fs = memoryFiles();
  const [clock, random] = [nodeClock(), nodeRandom()];
  const own = memoryBlobStore(fs);
  const warnings: Problem[] = [];
  const { tier } = reapiTier(clientOf(target, { credentials: "Look at OUR_TOKEN." }), { fs, read: true, write: true });
  const stores = tiered({
    ...{ fs, clock, random, remotes: [tier], local: { blobs: own, actions: memoryActionCache(own) } },
    temporary: "/work/tmp",
    onWarning: (warned) => void warnings.push(warned),
  });
  for (const name of ["one", "two", "three"]) {
    const made = blob(name);
    value(await stores.blobs.write(made.digest, made.bytes));
    const result: ActionResult = {
      ...{ outputFiles: [{ path: "out", digest: made.digest, executable: false }], outputDirectories: [] },
      ...{ outputSymlinks: [], exitCode: 0, metadata: { worker: "here" } },
    };
    value(await stores.actions.record(digestOf(name), result));
  }
  expect(warnings).toMatchObject([{ code: "cache-tier-down", next: expect.stringContaining("OUR_TOKEN") }]);
  expect(calls.get("BatchUpdateBlobs")).toBe(1);
  expect(value(await stores.blobs.read(digest))).toStrictEqual(new Uint8Array(bytes));
});

test("without batches, without QueryWriteStatus, without compression of batches: blobs go and come all the same", async () => {
  for (const methods of [["BatchUpdateBlobs", "BatchReadBlobs"], ["QueryWriteStatus"], ["GetCapabilities"]]) {
    const { target } = await realServer({ zstd: "none", interceptors: [refusing(methods, StatusCode.unimplemented)] });
    const blobs = remoteBlobs(clientOf(target), memoryFiles());
    for (const length of [10, 200_000, 5_000_000]) {
      const { bytes, digest } = blob(noise(length, length));
      value(await blobs.write(digest, bytes));
      expect(value(await blobs.findMissing([digest]))).toStrictEqual([]);
      expect(Buffer.compare(Buffer.from(value(await blobs.read(digest))!), bytes), `${methods} ${length}`).toBe(0);
    }
  }
});

test("what a server says of itself is read leniently: limits of 0, functions left out, no cache at all, no execution", () => {
  const none = featuresOf({ cacheCapabilities: undefined, executionCapabilities: undefined } as never);
  expect([none.executes, none.mayUpdateActions, none.batchMaxBytes > 1e6]).toStrictEqual(["no", true, true]);
  const terse = featuresOf({
    cacheCapabilities: {
      ...{ digestFunctions: [], maxBatchTotalSizeBytes: 0, maxCasBlobSizeBytes: 0 },
      ...{ supportedCompressors: [CompressorValue.IDENTITY, 99], supportedBatchUpdateCompressors: [] },
    },
  } as never);
  expect([terse.batchMaxBytes > 1e6, terse.blobMaxBytes, terse.hasZstd, terse.mayUpdateActions]).toStrictEqual([
    ...[true, Number.POSITIVE_INFINITY, false, false],
  ]);
  expect(terse.digestFunctions.has(DigestFunctionValue.SHA256)).toBe(true);
});

test("a server that wants an instance name, and is asked without one, is a problem with its own words", async () => {
  const double = await doubleServer([
    serve(methodOf("unary", CapabilitiesMethods.getCapabilities), ({ instanceName }) => {
      if (instanceName !== "main") throw new StatusError(StatusCode.invalidArgument, `no instance "${instanceName}"`);
      return { cacheCapabilities: { digestFunctions: [DigestFunctionValue.SHA256] } };
    }),
  ]);
  const found = await remoteBlobs(clientOf(double.address), memoryFiles()).findMissing([blob("x").digest]);
  expect(found.ok ? "" : found.problem.message).toContain('no instance ""');
});
