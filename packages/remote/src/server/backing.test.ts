/** A server with another one behind it: reading through, sending on, and that trouble behind fails nobody. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type Digest, digestOf } from "@kahn/core";
import { nodeRandom } from "@kahn/system";
import { closedAddress, memoryFileSystem } from "@kahn/testing";
import { test } from "vitest";
import { newToken } from "../access/token.ts";
import { methodOf, StatusCode, StatusError } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import { ByteStreamMethods } from "../proto/generated/bytestream.ts";
import {
  ActionCacheMethods,
  ContentAddressableStorageMethods as Cas,
  Tree,
} from "../proto/generated/remote-execution.ts";
import { type TestServer, testServer } from "../server.fixture.ts";
import { memoryStore } from "../store/store.fixture.ts";

const UPDATE = methodOf("unary", ActionCacheMethods.updateActionResult);
const GET = methodOf("unary", ActionCacheMethods.getActionResult);
const WRITE = methodOf("unary", Cas.batchUpdateBlobs);
const READ = methodOf("server-streaming", ByteStreamMethods.read);
const MISSING = methodOf("unary", Cas.findMissingBlobs);

const small = Buffer.from("a small blob");
const large = Buffer.alloc(5 << 20, "large ");

async function put(it: TestServer, bytes: Buffer): Promise<Digest> {
  const digest = digestOf(bytes);
  const hash = digest.split(":")[1]!.split("/")[0]!;
  const answer = await fetch(`${it.url}/cas/${hash}`, { method: "PUT", body: bytes });
  assert.ok(answer.ok, String(answer.status));
  return digest;
}

async function got(it: TestServer, bytes: Buffer): Promise<number> {
  const digest = digestMessage(digestOf(bytes));
  const channel = it.channel();
  const asked = await channel.unary(MISSING, { blobDigests: [digest] });
  assert.ok(asked.ok);
  const call = channel.read(READ, { resourceName: `blobs/${digest.hash}/${digest.sizeBytes}` });
  const parts: Uint8Array[] = [];
  try {
    while (await call.messages.ready()) {
      for (let part = call.messages.poll(); part !== undefined; part = call.messages.poll()) parts.push(part.data);
    }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
  }
  const isWhole = Buffer.concat(parts).equals(bytes);
  assert.equal(asked.value.missingBlobDigests.length === 0, isWhole);
  return isWhole ? 200 : 404;
}

test("blobs and results are read through, small and large, by instance; what is stored is sent on before a drain ends", async () => {
  const behind = await testServer();
  const front = await testServer({ config: `backing: { url: "${behind.url.replace("http", "grpc")}", instance: up }` });
  const action = digestMessage(digestOf(Buffer.from("an action")));
  const outputDigest = await put(behind, large);
  await put(behind, small);
  const files = [{ path: "a", digest: digestMessage(outputDigest) }];
  const update = { instanceName: "up/x", actionDigest: action, actionResult: { outputFiles: files } };
  assert.ok((await behind.channel().unary(UPDATE, update)).ok);
  assert.deepEqual([await got(front, small), await got(front, large)], [200, 200]);
  const found = await front.channel().unary(GET, { instanceName: "x", actionDigest: action });
  assert.ok(found.ok && found.value.outputFiles[0]?.path === "a", JSON.stringify(found));
  const elsewhere = await front.channel().unary(GET, { instanceName: "y", actionDigest: action });
  assert.ok(!elsewhere.ok && elsewhere.problem.code === StatusCode.notFound);

  const mine = Buffer.from("stored in front");
  const second = digestMessage(digestOf(Buffer.from("another action")));
  const requests = [{ digest: digestMessage(digestOf(mine)), data: mine }];
  assert.ok((await front.channel().unary(WRITE, { requests })).ok);
  const bulk = Buffer.alloc((4 << 20) + 1, "bulk ");
  await put(front, bulk);
  const outputFiles = [mine, bulk].map((bytes, index) => ({
    path: `${index}`,
    digest: digestMessage(digestOf(bytes)),
  }));
  const result = { instanceName: "x", actionDigest: second, actionResult: { outputFiles } };
  assert.ok((await front.channel().unary(UPDATE, result)).ok);
  await front.server.drain(30_000);
  await front.close();
  assert.deepEqual([await got(behind, mine), await got(behind, bulk)], [200, 200]);
  const sent = await behind.channel().unary(GET, { instanceName: "up/x", actionDigest: second });
  assert.ok(sent.ok && sent.value.outputFiles.length === 2, JSON.stringify(sent));
  assert.deepEqual(front.reported, []);
  await behind.close();
});

/** Waits for what happens behind answers. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

// Goal: what was found behind once needs nobody behind the next time, the files in its trees included.
test("a result that was found behind is kept with all that it names, and read again when nobody is behind", async () => {
  const behind = await testServer();
  const fs = memoryFileSystem();
  const store = await memoryStore({ fs });
  const config = `backing: { url: "${behind.url.replace("http", "grpc")}" }`;
  const front = await testServer({ config, fs, ports: { store } });
  const inTree = Buffer.from("a file in a tree");
  const fileInTree = digestMessage(await put(behind, inTree));
  const root = { files: [{ name: "f", digest: fileInTree }] };
  const tree = Buffer.from(Tree.encode({ root }));
  const treeDigest = digestMessage(await put(behind, tree));
  const fileDigest = digestMessage(await put(behind, large));
  const action = digestOf(Buffer.from("an action"));
  const update = {
    actionDigest: digestMessage(action),
    actionResult: {
      outputFiles: [{ path: "a", digest: fileDigest }],
      outputDirectories: [{ path: "d", treeDigest }],
    },
  };
  assert.ok((await behind.channel().unary(UPDATE, update)).ok);
  const asked = { actionDigest: digestMessage(action) };
  assert.ok((await front.channel().unary(GET, asked)).ok);
  await until(async () => {
    const kept = await store.actions.get({ instance: "" }, action);
    return kept.ok && kept.value !== undefined;
  });
  await behind.close();
  const again = await front.channel().unary(GET, asked);
  assert.ok(again.ok && again.value.outputDirectories.length === 1, JSON.stringify(again));
  assert.deepEqual([await got(front, inTree), await got(front, large)], [200, 200]);
  await front.close();
});

test("a cache behind that lets nobody write is read as before, and told of once", async () => {
  const reader = newToken(nodeRandom());
  const rules = 'rules: [{ who: ["token:front"], allow: [read] }, { who: ["anonymous"], allow: [write] }]';
  const behind = await testServer({
    config: `access: { tokens: [{ name: front, hash: "${reader.hash}" }], ${rules} }`,
  });
  const fs = memoryFileSystem();
  fs.writeFile("/token", Buffer.from(reader.token));
  const config = `backing: { url: "${behind.url.replace("http", "grpc")}", tokenFile: token }`;
  const front = await testServer({ config, fs });
  await put(front, small);
  await until(async () => front.reported.length > 0);
  assert.deepEqual(
    front.reported.map(({ code, severity }) => [code, severity]),
    [["store-denied", "warning"]],
  );
  await put(front, Buffer.from("another"));
  await put(behind, large);
  assert.equal(await got(front, large), 200);
  const metrics = await (await fetch(`${front.url}/metrics`)).text();
  assert.match(metrics, /kahn_backing_dropped 1\n/);
  assert.equal(front.reported.length, 1);
  await front.close();
  await behind.close();
});

test("a cache behind in which strangers may only read is read by a stranger, and sent nothing after the first", async () => {
  const { hash } = newToken(nodeRandom());
  const rules = 'rules: [{ who: ["anonymous"], allow: [read] }, { who: ["token:ci"], allow: [write] }]';
  const store = await memoryStore();
  const behind = await testServer({
    config: `access: { tokens: [{ name: ci, hash: "${hash}" }], ${rules} }`,
    ports: { store },
  });
  assert.ok((await store.blobs.write(digestOf(large), large)).ok);
  const front = await testServer({ config: `backing: { url: "${behind.url.replace("http", "grpc")}" }` });
  await put(front, small);
  await until(async () => front.reported.length > 0);
  assert.deepEqual(
    front.reported.map(({ code }) => code),
    ["store-denied"],
  );
  assert.equal(await got(front, large), 200);
  await front.close();
  await behind.close();
});

test("a cache behind that knows nobody costs one refused call for each, and one warning", async () => {
  const { hash } = newToken(nodeRandom());
  const behind = await testServer({ config: `access: { tokens: [{ name: ci, hash: "${hash}" }] }` });
  const front = await testServer({ config: `backing: { url: "${behind.url.replace("http", "grpc")}" }` });
  await put(front, small);
  await until(async () => front.reported.length > 0);
  assert.equal(await got(front, large), 404);
  const metrics = await (await fetch(`${front.url}/metrics`)).text();
  assert.match(metrics, /kahn_backing_dropped 1\n/);
  assert.deepEqual(
    front.reported.map(({ code, severity }) => [code, severity]),
    [["store-refused", "warning"]],
  );
  await front.close();
  await behind.close();
});

test("what a server that was killed left on its way to the cache behind is removed by the next one", async () => {
  const fs = memoryFileSystem();
  fs.makeDirectory("/data/backing");
  fs.writeFile("/data/backing/half", "of a blob");
  const front = await testServer({ config: `dir: /data\nbacking: { url: "grpc://${await closedAddress()}" }`, fs });
  assert.deepEqual(fs.readDirectory("/data/backing"), []);
  await front.close();
});

test("a cache behind that is away makes misses and one warning, and fails nobody", async () => {
  const gone = await testServer();
  await gone.close();
  const front = await testServer({ config: `backing: { url: "${gone.url.replace("http", "grpc")}" }` });
  const channel = front.channel();
  const miss = await channel.unary(GET, { actionDigest: digestMessage(digestOf(Buffer.from("x"))) });
  assert.ok(!miss.ok && miss.problem.code === StatusCode.notFound);
  assert.equal(await got(front, small), 404);
  await put(front, small);
  assert.equal(await got(front, small), 200);
  assert.deepEqual(
    front.reported.map(({ code, severity }) => [code, severity]),
    [["store-remote", "warning"]],
  );
  await front.close();
});

test("digests of a function that the cache behind is not asked for keep nothing else from it", async () => {
  const behind = await testServer();
  const front = await testServer({ config: `backing: { url: "${behind.url.replace("http", "grpc")}" }` });
  await put(behind, small);
  const foreign = Buffer.from("a blob with another digest");
  const digest = { hash: createHash("sha1").update(foreign).digest("hex"), sizeBytes: foreign.length };
  const asked = await front.channel().unary(MISSING, { blobDigests: [digest] });
  assert.ok(asked.ok && asked.value.missingBlobDigests.length === 1);
  const unknown = await front.channel().unary(GET, { actionDigest: digest });
  assert.ok(!unknown.ok && unknown.problem.code === StatusCode.notFound);
  assert.ok((await front.channel().unary(WRITE, { requests: [{ digest, data: foreign }] })).ok);
  assert.equal(await got(front, small), 200);
  const mine = Buffer.from("sent on all the same");
  await put(front, mine);
  await front.close();
  assert.deepEqual(front.reported, []);
  assert.equal(await got(behind, mine), 200);
  await behind.close();
});

test("an instance that the cache behind refuses keeps no other one from it", async () => {
  const access = 'access: { rules: [{ who: anonymous, instances: ["", "good"], allow: [all] }] }';
  const behind = await testServer({ config: access });
  const front = await testServer({ config: `backing: { url: "${behind.url.replace("http", "grpc")}" }` });
  await put(behind, small);
  const action = digestMessage(digestOf(Buffer.from("an action")));
  const result = (instanceName: string) => ({ instanceName, actionDigest: action, actionResult: { exitCode: 0 } });
  const refused = await front.channel().unary(GET, { instanceName: "bad", actionDigest: action });
  assert.ok(!refused.ok && refused.problem.code === StatusCode.notFound);
  assert.equal(await got(front, small), 200);
  for (const instance of ["bad", "good"]) assert.ok((await front.channel().unary(UPDATE, result(instance))).ok);
  const mine = Buffer.from("sent on to the good one");
  await put(front, mine);
  await front.close();
  assert.deepEqual(
    front.reported.map(({ code }) => code),
    ["store-refused"],
  );
  assert.equal(await got(behind, mine), 200);
  const known = await behind.channel().unary(GET, { instanceName: "good", actionDigest: action });
  assert.ok(known.ok, JSON.stringify(known));
  await behind.close();
});
