/** A whole server: probes, pages, drain, and what it refuses to start with. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:http";
import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { digestOf, problem } from "@kahn/core";
import { livenessOf, nodeClock, nodeRandom, ownIdentity } from "@kahn/system";
import { memoryFileSystem, settled, virtualClock } from "@kahn/testing";
import { test } from "vitest";
import { newToken } from "./access/token.ts";
import { Channel, methodOf, StatusCode } from "./grpc/index.ts";
import { digestMessage } from "./names/request-digest.ts";
import { resolveServerConfig } from "./operation/server-config.ts";
import { makeCertificates } from "./port/certificates.fixture.ts";
import { HealthCheckResponseServingStatus as Health, HealthMethods } from "./proto/generated/health.ts";
import {
  ActionCacheMethods,
  CapabilitiesMethods,
  ContentAddressableStorageMethods,
} from "./proto/generated/remote-execution.ts";
import { bearer, testServer } from "./server.fixture.ts";
import { startServer } from "./server.ts";
import type { ServerStoreProblem } from "./store/server-store.ts";
import { memoryStore } from "./store/store.fixture.ts";

const CAPABILITIES = methodOf("unary", CapabilitiesMethods.getCapabilities);
const CHECK = methodOf("unary", HealthMethods.check);

test("one port answers gRPC, caches over HTTP, probes and metrics", async () => {
  const it = await testServer();
  try {
    const channel = it.channel();
    const capabilities = await channel.unary(CAPABILITIES, { instanceName: "a/b" });
    assert.ok(capabilities.ok && capabilities.value.cacheCapabilities?.actionCacheUpdateCapabilities?.updateEnabled);
    assert.equal(capabilities.value.executionCapabilities, undefined);
    const blob = Buffer.from("hello");
    const hash = digestOf(blob).split(":")[1]!.split("/")[0];
    assert.equal((await fetch(`${it.url}/cas/${hash}`, { method: "PUT", body: blob })).status, 200);
    assert.equal(await (await fetch(`${it.url}/cas/${hash}`)).text(), "hello");
    assert.equal((await fetch(`${it.url}/healthz`)).status, 200);
    assert.equal(await (await fetch(`${it.url}/readyz`)).text(), "ok\n");
    const status = (await (await fetch(`${it.url}/status`)).json()) as ReturnType<typeof it.server.status>;
    assert.equal(status.version, "1.2.3");
    assert.deepEqual(status.readiness, { ready: true, reasons: [] });
    assert.ok(status.store.blobs >= 1);
    const metrics = await (await fetch(`${it.url}/metrics`)).text();
    assert.match(metrics, /kahn_calls_total\{protocol="grpc",call="\/build[^"]+GetCapabilities",code="ok"\} 1/);
    assert.match(metrics, /kahn_calls_total\{protocol="http",call="PUT blob",code="200"\} 1/);
    const health = await channel.unary(CHECK, { service: "" });
    assert.equal(health.ok && health.value.status, Health.SERVING);
    assert.deepEqual(it.reported, []);
  } finally {
    await it.close();
  }
});

async function problemsOf(
  text: string,
  options: Readonly<Record<string, unknown>>,
  files: Record<string, string> = {},
) {
  const config = await resolveServerConfig({ file: { name: "server.yaml", text }, options });
  assert.ok(config.ok, JSON.stringify(config));
  const fs = memoryFileSystem();
  fs.makeDirectory("/etc/kahn");
  for (const [path, content] of Object.entries(files)) fs.writeFile(path, content);
  const started = await startServer(config.value, {
    ...{ clock: nodeClock(), random: nodeRandom(), fs, version: "1", owner: ownIdentity(), livenessOf },
    resolvePath: (path) => `/etc/kahn/${path}`,
    store: await memoryStore(),
  });
  if (started.ok) await started.value.drain(0);
  return started.ok ? started.value.warnings.map(({ code }) => code) : started.problem.map(({ code }) => code);
}

test("every problem of the files that a configuration names is told at once", async () => {
  const text = `
tls: { certificate: c.pem, key: k.pem }
access:
  htpasswd: users
  issuers: { name: a, issuer: b, audience: c, jwks: keys.json }
  signingKey: sign.pem
`;
  const files = { "/etc/kahn/users": "a:plain", "/etc/kahn/keys.json": "{}", "/etc/kahn/sign.pem": "no key" };
  assert.deepEqual(await problemsOf(text, { listen: "127.0.0.1:0" }, files), [
    ...["serve-file-unreadable", "serve-file-unreadable", "serve-htpasswd-invalid", "serve-jwks-invalid"],
    "serve-signing-key-invalid",
  ]);
});

test("an address that cannot be had leaves nothing behind", async () => {
  const it = await testServer();
  const { port } = new URL(it.url);
  assert.deepEqual(await problemsOf("", { listen: [`127.0.0.1:0`, `127.0.0.1:${port}`] }), ["port-unavailable"]);
  await it.close();
  await it.server.closed;
});

test("readiness follows the store: probes, status, metrics and gRPC's health say the same", async () => {
  const clock = virtualClock();
  const store = await memoryStore();
  let trouble: ServerStoreProblem | undefined;
  const failing = { ...store, status: () => ({ ...store.status(), trouble }) };
  const it = await testServer({ ports: { clock, store: failing } });
  const channel = it.channel();
  const seen = async () => {
    const ready = await fetch(`${it.url}/readyz`);
    const health = await channel.unary(CHECK, { service: "google.bytestream.ByteStream" });
    return [ready.status, await ready.text(), health.ok && health.value.status, it.server.status().readiness.ready];
  };
  assert.deepEqual(await seen(), [200, "ok\n", Health.SERVING, true]);
  trouble = problem("store-full", "the disk is full");
  clock.advance(2000);
  assert.deepEqual(await seen(), [503, "store-full: the disk is full\n", Health.NOT_SERVING, false]);
  assert.match(await (await fetch(`${it.url}/metrics`)).text(), /^kahn_ready 0$/m);
  trouble = undefined;
  clock.advance(2000);
  assert.deepEqual(await seen(), [200, "ok\n", Health.SERVING, true]);
  await it.close();
});

test("a drain says so, answers capabilities and lets work finish, then lets go of everything", async () => {
  const clock = virtualClock();
  const store = await memoryStore();
  let isClosed = false;
  const watched = {
    ...store,
    close: () => {
      isClosed = true;
      return store.close();
    },
  };
  const it = await testServer({ config: "drain: { announce: 5s, grace: 20s }", ports: { clock, store: watched } });
  const channel = it.channel();
  assert.ok((await channel.unary(CHECK, { service: "" })).ok);
  const drained = it.server.drain();
  const health = await channel.unary(CHECK, { service: "" });
  assert.equal(health.ok && health.value.status, Health.NOT_SERVING);
  assert.ok((await channel.unary(CAPABILITIES, { instanceName: "" })).ok);
  const ready = await fetch(`${it.url}/readyz`);
  assert.deepEqual([ready.status, await ready.text()], [503, "draining: the server is going away\n"]);
  assert.equal(isClosed, false);
  clock.advance(5000);
  channel.close();
  assert.deepEqual(await drained, { kind: "drained" });
  await it.server.closed;
  assert.equal(isClosed, true);
  assert.equal(clock.advanceToNext(), false);
  await assert.rejects(fetch(`${it.url}/readyz`));
});

test("a second call for a drain shortens it", async () => {
  const it = await testServer({ config: "drain: { announce: 10m, grace: 20m }" });
  const drained = it.server.drain();
  void it.server.drain(0);
  await drained;
  await it.server.closed;
});

// Method: a watch of health stays open as long as its client wants, so that only the second call can end the drain.
test("a second call for a drain shortens it also while it waits for connections, and says that they were cut", async () => {
  const it = await testServer({ config: "drain: { announce: 0s, grace: 20m }" });
  const watch = it.channel().read(methodOf("server-streaming", HealthMethods.watch), { service: "" });
  assert.ok(await watch.messages.ready());
  const drained = it.server.drain();
  let isRefused = false;
  while (!isRefused) await fetch(`${it.url}/healthz`).catch(() => (isRefused = true));
  void it.server.drain(0);
  assert.deepEqual(await drained, { kind: "cut", connections: 1 });
  await it.server.closed;
  await it.close();
});

test("a second call for a drain gives work the time it says, no more", async () => {
  const clock = virtualClock();
  const it = await testServer({ config: "drain: { announce: 10m, grace: 20m }", ports: { clock } });
  let isOver = false;
  const drained = it.server.drain().then(() => (isOver = true));
  void it.server.drain(60_000);
  clock.advance(59_000);
  await settled();
  assert.equal(isOver, false);
  clock.advance(1000);
  await drained;
  assert.equal(clock.advanceToNext(), false);
});

test("results of failures, and of actions that are not here, are taken as the configuration says", async () => {
  const update = methodOf("unary", ActionCacheMethods.updateActionResult);
  const taken = async (config: string) => {
    const it = await testServer({ config });
    const channel = it.channel();
    const code = async (exitCode: number) => {
      const actionDigest = digestMessage(digestOf(Buffer.from(`action ${exitCode}`)));
      const answer = await channel.unary(update, { actionDigest, actionResult: { exitCode } });
      return answer.ok ? StatusCode.ok : answer.problem.code;
    };
    const codes = [await code(0), await code(1)];
    await it.close();
    return codes;
  };
  const [ok, refused] = [StatusCode.ok, StatusCode.failedPrecondition];
  assert.deepEqual(await taken(""), [ok, refused]);
  assert.deepEqual(await taken("results: { failures: true }"), [ok, ok]);
  assert.deepEqual(await taken("results: { strict: true, failures: true }"), [refused, refused]);
});

test("quotas: bytes of a day over every protocol, and what is refused says when to come back", async () => {
  const clock = virtualClock(86_400_000 * 20_000);
  const { token, hash } = newToken(nodeRandom());
  const it = await testServer({
    config: `access: { tokens: [{ name: ci, hash: "${hash}" }], quotas: [{ who: "token:*", bytesPerDay: 1000 }] }`,
    ports: { clock },
  });
  const channel = it.channel();
  const data = Buffer.alloc(600, "x");
  const put = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${it.url}/v8/artifacts/${nodeRandom().bytes(8).join("")}`, {
      method: "PUT",
      headers,
      body: data,
    });
    await answer.text();
    return [answer.status < 300 ? "stored" : answer.status, answer.headers.get("retry-after")];
  };
  const update = methodOf("unary", ContentAddressableStorageMethods.batchUpdateBlobs);
  const requests = [{ digest: digestMessage(digestOf(data)), data }];
  assert.deepEqual(await put(), ["stored", null]);
  assert.ok((await channel.unary(update, { requests }, bearer(token))).ok);
  assert.deepEqual(await put(), [429, "86400"]);
  const refused = await channel.unary(update, { requests }, bearer(token));
  assert.ok(!refused.ok && refused.problem.code === StatusCode.resourceExhausted && refused.problem.details);
  clock.advance(86_400_000);
  assert.deepEqual(await put(), ["stored", null]);
  await it.close();
});

test("quotas count bytes as they come, whatever the protocol says of their number", async () => {
  const { token, hash } = newToken(nodeRandom());
  const it = await testServer({
    config: `access: { tokens: [{ name: ci, hash: "${hash}" }], quotas: [{ who: "token:*", bytesPerDay: 1000 }] }`,
  });
  const session = connect(it.url);
  const authorization = `Bearer ${token}`;
  const open = () => session.request({ ":method": "PUT", ":path": "/v8/artifacts/a", authorization });
  const first = open();
  first.on("error", () => {});
  first.write(Buffer.alloc(1500));
  const statusOf = async (stream: ClientHttp2Stream) => {
    stream.end("x");
    const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
    stream.resume();
    await once(stream, "close");
    return headers[":status"];
  };
  // The first goes on; no other may begin, as soon as the bytes are here.
  const statuses: unknown[] = [];
  while (statuses.at(-1) !== 429) statuses.push(await statusOf(open()));
  assert.ok(Number(await statusOf(first)) < 300);
  session.close();
  await it.close();
});

test("results are signed where a key is set, and given out only if they are where keys are trusted", async () => {
  const pair = generateKeyPairSync("ed25519");
  const fs = memoryFileSystem();
  fs.writeFile("/key.pem", pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  fs.writeFile("/pub.pem", pair.publicKey.export({ type: "spki", format: "pem" }));
  const store = await memoryStore();
  const kept = { ...store, close: async () => ({ ok: true, value: undefined }) as const };
  const action = digestOf(Buffer.from("an action"));
  const actionDigest = digestMessage(action);
  const update = methodOf("unary", ActionCacheMethods.updateActionResult);
  const get = methodOf("unary", ActionCacheMethods.getActionResult);
  const plain = await testServer({ fs, ports: { store: kept } });
  assert.ok((await plain.channel().unary(update, { actionDigest, actionResult: { stdoutRaw: Buffer.from("a") } })).ok);
  await plain.close();
  const checked = await testServer({ fs, config: "access: { trustedKeys: pub.pem }", ports: { store: kept } });
  const missed = await checked.channel().unary(get, { actionDigest });
  assert.ok(!missed.ok && missed.problem.code === StatusCode.notFound);
  const signing = await testServer({ fs, config: "access: { signingKey: key.pem }", ports: { store: kept } });
  assert.ok(
    (await signing.channel().unary(update, { actionDigest, actionResult: { stdoutRaw: Buffer.from("b") } })).ok,
  );
  const found = await checked.channel().unary(get, { actionDigest, inlineStdout: true });
  assert.ok(found.ok && Buffer.from(found.value.stdoutRaw).toString() === "b");
  await Promise.all([checked.close(), signing.close(), store.close()]);
});

test("a client's certificate is its identity, and a Unix socket is local", async () => {
  const certificates = makeCertificates();
  const fs = memoryFileSystem();
  fs.writeFile("/server.pem", certificates.server.certificate);
  fs.writeFile("/server.key", certificates.server.key);
  fs.writeFile("/ca.pem", certificates.authority.certificate);
  const folder = mkdtempSync(`${tmpdir()}/kahn-socket-`);
  const path = `${folder}/socket`;
  const it = await testServer({
    fs,
    config: `
tls: { certificate: server.pem, key: server.key, clientAuthorities: ca.pem, clientCertificate: verify-if-given }
access:
  rules:
    - { who: "cert:ci runner", claims: { names: "DNS:*.example" }, allow: read }
    - { who: local, allow: write }
`,
    listen: ["127.0.0.1:0", `unix:${path}`],
  });
  const target = { kind: "tcp", host: "127.0.0.1", port: Number(new URL(it.url).port), isEncrypted: true } as const;
  const common = { clock: nodeClock(), random: nodeRandom() };
  const authorities = certificates.authority.certificate;
  const { certificate, key } = certificates.client;
  const known = new Channel({ ...common, target, tls: { authorities, certificate, key } });
  const nobody = new Channel({ ...common, target, tls: { authorities } });
  const local = new Channel({ ...common, target: { kind: "unix", path } });
  const update = methodOf("unary", ContentAddressableStorageMethods.batchUpdateBlobs);
  const missing = methodOf("unary", ContentAddressableStorageMethods.findMissingBlobs);
  const may = async (channel: Channel) => {
    const answers = [await channel.unary(missing, {}), await channel.unary(update, {})];
    return answers.map((each) => (each.ok ? 0 : each.problem.code));
  };
  const { permissionDenied, unauthenticated } = StatusCode;
  assert.deepEqual(await may(known), [0, permissionDenied]);
  assert.deepEqual(await may(nobody), [unauthenticated, unauthenticated]);
  assert.deepEqual(await may(local), [0, 0]);
  for (const channel of [known, nobody, local]) channel.close();
  await it.close();
  rmSync(folder, { recursive: true });
});

// Method: targets in absolute form, as clients of proxies write them, that lead to what is switched off and to a page.
test("a protocol that is switched off cannot be reached by a target in absolute form", async () => {
  const it = await testServer({ config: "http: { nx: false }" });
  const { port } = new URL(it.url);
  const ask = async (path: string) => {
    const [response] = (await once(get({ host: "127.0.0.1", port, path }), "response")) as [IncomingMessage];
    return Buffer.concat(await response.toArray()).toString();
  };
  for (const path of ["/v1/cache/1", `${it.url}/v1/cache/1`, "http://else.where/v1/cache/1?x"]) {
    assert.equal(await ask(path), "this protocol is switched off\n", path);
  }
  assert.equal(await ask(`${it.url}/healthz`), "ok\n");
  await it.close();
});
