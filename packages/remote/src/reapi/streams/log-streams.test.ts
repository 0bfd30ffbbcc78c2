import assert from "node:assert/strict";
import { seededRandom, settled, virtualClock } from "@kahn/testing";
import { afterAll, test } from "vitest";
import { StatusCode } from "../../grpc/index.ts";
import { answered, codeOf, METHODS, noise, readAll, startReapi, writeAll } from "../reapi-server.fixture.ts";
import { LogStream, LogStreams } from "./log-streams.ts";

const server = await startReapi({ limits: { logMaxBytes: 1 << 20 } });
const { channel } = server;
afterAll(async () => {
  await server.close();
  assert.deepEqual(server.faults, []);
});

const create = async (parent = "team/x") => answered(await channel.unary(METHODS.createLog, { parent }));

test("§2.8: a log has a name for readers and a secret one for its writer", async () => {
  const { name, writeResourceName } = await create();
  assert.match(name, /^team\/x\/logstreams\/[0-9a-f]{32}$/);
  assert.match(writeResourceName.slice(name.length), /^\/[0-9a-f]{32}$/);
  assert.notEqual((await create()).name, name);
  for (const parent of ["a/blobs", "a/logstreams/b", "../x"]) {
    assert.equal(codeOf(await channel.unary(METHODS.createLog, { parent })), StatusCode.invalidArgument, parent);
  }
});

test("§2.8: a reader gets what is there, then what comes, until the log is final", async () => {
  const { name, writeResourceName } = await create();
  const writer = channel.call(METHODS.write);
  await writer.send({ resourceName: writeResourceName, data: Buffer.from("one ") });
  const reader = channel.read(METHODS.read, { resourceName: name });
  const texts: string[] = [];
  const done = (async () => {
    for await (const { data } of reader.messages) texts.push(String(data));
  })();
  while (texts.join("") !== "one ") await settled();
  await writer.send({ data: Buffer.from("two "), writeOffset: 4 });
  while (texts.join("") !== "one two ") await settled();
  const status = answered(await channel.unary(METHODS.writeStatus, { resourceName: writeResourceName }));
  assert.deepEqual(status, { committedSize: 8, complete: false });
  await writer.send({ data: Buffer.from("end"), writeOffset: 8, finishWrite: true });
  assert.equal(answered(await writer.answer()).committedSize, 11);
  await done;
  assert.equal(texts.join(""), "one two end");
  assert.equal((await reader.status).code, 0);
  const late = await readAll(server, { resourceName: name, readOffset: 4, readLimit: 5 });
  assert.deepEqual([late.code, String(late.bytes)], [0, "two e"]);
  assert.equal((await readAll(server, { resourceName: name, readOffset: 12 })).code, StatusCode.outOfRange);
  assert.equal((await readAll(server, { resourceName: name, readOffset: 11 })).code, 0);
});

// Goal: a piece costs its bytes. Method: one writer of single bytes, held against a copy; pieces of odd sizes around the
// ends of chunks; what a reader was given does not change when more comes.
test("a log of single bytes is held as a few large pieces, and read from any offset", () => {
  const log = new LogStream({ kind: "log-stream", parent: "", id: "0", token: "1" }, { hold: () => true, dueMs: 0 });
  const bytes = noise(200_000);
  for (let at = 0; at < 66_000; at++) assert.ok(log.append(bytes.subarray(at, at + 1)));
  const early = [...log.slice(65_000, 66_000)];
  for (let at = 66_000, length = 1; at < bytes.length; at += length, length = (length * 7) % 70_001) {
    assert.ok(log.append(bytes.subarray(at, at + length)));
  }
  const pieces = [...log.slice(0, Number.POSITIVE_INFINITY)];
  assert.ok(pieces.length <= 4, `${pieces.length} pieces`);
  assert.deepEqual(Buffer.concat(pieces), Buffer.from(bytes));
  assert.deepEqual(Buffer.concat(early), Buffer.from(bytes.subarray(65_000, 66_000)));
  for (const [from, to] of [
    [0, 1],
    [65_535, 65_537],
    [131_072, 131_072],
    [131_071, 200_000],
    [199_999, 300_000],
  ]) {
    assert.deepEqual(Buffer.concat([...log.slice(from!, to!)]), Buffer.from(bytes.subarray(from, to)));
  }
});

