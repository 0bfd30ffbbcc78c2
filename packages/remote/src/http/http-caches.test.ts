/** What holds for every protocol: bad clients, a full disk, connections, HTTP/2, rubbish. */
import { createHash } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { type Digest, type DigestFunction, digestOf } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Access } from "../reapi/requests/access-port.ts";
import { accessOf, ask, chunked, put, rawConnection, testCaches, until } from "./caches.fixture.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const KEY = "ab".repeat(32);
const BIG = Buffer.alloc(3_000_000, "0123456789");
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A path of each protocol that takes a body of any kind. */
const WRITABLE = [`/b/ac/${KEY}`, "/v8/artifacts/aa?slug=t", "/v1/cache/1", "/ccache/k", "/cache/00ff"];

test("paths of nothing say what is served", async () => {
  await using open = await testCaches();
  const nothing = await ask(`${open.base}/index.html`);
  expect([nothing.status, JSON.parse(nothing.text).served.length]).toEqual([404, expect.any(Number)]);
});

// Goal: a read-only or unknown caller writes by no protocol. Method: every writing request there is.
test("without the right to write nothing is written, by any protocol, and the store never sees a byte", async () => {
  for (const because of ["unauthenticated", "forbidden"] as const) {
    const access = accessOf(({ what }) =>
      what.endsWith("write") ? { kind: "denied", because, message: "reading only" } : { kind: "allowed" },
    );
    await using caches = await testCaches({ access });
    const requests: readonly (readonly [method: string, path: string])[] = [
      ...WRITABLE.map((path) => ["PUT", path] as const),
      ["PUT", `/b/cas/${sha256(BIG)}`],
      ["PUT", "/sccache/a/b"],
      ["DELETE", "/ccache/k"],
      ["MKCOL", "/webdav/a/"],
      ["POST", "/twirp/github.actions.results.api.v1.CacheService/CreateCacheEntry"],
      ["POST", "/twirp/github.actions.results.api.v1.CacheService/FinalizeCacheEntryUpload"],
    ];
    for (const [method, path] of requests) {
      const refused = await ask(caches.base + path, { method, ...(method === "PUT" ? { body: BIG } : {}) });
      expect([method, path, refused.status]).toEqual([method, path, because === "forbidden" ? 403 : 401]);
      if (because === "unauthenticated") expect(refused.headers.get("www-authenticate")).toContain("Bearer");
    }
    const { store } = caches;
    expect([store.blobsByDigest.size, store.entriesByName.size, store.actionsByKey.size]).toEqual([0, 0, 0]);
  }
});

test("who calls is found out before anything is asked, and a bad token is refused for reads too", async () => {
  const seen: string[] = [];
  const access: Access = {
    may: (caller) => {
      seen.push(caller.name);
      return { kind: "allowed" };
    },
  };
  await using caches = await testCaches({
    access,
    identify: ({ headers }) =>
      headers.authorization === "Bearer good"
        ? { kind: "caller", caller: { name: "ann" } }
        : { kind: "denied", because: "unauthenticated", message: "token unknown" },
  });
  const url = `${caches.base}/ccache/k`;
  expect((await ask(url)).status).toBe(401);
  expect((await ask(url, { headers: { authorization: "Bearer good" } })).status).toBe(404);
  await until(() => caches.events.length === 2);
  expect(seen).toEqual(["ann"]);
  expect(caches.events).toMatchObject([
    { status: 401, refusal: "token unknown" },
    { status: 404, method: "GET", url: "/ccache/k" },
  ]);
});

test("a full disk refuses writes with 507, or as the protocol's clients can bear; nothing is named", async () => {
  await using caches = await testCaches();
  caches.store.failWrites({ code: "store-full", severity: "error", message: "the disk is full" });
  for (const path of [...WRITABLE, `/b/cas/${sha256(BIG)}`]) {
    for (const body of [BIG, Buffer.from("small")]) {
      const url = caches.base + (path.includes("/cas/") ? `/b/cas/${sha256(body)}` : path);
      expect([path, (await put(url, body)).status]).toEqual([path, path.startsWith("/v1/") ? 403 : 507]);
    }
  }
  expect([caches.store.entriesByName.size, caches.store.openWriters()]).toEqual([0, 0]);
});

test("a store that cannot be read makes misses, never errors of the server", async () => {
  await using caches = await testCaches();
  const broken = async () => ({ ok: false, problem: { code: "store-io", severity: "error", message: "EIO" } }) as const;
  Object.assign(caches.store.entries, { get: broken });
  Object.assign(caches.store.actions, { get: broken });
  Object.assign(caches.store.blobs, { find: broken });
  for (const path of [...WRITABLE, `/b/cas/${KEY}`])
    expect([path, (await ask(caches.base + path)).status]).toEqual([path, 404]);
  await until(() => caches.events.length === WRITABLE.length + 1);
  expect(caches.events.every(({ refusal }) => refusal === "EIO")).toBe(true);
});

