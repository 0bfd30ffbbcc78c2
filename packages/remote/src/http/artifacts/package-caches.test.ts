/** Turborepo, Nx, Gradle, ccache and WebDAV. */
import { expect, test } from "vitest";
import { accessOf, ask, chunked, put, testCaches } from "../caches.fixture.ts";

const BIG = Buffer.alloc(3_000_000, "0123456789");
const denied = (because: "unauthenticated" | "forbidden") =>
  accessOf(() => ({ kind: "denied", because, message: "set TOKEN" }));

test("a Turborepo artifact comes back with what came with it, by team", async () => {
  await using caches = await testCaches();
  const { base } = caches;
  const url = `${base}/v8/artifacts/0123456789abcdef`;
  const facts = { "x-artifact-duration": "1234", "x-artifact-tag": "c2lnbmVk+/=", "x-artifact-sha": "a1b2" };
  const stored = await put(`${url}?slug=acme`, BIG, facts);
  expect([stored.status, JSON.parse(stored.text)]).toEqual([
    202,
    { urls: ["/v8/artifacts/0123456789abcdef?slug=acme"] },
  ]);
  for (const method of ["GET", "HEAD"]) {
    const got = await ask(`${url}?slug=acme`, { method });
    expect([got.status, got.headers.get("content-length")]).toEqual([200, "3000000"]);
    for (const [name, value] of Object.entries(facts)) expect(got.headers.get(name)).toBe(value);
    expect(got.bytes.length).toBe(method === "GET" ? BIG.length : 0);
  }
  const other = await ask(`${url}?teamId=team_2&slug=acme`);
  expect([other.status, JSON.parse(other.text).error.code]).toEqual([404, "not_found"]);
  expect((await ask(`${base}/acme/v8/artifacts/0123456789abcdef`)).status).toBe(200);
  // As turbo 1.x sends it.
  expect((await ask(`${base}/v8/artifacts/ff?slug=a`, { method: "PUT", ...chunked(BIG) })).status).toBe(202);
  expect((await ask(`${base}/v8/artifacts/ff?slug=a`)).bytes.equals(BIG)).toBe(true);
});

test("Turborepo's other calls are answered: status, the question for many, events, preflight", async () => {
  await using caches = await testCaches();
  const api = `${caches.base}/v8/artifacts`;
  expect(JSON.parse((await ask(`${api}/status?slug=x`)).text)).toEqual({ status: "enabled" });
  await put(`${api}/aa?slug=x`, "four", { "x-artifact-duration": "12", "x-artifact-tag": "t" });
  await put(`${api}/__proto__?slug=x`, "p");
  const asked = await ask(`${api}?slug=x`, { method: "POST", body: '{"hashes":["aa","bb","__proto__"]}' });
  expect(asked.text).toBe(
    '{"aa":{"size":4,"taskDurationMs":12,"tag":"t"},"bb":null,"__proto__":{"size":1,"taskDurationMs":0}}',
  );
  for (const body of ["", "{", "{}", '{"hashes":[1]}', '{"hashes":"aa"}']) {
    expect([body, (await ask(`${api}?slug=x`, { method: "POST", body })).status]).toEqual([body, 400]);
  }
  const events = await ask(`${api}/events?slug=x`, { method: "POST", body: '[{"event":"HIT"}]' });
  expect([events.status, events.text]).toEqual([200, ""]);
  const preflight = await ask(`${api}/aa?slug=x`, { method: "OPTIONS" });
  expect([preflight.status, preflight.headers.get("access-control-allow-headers")]).toEqual([
    200,
    expect.stringContaining("Authorization"),
  ]);
  expect((await ask(`${api}/aa`, { method: "DELETE" })).status).toBe(405);
  expect((await ask(`${api}/aa?slug=../x`)).status).toBe(400);
  expect((await put(`${api}/aa`, "x", { "x-artifact-tag": "t".repeat(601) })).status).toBe(400);
});

