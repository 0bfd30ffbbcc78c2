import { createHash } from "node:crypto";
import { digestOf, digestOfParts } from "@kahn/core";
import { expect, test } from "vitest";
import { ActionResult } from "../../proto/generated/remote-execution.ts";
import { frameOf } from "../../reapi/stored-zstd.fixture.ts";
import { accessOf, ask, chunked, put, testCaches } from "../caches.fixture.ts";

const KEY = "ab".repeat(32);
const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
const BIG = Buffer.alloc(3_000_000, "0123456789");

test("blobs go in and come out whole, in ranges, as heads, and not at all when they have not changed", async () => {
  await using caches = await testCaches();
  for (const bytes of [Buffer.from("small"), BIG, Buffer.alloc(0)]) {
    const url = `${caches.base}/any/prefix/cas/${sha256(bytes)}`;
    expect((await put(url, bytes)).status).toBe(200);
    const got = await ask(url);
    expect([got.status, got.bytes.equals(bytes)]).toEqual([200, true]);
    const head = await ask(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(bytes.length)]);
    const etag = got.headers.get("etag")!;
    expect((await ask(url, { headers: { "if-none-match": `"x", ${etag}` } })).status).toBe(304);
  }
  const url = `${caches.base}/cas/${sha256(BIG)}`;
  const part = await ask(url, { headers: { range: "bytes=1000001-2600000" } });
  expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 1000001-2600000/3000000"]);
  expect(part.bytes.equals(BIG.subarray(1000001, 2600001))).toBe(true);
  const none = await ask(url, { headers: { range: "bytes=3000000-" } });
  expect([none.status, none.headers.get("content-range")]).toEqual([416, "bytes */3000000"]);
  expect((await ask(url, { headers: { range: "bytes=0-1", "if-range": '"other"' } })).status).toBe(200);
  expect(caches.store.openReaders()).toBe(0);
});

test("a blob with another hash or another length than it says is refused, and nothing of it is kept", async () => {
  await using caches = await testCaches();
  const { base, store } = caches;
  expect((await put(`${base}/cas/${KEY}`, "lie")).status).toBe(400);
  expect((await put(`${base}/cas/${KEY}`, BIG)).status).toBe(400);
  expect((await ask(`${base}/cas/${KEY}`, { method: "PUT", ...chunked(BIG) })).status).toBe(400);
  expect([store.blobsByDigest.size, store.openWriters()]).toEqual([0, 0]);
  const chunkedPut = await ask(`${base}/cas/${sha256(BIG)}`, {
    method: "PUT",
    ...chunked(BIG.subarray(0, 9), BIG.subarray(9)),
  });
  expect([chunkedPut.status, store.blobsByDigest.has(digestOf(BIG))]).toEqual([200, true]);
  expect((await put(`${base}/cas/${sha256(BIG)}`, BIG)).status).toBe(200);
  expect((await ask(`${base}/cas/${KEY}`)).status).toBe(404);
});

test("blobs packed with zstd are taken, and given to clients that like them", async () => {
  await using caches = await testCaches();
  const { base, store } = caches;
  const url = `${base}/cas/${sha256(BIG)}`;
  const zstd = { "content-encoding": "zstd" };
  expect((await put(url, frameOf(BIG), zstd)).status).toBe(200);
  expect(store.blobsByDigest.get(digestOf(BIG))?.byteLength).toBe(BIG.length);
  expect((await put(`${base}/cas/${KEY}`, frameOf(BIG), zstd)).status).toBe(400);
  expect((await put(`${base}/cas/${KEY}`, frameOf(BIG).subarray(0, 5000), zstd)).status).toBe(400);
  expect((await put(`${base}/cas/${KEY}`, BIG, { "content-encoding": "gzip" })).status).toBe(415);
  // `fetch` of this Node does not know zstd, so it hands over what came.
  const packed = await ask(url, { headers: { "accept-encoding": "zstd,gzip" } });
  expect([packed.headers.get("content-encoding"), packed.headers.get("vary")]).toEqual(["zstd", "accept-encoding"]);
  expect(packed.bytes.length).toBeGreaterThan(BIG.length);
  for (const accepted of ["gzip", "zstd;q=0", "identity, zstd; q=0.000"]) {
    const plain = await ask(url, { headers: { "accept-encoding": accepted } });
    expect([accepted, plain.headers.get("content-encoding"), plain.bytes.length]).toEqual([accepted, null, BIG.length]);
  }
});

