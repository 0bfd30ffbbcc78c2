/** One port for everything; the traps of connections, one test each. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { get } from "node:http";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeClock } from "@kahn/system";
import { settled, virtualClock } from "@kahn/testing";
import { afterAll, test } from "vitest";
import { CHAT, ECHO, HANG, startServer } from "../grpc/echo.fixture.ts";
import { frame, rawAnswer, rawCall, rawSession, rawStream, until } from "../grpc/raw-client.fixture.ts";
import { HTTP2_PREFACE, protocolOf } from "./peek.ts";
import { openPort } from "./port.ts";
import { rawSocket } from "./raw-socket.fixture.ts";

const server = await startServer({}, { onRequest: answerHttp });

afterAll(() => server.close());

/** Answers with what was asked and by whom; `/throw` throws, `/half` waits until the client closed its side. */
function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  peer: { readonly address?: string | undefined },
) {
  if (request.url === "/throw") throw new Error("a bug of a handler");
  if (request.url === "/half") {
    void until(() => request.socket.readableEnded).then(() => response.end("after the client's last word"));
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = `${request.method} ${request.url} ${Buffer.concat(chunks).length} ${peer.address ?? "unix"}`;
    response.writeHead(200, { "content-type": "text/plain" });
    response.end(body);
  });
}

function httpGet(path: string): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const [host, port] = server.target.split(":");
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    request.on("error", reject);
  });
}

test("trap 1: gRPC and plain HTTP share an HTTP/2 connection, and HTTP/1.1 the port", async () => {
  const session = await rawSession(server);
  const call = await rawCall(session, ECHO.path, [frame("x")]);
  assert.deepEqual([call.status, call.body], ["0", frame("x")]);
  assert.equal(Object.keys(call.trailers).length, 1);
  const plain = rawStream(session, "/plain", { ":method": "PUT", "content-type": "text/plain" });
  const answered = rawAnswer(plain);
  plain.end("12345");
  const { headers, body } = await answered;
  assert.deepEqual([headers[":status"], body.toString()], [200, "PUT /plain 5 127.0.0.1"]);
  assert.equal((await httpGet("/one")).body, "GET /one 0 127.0.0.1");
  session.destroy();
});

test("trap 1: a handler of plain HTTP that throws is answered 500 in both versions", async () => {
  const session = await rawSession(server);
  assert.equal((await httpGet("/throw")).status, 500);
  const stream = rawStream(session, "/throw", { ":method": "GET", "content-type": "text/plain" });
  stream.end();
  assert.equal((await rawAnswer(stream)).headers[":status"], 500);
  assert.equal(server.faults.splice(0).length, 2);
  session.destroy();
});

test("trap 2: nothing is left of HTTP/2 clients that closed, were reset, or vanished in the middle of a call", async () => {
  const own = await startServer();
  for (const leave of ["close", "destroy", "reset"] as const) {
    const sockets = await Promise.all(Array.from({ length: 10 }, () => rawSocket(own)));
    const sessions = sockets.map(({ socket }) => connect("http://localhost", { createConnection: () => socket }));
    for (const session of sessions) {
      session.on("error", () => {});
      await rawCall(session, ECHO.path, [frame("x")]);
      if (leave !== "close") rawStream(session, HANG.path).end(frame("y"));
    }
    if (leave !== "close") await until(() => own.grpc.counts().calls === 10);
    assert.equal(own.port.counts().sessions, 10);
    for (const [index, session] of sessions.entries()) {
      if (leave === "close") session.close();
      else if (leave === "destroy") session.destroy();
      else sockets[index]!.socket.resetAndDestroy();
    }
    await until(() => own.port.counts().connections === 0);
    assert.deepEqual(own.port.counts(), { connections: 0, sessions: 0, streams: 0, requests: 0 });
    assert.equal(own.grpc.counts().calls, 0);
  }
  await own.close();
});

test("trap 10: an HTTP/1.1 head that never ends closes the connection", async () => {
  const own = await startServer({}, { limits: { headMaxMs: 200 }, onRequest: answerHttp });
  const slow = await rawSocket(own);
  slow.socket.write("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ");
  await slow.closed;
  assert.match(slow.heard(), /^HTTP\/1.1 408 /);
  await own.close();
});

