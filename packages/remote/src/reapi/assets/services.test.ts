import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { digestOf, encodeDirectory } from "@kahn/core";
import { virtualClock } from "@kahn/testing";
import { test } from "vitest";
import { StatusCode } from "../../grpc/index.ts";
import type { Init } from "../../proto/codec.ts";
import { unpackAny } from "../../proto/core-messages.ts";
import { BadRequest } from "../../proto/generated/error-details.ts";
import type { FetchBlobRequest, FetchDirectoryRequest } from "../../proto/generated/remote-asset.ts";
import { Status } from "../../proto/generated/status.ts";
import { answered, blobOf, codeOf, METHODS, put, startReapi } from "../reapi-server.fixture.ts";
import { tarOf } from "./archives/archives.fixture.ts";
import type { OriginAnswer, OriginPolicy, OriginPort } from "./origin.ts";
import { isPrivateAddress } from "./origin.ts";

type Page = { status: number; body?: Uint8Array | undefined; location?: string; hold?: Promise<void> };

/** An internet of a few pages. */
function internet(
  pages: Readonly<Record<string, Page | (() => Page)>>,
  addresses: Readonly<Record<string, string>> = {},
) {
  const asked: { url: string; headers: Readonly<Record<string, string>> }[] = [];
  const port: OriginPort = {
    fetch: async (url, { headers, signal }): Promise<OriginAnswer> => {
      asked.push({ url, headers });
      const known = pages[url];
      if (known === undefined) throw new Error("connection refused");
      const { status, body, location, hold } = typeof known === "function" ? known() : known;
      if (hold !== undefined) {
        await Promise.race([
          hold,
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("cut")))),
        ]);
      }
      const half = Math.floor((body?.length ?? 0) / 2);
      return {
        status,
        headers: { get: (name) => (name === "location" ? (location ?? null) : null) },
        body:
          body === undefined
            ? null
            : (async function* () {
                yield body.subarray(0, half);
                yield body.subarray(half);
              })(),
      };
    },
    resolve: async (host) => [addresses[host] ?? "93.184.215.14"],
  };
  return { port, asked };
}

const HOSTS: OriginPolicy = { hosts: ["good.example", "*.cdn.example"] };
const page = Buffer.from("the archive");
const sri = (bytes: Uint8Array, algorithm = "sha256") =>
  `${algorithm}-${createHash(algorithm).update(bytes).digest("base64")}`;

async function serverOf(pages: Parameters<typeof internet>[0], addresses?: Record<string, string>, policy = HOSTS) {
  const { port, asked } = internet(pages, addresses);
  const clock = virtualClock();
  const server = await startReapi({
    clock,
    origins: { port, policy },
    limits: { assetMaxBytes: 1000, assetTimeoutMs: 60_000 },
  });
  const fetchBlob = (request: Init<FetchBlobRequest>) => server.channel.unary(METHODS.fetchBlob, request);
  return { server, asked, clock, fetchBlob };
}

test("§2.7 FetchBlob: fetched once, verified, and stored for whoever asks next", async () => {
  const { server, asked, fetchBlob } = await serverOf({ "https://good.example/a.tgz": { status: 200, body: page } });
  const uris = ["https://good.example/a.tgz"];
  const qualifiers = [
    { name: "checksum.sri", value: sri(page) },
    { name: "bazel.canonical_id", value: "id" },
  ];
  const first = answered(await fetchBlob({ uris, qualifiers }));
  assert.deepEqual([first.status?.code ?? 0, first.uri, first.digestFunction], [0, uris[0], 1]);
  assert.deepEqual(first.blobDigest, blobOf(page).message);
  assert.ok(server.store.blobsByDigest.has(blobOf(page).digest));
  const again = answered(await fetchBlob({ uris: ["https://good.example/other", ...uris], qualifiers }));
  assert.deepEqual([again.uri, again.blobDigest], [uris[0], first.blobDigest]);
  assert.equal(asked.length, 1);
  // Another identity is another asset; another digest function as well.
  answered(await fetchBlob({ uris, qualifiers: [qualifiers[0]!] }));
  const other = answered(await fetchBlob({ uris, qualifiers, digestFunction: 6 }));
  assert.equal(other.blobDigest?.hash.length, 128);
  assert.equal(asked.length, 3);
  server.store.blobsByDigest.delete(blobOf(page).digest);
  assert.equal(answered(await fetchBlob({ uris, qualifiers })).status?.code ?? 0, 0);
  assert.equal(asked.length, 4);
  await server.close();
});

