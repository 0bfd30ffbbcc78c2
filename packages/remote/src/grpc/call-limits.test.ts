/** Calls are many, and no peer has so many of them, or so long, that the others have none. */
import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { virtualClock } from "@kahn/testing";
import { test } from "vitest";
import { HealthMethods } from "../proto/generated/health.ts";
import { CHAT, ECHO, ECHO_SERVICE, HANG, SUM, startServer } from "./echo.fixture.ts";
import { HealthService } from "./health.ts";
import { frame, rawAnswer, rawCall, rawSession, rawStream, until } from "./raw-client.fixture.ts";

test("connections that take all the calls they can get leave room for others", async () => {
  // The clock stands still: what is refused is closed once its client has ended it.
  const clock = virtualClock();
  const own = await startServer({ clock, limits: { callsMax: 12 } });
  const calls = () => own.grpc.counts().calls;
  const sessions: ClientHttp2Session[] = [];
  const taken: number[] = [];
  for (let each = 0; each < 3; each++) {
    const session = await rawSession(own);
    sessions.push(session);
    const streams = Array.from({ length: 20 }, () => rawStream(session, CHAT.path));
    const answers = streams.map((stream) => new Promise((resolve) => stream.once("response", resolve)));
    const before = calls();
    // An answer comes only to those that are refused.
    let refused = 0;
    for (const answer of answers) void answer.then(() => refused++);
    await until(() => calls() - before + refused === 20);
    taken.push(calls() - before);
  }
  assert.deepEqual(taken, [6, 3, 2]);
  const late = await rawSession(own);
  assert.equal((await rawCall(late, ECHO.path, [frame("x")])).status, "0");
  for (const session of [...sessions, late]) session.destroy();
  await until(() => calls() === 0);
  await own.close();
});

test("whoever asks for the server's health is answered also when all calls are taken", async () => {
  const health = new HealthService([], "serving");
  const own = await startServer({ services: [...ECHO_SERVICE, ...health.registrations()], limits: { callsMax: 1 } });
  const [greedy, probe] = [await rawSession(own), await rawSession(own)];
  rawStream(greedy, HANG.path).write(frame(""));
  await until(() => own.grpc.counts().calls === 1);
  assert.equal((await rawCall(probe, ECHO.path, [frame("x")])).status, "8");
  assert.equal((await rawCall(probe, HealthMethods.check.path, [frame("")])).status, "0");
  for (const session of [greedy, probe]) session.destroy();
  await own.close();
});

// Goal: a stream whose client is gone in all but name is not kept for ever. Method: one rests, the other sends now and then.
test("a stream that rests between messages for too long is ended; one that sends, and one whose server is busy, is not", async () => {
  const clock = virtualClock();
  const own = await startServer({ clock, limits: { idleMaxMs: 20_000 } });
  const session = await rawSession(own);
  const [silent, talking] = [rawStream(session, SUM.path), rawStream(session, SUM.path)];
  const [end, sum] = [rawAnswer(silent), rawAnswer(talking)];
  const hanging = rawStream(session, HANG.path);
  hanging.end(frame(""));
  for (const stream of [silent, talking]) stream.write(frame("first"));
  await until(() => own.grpc.counts().calls === 3);
  await rawCall(session, ECHO.path, [frame("")]);
  for (let passed = 0; passed < 40_000; passed += 5000) {
    clock.advance(5000);
    talking.write(frame("more"));
    await rawCall(session, ECHO.path, [frame("")]);
  }
  assert.equal((await end).status, "4");
  talking.end();
  assert.equal((await sum).body.subarray(5).toString(), "9 37");
  assert.equal(own.grpc.counts().calls, 1);
  session.destroy();
  await own.close();
});
