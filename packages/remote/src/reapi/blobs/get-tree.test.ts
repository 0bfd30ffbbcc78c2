import assert from "node:assert/strict";
import type { Digest, Directory } from "@kahn/core";
import { digestOf, encodeDirectory } from "@kahn/core";
import { afterAll, test } from "vitest";
import { StatusCode } from "../../grpc/index.ts";
import { digestMessage } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import {
  Directory as DirectoryMessage,
  type GetTreeRequest,
  type GetTreeResponse,
} from "../../proto/generated/remote-execution.ts";
import { blobOf, METHODS, put, startReapi } from "../reapi-server.fixture.ts";
import { field } from "../wire/fields.ts";

const server = await startReapi();
const { store } = server;
afterAll(async () => {
  await server.close();
  assert.deepEqual(server.faults, []);
});

async function directory(children: Readonly<Record<string, Digest>>, file = ""): Promise<Digest> {
  const names = Object.keys(children).sort();
  const message: Directory = {
    files: file === "" ? [] : [{ name: file, digest: digestOf(file), executable: false }],
    directories: names.map((name) => ({ name, digest: children[name]! })),
    symlinks: [],
  };
  const blob = blobOf(encodeDirectory(message));
  await put(store, blob);
  return blob.digest;
}

async function tree(request: Init<GetTreeRequest>): Promise<{ code: number; pages: GetTreeResponse[] }> {
  const call = server.channel.read(METHODS.getTree, request);
  const pages: GetTreeResponse[] = [];
  try {
    for await (const page of call.messages) pages.push(structuredClone(page));
  } catch {
    // The status tells.
  }
  return { code: (await call.status).code, pages };
}

const digestsOf = (pages: readonly GetTreeResponse[]) =>
  pages.flatMap(({ directories }) => directories.map((each) => digestOf(DirectoryMessage.encode(each))));

/** A root with ten directories of a hundred each. */
async function wide(): Promise<Digest> {
  const tops: Record<string, Digest> = {};
  for (let top = 0; top < 10; top++) {
    const children: Record<string, Digest> = {};
    for (let leaf = 0; leaf < 100; leaf++) children[`d${leaf}`] = await directory({}, `f-${top}-${leaf}`);
    tops[`t${top}`] = await directory(children);
  }
  return directory(tops);
}
const root = await wide();
const rootDigest = digestMessage(root);

test("§2.3 GetTree: pages of at most page_size, the root first, each directory once", async () => {
  const { code, pages } = await tree({ rootDigest, pageSize: 100 });
  assert.equal(code, 0);
  assert.deepEqual(
    pages.map(({ directories }) => directories.length),
    [...Array(10).fill(100), 11],
  );
  const digests = digestsOf(pages);
  assert.equal(digests[0], root);
  assert.equal(new Set(digests).size, 1011);
  assert.equal(pages.at(-1)!.nextPageToken, "");
  assert.equal((await tree({ rootDigest })).pages.length, 2);
});

test("§2.3 GetTree: any page's token goes on where the page ended, also on another server", async () => {
  const { pages } = await tree({ rootDigest, pageSize: 300 });
  const all = digestsOf(pages);
  for (const [index, { nextPageToken }] of pages.slice(0, -1).entries()) {
    const rest = await tree({ rootDigest, pageSize: 7, pageToken: nextPageToken });
    assert.equal(rest.code, 0);
    assert.deepEqual(digestsOf(rest.pages), all.slice(300 * (index + 1)));
  }
  const another = await startReapi({ store });
  const call = another.channel.read(METHODS.getTree, { rootDigest, pageToken: pages[0]!.nextPageToken });
  let count = 0;
  for await (const page of call.messages) count += page.directories.length;
  assert.equal(count, 711);
  await another.close();
});

test("§2.3 GetTree: tokens of other trees and rubbish are INVALID_ARGUMENT, as is a negative page_size", async () => {
  const token = (await tree({ rootDigest, pageSize: 10 })).pages[0]!.nextPageToken;
  const other = digestMessage(await directory({}, "other"));
  const bad = [
    { rootDigest: other, pageToken: token },
    { rootDigest, pageToken: "x" },
    { rootDigest, pageToken: token.replace(/^10/, "11") },
    { rootDigest, pageToken: `${token} ` },
    { rootDigest, pageSize: -1 },
    {},
    { rootDigest: { hash: "short", sizeBytes: 1 } },
  ];
  for (const request of bad)
    assert.equal((await tree(request)).code, StatusCode.invalidArgument, JSON.stringify(request));
});

test("§2.3 GetTree: an absent root is NOT_FOUND, one that is no directory INVALID_ARGUMENT", async () => {
  assert.equal((await tree({ rootDigest: blobOf("absent").message })).code, StatusCode.notFound);
  const rubbish = blobOf("\xff\xff no directory");
  await put(store, rubbish);
  assert.equal((await tree({ rootDigest: rubbish.message })).code, StatusCode.invalidArgument);
  assert.equal(
    (await tree({ rootDigest: { hash: "a".repeat(64), sizeBytes: 1 << 30 } })).code,
    StatusCode.invalidArgument,
  );
  const empty = await tree({ rootDigest: blobOf("").message });
  assert.deepEqual([empty.code, empty.pages.length, empty.pages[0]!.directories.length], [0, 1, 1]);
});

test("§2.3 GetTree: missing and broken subtrees are left out, shared ones come once", async () => {
  const shared = await directory({}, "shared");
  const rubbish = blobOf("\xff\xff rubbish");
  await put(store, rubbish);
  const mixed = await directory({
    a: shared,
    b: await directory({ again: shared }),
    c: digestOf("missing"),
    d: rubbish.digest,
    e: shared,
  });
  const { code, pages } = await tree({ rootDigest: digestMessage(mixed) });
  assert.equal(code, 0);
  assert.equal(digestsOf(pages).length, 3);
});

test("§2.3 GetTree: a tree in which every level is named twice a thousand times over is walked once", async () => {
  let digest = await directory({}, "leaf");
  for (let level = 0; level < 60; level++) digest = await directory({ a: digest, b: digest });
  const { code, pages } = await tree({ rootDigest: digestMessage(digest) });
  assert.deepEqual([code, digestsOf(pages).length], [0, 61]);
});

test("§2.3 GetTree: no page is larger than clients take, and directories keep fields of later versions", async () => {
  const children: Record<string, Digest> = {};
  for (let index = 0; index < 12; index++) {
    const bytes = Buffer.concat([DirectoryMessage.encode({}), field(2042, Buffer.alloc(1 << 20, index))]);
    await put(store, blobOf(bytes));
    children[`big${index}`] = digestOf(bytes);
  }
  const big = digestMessage(await directory(children));
  const raw = {
    ...METHODS.getTree,
    response: { encode: (bytes: Uint8Array) => bytes, decode: (bytes: Uint8Array) => bytes },
  };
  const call = server.channel.read(raw, { rootDigest: big });
  const pages: Buffer[] = [];
  for await (const page of call.messages) pages.push(Buffer.from(page));
  assert.ok(pages.length >= 4);
  assert.ok(pages.every(({ length }) => length < 4 << 20));
  assert.ok(pages.reduce((sum, { length }) => sum + length, 0) > 12 << 20);
});
