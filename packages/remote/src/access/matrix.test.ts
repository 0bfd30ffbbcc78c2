/**
 * The authorisation matrix: every subject, every operation of every protocol, on several instances.
 *
 * Method: each operation is sent as a client would send it; only whether it was let past the rules counts, not what it
 *         answered then. What is expected comes from a table of rights written here, not from the rules.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { type Digest, digestHash, digestOf } from "@kahn/core";
import { nodeClock } from "@kahn/system";
import { fakeProcessRunner, memoryFileSystem, seededRandom } from "@kahn/testing";
import { afterAll, test } from "vitest";
import type { CallOptions, Channel, ClientCall, Method } from "../grpc/index.ts";
import { methodOf, StatusCode, StatusError } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import { ByteStreamMethods } from "../proto/generated/bytestream.ts";
import { OperationsMethods } from "../proto/generated/operations.ts";
import { FetchMethods, PushMethods } from "../proto/generated/remote-asset.ts";
import {
  ActionCacheMethods,
  ActionResult,
  ContentAddressableStorageMethods as Cas,
  ExecutionMethods,
} from "../proto/generated/remote-execution.ts";
import { LogStreamServiceMethods } from "../proto/generated/remote-logstream.ts";
import { type TestServer, testServer } from "../server.fixture.ts";
import { newToken } from "./token.ts";

type Right = "cas.read" | "cas.write" | "ac.read" | "ac.write" | "exec" | "asset";
type Verdict = "allowed" | "unauthenticated" | "forbidden";

const random = seededRandom(4);
const admin = newToken(random);
const writer = newToken(random);
const reader = newToken(random);
const pull = newToken(random);
const issuer = generateKeyPairSync("ed25519");

const CONFIG = `
access:
  tokens:
    - { name: admin, hash: "${admin.hash}" }
    - { name: writer, hash: "${writer.hash}" }
    - { name: reader, hash: "${reader.hash}" }
    - { name: pull, hash: "${pull.hash}", claims: { ref: pull-7 } }
  issuers:
    - name: ci
      issuer: https://issuer.example
      audience: kahn
      jwks: /keys.json
  rules:
    - { who: "token:admin", allow: all }
    - { who: "token:writer", instances: ["team/*"], allow: write }
    - { who: "token:reader", allow: read }
    - { who: "token:pull", allow: [write, exec, asset], overlay: "pr-{ref}" }
    - { who: "jwt:ci/*", claims: { ref: refs/heads/main }, allow: write }
    - { who: "jwt:ci/*", claims: { ref: "refs/pull/*" }, allow: write, overlay: "{ref}" }
    - { who: "jwt:ci/*", allow: read }
execution: { sandbox: off }
`;

const fs = memoryFileSystem();
fs.writeFile("/keys.json", JSON.stringify({ keys: [issuer.publicKey.export({ format: "jwk" })] }));
const it: TestServer = await testServer({
  config: CONFIG,
  fs,
  ports: { processes: fakeProcessRunner({ clock: nodeClock(), fs }), processors: 1 },
});
const channel = it.channel();
afterAll(() => it.close());

function jwt(ref: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: "https://issuer.example", aud: "kahn", sub: "acme/app", exp: Date.now() / 1000 + 600, ref };
  const signed = `${part({ alg: "EdDSA" })}.${part(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), issuer.privateKey).toString("base64url")}`;
}

const WRITE: readonly Right[] = ["cas.read", "cas.write", "ac.read", "ac.write"];
const READ: readonly Right[] = ["cas.read", "ac.read"];

const SUBJECTS: Readonly<Record<string, { credential?: string; rights: (instance: string) => readonly Right[] }>> = {
  admin: { credential: admin.token, rights: () => [...WRITE, "exec", "asset"] },
  writer: { credential: writer.token, rights: (instance) => (instance.startsWith("team/") ? WRITE : []) },
  reader: { credential: reader.token, rights: () => READ },
  // Assets have no layers, so who has one pushes none.
  "pull request": { credential: pull.token, rights: () => [...WRITE, "exec"] },
  "main by jwt": { credential: jwt("refs/heads/main"), rights: () => WRITE },
  "branch by jwt": { credential: jwt("refs/heads/feature"), rights: () => READ },
  nobody: { rights: () => [] },
  stranger: { credential: "kahn_guessed", rights: () => [] },
};

const blob = Buffer.from("a blob of the matrix");
const digest = digestOf(blob);
const hash = digestHash(digest);
const message = digestMessage(digest);
const result = { actionDigest: message, actionResult: { exitCode: 0, stdoutRaw: Buffer.from("said") } };
const upload = (instance: string) =>
  `${instance === "" ? "" : `${instance}/`}uploads/${crypto.randomUUID()}/blobs/${hash}/${blob.length}`;
const named = (instance: string) => `${instance === "" ? "" : `${instance}/`}blobs/${hash}/${blob.length}`;

interface Operation {
  readonly right: Right;
  run(instance: string, credential: string | undefined): Promise<Verdict>;
}

function verdictOfCode(code: number): Verdict {
  if (code === StatusCode.unauthenticated) return "unauthenticated";
  return code === StatusCode.permissionDenied ? "forbidden" : "allowed";
}

/** Reads a call to its end, which may be a refusal. */
async function verdictOf<Request, Response>(call: ClientCall<Request, Response>): Promise<Verdict> {
  try {
    while (await call.messages.ready()) call.messages.poll();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
  }
  return verdictOfCode((await call.status).code);
}

