import { expect, test } from "vitest";
import { ask, chunked, put, testCaches } from "../caches.fixture.ts";

type Answer = Readonly<Record<string, unknown>>;

const CALLS = "/twirp/github.actions.results.api.v1.CacheService/";

async function call(base: string, method: string, fields: object): Promise<Answer> {
  const answer = await ask(`${base}${CALLS}${method}`, { method: "POST", body: JSON.stringify(fields) });
  return { status: answer.status, ...JSON.parse(answer.text) };
}

async function save(base: string, key: string, version: string, body: Uint8Array | string): Promise<Answer> {
  const { signed_upload_url: url } = await call(base, "CreateCacheEntry", { key, version });
  const sent = await put(String(url), body, { "x-ms-blob-type": "BlockBlob" });
  expect(sent.status).toBe(201);
  return await call(base, "FinalizeCacheEntryUpload", { key, version, size_bytes: String(body.length) });
}

const find = (base: string, key: string, restoreKeys: readonly string[] = [], version = "v") =>
  call(base, "GetCacheEntryDownloadURL", { key, restore_keys: restoreKeys, version });

test("an entry is saved once, and found by its key, by a prefix, and by restore keys, the newest first", async () => {
  await using caches = await testCaches();
  const { base } = caches;
  expect(await find(base, "npm-1")).toMatchObject({ status: 200, ok: false });
  expect(await save(base, "npm-1", "v", "one")).toMatchObject({ ok: true });
  expect(await save(base, "npm-2", "v", "two")).toMatchObject({ ok: true });
  const exact = await find(base, "npm-1");
  expect(exact).toMatchObject({ ok: true, matched_key: "npm-1" });
  expect((await ask(String(exact.signed_download_url))).text).toBe("one");
  expect(await find(base, "npm-3", ["none-", "npm-"])).toMatchObject({ matched_key: "npm-2" });
  expect(await find(base, "npm")).toMatchObject({ matched_key: "npm-2" });
  expect(await find(base, "npm-1", [], "other")).toMatchObject({ ok: false });
  expect(await call(base, "CreateCacheEntry", { key: "npm-1", version: "v" })).toMatchObject({
    status: 200,
    ok: false,
  });
  // A newest one that is gone gives way to an older one.
  caches.store.entriesByName.forEach((_, name) => {
    if (name.includes("npm-2") && !name.includes("index")) caches.store.entriesByName.delete(name);
  });
  expect(await find(base, "x", ["npm-"])).toMatchObject({ matched_key: "npm-1" });
});

test("an upload in blocks is joined in the order of its list, and read in ranges", async () => {
  await using caches = await testCaches();
  const { base, store } = caches;
  const { signed_upload_url: url } = await call(base, "CreateCacheEntry", { key: "k", version: "v" });
  const pieces = ["a", "b", "c"].map((letter) => Buffer.alloc(700_000, letter));
  await Promise.all(
    pieces.map(async (piece, index) => {
      const id = encodeURIComponent(Buffer.from(`block ${index}`).toString("base64"));
      expect((await put(`${url}&comp=block&blockid=${id}`, piece)).status).toBe(201);
    }),
  );
  const list = [2, 0, 1]
    .map((index) => `<Latest>${Buffer.from(`block ${index}`).toString("base64")}</Latest>`)
    .join("");
  const unknown = "<BlockList><Latest>bm9uZQ==</Latest></BlockList>";
  expect((await put(`${url}&comp=blocklist`, unknown)).status).toBe(400);
  expect((await put(`${url}&comp=blocklist`, `<?xml version="1.0"?><BlockList>${list}</BlockList>`)).status).toBe(201);
  const wrong = await call(base, "FinalizeCacheEntryUpload", { key: "other", version: "v", size_bytes: 1 });
  expect(wrong).toMatchObject({ ok: false });
  expect(await call(base, "FinalizeCacheEntryUpload", { key: "k", version: "v", sizeBytes: "2100000" })).toMatchObject({
    ok: true,
  });
  const { signed_download_url: from } = await find(base, "k");
  const whole = Buffer.concat([pieces[2]!, pieces[0]!, pieces[1]!]);
  expect((await ask(String(from))).bytes.equals(whole)).toBe(true);
  const part = await ask(String(from), { headers: { "x-ms-range": "bytes=699999-700000" } });
  expect([part.status, part.text]).toEqual([206, "ca"]);
  expect([store.openReaders(), store.openWriters()]).toEqual([0, 0]);
});