test("trap 11: the protocol is told by the first bytes that differ, however they arrive", async () => {
  assert.equal(protocolOf(HTTP2_PREFACE), "http2");
  for (let length = 1; length < HTTP2_PREFACE.length; length++) {
    assert.equal(protocolOf(HTTP2_PREFACE.subarray(0, length)), undefined);
    assert.equal(protocolOf(Buffer.concat([HTTP2_PREFACE.subarray(0, length), Buffer.from("~")])), "http1");
  }
  for (const method of ["PUT", "POST", "PROPFIND", "PRI"]) {
    const dribble = await rawSocket(server);
    for (const byte of `${method} /p HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nab`) {
      dribble.socket.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await dribble.closed;
    if (method === "PRI") assert.match(dribble.heard(), /^HTTP\/1.1 400 /);
    else assert.match(dribble.heard(), new RegExp(`${method} /p 2 127.0.0.1\r\n`));
  }
  const preface = await rawSocket(server);
  for (const byte of HTTP2_PREFACE) {
    preface.socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  preface.socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  // Its settings: length (3 bytes), then type 4.
  await until(() => preface.heard().length > 9);
  assert.equal(preface.heard().charCodeAt(3), 4);
  preface.socket.destroy();
});

test("trap 12: a connection that says nothing, or half a preface, is closed when its time is up", async () => {
  const clock = virtualClock();
  const own = await startServer({ clock }, { limits: { silenceMaxMs: 60_000 } });
  const [silent, half, reset] = [await rawSocket(own), await rawSocket(own), await rawSocket(own)];
  half.socket.write(HTTP2_PREFACE.subarray(0, 10));
  await until(() => own.port.counts().connections === 3);
  reset.socket.resetAndDestroy();
  await until(() => own.port.counts().connections === 2);
  clock.advance(59_999);
  assert.equal(own.port.counts().connections, 2);
  clock.advance(1);
  await Promise.all([silent.closed, half.closed]);
  assert.equal(clock.pendingTimers, 0);
  await own.close();
});

test("trap 13: an HTTP/1.1 client that closes its side still gets its answer", async () => {
  const half = await rawSocket(server);
  half.socket.end("GET /half HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  await half.closed;
  assert.match(half.heard(), /after the client's last word/);
});

test("trap 18: a drain lets open calls and requests finish, and refuses new connections", async () => {
  const own = await startServer({}, { onRequest: answerHttp });
  const session = await rawSession(own);
  const chat = rawStream(session, CHAT.path);
  const answer = rawAnswer(chat);
  chat.write(frame("before"));
  await new Promise((resolve) => chat.once("data", resolve));
  const upload = await rawSocket(own);
  upload.socket.write("PUT /up HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab");
  const idle = await rawSocket(own);
  idle.socket.write("GET /idle HTTP/1.1\r\nhost: x\r\n\r\n");
  await until(() => /\/idle/.test(idle.heard()) && own.port.counts().requests === 1);
  const silent = await rawSocket(own);
  await until(() => own.port.counts().connections === 4);
  let goaway = -1;
  session.on("goaway", (code) => {
    goaway = code;
  });
  const drained = own.port.drain(60_000);
  await Promise.all([idle.closed, silent.closed]);
  await until(() => goaway === 0);
  chat.write(frame("after"));
  chat.end();
  assert.deepEqual((await answer).body, Buffer.concat([frame("before"), frame("after")]));
  upload.socket.write("cd");
  await upload.closed;
  assert.match(upload.heard(), /connection: close[\s\S]*PUT \/up 4/i);
  assert.deepEqual(await drained, { kind: "drained" });
  await assert.rejects(connected(own.target), TURNED_AWAY);
  await own.close();
});

/**
 * Reset as well as refused: a process that another test starts at this very moment holds the closed listener until it
 * executes its program, and what has connected by then is reset.
 */
const TURNED_AWAY = { code: /^(ECONNREFUSED|ECONNRESET)$/ };

function connected(target: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const [host, port] = target.split(":");
    get({ host, port }, resolve).on("error", reject);
  });
}

test("trap 18: what is left when the grace is over is cut and counted", async () => {
  const clock = virtualClock();
  const own = await startServer({ clock });
  const session = await rawSession(own);
  const hanging = rawAnswer(rawStream(session, HANG.path));
  await until(() => own.grpc.counts().calls === 1);
  const drained = own.port.drain(5000);
  clock.advance(5000);
  assert.deepEqual(await drained, { kind: "cut", connections: 1 });
  await hanging;
  assert.equal(own.grpc.counts().calls, 0);
  await own.close();
});

// Goal: between its last answer and the drain a client asks for what the answer named. Method: virtual time; each call
// begins the second of idleness anew.
test("while a port lingers, known connections are served until they were idle, and new ones are refused", async () => {
  const clock = virtualClock();
  const own = await startServer({ clock }, { onRequest: answerHttp, keepalive: { intervalMs: 1e9, timeoutMs: 1e9 } });
  const session = await rawSession(own);
  const kept = await rawSocket(own);
  kept.socket.write("GET /one HTTP/1.1\r\nhost: x\r\n\r\n");
  await until(() => /\/one/.test(kept.heard()) && own.port.counts().requests === 0);
  let isOver = false;
  const lingered = own.port.linger({ idleMs: 1000, maxMs: 60_000 }).then(() => (isOver = true));
  await assert.rejects(connected(own.target), TURNED_AWAY);
  clock.advance(999);
  assert.equal((await rawCall(session, ECHO.path, [frame("x")])).status, "0");
  kept.socket.write("GET /two HTTP/1.1\r\nhost: x\r\n\r\n");
  await until(() => /\/two/.test(kept.heard()) && own.port.counts().requests + own.port.counts().streams === 0);
  assert.doesNotMatch(kept.heard(), /connection: close/i);
  clock.advance(999);
  await settled();
  assert.equal(isOver, false);
  clock.advance(1);
  await lingered;
  const drained = own.port.drain(60_000);
  await kept.closed;
  assert.deepEqual(await drained, { kind: "drained" });
  await own.close();
});

test("a port lingers no longer than it may, than there are connections, or than nobody drains it", async () => {
  const clock = virtualClock();
  const hung = await startServer({ clock });
  const session = await rawSession(hung);
  const hanging = rawAnswer(rawStream(session, HANG.path));
  await until(() => hung.grpc.counts().calls === 1);
  const lingered = hung.port.linger({ idleMs: 1000, maxMs: 5000 });
  clock.advance(5000);
  await lingered;
  session.destroy();
  await hanging;
  await hung.close();
  const empty = await startServer({ clock });
  await empty.port.linger({ idleMs: 1000, maxMs: 5000 });
  await empty.close();
  const told = await startServer({ clock });
  await rawSession(told);
  await until(() => told.port.counts().sessions === 1);
  const ended = told.port.linger({ idleMs: 1000, maxMs: 5000 });
  const drained = told.port.drain(1000);
  await ended;
  await drained;
  await told.close();
});

test("trap 19: handlers learn the peer's address though the session guards its socket", async () => {
  const peers: string[] = [];
  const own = await startServer({
    interceptors: [
      (call) => {
        peers.push(`${call.peer.address} ${call.peer.transport} ${call.peer.isEncrypted}`);
        return undefined;
      },
    ],
  });
  const session = await rawSession(own);
  await rawCall(session, ECHO.path, [frame("x")]);
  assert.deepEqual(peers, ["127.0.0.1 tcp false"]);
  session.destroy();
  await own.close();
});

test("a peer that no longer answers pings loses its connection, one that answers keeps it", async () => {
  const clock = virtualClock();
  const own = await startServer({ clock }, { keepalive: { intervalMs: 1000, timeoutMs: 500 } });
  const alive = await rawSession(own);
  const dead = await rawSocket(own);
  dead.socket.write(Buffer.concat([HTTP2_PREFACE, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]));
  await until(() => own.port.counts().sessions === 2);
  clock.advance(1000);
  // The answer of the living one takes its timer away and sets the next.
  await until(() => clock.nextDueInMs === 500 && clock.pendingTimers === 2);
  await new Promise((resolve) => alive.ping(resolve));
  clock.advance(500);
  await dead.closed;
  await until(() => own.port.counts().connections === 1);
  assert.equal((await rawCall(alive, ECHO.path, [frame("x")])).status, "0");
  alive.destroy();
  await own.close();
});

test("connections beyond the limit are closed at once", async () => {
  const own = await startServer({}, { limits: { connectionsMax: 1 } });
  const first = await rawSession(own);
  const second = await rawSocket(own);
  await second.closed;
  assert.equal((await rawCall(first, ECHO.path, [frame("x")])).status, "0");
  first.destroy();
  await own.close();
});

test("an address in use is a problem; a Unix socket left by a dead server is replaced", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kahn-port-"));
  const path = join(folder, "socket");
  const options = { clock: nodeClock(), address: { kind: "unix", path } } as const;
  const first = await openPort(options);
  assert.ok(first.ok);
  const second = await openPort(options);
  assert.equal(!second.ok && second.problem.code, "port-unavailable");
  await first.value.close();
  const script = `require("net").createServer().listen(${JSON.stringify(path)},()=>process.kill(process.pid,"SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  const third = await openPort(options);
  assert.ok(third.ok);
  await third.value.close();
  rmSync(folder, { recursive: true });
});
