/** The traps of `node:http2` that a gRPC server falls into, one test each; those of the port are in `port/`. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { virtualClock } from "@kahn/testing";
import { afterAll, test } from "vitest";
import { serverSessionOptions } from "./connection/session-options.ts";
import { CHAT, COUNT, ECHO, ECHO_SERVICE, FAIL, FIRST, HANG, SUM, startServer } from "./echo.fixture.ts";
import type { CallEnd, SendingCall } from "./index.ts";
import { RAW_PARTS, serve } from "./index.ts";
import { FrameReader } from "./messages/frame-reader.ts";
import { IN_FLIGHT_MAX_BYTES } from "./messages/frame-writer.ts";
import { oracle } from "./oracle.fixture.ts";
import { frame, rawAnswer, rawCall, rawSession, rawStream, until } from "./raw-client.fixture.ts";

const server = await startServer();
const session = await rawSession(server);

afterAll(async () => {
  session.destroy();
  await server.close();
});

// Goal: a client that is still uploading gets the status, not a reset. Method: a bare client that never stops sending;
// the reset, if any, must come after the trailers.
test("trap 3: an early answer is drained, not reset: the status arrives while the client uploads", async () => {
  for (const [path, expected] of [
    [FIRST.path, "0"],
    ["/test.Echo/Absent", "12"],
  ] as const) {
    const stream = rawStream(session, path);
    const answer = rawAnswer(stream);
    let isAnswered = false;
    stream.once(expected === "0" ? "trailers" : "response", () => {
      isAnswered = true;
    });
    stream.write(frame(Buffer.alloc(10_000)));
    while (!isAnswered && !stream.destroyed) {
      stream.write(frame(Buffer.alloc(10_000)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (let more = 0; more < 50; more++) stream.write(frame(Buffer.alloc(10_000)));
    stream.end();
    const { status, rstCode } = await answer;
    assert.deepEqual([status, rstCode], [expected, 0]);
  }
});

test("trap 4: a client that never ends its side loses the stream after the linger time", async () => {
  const clock = virtualClock();
  const own = await startServer({ clock, limits: { lingerMs: 2000 } });
  const bare = await rawSession(own);
  const stream = rawStream(bare, FIRST.path);
  const answer = rawAnswer(stream);
  stream.write(frame("first"));
  await new Promise((resolve) => stream.once("trailers", resolve));
  await until(() => own.port.counts().streams === 1);
  clock.advance(1999);
  assert.equal(own.port.counts().streams, 1);
  clock.advance(1);
  assert.equal((await answer).status, "0");
  await until(() => own.port.counts().streams === 0);
  assert.equal(own.grpc.counts().calls, 0);
  bare.destroy();
  await own.close();
});

test("trap 5: many large uploads on one connection do not end it", async () => {
  assert.ok(serverSessionOptions(1).maxSessionMemory! > 2 ** 40);
  const body = frame(Buffer.alloc(1 << 20));
  const answers = await Promise.all(Array.from({ length: 60 }, () => rawCall(session, SUM.path, [body])));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set(["0"]));
});

test("trap 6: clients may have 4 MiB on a stream and 32 MiB on a connection on their way to us", async () => {
  assert.equal(session.remoteSettings.initialWindowSize, 4 << 20);
  const fresh = await rawSession(server);
  await rawCall(fresh, ECHO.path, [frame("")]);
  assert.ok(fresh.state.remoteWindowSize! > 31 << 20);
  fresh.destroy();
});

test("trap 7 and 22: a client that does not read makes the handler wait at 1 MiB", async () => {
  let sentBytes = 0;
  const message = Buffer.alloc(64 << 10);
  const own = await startServer({
    services: [
      serve(COUNT, async (_request, call) => {
        for (; sentBytes < 64 << 20; sentBytes += message.length) await call.send([message.subarray(0, 9), message]);
      }),
    ],
  });
  const bare = await rawSession(own);
  const stream = rawStream(bare, COUNT.path);
  stream.end(frame(""));
  await until(() => sentBytes >= IN_FLIGHT_MAX_BYTES - (64 << 10));
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sentBytes < IN_FLIGHT_MAX_BYTES + (512 << 10), `${sentBytes} bytes were produced for nobody`);
  stream.close(8);
  await until(() => own.grpc.counts().calls === 0);
  bare.destroy();
  await own.close();
});

// Goal: a buffer that is used again never changes bytes that have not left. Method: each message is wiped as soon as
// the server calls it sent; the client begins to read late, so that many are on their way; then one goes away.
test("the bytes of a message may change once it is sent, and never of one that is not", async () => {
  const pieces = [1, 2, 3, 4].map((byte) => Buffer.alloc(600_000, byte));
  const sent: number[] = [];
  const own = await startServer({
    services: [
      serve(COUNT, async (_request, call) => {
        for (const [at, piece] of pieces.entries()) {
          await call.send([Buffer.from([9, at]), piece], () => {
            sent.push(at);
            piece.fill(0xee);
          });
        }
      }),
    ],
  });
  const bare = await rawSession(own);
  const stream = rawStream(bare, COUNT.path);
  stream.pause();
  stream.end(frame(""));
  await until(() => own.grpc.counts().calls === 1);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  const answer = rawAnswer(stream);
  stream.resume();
  const { body, status } = await answer;
  assert.equal(status, "0");
  const bytes = [1, 2, 3, 4].map((byte, at) =>
    frame(Buffer.concat([Buffer.from([9, at]), Buffer.alloc(600_000, byte)])),
  );
  assert.ok(body.equals(Buffer.concat(bytes)));
  assert.deepEqual(sent, [0, 1, 2, 3]);
  const left = rawStream(bare, COUNT.path);
  left.pause();
  left.end(frame(""));
  await until(() => own.grpc.counts().calls === 1);
  left.close(8);
  await until(() => own.grpc.counts().calls === 0);
  assert.ok(sent.length < 8, "what nobody took was called sent");
  bare.destroy();
  await own.close();
});

test("trap 8: waiting a thousand times adds no listener to the stream", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  const answer = await rawCall(session, COUNT.path, [frame("1000 20000")]);
  assert.equal(answer.body.length, 1000 * 20_005);
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);
  assert.deepEqual(
    warnings.filter((warning) => warning.name === "MaxListenersExceededWarning"),
    [],
  );
});

test("trap 9: a burst of cancelled calls leaves the connection alive", async () => {
  const options = serverSessionOptions(1);
  assert.deepEqual([options.streamResetBurst, options.streamResetRate], [100_000, 100_000]);
  const bare = await rawSession(server);
  for (let call = 0; call < 500; call++) {
    const stream = rawStream(bare, HANG.path);
    stream.write(frame(""));
    stream.close(8);
  }
  assert.equal((await rawCall(bare, ECHO.path, [frame("still")])).status, "0");
  bare.destroy();
});

test("trap 14: an error before any message is one block of headers; after one it is trailers", async () => {
  const early = await rawCall(session, FAIL.path, [frame("5 gone")]);
  assert.deepEqual([early.headers["grpc-status"], early.trailers["grpc-status"]], ["5", undefined]);
  const own = await startServer({
    services: [
      serve(COUNT, async (_request, call) => {
        await call.send(Buffer.from("one"));
        throw new Error("a bug");
      }),
    ],
  });
  const bare = await rawSession(own);
  const late = await rawCall(bare, COUNT.path, [frame("")]);
  assert.deepEqual([late.headers["grpc-status"], late.trailers["grpc-status"]], [undefined, "13"]);
  bare.destroy();
  await own.close();
});

test("trap 14: sending to a stream that is gone throws CANCELLED into the handler and nothing else", async () => {
  let running: SendingCall<unknown> | undefined;
  let release: (() => void) | undefined;
  const faults: unknown[] = [];
  const own = await startServer({
    onFault: (error) => void faults.push(error),
    services: [
      serve(COUNT, async (_request, call) => {
        running = call;
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        await call.send(Buffer.from("late"));
      }),
    ],
  });
  const bare = await rawSession(own);
  const stream = rawStream(bare, COUNT.path);
  stream.end(frame(""));
  await until(() => running !== undefined);
  stream.close(8);
  await until(() => own.grpc.counts().calls === 0);
  assert.equal(running?.isCancelled, true);
  assert.equal(running.signal.aborted, true);
  release?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(faults, []);
  bare.destroy();
  await own.close();
});

test("trap 15: content types, encodings and binary metadata are taken as gRPC has them", async () => {
  for (const type of ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"]) {
    const answer = await rawCall(session, ECHO.path, [frame("x")], { "content-type": type });
    assert.deepEqual([answer.status, answer.headers["content-type"]], ["0", "application/grpc"]);
  }
  assert.equal((await rawCall(session, ECHO.path, [], { "content-type": "text/plain" })).headers[":status"], 415);
  assert.equal(
    (await rawCall(session, ECHO.path, [], { "content-type": "application/grpc-web" })).headers[":status"],
    415,
  );
  const absent = await rawCall(session, "/a.B/C", [frame("x")]);
  assert.deepEqual([absent.headers["content-type"], absent.status], ["application/grpc", "12"]);
  const odd = await rawCall(session, ECHO.path, [frame("x", 1)], { "grpc-encoding": "snappy" });
  assert.deepEqual([odd.status, odd.headers["grpc-accept-encoding"]], ["12", "identity,gzip"]);
});

test("trap 16: frames come split anywhere and several at once; what is wrong has its own status", async () => {
  const both = Buffer.concat([frame("one"), frame(""), frame("three")]);
  const chunks = Array.from({ length: Math.ceil(both.length / 4) }, (_, index) =>
    both.subarray(index * 4, index * 4 + 4),
  );
  assert.deepEqual((await rawCall(session, CHAT.path, chunks)).body, both);
  assert.deepEqual((await rawCall(session, CHAT.path, [both])).body, both);
  const statusOf = async (path: string, body: Buffer, headers = {}) =>
    (await rawCall(session, path, [body], headers)).status;
  assert.equal(await statusOf(ECHO.path, Buffer.from([0, 0xff, 0xff, 0xff, 0xff])), "8");
  assert.equal(await statusOf(ECHO.path, Buffer.from([0, 1, 0, 0, 1])), "8");
  assert.equal(await statusOf(ECHO.path, frame("truncated").subarray(0, 9)), "13");
  assert.equal(await statusOf(ECHO.path, Buffer.from([0, 0])), "13");
  assert.equal(await statusOf(ECHO.path, Buffer.concat([frame("a"), frame("b")])), "12");
  assert.equal(await statusOf(ECHO.path, Buffer.alloc(0)), "12");
  assert.equal(await statusOf(ECHO.path, frame("packed?", 1)), "13");
  assert.equal(await statusOf(ECHO.path, frame("flags", 2)), "13");
  assert.equal(await statusOf(ECHO.path, frame("no gzip", 1), { "grpc-encoding": "gzip" }), "13");
  assert.equal(await statusOf(ECHO.path, frame(gzipSync("fine"), 1), { "grpc-encoding": "gzip" }), "0");
  const bomb = gzipSync(Buffer.alloc(17 << 20));
  assert.equal(await statusOf(ECHO.path, frame(bomb, 1), { "grpc-encoding": "gzip" }), "8");
});

test("trap 17: a timeout beyond any timer is none; a malformed one is refused", async () => {
  assert.equal((await rawCall(session, ECHO.path, [frame("x")], { "grpc-timeout": "99999999H" })).status, "0");
  assert.equal((await rawCall(session, ECHO.path, [frame("x")], { "grpc-timeout": "99999999S" })).status, "0");
  assert.equal((await rawCall(session, ECHO.path, [frame("x")], { "grpc-timeout": "soon" })).status, "3");
  const late = await rawCall(session, HANG.path, [frame("")], { "grpc-timeout": "20m" });
  assert.equal(late.status, "4");
});

test("trap 20: what throws in handlers, codecs, interceptors and observers ends one call, never the process", async () => {
  const faults: unknown[] = [];
  const ends: CallEnd[] = [];
  const own = await startServer({
    onFault: (error) => {
      faults.push(error);
      throw new Error("even the log throws");
    },
    interceptors: [
      (call) => {
        if (call.metadata.text("x-break") === "sync") throw new TypeError("interceptor");
        return (end) => {
          ends.push(end);
          throw new TypeError("observer");
        };
      },
      (call) => (call.metadata.text("x-break") === "async" ? Promise.reject(new TypeError("later")) : undefined),
    ],
    services: [
      ...ECHO_SERVICE,
      serve(
        {
          path: "/test.Echo/Codec",
          kind: "unary",
          request: {
            encode: (bytes: Uint8Array) => bytes,
            decode: (): Uint8Array => {
              throw new RangeError("index out of range");
            },
          },
          response: RAW_PARTS,
        },
        (request) => request,
      ),
    ],
  });
  const bare = await rawSession(own);
  const statusOf = async (path: string, headers = {}) => (await rawCall(bare, path, [frame("")], headers)).status;
  assert.equal(await statusOf(FAIL.path), "13");
  assert.equal(await statusOf(ECHO.path, { "x-break": "sync" }), "13");
  assert.equal(await statusOf(ECHO.path, { "x-break": "async" }), "13");
  assert.equal(await statusOf("/test.Echo/Codec"), "13");
  assert.equal(await statusOf(ECHO.path), "0");
  assert.deepEqual(
    ends.map((end) => end.status.code),
    [13, 13, 13, 0],
  );
  assert.equal(faults.length, 7);
  bare.destroy();
  await own.close();
});

test("trap 21: a message that came in one chunk is a view of it, so what is kept must be copied", () => {
  const received: Buffer[] = [];
  const reader = new FrameReader(100, (message) => received.push(message));
  const chunk = Buffer.concat([frame("abc"), frame("def")]);
  assert.equal(reader.push(chunk), undefined);
  assert.deepEqual(
    received.map((message) => message.buffer === chunk.buffer),
    [true, true],
  );
});

test("trap 22: 200 large reads cancelled at their first byte harm nobody", async () => {
  const bare = await rawSession(server);
  const cancelled = Array.from({ length: 200 }, async () => {
    const stream = rawStream(bare, COUNT.path);
    stream.end(frame("64 262144"));
    await new Promise((resolve) => stream.once("data", resolve));
    stream.close(8);
  });
  await Promise.all(cancelled);
  const answer = await rawCall(bare, COUNT.path, [frame("16 65536")]);
  assert.deepEqual([answer.status, answer.body.length], ["0", 16 * 65_541]);
  await until(() => server.grpc.counts().calls === 0);
  assert.equal(server.grpc.counts().heldBytes, 0);
  bare.destroy();
});

test("a peer that stops in the middle of a message is answered DEADLINE_EXCEEDED, one that goes on is not", async () => {
  const clock = virtualClock();
  const own = await startServer({ clock, limits: { stallMaxMs: 10_000 } });
  const bare = await rawSession(own);
  const stuck = rawStream(bare, ECHO.path);
  const answer = rawAnswer(stuck);
  stuck.write(frame("abcdef").subarray(0, 7));
  await until(() => own.grpc.counts().heldBytes > 0);
  clock.advance(5000);
  stuck.write(Buffer.from("b"));
  await until(() => own.grpc.counts().heldBytes > 2);
  clock.advance(5000);
  clock.advance(5000);
  assert.equal(own.grpc.counts().calls, 1);
  clock.advance(5000);
  assert.equal(own.grpc.counts().heldBytes, 0);
  clock.advance(2000);
  assert.equal((await answer).status, "4");
  bare.destroy();
  await own.close();
});

test("bytes held for peers are limited: the call that wants more is answered RESOURCE_EXHAUSTED", async () => {
  const own = await startServer({ limits: { connectionHeldMaxBytes: 100_000, serverHeldMaxBytes: 150_000 } });
  const [one, two] = [await rawSession(own), await rawSession(own)];
  const partial = frame(Buffer.alloc(200_000)).subarray(0, 90_000);
  const first = rawStream(one, ECHO.path);
  first.write(partial);
  await until(() => own.grpc.counts().heldBytes >= 80_000);
  assert.equal((await rawCall(one, ECHO.path, [partial])).status, "8");
  assert.equal((await rawCall(two, ECHO.path, [partial])).status, "8");
  assert.equal((await rawCall(two, ECHO.path, [frame("small")])).status, "0");
  first.close(8);
  await until(() => own.grpc.counts().calls === 0);
  assert.equal(own.grpc.counts().heldBytes, 0);
  assert.equal((await rawCall(one, ECHO.path, [frame(Buffer.alloc(80_000))])).status, "0");
  one.destroy();
  two.destroy();
  await own.close();
});

test("calls beyond the limit are answered RESOURCE_EXHAUSTED", async () => {
  const own = await startServer({ limits: { callsMax: 1 } });
  const client = oracle(own);
  const bare = await rawSession(own);
  const hanging = rawStream(bare, HANG.path);
  hanging.write(frame(""));
  await until(() => own.grpc.counts().calls === 1);
  assert.equal((await client.call(ECHO.path, { requests: ["x"] })).code, 8);
  hanging.close(8);
  await until(() => own.grpc.counts().calls === 0);
  assert.equal((await client.call(ECHO.path, { requests: ["x"] })).code, 0);
  client.close();
  bare.destroy();
  await own.close();
});