test("Turborepo hears of refusals in JSON with a code", async () => {
  for (const [because, status, code] of [
    ["unauthenticated", 401, "unauthorized"],
    ["forbidden", 403, "forbidden"],
  ] as const) {
    await using caches = await testCaches({ access: denied(because) });
    for (const method of ["GET", "PUT"]) {
      const init = method === "PUT" ? { method, body: "x" } : { method };
      const refused = await ask(`${caches.base}/v8/artifacts/aa?slug=x`, init);
      expect([refused.status, JSON.parse(refused.text)]).toEqual([status, { error: { code, message: "set TOKEN" } }]);
    }
  }
});

test("a result of Nx is stored once and never replaced", async () => {
  await using caches = await testCaches();
  const url = `${caches.base}/v1/cache/18446744073709551615`;
  expect((await ask(url)).status).toBe(404);
  expect((await put(url, BIG)).status).toBe(200);
  expect((await put(url, "other")).status).toBe(409);
  expect((await ask(url)).bytes.equals(BIG)).toBe(true);
});

test("Nx is told of troubles in words that do not fail its run, and of a missing token in plain text", async () => {
  await using closed = await testCaches({ access: denied("unauthenticated") });
  const refused = await ask(`${closed.base}/v1/cache/1`);
  expect([refused.status, refused.headers.get("content-type"), refused.text]).toEqual([
    401,
    "text/plain",
    "set TOKEN\n",
  ]);
  await using others = await testCaches({ access: denied("forbidden") });
  expect((await ask(`${others.base}/v1/cache/1`)).status).toBe(404);
  expect((await put(`${others.base}/v1/cache/1`, "x")).status).toBe(403);
  await using full = await testCaches({ maxBlobBytes: 1000 });
  expect((await put(`${full.base}/v1/cache/1`, BIG)).status).toBe(403);
  full.store.failWrites({ code: "store-full", severity: "error", message: "the disk is full" });
  expect((await put(`${full.base}/v1/cache/1`, "x")).status).toBe(403);
});

test("Gradle's entries go in and come out; one that is too large is refused with 413", async () => {
  await using caches = await testCaches({ maxBlobBytes: 1000 });
  const url = `${caches.base}/cache/00112233445566778899aabbccddeeff`;
  expect((await ask(url)).status).toBe(404);
  expect((await put(url, "entry")).status).toBe(201);
  const got = await ask(url);
  expect([got.text, got.headers.get("content-type")]).toEqual([
    "entry",
    "application/vnd.gradle.build-cache-artifact.v2",
  ]);
  expect((await put(url, BIG)).status).toBe(413);
  expect((await ask(url, { method: "PUT", ...chunked(BIG) })).status).toBe(413);
  expect((await ask(url)).text).toBe("entry");
});

test("ccache's flat and foldered values, and WebDAV's folders, are where they were put", async () => {
  await using caches = await testCaches();
  const { base } = caches;
  for (const path of [
    "/ccache/0123abcd",
    "/ccache/01/23abcd",
    "/ccache/ac/d0",
    "/team/sccache/a/b/c/abc",
    "/webdav/x",
  ]) {
    const url = base + path;
    expect([path, (await ask(url)).status]).toEqual([path, 404]);
    expect((await ask(url, { method: "PROPFIND" })).status).toBe(404);
    expect((await put(url, path)).status).toBe(201);
    expect((await ask(url)).text).toBe(path);
    const described = await ask(url, { method: "PROPFIND", headers: { depth: "0" } });
    expect([described.status, described.text]).toEqual([
      207,
      expect.stringContaining(`<D:getcontentlength>${path.length}</D:getcontentlength>`),
    ]);
    expect((await ask(url, { method: "DELETE" })).status).toBe(204);
    expect((await ask(url)).status).toBe(404);
  }
  const folder = await ask(`${base}/sccache/a/b/`, { method: "PROPFIND" });
  expect([folder.status, folder.text]).toEqual([207, expect.stringContaining("<D:collection/>")]);
  expect((await ask(`${base}/sccache/a/b/`, { method: "MKCOL" })).status).toBe(201);
  expect((await put(`${base}/sccache/a/b/`, "x")).status).toBe(400);
  expect((await ask(`${base}/sccache/%3Cscript%3E/`, { method: "PROPFIND" })).text).not.toContain("<script>");
});