test("a blob that turns out damaged is a miss, or is cut off where it was whole so far", async () => {
  await using caches = await testCaches();
  const { store, base } = caches;
  await put(`${base}/ccache/k`, BIG);
  const damaged = { ok: false, problem: { code: "blob-mismatch", severity: "error", message: "damaged" } } as const;
  const { open } = store.blobs;
  let good = 0;
  Object.assign(store.blobs, {
    open: async (digest: never) => {
      const opened = await open(digest);
      if (!opened.ok || opened.value === undefined) return opened;
      const reader = opened.value;
      let left = good;
      return {
        ok: true,
        value: {
          ...reader,
          read: async (at: number, length: number) => (left-- > 0 ? await reader.read(at, length) : damaged),
        },
      };
    },
  });
  expect((await ask(`${base}/ccache/k`)).status).not.toBe(200);
  good = 2;
  await expect(ask(`${base}/ccache/k`)).rejects.toThrow();
  expect(store.openReaders()).toBe(0);
});

test("an upload that breaks off leaves nothing behind", async () => {
  await using caches = await testCaches();
  for (const path of [...WRITABLE, `/b/cas/${sha256(BIG)}`]) {
    for (const sent of [0, 1000, 2_000_000]) {
      const connection = await rawConnection(caches.number);
      connection.socket.write(`PUT ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${BIG.length}\r\n\r\n`);
      if (sent > 0) await new Promise((resolve) => connection.socket.write(BIG.subarray(0, sent), resolve));
      connection.socket.destroy();
    }
  }
  const count = 3 * (WRITABLE.length + 1);
  await until(() => caches.events.length === count && caches.port.counts().connections === 0);
  const { store } = caches;
  expect([store.entriesByName.size, store.blobsByDigest.size, store.openWriters()]).toEqual([0, 0, 0]);
  expect(caches.faults).toEqual([]);
});

test("a client that sends too slowly is told so and cut off; one whose store is slow is not", async () => {
  await using caches = await testCaches();
  const connection = await rawConnection(caches.number);
  connection.socket.write("PUT /ccache/k HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\nabc");
  await until(() => caches.port.counts().requests === 1);
  await until(() => caches.clock.pendingTimers === 1);
  caches.clock.advance(30_000);
  expect(await connection.hears("\r\n\r\n")).toMatch(/^HTTP\/1.1 408 [\s\S]*connection: close/i);
  await until(() => caches.clock.pendingTimers > 0);
  caches.clock.advance(5_000);
  await connection.closed;
  expect(caches.store.entriesByName.size).toBe(0);
});

