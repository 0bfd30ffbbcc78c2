/** A running server that takes over changed credentials, rules and certificates. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:tls";
import type { FileSystem } from "@kahn/core";
import { nodeRandom } from "@kahn/system";
import { memoryFileSystem } from "@kahn/testing";
import { test } from "vitest";
import { newToken } from "../access/token.ts";
import { methodOf } from "../grpc/index.ts";
import { resolveServerConfig } from "../operation/server-config.ts";
import type { ServerConfig } from "../operation/server-settings.ts";
import { makeCertificates } from "../port/certificates.fixture.ts";
import { CapabilitiesMethods } from "../proto/generated/remote-execution.ts";
import { bearer, testServer } from "../server.fixture.ts";

const CAPABILITIES = methodOf("unary", CapabilitiesMethods.getCapabilities);
const HASH = "a".repeat(64);

async function configOf(text: string, listen = "127.0.0.1:0"): Promise<ServerConfig> {
  const config = await resolveServerConfig({ file: { name: "server.yaml", text }, options: { listen: [listen] } });
  assert.ok(config.ok, JSON.stringify(config));
  return config.value;
}

function write(fs: FileSystem, path: string, text: string): void {
  fs.writeFile(path, Buffer.from(text));
}

// Goal: a token that was taken away counts no more, one that was added counts, on connections that are open already.
test("tokens, passwords, rules and quotas are those of the new configuration, on the connections that are there", async () => {
  const [before, after] = [newToken(nodeRandom()), newToken(nodeRandom())];
  const fs = memoryFileSystem();
  const putPassword = (password: string) =>
    write(fs, "/users", `ann:{SHA}${createHash("sha1").update(password).digest("base64")}\n`);
  putPassword("bar");
  const access = (hash: string, more: string) =>
    `access: { tokens: [{ name: ci, hash: "${hash}" }], htpasswd: users, ${more} }`;
  const it = await testServer({ fs, config: access(before.hash, "") });
  const channel = it.channel();
  const call = async (token: string) => (await channel.unary(CAPABILITIES, {}, bearer(token))).ok;
  const ask = async (password: string, method = "GET") => {
    const authorization = `Basic ${Buffer.from(`ann:${password}`).toString("base64")}`;
    const body = method === "PUT" ? { body: "x" } : {};
    return (await fetch(`${it.url}/ac/${HASH}`, { method, headers: { authorization }, ...body })).status;
  };
  assert.deepEqual([await call(before.token), await call(after.token)], [true, false]);
  assert.deepEqual([await ask("bar"), await ask("bar", "PUT")], [404, 200]);

  putPassword("foo");
  const rules = 'rules: [{ who: ["user:ann"], allow: [write] }, { who: ["token:ci"], allow: [read] }]';
  const next = `${rules}, quotas: [{ who: ["user:ann"], bytesPerDay: 1 }]`;
  assert.deepEqual(it.server.reload(await configOf(access(after.hash, next))), {
    ok: true,
    value: { access: { strangers: "nothing", tokens: 1, users: 1, issuers: 0, rules: 2, quotas: 1 }, forRestart: [] },
  });
  assert.deepEqual([await call(before.token), await call(after.token)], [false, true]);
  // The old password was good a moment ago, and is not remembered; what was sent before counts for the quota.
  assert.deepEqual([await ask("bar"), await ask("foo"), await ask("foo", "PUT")], [401, 200, 429]);
  await it.close();
});

test("a file that is wrong changes nothing, and what only a start can change is named", async () => {
  const token = newToken(nodeRandom());
  const fs = memoryFileSystem();
  const config = `access: { tokens: [{ name: ci, hash: "${token.hash}" }] }`;
  const it = await testServer({ fs, config });
  const missing = it.server.reload(await configOf("access: { htpasswd: nowhere }"));
  assert.ok(!missing.ok && missing.problem[0]?.code === "serve-file-unreadable");
  assert.equal(
    (await fetch(`${it.url}/ac/${HASH}`, { headers: { authorization: `Bearer ${token.token}` } })).status,
    404,
  );
  assert.equal((await fetch(`${it.url}/ac/${HASH}`)).status, 401);
  const text = `${config}\nstore: { maxSize: 1GB }\ntls: { certificate: a, key: b }`;
  const next = it.server.reload(await configOf(text, "127.0.0.1:1"));
  assert.deepEqual(next.ok && next.value.forRestart, ["tls", "listen", "store.maxSize"]);
  await it.close();
});

test("new connections see the new certificate, open ones stay, and a key of another certificate is refused", async () => {
  const { server, stranger, authority } = makeCertificates();
  const fs = memoryFileSystem();
  const put = (certificate: string, key: string) => {
    write(fs, "/server.pem", certificate);
    write(fs, "/server.key", key);
  };
  put(server.certificate, server.key);
  const text = "tls: { certificate: server.pem, key: server.key }\naccess: { anonymous: all }";
  const it = await testServer({ fs, config: text });
  const port = Number(new URL(it.url).port);
  const shown = async (): Promise<string> => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return String(CN);
  };
  const session = connectHttp2(`https://localhost:${port}`, { ca: authority.certificate });
  const status = async (): Promise<unknown> => {
    const stream = session.request({ ":path": "/healthz" });
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    stream.resume();
    return headers[":status"];
  };
  assert.equal(await status(), 200);
  const first = await shown();

  put(stranger.certificate, server.key);
  const mixed = it.server.reload(await configOf(text));
  assert.ok(!mixed.ok && mixed.problem[0]?.code === "tls-material-invalid", JSON.stringify(mixed));
  assert.equal(await shown(), first);

  put(stranger.certificate, stranger.key);
  assert.ok(it.server.reload(await configOf(text)).ok);
  assert.notEqual(await shown(), first);
  assert.equal(await status(), 200);
  session.close();
  await it.close();
});