test("§2.7: what an origin does wrong is in the response, not the call's status", async () => {
  const { server, fetchBlob } = await serverOf({
    "https://good.example/gone": { status: 404 },
    "https://good.example/closed": { status: 403 },
    "https://good.example/wrong": { status: 200, body: Buffer.from("other bytes") },
    "https://good.example/broken": { status: 500 },
    "https://good.example/right": { status: 200, body: page },
    "https://good.example/large": { status: 200, body: Buffer.alloc(1001) },
  });
  const qualifiers = [{ name: "checksum.sri", value: sri(page) }];
  const inside = async (...names: string[]) => {
    const uris = names.map((name) => `https://good.example/${name}`);
    return answered(await fetchBlob({ uris, qualifiers })).status?.code ?? 0;
  };
  assert.equal(await inside("gone"), StatusCode.notFound);
  assert.equal(await inside("closed"), StatusCode.permissionDenied);
  assert.equal(await inside("wrong"), StatusCode.aborted);
  assert.equal(await inside("broken", "gone"), StatusCode.notFound);
  assert.equal(await inside("broken", "wrong", "right"), 0);
  assert.ok(!server.store.blobsByDigest.has(digestOf("other bytes")));
  const all = await fetchBlob({ uris: ["https://good.example/broken", "https://good.example/refused"] });
  assert.equal(codeOf(all), StatusCode.unavailable);
  assert.equal(codeOf(await fetchBlob({ uris: ["https://good.example/large"] })), StatusCode.resourceExhausted);
  assert.equal(server.store.openWriters(), 0);
  await server.close();
});

test("§2.7: only allowed hosts are connected to, and no private ones, through redirects too", async () => {
  const { server, asked, fetchBlob } = await serverOf(
    {
      "https://a.cdn.example/x": { status: 302, location: "https://good.example/x" },
      "https://good.example/x": { status: 200, body: page },
      "https://good.example/out": { status: 302, location: "https://evil.example/x" },
      "https://good.example/inside": { status: 302, location: "http://b.cdn.example/x" },
      "https://good.example/loop": { status: 302, location: "/loop" },
    },
    { "b.cdn.example": "10.0.0.7", "c.cdn.example": "::ffff:127.0.0.1" },
  );
  const denied = [
    "https://evil.example/x",
    "https://cdn.example/x",
    "https://notgood.example/",
    "ftp://good.example/x",
    "file:///etc/passwd",
    "nonsense",
    "http://127.0.0.1/x",
    "http://[::1]/x",
    "https://u:p@good.example/x",
    "https://good.example/out",
    "https://good.example/inside",
    "http://c.cdn.example/",
  ];
  for (const uri of denied) {
    const answer = answered(await fetchBlob({ uris: [uri] }));
    assert.equal(answer.status?.code, StatusCode.permissionDenied, uri);
  }
  assert.deepEqual(
    asked.map(({ url }) => url),
    ["https://good.example/out", "https://good.example/inside"],
  );
  assert.equal(codeOf(await fetchBlob({ uris: ["https://good.example/loop"] })), StatusCode.unavailable);
  assert.equal(answered(await fetchBlob({ uris: ["https://a.cdn.example/x"] })).status?.code ?? 0, 0);
  await server.close();
});

test("addresses of this machine and of private networks are known in every spelling", () => {
  const inside = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.9.9",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:7f00:1",
    "fd00::1",
    "fe80::1",
    "ff02::1",
    "64:ff9b::a00:1",
    "rubbish",
  ];
  for (const address of inside) assert.ok(isPrivateAddress(address), address);
  for (const address of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.167.1.1", "2001:db8::1", "::ffff:8.8.8.8"]) {
    assert.ok(!isPrivateAddress(address), address);
  }
});

test("§2.7: headers go to the address that they are of, not to another host, and keep an asset to their sender", async () => {
  const { server, asked, fetchBlob } = await serverOf({
    "https://good.example/1": { status: 500 },
    "https://good.example/2": { status: 302, location: "https://a.cdn.example/2" },
    "https://a.cdn.example/2": { status: 200, body: page },
  });
  const uris = ["https://good.example/1", "https://good.example/2"];
  const qualifiers = [
    { name: "http_header:X-All", value: "all" },
    { name: "http_header_url:1:Authorization", value: "secret" },
  ];
  answered(await fetchBlob({ uris, qualifiers }));
  assert.deepEqual(
    asked.map(({ headers }) => headers),
    [{ "x-all": "all" }, { "x-all": "all", authorization: "secret" }, {}],
  );
  assert.equal(server.store.entriesByName.size, 0);
  answered(
    await fetchBlob({ uris, qualifiers: [...qualifiers, { name: "checksum.sri", value: sri(page, "sha512") }] }),
  );
  assert.equal(server.store.entriesByName.size, 1);
  await server.close();
});