const options = (credential: string | undefined): CallOptions =>
  credential === undefined ? {} : { metadata: { authorization: `Bearer ${credential}` } };

function unary<Request, Init, Response>(
  right: Right,
  method: Method<Request, Response, "unary", Init>,
  request: (instance: string) => Init,
): Operation {
  return {
    right,
    run: async (instance, credential) => {
      const answer = await channel.unary(method, request(instance), options(credential));
      return answer.ok ? "allowed" : verdictOfCode(answer.problem.code);
    },
  };
}

function streaming<Request, Init, Response>(
  right: Right,
  method: Parameters<Channel["read"]>[0] & Method<Request, Response, "server-streaming", Init>,
  request: (instance: string) => Init,
): Operation {
  return {
    right,
    run: async (instance, credential) => {
      const call = channel.read(method, request(instance), options(credential));
      return await verdictOf(call);
    },
  };
}

function http(right: Right, method: string, path: (instance: string) => string, body?: string): Operation {
  return {
    right,
    run: async (instance, credential) => {
      const headers: Record<string, string> = { "content-type": "application/json" };
      if (credential !== undefined) headers.authorization = `Bearer ${credential}`;
      const prefix = instance === "" ? "" : `/${instance}`;
      const url = `${it.url}${prefix}${path(instance)}`;
      const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
      if (answer.status === 401) return "unauthenticated";
      // Nx goes on building after nothing but 404, so it is told so in words only.
      return answer.status === 403 || (await answer.text()).includes("has no right") ? "forbidden" : "allowed";
    },
  };
}

const write: Operation = {
  right: "cas.write",
  run: async (instance, credential) => {
    const call = channel.call(methodOf("client-streaming", ByteStreamMethods.write), options(credential));
    await call.send({ resourceName: upload(instance), writeOffset: 0, data: blob, finishWrite: true });
    call.end();
    return await verdictOf(call);
  },
};

