import assert from "node:assert/strict";
import * as grpcjs from "@grpc/grpc-js";
import { afterAll, test } from "vitest";
import { CHAT, COUNT, ECHO, FAIL, FIRST, HANG, SUM, startServer } from "../echo.fixture.ts";
import { oracle } from "../oracle.fixture.ts";

const server = await startServer();
const client = oracle(server);

afterAll(async () => {
  client.close();
  await server.close();
});

test("each kind of method answers grpc-js", async () => {
  const unary = await client.call(ECHO.path, { requests: ["hello"] });
  assert.deepEqual([unary.code, unary.messages.map(String)], [0, ["hello"]]);
  const count = await client.call(COUNT.path, { requests: ["3 10"] });
  assert.deepEqual([count.code, count.messages.map(String)], [0, Array(3).fill("x".repeat(10))]);
  const sum = await client.call(SUM.path, { requests: ["a", "bc", ""] });
  assert.deepEqual([sum.code, sum.messages.map(String)], [0, ["3 3"]]);
  const chat = await client.call(CHAT.path, { requests: ["a", "", "c"] });
  assert.deepEqual([chat.code, chat.messages.map(String)], [0, ["a", "", "c"]]);
  const none = await client.call(COUNT.path, { requests: ["0 0"] });
  assert.deepEqual([none.code, none.messages.length], [0, 0]);
});

test("a status arrives with its code, message, details and trailers", async () => {
  const failed = await client.call(FAIL.path, { requests: ["9 missing 100% ünï\n✓"] });
  assert.deepEqual([failed.code, failed.message], [9, "missing 100% ünï\n✓"]);
  assert.deepEqual(failed.trailers.get("grpc-status-details-bin"), [Buffer.from([8, 9])]);
  assert.deepEqual(failed.trailers.get("x-trailer"), ["said"]);
  assert.deepEqual(failed.trailers.get("x-trailer-bin"), [Buffer.from([0, 255])]);
});

test("a large message goes both ways", async () => {
  const large = Buffer.alloc(8 << 20, "y");
  const answer = await client.call(ECHO.path, { requests: [large] });
  assert.equal(answer.code, 0);
  assert.ok(answer.messages[0]!.equals(large));
});

test("a deadline ends the call on the server", async () => {
  const outcome = await client.call(HANG.path, { requests: [""], options: { deadline: Date.now() + 50 } });
  assert.equal(outcome.code, grpcjs.status.DEADLINE_EXCEEDED);
});

test("the first message is answered while the client still uploads", async () => {
  const outcome = await client.call(FIRST.path, { requests: Array(50).fill(Buffer.alloc(100_000)) });
  assert.deepEqual([outcome.code, outcome.messages.length], [0, 1]);
});