test("§2.7: qualifiers at fault are INVALID_ARGUMENT with the field; so are requests without an address", async () => {
  const { server, fetchBlob } = await serverOf({});
  const uris = ["https://good.example/x"];
  const bad = [
    [{ name: "unheard.of", value: "" }],
    [
      { name: "bazel.canonical_id", value: "1" },
      { name: "bazel.canonical_id", value: "2" },
    ],
    [{ name: "checksum.sri", value: "md5-abc" }],
    [{ name: "http_header:Host", value: "evil" }],
    [{ name: "http_header:X", value: "a\r\nb: c" }],
    [{ name: "http_header:", value: "a" }],
    [{ name: "http_header_url:x:A", value: "a" }],
  ];
  for (const qualifiers of bad) {
    for (const method of [METHODS.fetchBlob, METHODS.fetchDirectory] as const) {
      const refused = await server.channel.unary(method as typeof METHODS.fetchBlob, { uris, qualifiers });
      assert.ok(!refused.ok && refused.problem.code === StatusCode.invalidArgument, JSON.stringify(qualifiers));
      const detail = unpackAny(BadRequest, Status.decode(refused.problem.details!).details[0]!);
      assert.equal(detail?.fieldViolations[0]?.field, "qualifiers.name");
    }
  }
  const far = [{ name: "http_header_url:1:A", value: "a" }];
  for (const request of [
    {},
    { uris: [""] },
    { uris, qualifiers: far },
    { uris, timeout: { seconds: -1 } },
    { uris, digestFunction: 7 },
  ]) {
    assert.equal(codeOf(await fetchBlob(request)), StatusCode.invalidArgument, JSON.stringify(request));
  }
  await server.close();
});

test("§2.7: a fetch has its own time, goes on when its callers leave, and is one for all of them", async () => {
  let open = () => {};
  const hold = new Promise<void>((resolve) => {
    open = resolve;
  });
  const slow = "https://good.example/slow";
  const { server, asked, clock, fetchBlob } = await serverOf({
    [slow]: () => ({ status: 200, body: page, hold }),
    "https://good.example/never": () => ({ status: 200, body: page, hold: new Promise(() => {}) }),
  });
  const late = fetchBlob({ uris: ["https://good.example/never"], timeout: { seconds: 1 } });
  while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(1000);
  assert.equal(answered(await late).status?.code, StatusCode.deadlineExceeded);
  const impatient = await server.channel.unary(METHODS.fetchBlob, { uris: [slow] }, { timeoutMs: 20 });
  assert.equal(codeOf(impatient), StatusCode.deadlineExceeded);
  const both = [fetchBlob({ uris: [slow] }), fetchBlob({ uris: [slow] })];
  await new Promise((resolve) => setTimeout(resolve, 5));
  open();
  for (const outcome of both) assert.deepEqual(answered(await outcome).blobDigest, blobOf(page).message);
  assert.equal(asked.filter(({ url }) => url === slow).length, 1);
  await server.close();
  assert.equal(clock.pendingTimers, 0);
});

test("§2.7 Push: blobs and directories are found by all their addresses until they expire or their blobs go", async () => {
  const { server, clock, fetchBlob } = await serverOf({});
  const [blob, tree, extra] = [blobOf("pushed"), blobOf("\n\0"), blobOf("extra")];
  await put(server.store, blob, tree, extra);
  const { channel } = server;
  const qualifiers = [
    { name: "vcs.commit", value: "abc" },
    { name: "vcs.branch", value: "main" },
  ];
  const uris = ["git://a", "git://b"];
  const expireAt = { seconds: clock.nowMs() / 1000 + 100 };
  answered(
    await channel.unary(METHODS.pushBlob, {
      uris,
      blobDigest: blob.message,
      expireAt,
      referencesBlobs: [extra.message],
    }),
  );
  answered(await channel.unary(METHODS.pushDirectory, { uris, qualifiers, rootDirectoryDigest: tree.message }));
  const found = answered(await fetchBlob({ uris: ["git://b"] }));
  assert.deepEqual([found.blobDigest, found.expiresAt?.seconds], [blob.message, expireAt.seconds]);
  const directory = (request: object) => channel.unary(METHODS.fetchDirectory, { uris: ["git://a"], ...request });
  // The order of qualifiers means nothing.
  const whole = answered(await directory({ qualifiers: [...qualifiers].reverse() }));
  assert.deepEqual(whole.rootDirectoryDigest, tree.message);
  assert.equal(answered(await directory({})).status?.code, StatusCode.notFound);
  const fresh = { qualifiers, oldestContentAccepted: { seconds: clock.nowMs() / 1000 + 1 } };
  assert.equal(answered(await directory(fresh)).status?.code, StatusCode.notFound);
  server.store.blobsByDigest.delete(extra.digest);
  assert.equal(answered(await fetchBlob({ uris })).status?.code, StatusCode.permissionDenied);
  await put(server.store, extra);
  clock.advance(100_000);
  assert.equal(answered(await fetchBlob({ uris })).status?.code, StatusCode.permissionDenied);
  const missing = await channel.unary(METHODS.pushBlob, { uris, blobDigest: blobOf("absent").message });
  assert.equal(codeOf(missing), StatusCode.failedPrecondition);
  assert.equal(codeOf(await channel.unary(METHODS.pushBlob, { blobDigest: blob.message })), StatusCode.invalidArgument);
  await server.close();
});