test("an action result is kept byte for byte, found by instance, and missing without its blobs", async () => {
  await using caches = await testCaches();
  const { base, store } = caches;
  const digest = { hash: sha256("out"), sizeBytes: 3 };
  const result = ActionResult.encode({ outputFiles: [{ path: "a/b", digest }], exitCode: 0 });
  // A field of a later version.
  const bytes = Buffer.concat([result, Buffer.from([0xa2, 0x06, 0x01, 0x78])]);
  const url = `${base}/i/ac/${KEY}`;
  expect((await put(url, bytes)).status).toBe(200);
  expect((await ask(url)).status).toBe(404);
  await put(`${base}/i/cas/${digest.hash}`, "out");
  expect((await ask(url)).bytes.equals(bytes)).toBe(true);
  expect((await ask(`${base}/other/ac/${KEY}`)).status).toBe(404);
  const json = await ask(url, { headers: { accept: "application/json" } });
  expect(JSON.parse(json.text)).toMatchObject({ outputFiles: [{ path: "a/b", digest: { sizeBytes: "3" } }] });
  store.blobsByDigest.clear();
  expect((await ask(url)).status).toBe(404);
});

test("an action result in JSON is one in binary, whoever asks for it how", async () => {
  await using caches = await testCaches();
  const url = `${caches.base}/moon/ac/${KEY}`;
  const json = { exitCode: 0, stdoutRaw: Buffer.from("hello").toString("base64") };
  expect((await put(url, JSON.stringify(json), { "content-type": "application/json" })).status).toBe(200);
  expect(Buffer.from(ActionResult.decode((await ask(url)).bytes).stdoutRaw).toString()).toBe("hello");
  const back = await ask(url, { headers: { accept: "application/json" } });
  expect([back.headers.get("content-type"), JSON.parse(back.text)]).toEqual([
    "application/json",
    { stdoutRaw: json.stdoutRaw },
  ]);
  for (const bad of ["{", "[]", '{"exitCode":"x"}', '{"outputFiles":[{"path":"/etc/passwd"}]}']) {
    expect([bad, (await put(url, bad, { "content-type": "application/json" })).status]).toEqual([bad, 400]);
  }
});

test("opaque bodies at /ac/ are kept apart from action results; what was put last counts", async () => {
  await using caches = await testCaches();
  const url = `${caches.base}/ccache/ac/${KEY}`;
  const opaque = Buffer.concat([Buffer.from("cCaC"), BIG]);
  const result = Buffer.from(ActionResult.encode({ exitCode: 1 }));
  for (const bytes of [opaque, Buffer.concat([opaque, BIG]), result, Buffer.from("cCaC"), result, Buffer.alloc(0)]) {
    expect((await put(url, bytes)).status).toBe(200);
    expect((await ask(url)).bytes.equals(bytes)).toBe(true);
  }
});

test("an action result that came over gRPC is found over HTTP, when its Action is in the store", async () => {
  await using caches = await testCaches();
  const { store, base } = caches;
  const action = Buffer.from("an encoded Action");
  await put(`${base}/x/cas/${sha256(action)}`, action);
  const bytes = ActionResult.encode({ exitCode: 7 });
  await store.actions.put({ instance: "x" }, digestOfParts("sha256", sha256(action), action.length)!, bytes);
  expect((await ask(`${base}/x/ac/${sha256(action)}`)).bytes.equals(bytes)).toBe(true);
});

// Goal: an untrusted writer changes what it reads itself, and nothing that others read.
test("results of an untrusted branch are read by that branch alone", async () => {
  let branch: string | undefined;
  const access = accessOf(() => (branch === undefined ? { kind: "allowed" } : { kind: "overlay", overlay: branch }));
  await using caches = await testCaches({ access });
  const places = [`/i/ac/${KEY}`, `/ccache/ac/${KEY}`, "/ccache/k", "/v1/cache/5", "/v8/artifacts/77", "/cache/99"];
  const body = (path: string, text: string) =>
    path.startsWith("/i/") ? Buffer.from(ActionResult.encode({ stdoutRaw: Buffer.from(text) })) : Buffer.from(text);
  for (const path of places) {
    const url = caches.base + path;
    branch = "pr-1";
    expect([path, (await put(url, body(path, "evil"))).status < 300]).toEqual([path, true]);
    expect((await ask(url)).bytes.equals(body(path, "evil"))).toBe(true);
    branch = "pr-2";
    expect([path, (await ask(url)).status]).toEqual([path, 404]);
    branch = undefined;
    expect([path, (await ask(url)).status]).toEqual([path, 404]);
    await put(url, body(path, "good"));
    branch = "pr-2";
    expect((await ask(url)).bytes.equals(body(path, "good"))).toBe(true);
    branch = "pr-1";
    expect((await ask(url)).bytes.equals(body(path, "evil"))).toBe(true);
  }
});
