import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpcjs from "@grpc/grpc-js";
import { nodeClock, nodeRandom } from "@kahn/system";
import { virtualClock } from "@kahn/testing";
import { afterAll, test } from "vitest";
import { CHAT, COUNT, ECHO, FAIL, FIRST, HANG, SUM, startServer } from "../echo.fixture.ts";
import { StatusCode } from "../messages/status.ts";
import { Channel } from "./channel.ts";
import { parseTarget } from "./target.ts";

const server = await startServer();
const channel = channelTo(server.target);

afterAll(async () => {
  channel.close();
  await server.close();
});

function channelTo(target: string, more: Partial<ConstructorParameters<typeof Channel>[0]> = {}): Channel {
  const parsed = parseTarget(target.startsWith("unix:") ? target : `grpc://${target}`);
  assert.ok(parsed.ok);
  return new Channel({ target: parsed.value, clock: nodeClock(), random: nodeRandom(), ...more });
}

async function collect(messages: AsyncIterable<Uint8Array>): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of messages) texts.push(Buffer.from(message).toString());
  return texts;
}

test("each kind of method can be called, and many at once", async () => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => channel.unary(ECHO, Buffer.from(`hello ${index}`))),
  );
  assert.deepEqual(
    answers.map((answer) => answer.ok && Buffer.from(answer.value).toString()),
    Array.from({ length: 100 }, (_, index) => `hello ${index}`),
  );
  assert.deepEqual(await collect(channel.read(COUNT, Buffer.from("3 2")).messages), ["xx", "xx", "xx"]);
  const sum = channel.call(SUM);
  for (const each of ["a", "bc"]) await sum.send(Buffer.from(each));
  sum.end();
  const total = await sum.answer();
  assert.equal(total.ok && Buffer.from(total.value).toString(), "2 3");
  const chat = channel.call(CHAT);
  await chat.send(Buffer.from("ping"));
  assert.equal(await chat.messages.ready(), true);
  assert.equal(Buffer.from(chat.messages.poll()!).toString(), "ping");
  chat.end();
  assert.equal((await chat.status).code, 0);
});

test("a large answer to one call does not wait for anybody to read it", async () => {
  const large = Buffer.alloc(12 << 20, "z");
  const answer = await channel.unary(ECHO, large);
  assert.ok(answer.ok && large.equals(answer.value));
});

test("a failure carries code, message, details and trailers; iterating throws it after the last message", async () => {
  const call = channel.read({ ...FAIL, kind: "server-streaming" }, Buffer.from("5 not ünder %"));
  await assert.rejects(collect(call.messages), { name: "StatusError", message: "not ünder %" });
  const status = await call.status;
  assert.deepEqual([status.code, status.message], [5, "not ünder %"]);
  assert.deepEqual(Buffer.from(status.details!), Buffer.from([8, 5]));
  assert.deepEqual(call.trailers.bytes("x-trailer-bin"), [new Uint8Array([0, 255])]);
});

test("a call ends at its deadline, and when its caller gives up", async () => {
  const late = await channel.unary(HANG, Buffer.alloc(0), { timeoutMs: 30 });
  assert.equal(!late.ok && late.problem.code, StatusCode.deadlineExceeded);
  const abort = new AbortController();
  const given = channel.unary(HANG, Buffer.alloc(0), { signal: abort.signal });
  abort.abort();
  const up = await given;
  assert.equal(!up.ok && up.problem.code, StatusCode.cancelled);
});

test("an early answer ends an upload", async () => {
  const call = channel.call(FIRST);
  for (let sent = 0; sent < 100; sent++) await call.send(Buffer.alloc(100_000));
  const answer = await call.answer();
  assert.ok(answer.ok && answer.value.length === 100_000);
});

test("an unreachable server fails at once while a pause lasts, and is tried again after it", async () => {
  const gone = await startServer();
  await gone.close();
  const clock = virtualClock();
  const lost = channelTo(gone.target, { clock });
  const first = await lost.unary(ECHO, Buffer.alloc(0));
  assert.ok(!first.ok && first.problem.code === StatusCode.unavailable && first.problem.unprocessed === true);
  assert.equal(lost.state, "backoff");
  const second = lost.unary(ECHO, Buffer.alloc(0));
  assert.equal(lost.state, "backoff");
  assert.equal((await second).ok, false);
  clock.advance(1200);
  const third = lost.unary(ECHO, Buffer.alloc(0));
  assert.equal(lost.state, "connecting");
  assert.equal((await third).ok, false);
  lost.close();
});