// Goal: many who send and never end hold no more memory than is given to all. Method: bodies that stop short of their end.
test("bodies that never end hold no more than all may hold, and leave room for a small one", async () => {
  await using caches = await testCaches({ limits: { heldMaxBytes: 400_000 } });
  const paths = ["/v8/artifacts", `/ac/${KEY}`, "/ccache/k", "/v8/artifacts"];
  const stuck = [];
  for (const path of paths) {
    const connection = await rawConnection(caches.number);
    const method = path === "/v8/artifacts" ? "POST" : "PUT";
    connection.socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 120001\r\n\r\n`);
    connection.socket.write(Buffer.alloc(120_000, " "));
    stuck.push(connection);
  }
  const answers = await Promise.race(stuck.map((each) => each.hears("503")));
  expect(answers).toMatch(/^HTTP\/1.1 503 /);
  const small = await ask(`${caches.base}/v8/artifacts`, { method: "POST", body: '{"hashes":[]}' });
  expect([small.status, small.text]).toEqual([200, "{}"]);
  // Their connections gone, all of it is free again.
  for (const { socket } of stuck) socket.destroy();
  await until(() => caches.port.counts().connections <= 1);
  const large = JSON.stringify({ hashes: ["x".repeat(150_000)] });
  expect((await ask(`${caches.base}/v8/artifacts`, { method: "POST", body: large })).status).toBe(200);
  expect(caches.faults).toEqual([]);
});

test("events of Turborepo are read and thrown away: they hold nothing, however long", async () => {
  await using caches = await testCaches({ limits: { heldMaxBytes: 1000 } });
  const told = await ask(`${caches.base}/v8/artifacts/events`, { method: "POST", body: "x".repeat(1_000_000) });
  expect(told.status).toBe(200);
});

test("a client that does not take what it asked for is cut off", async () => {
  await using caches = await testCaches();
  const huge = Buffer.alloc(64 << 20, "x");
  await caches.store.blobs.write(digestOf(huge), huge);
  const connection = await rawConnection(caches.number);
  connection.socket.pause();
  connection.socket.write(`GET /cas/${sha256(huge)} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await until(() => caches.store.openReaders() === 1);
  // Buffers of the kernel fill up; then nothing moves any more, whatever time passes.
  while (caches.store.openReaders() > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    caches.clock.advance(1_000);
  }
  connection.socket.destroy();
  await until(() => caches.port.counts().connections === 0);
});

test("after a refusal the connection serves on, when the rest of the body was short", async () => {
  await using caches = await testCaches({ maxBlobBytes: 1000 });
  const connection = await rawConnection(caches.number);
  connection.socket.write(`PUT /cache/aa HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n${"x".repeat(100_000)}`);
  connection.socket.write("GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n");
  const heard = await connection.hears('"served"');
  expect(heard).toMatch(/^HTTP\/1.1 413 [\s\S]*HTTP\/1.1 404 /);
  connection.socket.destroy();
});

test("after a refusal of a long body the client reads the answer, and the connection ends", async () => {
  await using caches = await testCaches({ maxBlobBytes: 1000, limits: { discardMaxBytes: 4 << 20 } });
  for (const head of ["content-length: 900000000", "transfer-encoding: chunked"]) {
    const connection = await rawConnection(caches.number);
    connection.socket.write(`PUT /cache/aa HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n`);
    const piece = Buffer.alloc(64 << 10, "x");
    const chunk = head.startsWith("t") ? Buffer.concat([Buffer.from("10000\r\n"), piece, Buffer.from("\r\n")]) : piece;
    let isOver = false;
    void connection.closed.then(() => {
      isOver = true;
    });
    let sent = 0;
    while (!isOver && sent < 200 << 20) {
      await new Promise((resolve) => connection.socket.write(chunk, resolve));
      await new Promise((resolve) => setImmediate(resolve));
      sent += chunk.length;
    }
    expect([head, isOver]).toEqual([head, true]);
    expect(connection.heard()).toMatch(/^HTTP\/1.1 413 [\s\S]*connection: close[\s\S]*taken at most/i);
  }
});

test("over HTTP/2 the same requests have the same answers, also early ones", async () => {
  await using caches = await testCaches({ maxBlobBytes: 2_000_000, limits: { discardMaxBytes: 1 << 20 } });
  const session = connectHttp2(caches.base);
  const call = (method: string, path: string, body?: Uint8Array) =>
    new Promise<{ status: number; bytes: Buffer }>((resolve, reject) => {
      const stream = session.request({ ":method": method, ":path": path });
      let status = 0;
      const chunks: Buffer[] = [];
      stream.on("response", (headers) => {
        status = Number(headers[":status"]);
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("close", () => resolve({ status, bytes: Buffer.concat(chunks) }));
      stream.on("error", (error) => (status === 0 ? reject(error) : undefined));
      stream.end(body);
    });
  const bytes = BIG.subarray(0, 1_900_000);
  expect((await call("PUT", `/cas/${sha256(bytes)}`, bytes)).status).toBe(200);
  expect((await call("GET", `/cas/${sha256(bytes)}`)).bytes.equals(bytes)).toBe(true);
  expect((await call("HEAD", `/cas/${sha256(bytes)}`)).status).toBe(200);
  expect((await call("PUT", "/ccache/k", BIG)).status).toBe(413);
  expect((await call("GET", "/nothing")).status).toBe(404);
  expect((await call("PUT", "/v1/cache/1", Buffer.from("x"))).status).toBe(200);
  session.close();
  await until(() => caches.port.counts().sessions === 0);
  expect(caches.store.openWriters()).toBe(0);
});

test("a bug in a handler is told, answered with an error, and harms nobody else", async () => {
  await using caches = await testCaches({
    identify: () => {
      throw new Error("a bug");
    },
  });
  expect((await put(`${caches.base}/ccache/k`, BIG)).status).toBe(500);
  expect((await ask(`${caches.base}/ccache/k`)).status).toBe(404);
  expect(caches.faults).toHaveLength(2);
});

// Goal: nothing that anybody sends is answered with an error of the server, or leaves something open. Method: requests of
// random methods, paths, headers and bodies; afterwards a well-behaved one.
test("rubbish is answered, and leaves nothing open", async () => {
  await using caches = await testCaches({ maxBlobBytes: 200_000 });
  const word = fc.constantFrom(
    ...["ac", "cas", "v8", "artifacts", "v1", "cache", "ccache", "status", "events", KEY, "a"],
  );
  const path = fc.array(fc.oneof(word, fc.string({ maxLength: 4 }).map(encodeURIComponent)), { maxLength: 5 });
  const known = fc.constantFrom(...WRITABLE, "/_actions/caches/e30?sig=AA", "/v8/artifacts", `/cas/${KEY}`);
  const calls = ["CreateCacheEntry", "FinalizeCacheEntryUpload", "GetCacheEntryDownloadURL"];
  const twirp = fc.constantFrom(...calls).map((each) => `/twirp/github.actions.results.api.v1.CacheService/${each}`);
  const request = fc.record({
    path: fc.oneof(
      path.map((segments) => `/${segments.join("/")}`),
      known,
      twirp,
    ),
    method: fc.constantFrom("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PROPFIND", "MKCOL", "PATCH"),
    body: fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.json().map(Buffer.from), fc.constant(BIG.subarray(0, 300_000))),
    isChunked: fc.boolean(),
    headers: fc.dictionary(
      fc.constantFrom(
        "range",
        "if-none-match",
        "if-range",
        "accept",
        "content-type",
        "content-encoding",
        "x-artifact-tag",
      ),
      fc.constantFrom("", "zstd", "application/json", "bytes=0-", "bytes=5-1", '"x"', "*", "gzip", "1".repeat(700)),
    ),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ path, method, body, isChunked, headers }) => {
      const hasBody = method !== "GET" && method !== "HEAD";
      const sent = hasBody ? (isChunked ? chunked(body) : { body: new Uint8Array(body) }) : {};
      const { status } = await ask(caches.base + path, { method, headers, ...sent });
      expect(status).toBeLessThan(500);
      expect(caches.faults).toEqual([]);
    }),
    { numRuns: 150 * SCALE },
  );
  expect([caches.store.openReaders(), caches.store.openWriters()]).toEqual([0, 0]);
});