const text = blob.toString("utf8");
const operation = (instance: string) => ({ name: `${instance === "" ? "" : `${instance}/`}operations/0123` });
const OPERATIONS: Readonly<Record<string, Operation>> = {
  FindMissingBlobs: unary("cas.read", methodOf("unary", Cas.findMissingBlobs), (instanceName) => ({
    ...{ instanceName, blobDigests: [message] },
  })),
  BatchReadBlobs: unary("cas.read", methodOf("unary", Cas.batchReadBlobs), (instanceName) => ({
    ...{ instanceName, digests: [message] },
  })),
  BatchUpdateBlobs: unary("cas.write", methodOf("unary", Cas.batchUpdateBlobs), (instanceName) => ({
    ...{ instanceName, requests: [{ digest: message, data: blob }] },
  })),
  GetTree: streaming("cas.read", methodOf("server-streaming", Cas.getTree), (instanceName) => ({
    ...{ instanceName, rootDigest: message },
  })),
  SplitBlob: unary("cas.read", methodOf("unary", Cas.splitBlob), (instanceName) => ({
    instanceName,
    blobDigest: message,
  })),
  Read: streaming("cas.read", methodOf("server-streaming", ByteStreamMethods.read), (instance) => ({
    ...{ resourceName: named(instance) },
  })),
  Write: write,
  QueryWriteStatus: unary("cas.write", methodOf("unary", ByteStreamMethods.queryWriteStatus), (instance) => ({
    ...{ resourceName: upload(instance) },
  })),
  GetActionResult: unary("ac.read", methodOf("unary", ActionCacheMethods.getActionResult), (instanceName) => ({
    ...{ instanceName, actionDigest: message },
  })),
  UpdateActionResult: unary("ac.write", methodOf("unary", ActionCacheMethods.updateActionResult), (instanceName) => ({
    ...{ instanceName, ...result },
  })),
  Execute: streaming("exec", methodOf("server-streaming", ExecutionMethods.execute), (instanceName) => ({
    ...{ instanceName, actionDigest: message, skipCacheLookup: true },
  })),
  ListOperations: unary("exec", methodOf("unary", OperationsMethods.listOperations), (instance) => ({
    name: instance === "" ? "operations" : `${instance}/operations`,
  })),
  GetOperation: unary("exec", methodOf("unary", OperationsMethods.getOperation), operation),
  CancelOperation: unary("exec", methodOf("unary", OperationsMethods.cancelOperation), operation),
  DeleteOperation: unary("exec", methodOf("unary", OperationsMethods.deleteOperation), operation),
  WaitOperation: unary("exec", methodOf("unary", OperationsMethods.waitOperation), operation),
  WaitExecution: streaming("exec", methodOf("server-streaming", ExecutionMethods.waitExecution), operation),
  SpliceBlob: unary("cas.write", methodOf("unary", Cas.spliceBlob), (instanceName) => ({
    ...{ instanceName, blobDigest: message, chunkDigests: [message] },
  })),
  CreateLogStream: unary("cas.write", methodOf("unary", LogStreamServiceMethods.createLogStream), (parent) => ({
    parent,
  })),
  FetchDirectory: unary("cas.read", methodOf("unary", FetchMethods.fetchDirectory), (instanceName) => ({
    ...{ instanceName, uris: ["https://example.com/x"] },
  })),
  PushDirectory: unary("asset", methodOf("unary", PushMethods.pushDirectory), (instanceName) => ({
    ...{ instanceName, uris: ["https://example.com/x"], rootDirectoryDigest: message },
  })),
  FetchBlob: unary("cas.read", methodOf("unary", FetchMethods.fetchBlob), (instanceName) => ({
    ...{ instanceName, uris: ["https://example.com/x"] },
  })),
  PushBlob: unary("asset", methodOf("unary", PushMethods.pushBlob), (instanceName) => ({
    ...{ instanceName, uris: ["https://example.com/x"], blobDigest: message },
  })),
  "GET cas": http("cas.read", "GET", () => `/cas/${hash}`),
  "PUT cas": http("cas.write", "PUT", () => `/cas/${hash}`, text),
  "GET ac": http("ac.read", "GET", () => `/ac/${hash}`),
  "PUT ac": http("ac.write", "PUT", () => `/ac/${hash}`, "opaque"),
  "HEAD cas": http("cas.read", "HEAD", () => `/cas/${hash}`),
  "HEAD ac": http("ac.read", "HEAD", () => `/ac/${hash}`),
  "POST turborepo": http("ac.read", "POST", () => "/v8/artifacts", '{"hashes":["0123456789abcdef"]}'),
  "GET turborepo": http("ac.read", "GET", () => "/v8/artifacts/0123456789abcdef"),
  "PUT turborepo": http("ac.write", "PUT", () => "/v8/artifacts/0123456789abcdef", text),
  "GET nx": http("ac.read", "GET", () => "/v1/cache/1234567"),
  "PUT nx": http("ac.write", "PUT", () => "/v1/cache/1234567", text),
  "GET gradle": http("ac.read", "GET", () => "/cache/0123456789abcdef"),
  "PUT gradle": http("ac.write", "PUT", () => "/cache/0123456789abcdef", text),
};

// Their instance has the protocol's own name behind it.
const VALUES: Readonly<Record<string, Operation>> = {
  "GET ccache": http("ac.read", "GET", () => "/ccache/key"),
  "PUT ccache": http("ac.write", "PUT", () => "/ccache/key", text),
  "DELETE ccache": http("ac.write", "DELETE", () => "/ccache/key"),
  "PUT sccache": http("ac.write", "PUT", () => "/sccache/a/key", text),
  "GET sccache": http("ac.read", "GET", () => "/sccache/a/key"),
  "DELETE sccache": http("ac.write", "DELETE", () => "/sccache/a/key"),
  "MKCOL sccache": http("ac.write", "MKCOL", () => "/sccache/a/"),
};