test("after GOAWAY open calls finish and new ones use a new connection", async () => {
  const going = await startServer();
  const caller = channelTo(going.target);
  const chat = caller.call(CHAT);
  await chat.send(Buffer.from("one"));
  await chat.messages.ready();
  const drained = going.port.drain(10_000);
  await new Promise<void>((resolve) => {
    const look = () => (caller.state === "idle" ? resolve() : setImmediate(look));
    look();
  });
  await chat.send(Buffer.from("two"));
  chat.end();
  assert.deepEqual(await collect(chat.messages), ["one", "two"]);
  assert.equal((await chat.status).code, 0);
  assert.deepEqual(await drained, { kind: "drained" });
  const refused = await caller.unary(ECHO, Buffer.alloc(0));
  assert.equal(!refused.ok && refused.problem.code, StatusCode.unavailable);
  caller.close();
  await going.close();
});

test("a server that vanishes ends open calls with UNAVAILABLE", async () => {
  const brief = await startServer();
  const caller = channelTo(brief.target);
  const hanging = caller.unary(HANG, Buffer.alloc(0));
  const look = async () => {
    while (brief.grpc.counts().calls === 0) await new Promise((resolve) => setImmediate(resolve));
  };
  await look();
  await brief.close();
  const lost = await hanging;
  assert.equal(!lost.ok && lost.problem.code, StatusCode.unavailable);
  caller.close();
});

test("a Unix socket, gzip and metadata work", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kahn-remote-"));
  const seen: (string | undefined)[] = [];
  const local = await startServer(
    {
      gzipFromBytes: 100,
      interceptors: [
        (call) => {
          seen.push(call.metadata.text("authorization"), call.metadata.text("grpc-encoding"), call.peer.name);
          return undefined;
        },
      ],
    },
    { address: { kind: "unix", path: join(folder, "s") } },
  );
  const caller = channelTo(local.target, { gzipFromBytes: 1, metadata: () => ({ authorization: "Bearer x" }) });
  const answer = await caller.unary(ECHO, Buffer.alloc(100_000, "ab"));
  assert.ok(answer.ok && Buffer.alloc(100_000, "ab").equals(answer.value));
  assert.deepEqual(seen, ["Bearer x", "gzip", "unix"]);
  caller.close();
  await local.close();
  rmSync(folder, { recursive: true });
});

test("a server of grpc-js is understood: unary, streams, status", async () => {
  const other = new grpcjs.Server({ "grpc.max_receive_message_length": -1 });
  const raw = { requestSerialize: copy, requestDeserialize: copy, responseSerialize: copy, responseDeserialize: copy };
  const stream = { requestStream: false, responseStream: false };
  other.addService(
    {
      Unary: { path: ECHO.path, ...stream, ...raw },
      Count: { path: COUNT.path, ...stream, responseStream: true, ...raw },
      Fail: { path: FAIL.path, ...stream, ...raw },
    },
    {
      Unary: (call: grpcjs.ServerUnaryCall<Buffer, Buffer>, answer: grpcjs.sendUnaryData<Buffer>) =>
        answer(null, call.request),
      Count: (call: grpcjs.ServerWritableStream<Buffer, Buffer>) => {
        for (let sent = 0; sent < 3; sent++) call.write(Buffer.from("x"));
        call.end();
      },
      Fail: (_call: unknown, answer: grpcjs.sendUnaryData<Buffer>) => answer({ code: 9, details: "ü %" }),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    other.bindAsync("127.0.0.1:0", grpcjs.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const caller = channelTo(`127.0.0.1:${port}`);
  const answer = await caller.unary(ECHO, Buffer.alloc(3 << 20, "q"));
  assert.ok(answer.ok && answer.value.length === 3 << 20);
  assert.deepEqual(await collect(caller.read(COUNT, Buffer.alloc(0)).messages), ["x", "x", "x"]);
  const failed = await caller.unary(FAIL, Buffer.alloc(0));
  assert.deepEqual(!failed.ok && [failed.problem.code, failed.problem.message], [9, "ü %"]);
  const missing = await caller.unary({ ...ECHO, path: "/test.None/X" }, Buffer.alloc(0));
  assert.equal(!missing.ok && missing.problem.code, StatusCode.unimplemented);
  caller.close();
  other.forceShutdown();
});

function copy(bytes: Buffer): Buffer {
  return bytes;
}