// Goal: no bytes on a connection end the process, whatever they are. Method: pieces of requests in any order.
test("rubbish instead of requests closes its connection alone", async () => {
  await using caches = await testCaches();
  const piece = fc.constantFrom(
    ...["GET ", "PUT ", "/ccache/k", "/../../etc/passwd", " HTTP/1.1\r\n", " HTTP/9\r\n", "host: x\r\n", "\r\n", "\0"],
    ...[
      "content-length: 5\r\n",
      "content-length: -1\r\n",
      "content-length: 5, 6\r\n",
      "transfer-encoding: chunked\r\n",
    ],
    ...[
      "expect: 100-continue\r\n",
      "5\r\nabcde\r\n",
      "ffffffffffffffff\r\n",
      "0\r\n\r\n",
      "abcde",
      "range: bytes=0-\r\n",
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
      const connection = await rawConnection(caches.number);
      connection.socket.end(pieces.join(""));
      connection.socket.resume();
      await new Promise((resolve) => setImmediate(resolve));
      connection.socket.destroy();
      await connection.closed;
    }),
    { numRuns: 100 * SCALE },
  );
  expect((await ask(`${caches.base}/nothing`)).status).toBe(404);
  await until(() => caches.store.openWriters() === 0);
  expect(caches.faults).toEqual([]);
});

test("a body that breaks off while the store is asked for an upload leaves none", async () => {
  await using caches = await testCaches();
  const { blobs } = caches.store;
  for (const asked of ["receive", "create"] as const) {
    let begin = (): void => {};
    let isAsked = false;
    const began = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const late = async <T>(work: () => Promise<T>): Promise<T> => {
      isAsked = true;
      await began;
      return await work();
    };
    const { receive, create } = blobs;
    const slow = {
      receive: (fn: DigestFunction) => late(() => receive(fn)),
      create: (digest: Digest) => late(() => create(digest)),
    };
    Object.assign(blobs, slow);
    const session = connectHttp2(caches.base);
    const headers = { ":method": "PUT", ":path": `/b/cas/${sha256(BIG)}` };
    const stream = session.request(asked === "create" ? { ...headers, "content-length": BIG.length } : headers);
    stream.on("error", () => {});
    stream.write(BIG.subarray(0, 400_000));
    await until(() => isAsked);
    stream.close(8);
    await until(() => caches.events.some(({ status }) => status === 499));
    session.destroy();
    caches.events.length = 0;
    Object.assign(blobs, { receive, create });
    begin();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([asked, caches.store.openWriters()]).toEqual([asked, 0]);
  }
  expect(caches.faults).toEqual([]);
});