test("each subject may do what its rights say, and nothing else, by every protocol", async () => {
  const wrong: string[] = [];
  for (const instance of ["", "team/a", "other"]) {
    for (const [who, { credential, rights }] of Object.entries(SUBJECTS)) {
      for (const [name, { right, run }] of Object.entries({ ...OPERATIONS, ...VALUES })) {
        const denial = who === "nobody" || who === "stranger" ? "unauthenticated" : "forbidden";
        const expected = rights(instance).includes(right) ? "allowed" : denial;
        const seen = await run(instance, credential);
        if (seen !== expected) wrong.push(`${who} ${name} on "${instance}": ${seen}, not ${expected}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(it.reported, []);
});

test("a read-only token cannot write by any protocol", async () => {
  const writing = Object.entries({ ...OPERATIONS, ...VALUES }).filter(([, { right }]) => !right.endsWith(".read"));
  assert.ok(writing.length > 12);
  for (const [name, { run }] of writing) assert.equal(await run("team/a", reader.token), "forbidden", name);
  const answer = await fetch(`${it.url}/twirp/github.actions.results.api.v1.CacheService/CreateCacheEntry`, {
    method: "POST",
    headers: { authorization: `Bearer ${reader.token}`, "content-type": "application/json" },
    body: JSON.stringify({ key: "k", version: "v" }),
  });
  assert.equal(answer.status, 403);
});

const GET = methodOf("unary", ActionCacheMethods.getActionResult);
const UPDATE = methodOf("unary", ActionCacheMethods.updateActionResult);

async function said(action: Digest, credential: string): Promise<string | undefined> {
  const request = { instanceName: "main", actionDigest: digestMessage(action) };
  const answer = await channel.unary(GET, request, options(credential));
  if (answer.ok) return Buffer.from(answer.value.stdoutRaw).toString("utf8");
  assert.equal(answer.problem.code, StatusCode.notFound);
  return undefined;
}

async function say(action: Digest, credential: string, stdout: string): Promise<void> {
  const actionResult = ActionResult.decode(ActionResult.encode({ stdoutRaw: Buffer.from(stdout) }));
  const request = { instanceName: "main", actionDigest: digestMessage(action), actionResult };
  const answer = await channel.unary(UPDATE, request, options(credential));
  assert.ok(answer.ok, JSON.stringify(answer));
}

test("what an untrusted branch writes never reaches main's readers, nor another branch's", async () => {
  const seven = jwt("refs/pull/7/merge");
  const eight = jwt("refs/pull/8/merge");
  const main = jwt("refs/heads/main");
  const poisoned = digestOf(Buffer.from("an action"));
  await say(poisoned, seven, "poison");
  assert.deepEqual(
    [
      await said(poisoned, seven),
      await said(poisoned, eight),
      await said(poisoned, main),
      await said(poisoned, reader.token),
    ],
    ["poison", undefined, undefined, undefined],
  );
  await say(poisoned, main, "good");
  assert.deepEqual([await said(poisoned, main), await said(poisoned, eight)], ["good", "good"]);
  assert.deepEqual([await said(poisoned, seven), await said(poisoned, reader.token)], ["poison", "good"]);
  for (const path of ["/main/ac/", "/main/v1/cache/", "/main/v8/artifacts/", "/main/cache/", "/main/ccache/"]) {
    const key = path.endsWith("/ac/") ? digestHash(digestOf(Buffer.from(path))) : "0011223344";
    const as = (credential: string) => ({ authorization: `Bearer ${credential}` });
    const put = await fetch(`${it.url}${path}${key}`, { method: "PUT", headers: as(seven), body: "poison" });
    assert.ok(put.ok, `${path} ${put.status}`);
    assert.equal(await (await fetch(`${it.url}${path}${key}`, { headers: as(seven) })).text(), "poison", path);
    for (const other of [main, eight, reader.token]) {
      assert.equal((await fetch(`${it.url}${path}${key}`, { headers: as(other) })).status, 404, path);
    }
  }
});