test("§2.8: a reader of a limit ends when it has it, and one that leaves is forgotten", async () => {
  const { name, writeResourceName } = await create();
  answered(await writeAll(server, noise(1000), { resourceName: writeResourceName, finish: false }));
  const limited = await readAll(server, { resourceName: name, readOffset: 10, readLimit: 20 });
  assert.deepEqual([limited.code, limited.bytes], [0, noise(1000).subarray(10, 30)]);
  const leaver = channel.read(METHODS.read, { resourceName: name, readOffset: 1000 });
  await settled();
  leaver.cancel();
  assert.equal((await leaver.status).code, StatusCode.cancelled);
  const more = await writeAll(server, noise(10), { resourceName: writeResourceName, offset: 1000 });
  assert.equal(answered(more).committedSize, 1010);
});

test("§2.8: append only, at the committed offset, with the token, while it is not final, and not too much", async () => {
  const { name, writeResourceName } = await create();
  const write = async (offset: number, resourceName = writeResourceName, bytes: Uint8Array = Buffer.from("abc")) =>
    codeOf(await writeAll(server, bytes, { resourceName, offset, finish: false, pieceBytes: 4 << 20 }));
  assert.equal(await write(0), 0);
  assert.equal(await write(0), StatusCode.invalidArgument);
  assert.equal(await write(4), StatusCode.invalidArgument);
  // A token that is not the log's is answered as a log that does not exist.
  assert.equal(await write(3, `${name}/${"0".repeat(32)}`), StatusCode.notFound);
  assert.equal(await write(3, name), StatusCode.invalidArgument);
  assert.equal((await readAll(server, { resourceName: writeResourceName })).code, StatusCode.invalidArgument);
  assert.equal((await readAll(server, { resourceName: "x/logstreams/unknown" })).code, StatusCode.notFound);
  assert.equal(await write(3, writeResourceName, noise(1 << 20)), StatusCode.resourceExhausted);
  answered(await writeAll(server, Buffer.alloc(0), { resourceName: writeResourceName, offset: 3 }));
  assert.equal(await write(3), StatusCode.failedPrecondition);
  assert.equal(String((await readAll(server, { resourceName: name })).bytes), "abc");
});

test("logs are bounded in number and time, and end with the server", async () => {
  const clock = virtualClock();
  const logs = new LogStreams({
    clock,
    random: seededRandom(1),
    logMaxBytes: 100,
    totalMaxBytes: 150,
    keptMs: 1000,
    logsMax: 2,
  });
  const first = logs.create("");
  clock.advance(600);
  const second = logs.create("");
  assert.throws(() => logs.create(""), { name: "StatusError" });
  assert.deepEqual(
    [100, 51, 50].map((bytes, index) => (index === 0 ? first : second).append(noise(bytes))),
    [true, false, true],
  );
  assert.equal(first.append(noise(1)), false);
  const nameOf = (name: string) => ({ kind: "log-stream", parent: "", id: name.split("/")[1]!, token: "" }) as const;
  clock.advance(400);
  assert.equal(logs.find(nameOf(first.name)), undefined);
  assert.equal(first.isFinal, true);
  assert.equal(logs.find(nameOf(second.name)), second);
  assert.equal(second.append(noise(50)), true);
  logs.close();
  assert.deepEqual([second.isFinal, second.append(Buffer.from("x")), clock.pendingTimers], [true, false, 0]);
});

test("finished logs make room, so that every action of a long build has its own", () => {
  const clock = virtualClock();
  const logs = new LogStreams({
    clock,
    random: seededRandom(1),
    logMaxBytes: 100,
    totalMaxBytes: 300,
    keptMs: 1000,
    logsMax: 4,
  });
  for (let action = 0; action < 401; action++) {
    const both = [logs.create(""), logs.create("")];
    for (const log of both) {
      logs.keep(log);
      assert.ok(log.append(noise(100)), `action ${action}`);
    }
    for (const log of both) logs.retire(log);
  }
  logs.close();
  assert.equal(clock.pendingTimers, 0);
});

test("a log that is kept outlives silence; a retired one goes soon, and its reader still gets the rest", () => {
  const clock = virtualClock();
  const logs = new LogStreams({
    clock,
    random: seededRandom(1),
    logMaxBytes: 100,
    keptMs: 1000,
    retiredKeptMs: 50,
    logsMax: 4,
  });
  const log = logs.create("");
  logs.keep(log);
  const find = () => logs.find({ kind: "log-stream", parent: "", id: log.name.split("/")[1]!, token: "" });
  clock.advance(5000);
  assert.ok(log.append(noise(10)));
  assert.equal(find(), log);
  logs.retire(log);
  clock.advance(100);
  assert.equal(find(), undefined);
  assert.equal(Buffer.concat([...log.slice(0, 10)]).length, 10);
  assert.equal(clock.pendingTimers, 0);
});
