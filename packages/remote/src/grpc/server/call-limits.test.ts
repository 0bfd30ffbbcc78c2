/** Calls are many, and no peer has so many of them, or so long, that the others have none. */
import assert from "node:assert/strict";
import type { ClientHttp2Session, OutgoingHttpHeaders } from "node:http2";
import { virtualClock } from "@kahn/testing";
import { test } from "vitest";
import { HealthMethods } from "../../proto/generated/health.ts";
import type { TestServer } from "../echo.fixture.ts";
import { CHAT, ECHO, ECHO_SERVICE, HANG, SUM, startServer } from "../echo.fixture.ts";
import { HealthService } from "../health.ts";
import { frame, rawAnswer, rawCall, rawSession, rawStream, until } from "../raw-client.fixture.ts";
import type { Interceptor } from "./call-context.ts";
import { CALL_SHARE } from "./call-shares.ts";

interface Greedy {
  /** How many of twenty calls it gets. */
  readonly gets: number;
  readonly headers?: OutgoingHttpHeaders;
}

/** Takes as many calls as it gets. @returns what the others were told. */
async function greedy(own: TestServer, session: ClientHttp2Session, { gets, headers = {} }: Greedy): Promise<string[]> {
  const before = own.grpc.counts().calls;
  const streams = Array.from({ length: 20 }, () => rawStream(session, CHAT.path, headers));
  // An answer comes only to those that are refused.
  const told: string[] = [];
  for (const stream of streams) {
    stream.once("response", (answer) => {
      told.push(`${answer["grpc-status"]} ${decodeURIComponent(String(answer["grpc-message"]))}`);
      stream.close(8);
    });
  }
  await until(() => told.length === 20 - gets && own.grpc.counts().calls - before === gets);
  return told;
}

const full = (who: string, calls: number) =>
  `8 ${who} has ${calls} of the 20 calls that this server takes at once; try again later`;

test("connections and addresses that take all the calls they can get leave room for others", async () => {
  const own = await startServer({ limits: { callsMax: 20 } });
  const sessions: ClientHttp2Session[] = [];
  const take = async (address: string, gets: number) => {
    const session = await rawSession(own, address);
    sessions.push(session);
    return await greedy(own, session, { gets });
  };
  assert.deepEqual(new Set(await take("127.0.0.1", 16)), new Set([full("this connection", 16)]));
  assert.deepEqual(new Set(await take("127.0.0.1", 2)), new Set([full("127.0.0.1", 18)]));
  await take("127.0.0.1", 0);
  const late = await rawSession(own, "127.0.0.2");
  assert.equal((await rawCall(late, ECHO.path, [frame("x")])).status, "0");
  // All of them together have all there are, and then nobody has more.
  await take("127.0.0.3", 2);
  await take("127.0.0.4", 0);
  for (const session of [...sessions, late]) session.destroy();
  await until(() => own.grpc.counts().calls === 0);
  await take("127.0.0.1", 16);
  for (const session of sessions) session.destroy();
  await until(() => own.grpc.counts().calls === 0);
  await own.close();
});

// Goal: behind a proxy all have its address, and may have its connection. Method: who calls is said in a header.
test("a caller that takes all the calls it can get, by however many connections, leaves room for others of its address", async () => {
  const who: Interceptor = (call) => {
    call.set(CALL_SHARE, call.metadata.text("who") ?? "nobody");
    return undefined;
  };
  const own = await startServer({ limits: { callsMax: 20 }, interceptors: [who] });
  const [one, two] = [await rawSession(own), await rawSession(own)];
  const ann = { who: "ann" };
  assert.ok((await greedy(own, one, { gets: 15, headers: ann })).includes(full("ann", 15)));
  await greedy(own, two, { gets: 0, headers: ann });
  for (const session of [one, two]) {
    assert.equal((await rawCall(session, ECHO.path, [frame("x")], { who: "bob" })).status, "0");
  }
  for (const session of [one, two]) session.destroy();
  await until(() => own.grpc.counts().calls === 0);
  const again = await rawSession(own);
  await greedy(own, again, { gets: 15, headers: ann });
  again.destroy();
  await until(() => own.grpc.counts().calls === 0);
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