test("§2.7: a server without origins answers what is pushed, and NOT_FOUND else", async () => {
  const server = await startReapi();
  const answer = answered(await server.channel.unary(METHODS.fetchBlob, { uris: ["https://good.example/x"] }));
  assert.equal(answer.status?.code, StatusCode.notFound);
  await server.close();
});

// Goal: whoever wants a tree has it from one fetch, checked as FetchBlob checks, as long as all of it is stored.
test("§2.7 FetchDirectory: an archive is fetched once, verified, unpacked, and its tree answered to whoever asks next", async () => {
  const archive = gzipSync(
    tarOf([
      { path: "tool/run", content: "run", mode: 0o755 },
      { path: "tool/read.me", content: "me" },
    ]),
  );
  const uri = "https://good.example/tool.tar.gz";
  const { server, asked } = await serverOf({
    [uri]: { status: 200, body: archive },
    "https://good.example/broken.zip": { status: 200, body: archive },
  });
  const fetchTree = async (request: Init<FetchDirectoryRequest>) =>
    answered(await server.channel.unary(METHODS.fetchDirectory, { uris: [uri], ...request }));
  const qualifiers = [{ name: "checksum.sri", value: sri(archive) }];
  const first = await fetchTree({ qualifiers });
  assert.deepEqual([first.status?.code ?? 0, first.uri, first.digestFunction], [0, uri, 1]);
  const file = (name: string, content: string, executable = false) => ({ name, digest: digestOf(content), executable });
  const tool = encodeDirectory({
    files: [file("read.me", "me"), file("run", "run", true)],
    ...{ directories: [], symlinks: [] },
  });
  const top = { files: [], directories: [{ name: "tool", digest: digestOf(tool) }], symlinks: [] };
  const root = encodeDirectory(top);
  assert.deepEqual(first.rootDirectoryDigest, blobOf(root).message);
  for (const blob of [root, tool, Buffer.from("run")]) assert.ok(server.store.blobsByDigest.has(digestOf(blob)));
  assert.deepEqual((await fetchTree({ qualifiers })).rootDirectoryDigest, first.rootDirectoryDigest);
  // A file of it is gone: it is unpacked again, from the archive that is still there.
  server.store.blobsByDigest.delete(digestOf("run"));
  const inside = await fetchTree({ qualifiers: [...qualifiers, { name: "directory", value: "tool" }] });
  assert.deepEqual(inside.rootDirectoryDigest, blobOf(tool).message);
  assert.deepEqual((await fetchTree({ qualifiers })).rootDirectoryDigest, first.rootDirectoryDigest);
  assert.ok(server.store.blobsByDigest.has(digestOf("run")));
  assert.equal(asked.length, 1);

  const codeFor = async (request: Init<FetchDirectoryRequest>) => {
    const { status, rootDirectoryDigest } = await fetchTree(request);
    assert.equal(rootDirectoryDigest, undefined);
    return status?.code;
  };
  assert.equal(await codeFor({ qualifiers: [{ name: "checksum.sri", value: sri(page) }] }), StatusCode.aborted);
  assert.equal(await codeFor({ qualifiers: [...qualifiers, { name: "directory", value: "no" }] }), StatusCode.notFound);
  assert.equal(await codeFor({ qualifiers: [{ name: "vcs.branch", value: "main" }] }), StatusCode.notFound);
  assert.equal(await codeFor({ uris: ["https://good.example/tool.git"] }), StatusCode.notFound);
  assert.equal(await codeFor({ uris: ["https://good.example/broken.zip"] }), StatusCode.failedPrecondition);
  assert.equal(server.store.openWriters(), 0);
  await server.close();
});

test("§2.7 FetchDirectory: to have an archive unpacked takes the right to write", async () => {
  const { port, asked } = internet({});
  const denied = { kind: "denied", because: "forbidden", message: "no" } as const;
  const server = await startReapi({
    origins: { port, policy: HOSTS },
    access: { may: (_, { what }) => (what === "cas.write" ? denied : { kind: "allowed" }) },
  });
  const request = { uris: ["https://good.example/tool.tgz"] };
  const refused = await server.channel.unary(METHODS.fetchDirectory, request);
  assert.deepEqual([codeOf(refused), asked], [StatusCode.permissionDenied, []]);
  await server.close();
});
