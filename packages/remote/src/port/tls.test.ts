import assert from "node:assert/strict";
import { get } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import * as grpcjs from "@grpc/grpc-js";
import { nodeClock, nodeRandom } from "@kahn/system";
import { afterAll, test } from "vitest";
import { ECHO, startServer } from "../grpc/echo.fixture.ts";
import type { ChannelTls, Peer } from "../grpc/index.ts";
import { Channel, parseTarget } from "../grpc/index.ts";
import { Oracle } from "../grpc/oracle.fixture.ts";
import { until } from "../grpc/raw-client.fixture.ts";
import { makeCertificates } from "./certificates.fixture.ts";
import { openPort } from "./port.ts";
import type { PortTls } from "./port-options.ts";

const { authority, server: identity, client: runner, stranger } = makeCertificates();
const peers: Peer[] = [];
const server = await startTls("verify-if-given");
const strict = await startTls("require");

afterAll(async () => {
  await server.close();
  await strict.close();
});

function startTls(clientCertificate: PortTls["clientCertificate"]) {
  return startServer(
    {
      interceptors: [
        (call) => {
          peers.push(call.peer);
          return undefined;
        },
      ],
    },
    {
      // nghttp2 leaves a connection whose bytes are no HTTP/2 open; the pings end it.
      keepalive: { intervalMs: 100, timeoutMs: 100 },
      tls: { ...identity, clientAuthorities: authority.certificate, clientCertificate },
      onRequest: (request, response, peer) =>
        response.end(`${request.url} ${peer.certificate?.commonName ?? "nobody"}`),
    },
  );
}

function channelTo(target: string, tls: ChannelTls): Channel {
  const parsed = parseTarget(`grpcs://${target}`);
  assert.ok(parsed.ok);
  return new Channel({ target: parsed.value, tls, clock: nodeClock(), random: nodeRandom() });
}

test("trap 1 over TLS: gRPC and HTTP/1.1 share the port by ALPN, and grpc-js understands both streams and errors", async () => {
  const roots = Buffer.from(authority.certificate);
  const client = new Oracle(server.target, grpcjs.credentials.createSsl(roots), {});
  const answer = await client.call(ECHO.path, { requests: ["secret"] });
  assert.deepEqual([answer.code, answer.messages.map(String)], [0, ["secret"]]);
  assert.equal((await client.call("/no.Service/X", { requests: [""] })).code, 12);
  assert.equal(await httpsGet(server.target), "/path nobody");
  client.close();
  await until(() => server.port.counts().connections === 0);
});

function httpsGet(target: string): Promise<string> {
  const [host, port] = target.split(":");
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path: "/path", ca: authority.certificate, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve(body));
    });
    request.on("error", reject);
  });
}

test("mTLS: handlers learn whose certificate it is", async () => {
  const channel = channelTo(strict.target, { authorities: authority.certificate, ...runner });
  const answer = await channel.unary(ECHO, Buffer.from("x"));
  assert.ok(answer.ok);
  const { certificate, isEncrypted } = peers.at(-1)!;
  assert.equal(isEncrypted, true);
  assert.deepEqual([certificate?.commonName, certificate?.subject], ["ci runner", "O=Kahn, CN=ci runner"]);
  assert.deepEqual(certificate?.alternativeNames, ["DNS:ci.example", "URI:spiffe://kahn/ci"]);
  assert.match(certificate!.fingerprint, /^[0-9a-f]{64}$/);
  channel.close();
});

test("mTLS: no certificate, where one is required, and a stranger's, wherever given, get nowhere", async () => {
  for (const [target, tls] of [
    [strict.target, {}],
    [strict.target, stranger],
    [server.target, stranger],
  ] as const) {
    const before = peers.length;
    const channel = channelTo(target, { authorities: authority.certificate, ...tls });
    const answer = await channel.unary(ECHO, Buffer.from("x"));
    assert.deepEqual(
      !answer.ok && [answer.problem.code, answer.problem.about],
      [14, "certificate"],
      JSON.stringify(answer),
    );
    assert.equal(peers.length, before);
    channel.close();
  }
  const anonymous = channelTo(server.target, { authorities: authority.certificate });
  assert.ok((await anonymous.unary(ECHO, Buffer.from("x"))).ok);
  assert.equal(peers.at(-1)!.certificate, undefined);
  anonymous.close();
});

test("a client that does not trust the server's authority says so", async () => {
  const channel = channelTo(server.target, {});
  const answer = await channel.unary(ECHO, Buffer.from("x"));
  assert.match(answer.ok ? "" : answer.problem.message, /cannot be reached: .*certificate/);
  channel.close();
  await until(() => server.port.counts().connections === 0);
});

test("a port that does not speak TLS is named as such, and how it is written", async () => {
  const plain = createServer((socket) =>
    socket
      .on("error", () => {})
      .resume()
      .end("220 hello\r\n"),
  );
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const channel = channelTo(`127.0.0.1:${(plain.address() as AddressInfo).port}`, {});
  const answer = await channel.unary(ECHO, Buffer.from("x"));
  assert.match(answer.ok ? "" : answer.problem.message, /does not speak TLS; a port without is written grpc:/);
  channel.close();
  await new Promise((resolve) => plain.close(resolve));
});

test("rubbish inside TLS closes the connection and leaves nothing behind", async () => {
  const [host, port] = server.target.split(":");
  const rubbish = connectTls({ host: host!, port: Number(port), ca: authority.certificate, ALPNProtocols: ["h2"] });
  rubbish.on("error", () => {});
  rubbish.resume();
  await new Promise((resolve) => rubbish.once("secureConnect", resolve));
  rubbish.write("this is no HTTP/2 preface at all, and never will be\r\n\r\n");
  await new Promise((resolve) => rubbish.once("close", resolve));
  await until(() => server.port.counts().connections === 0);
  assert.deepEqual(server.port.counts(), { connections: 0, sessions: 0, streams: 0, requests: 0 });
});

test("a certificate that is none is a problem", async () => {
  const tls = { certificate: "no certificate", key: "no key", clientCertificate: "none" } as const;
  const opened = await openPort({ address: { kind: "tcp", host: "127.0.0.1", port: 0 }, clock: nodeClock(), tls });
  assert.equal(!opened.ok && opened.problem.code, "tls-material-invalid");
});