// Goal: blocks that are never made a whole do not fill the store for everybody. Method: a store of a million bytes.
test("one upload pins no more than half of the store, leaves room for another, and gives all back when it is over", async () => {
  await using caches = await testCaches({ maxBlobBytes: 1_000_000 });
  const { base, clock } = caches;
  const begin = async (key: string) =>
    String((await call(base, "CreateCacheEntry", { key, version: "v" })).signed_upload_url);
  const block = async (url: string, index: number) => {
    const id = Buffer.from(`block ${index}`).toString("base64url");
    return (await put(`${url}&comp=block&blockid=${id}`, Buffer.alloc(100_000, index))).status;
  };
  const greedy = await begin("greedy");
  const statuses = [];
  for (let index = 0; index < 6; index++) statuses.push(await block(greedy, index));
  expect(statuses).toEqual([201, 201, 201, 201, 201, 507]);
  // The same block again takes no more room.
  expect(await block(greedy, 0)).toBe(201);
  const second = await begin("second");
  expect(await block(second, 0)).toBe(201);
  clock.advance(600_001);
  const third = await begin("third");
  for (let index = 0; index < 5; index++) expect(await block(third, index)).toBe(201);
});

test("nothing is readable that was not finalized with its true size", async () => {
  await using caches = await testCaches();
  const { base } = caches;
  const { signed_upload_url: url } = await call(base, "CreateCacheEntry", { key: "k", version: "v" });
  expect(await call(base, "CreateCacheEntry", { key: "k", version: "v" })).toMatchObject({ ok: false });
  expect(await call(base, "FinalizeCacheEntryUpload", { key: "k", version: "v", size_bytes: 0 })).toMatchObject({
    ok: false,
  });
  await put(String(url), "four");
  expect(await find(base, "k")).toMatchObject({ ok: false });
  expect(await call(base, "FinalizeCacheEntryUpload", { key: "k", version: "v", size_bytes: 5 })).toMatchObject({
    ok: false,
  });
  expect(await find(base, "k")).toMatchObject({ ok: false });
  expect((await put(String(url), "late")).status).toBe(404);
  // The mistaken upload is over, so another may begin; an idle one gives way after a while.
  expect(await call(base, "CreateCacheEntry", { key: "k", version: "v" })).toMatchObject({ ok: true });
  expect(await call(base, "CreateCacheEntry", { key: "k", version: "v" })).toMatchObject({ ok: false });
  caches.clock.advance(11 * 60_000);
  expect(await call(base, "CreateCacheEntry", { key: "k", version: "v" })).toMatchObject({ ok: true });
});

test("an address that was not signed here, is over, or is for something else opens nothing", async () => {
  await using caches = await testCaches();
  const { base } = caches;
  await save(base, "k", "v", "secret");
  const from = String((await find(base, "k")).signed_download_url);
  const { signed_upload_url: to } = await call(base, "CreateCacheEntry", { key: "l", version: "v" });
  const forged = [
    from.slice(0, -3),
    from.split("?")[0]!,
    `${String(to).split("?")[0]}?${from.split("?")[1]}`,
    `${base}/_actions/caches/e30?sig=`,
    String(to),
  ];
  for (const url of forged) expect([url, (await ask(url)).status]).toEqual([url, 403]);
  expect((await put(from, "x")).status).toBe(403);
  caches.clock.advance(61 * 60_000);
  expect((await ask(from)).status).toBe(403);
});

test("calls that are none, or lack what they need, are refused in Twirp's words", async () => {
  await using caches = await testCaches();
  const { base } = caches;
  expect(await call(base, "__proto__", {})).toMatchObject({ status: 404, code: "not_found" });
  expect(await call(base, "DeleteEverything", {})).toMatchObject({ status: 404 });
  expect(await call(base, "CreateCacheEntry", { key: "k" })).toMatchObject({ status: 400, code: "invalid_argument" });
  expect(await call(base, "GetCacheEntryDownloadURL", { key: "k", version: "v", restore_keys: [1] })).toMatchObject({
    status: 400,
  });
  const url = `${base}${CALLS}CreateCacheEntry`;
  expect((await ask(url, { method: "POST", ...chunked(Buffer.from("[")) })).status).toBe(400);
  expect((await ask(url)).status).toBe(405);
});
