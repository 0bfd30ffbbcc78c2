// Goal: a cache of plain HTTP is a tier like any other: what goes there comes back whole, lies do not, trouble is a problem.
// Method: a server of twenty lines that keeps what it is given, and does what a test wants before that.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ActionResult, digestHash, digestOf } from "@kahn/core";
import { nodeClock, nodeRandom } from "@kahn/system";
import { closedAddress, virtualClock } from "@kahn/testing";
import { expect, onTestFinished, test } from "vitest";
import { noise } from "../../reapi/reapi-server.fixture.ts";
import { blob, EAGER, memoryFiles, value } from "../client.fixture.ts";
import { openHttpTier } from "./http-tier.ts";

type Before = (request: IncomingMessage, response: ServerResponse) => "handled" | undefined;

async function httpCache(before: Before = () => undefined) {
  const kept = new Map<string, Buffer>();
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (before(request, response) === "handled") return;
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (request.method === "PUT") {
      kept.set(request.url!, Buffer.concat(parts));
      response.writeHead(201).end();
      return;
    }
    const bytes = kept.get(request.url!);
    response.writeHead(bytes === undefined ? 404 : 200, { "content-length": bytes?.length ?? 0 });
    response.end(request.method === "HEAD" ? undefined : bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => void server.close());
  return { kept, requests, url: `http://127.0.0.1:${port}/prefix/` };
}

function tierOf(
  url: string,
  options: { headers?: Record<string, string>; clock?: ReturnType<typeof virtualClock> } = {},
) {
  const fs = memoryFiles();
  const clock = options.clock ?? nodeClock();
  const { tier, close } = openHttpTier({
    url: new URL(url),
    fs,
    clock,
    random: nodeRandom(),
    read: true,
    write: true,
    retries: EAGER,
    headers: () => options.headers ?? {},
  });
  onTestFinished(close);
  return { fs, ...tier };
}

const request = (digest: ReturnType<typeof digestOf>) =>
  ({ digest, path: "/work/out", executable: true, how: "copy" }) as const;

test("blobs and results go there and come back, below the prefix of the address", async () => {
  const cache = await httpCache();
  const { fs, blobs, actions } = tierOf(cache.url, { headers: { authorization: "Bearer x" } });
  const large = blob(noise(1_000_000));
  const empty = blob("");
  fs.writeFile("/work/large", large.bytes);
  fs.writeFile("/work/empty", empty.bytes);
  const ingested = await blobs.ingest([
    { path: "/work/large", executable: false },
    { path: "/work/empty", executable: false, expected: empty.digest },
  ]);
  expect(value(ingested)).toStrictEqual([large.digest, empty.digest]);
  const absent = blob("absent").digest;
  expect(value(await blobs.findMissing([large.digest, empty.digest, absent]))).toStrictEqual([absent]);
  expect(value(await blobs.materialize([request(large.digest)]))).toStrictEqual(["done"]);
  expect(Buffer.compare(Buffer.from(fs.readFile("/work/out")!), large.bytes)).toBe(0);
  expect(value(await blobs.materialize([request(empty.digest), request(absent)]))).toStrictEqual(["done", "missing"]);
  expect(value(await blobs.read(absent))).toBe(undefined);

  const action = digestOf("action");
  const result: ActionResult = {
    outputFiles: [{ path: "out", digest: large.digest, executable: false }],
    outputDirectories: [],
    outputSymlinks: [],
    exitCode: 0,
    metadata: { worker: "w" },
  };
  expect(value(await actions.lookup(action))).toStrictEqual({ kind: "miss", reason: "no-entry" });
  value(await actions.record(action, result));
  expect(value(await actions.lookup(action))).toStrictEqual({ kind: "hit", result });
  expect([...cache.kept.keys()]).toStrictEqual([
    `/prefix/cas/${digestHash(large.digest)}`,
    `/prefix/ac/${digestHash(action)}`,
  ]);
  cache.kept.set(`/prefix/ac/${digestHash(action)}`, Buffer.from([0xff]));
  expect(value(await actions.lookup(action))).toStrictEqual({ kind: "miss", reason: "corrupt-entry" });
});

test("lies are not given out, be they wrong, too long or too short", async () => {
  const cache = await httpCache();
  const { fs, blobs } = tierOf(cache.url);
  const { digest } = blob("the truth");
  for (const lie of ["the lies!", "the truth and more of it", "the"]) {
    cache.kept.set(`/prefix/cas/${digestHash(digest)}`, Buffer.from(lie));
    expect(value(await blobs.read(digest))).toBe(undefined);
    expect(value(await blobs.materialize([request(digest)]))).toStrictEqual(["corrupt"]);
    expect(fs.lstat("/work/out")).toBe(undefined);
  }
});

test("an answer that breaks off is asked for again, from its start", async () => {
  const { bytes, digest } = blob(noise(300_000));
  let calls = 0;
  const cache = await httpCache((asked, response) => {
    if (asked.method !== "GET" || ++calls > 2) return undefined;
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 100_000), () => response.destroy());
    return "handled";
  });
  cache.kept.set(`/prefix/cas/${digestHash(digest)}`, bytes);
  const { fs, blobs } = tierOf(cache.url);
  expect(value(await blobs.materialize([request(digest)]))).toStrictEqual(["done"]);
  expect(Buffer.compare(Buffer.from(fs.readFile("/work/out")!), bytes)).toBe(0);
  expect(calls).toBe(3);
});

test("busy servers are asked again, refusals are problems, and say what", async () => {
  let busy = 2;
  const cache = await httpCache((asked, response) => {
    const status = asked.method === "PUT" ? 403 : busy-- > 0 ? 503 : 0;
    if (status === 0) return undefined;
    asked.resume();
    response.writeHead(status).end();
    return "handled";
  });
  const { blobs } = tierOf(cache.url);
  const mine = blob("mine");
  expect(value(await blobs.findMissing([mine.digest]))).toStrictEqual([mine.digest]);
  expect(cache.requests.length).toBe(3);
  const refused = await blobs.write(mine.digest, mine.bytes);
  expect(refused).toMatchObject({ ok: false, problem: { code: "store-denied", next: /token/ } });
  expect(await tierOf(`http://${await closedAddress()}/`).blobs.read(mine.digest)).toMatchObject({ ok: false });
});

test("a server that says nothing is given up after a while", async () => {
  const clock = virtualClock();
  let begun = () => {};
  const asked = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const cache = await httpCache(() => {
    begun();
    return "handled";
  });
  const { blobs } = tierOf(cache.url, { clock });
  const reading = blobs.read(blob("x").digest);
  await asked;
  // Four attempts, and the pauses between them.
  for (let attempt = 0; attempt < 4; attempt++) {
    const before = cache.requests.length;
    await clock.advance(20_000);
    for (let turn = 0; turn < 1000 && attempt < 3 && cache.requests.length === before; turn++) {
      await clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const found = await reading;
  expect(found.ok ? "" : found.problem.message).toContain("nothing moved for 20000 ms");
});
