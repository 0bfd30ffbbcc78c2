/** Frames, statuses, deadlines and metadata as bytes: what goes in comes out, and rubbish harms nobody. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { afterAll, test } from "vitest";
import { HTTP2_PREFACE } from "../../port/peek.ts";
import { parseTarget, targetText } from "../client/target.ts";
import { CHAT, COUNT, ECHO, SUM, startServer } from "../echo.fixture.ts";
import { serve } from "../index.ts";
import { frame, rawCall, rawSession, rawStream, until } from "../raw-client.fixture.ts";
import { formatTimeout, parseTimeout, TIMEOUT_MAX_MS } from "./deadline.ts";
import type { FramingFault } from "./frame-reader.ts";
import { FrameReader } from "./frame-reader.ts";
import { addMetadata, Metadata } from "./metadata.ts";
import {
  percentDecode,
  percentEncode,
  type StatusCode,
  statusHeaders,
  statusOf,
  statusOfHttp,
  statusOfReset,
} from "./status.ts";

const SEED = 20_261_120;
const SCALE = testScale(process.env.KAHN_TEST_SCALE);
const MESSAGE_MAX_BYTES = 4096;

// nghttp2 leaves some connections whose bytes are no HTTP/2 open; the pings end them.
const keepalive = { intervalMs: 200, timeoutMs: 2000 };
const server = await startServer({ limits: { messageMaxBytes: MESSAGE_MAX_BYTES } }, { keepalive });

afterAll(() => server.close());

/** Cuts bytes at some places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length));
}

// Goal: memory that is given back is never that of a message which somebody still holds, nor a chunk's. Method: messages
// cut anywhere; of those that came some are given back, once or twice, and the others must stay as they were.
test("messages that are not given back keep their bytes, whatever comes after them", () => {
  const message = fc.record({ bytes: fc.uint8Array({ maxLength: 300 }), isGivenBack: fc.boolean() });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 40 }), (messages, places) => {
      const held: { readonly got: Buffer; readonly expected: Uint8Array }[] = [];
      let count = 0;
      const reader = new FrameReader(MESSAGE_MAX_BYTES, (got) => {
        const { bytes, isGivenBack } = messages[count++]!;
        assert.ok(got.equals(bytes));
        if (!isGivenBack) held.push({ got, expected: bytes });
        else for (let times = 0; times < 2; times++) reader.giveBack(got);
      });
      for (const chunk of cut(Buffer.concat(messages.map(({ bytes }) => frame(Buffer.from(bytes)))), places)) {
        assert.equal(reader.push(Buffer.from(chunk)), undefined);
      }
      assert.equal(count, messages.length);
      for (const { got, expected } of held) assert.ok(got.equals(expected));
    }),
    { seed: SEED, numRuns: 200 * SCALE },
  );
});

// The same of memory that is lent. Method: what comes back is spoilt and lent again at once.
test("large messages are put together in memory that is lent, and all of it comes back, once", () => {
  const lent = new Set<Buffer>();
  const free: Buffer[] = [];
  const lender = {
    lend: (sizeBytes: number) => {
      const at = free.findIndex(({ length }) => length === sizeBytes);
      const memory = at < 0 ? Buffer.from(new SharedArrayBuffer(sizeBytes)) : free.splice(at, 1)[0]!;
      lent.add(memory);
      return memory;
    },
    takeBack: (memory: Buffer) => {
      assert.ok(lent.delete(memory));
      free.push(memory.fill("spoilt"));
    },
  };
  const message = fc.record({
    sizeBytes: fc.nat(600_000),
    fate: fc.constantFrom("held", "given back", "given back later"),
  });
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 6 }),
      fc.integer({ min: 5, max: 300_000 }),
      fc.nat(),
      (messages, step, end) => {
        const held: { readonly got: Buffer; readonly number: number }[] = [];
        const later: Buffer[] = [];
        let count = 0;
        const reader = new FrameReader(
          1 << 20,
          (got) => {
            const number = ++count;
            const { fate, sizeBytes } = messages[number - 1]!;
            assert.ok(got.equals(Buffer.alloc(sizeBytes, number)));
            for (const each of later.splice(0)) reader.giveBack(each);
            if (fate === "held") held.push({ got, number });
            else if (fate === "given back later") later.push(got);
            else for (let times = 0; times < 2; times++) reader.giveBack(got.subarray(Math.min(10, sizeBytes)));
          },
          lender,
        );
        const bytes = Buffer.concat(messages.map(({ sizeBytes }, index) => frame(Buffer.alloc(sizeBytes, index + 1))));
        const cutAt = bytes.length - (end % 1000);
        for (let at = 0; at < cutAt; at += step)
          reader.push(Buffer.from(bytes.subarray(at, Math.min(cutAt, at + step))));
        for (const { got, number } of held) assert.ok(got.equals(Buffer.alloc(got.length, number)));
        reader.letGo();
        assert.equal(lent.size, 0);
        for (const { got } of held) reader.giveBack(got);
      },
    ),
    { seed: SEED, numRuns: 30 * SCALE },
  );
});

test("nothing at the end of a message is not taken for the message that lies behind it", () => {
  const block = new SharedArrayBuffer(400_000);
  const messages: Buffer[] = [];
  const back: Buffer[] = [];
  const lender = {
    lend: (sizeBytes: number) => Buffer.from(block, messages.length * 200_000, sizeBytes),
    takeBack: (memory: Buffer) => void back.push(memory),
  };
  const reader = new FrameReader(1 << 20, (message) => messages.push(message), lender);
  const bytes = frame(Buffer.alloc(200_000, 1));
  for (let times = 0; times < 2; times++) {
    reader.push(bytes.subarray(0, 100_000));
    reader.push(bytes.subarray(100_000));
  }
  reader.giveBack(messages[0]!.subarray(200_000));
  assert.equal(back.length, 0);
  reader.giveBack(messages[0]!.subarray(199_999));
  assert.deepEqual(
    back.map(({ byteOffset }) => byteOffset),
    [0],
  );
});

// Goal: no other call gets memory that a handler still works on. Method: a call that is over for its peer while its
// handler holds a message.
test("a message that was lent goes back when its handler is over, not when its call is", async () => {
  const lent: Buffer[] = [];
  const back: Buffer[] = [];
  const memory = {
    lend: (sizeBytes: number) => {
      lent.push(Buffer.from(new SharedArrayBuffer(sizeBytes)));
      return lent.at(-1);
    },
    takeBack: (memory: Buffer) => void back.push(memory),
  };
  let finish: () => void = () => {};
  const holding = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let isHeld = false;
  const hold = serve(SUM, async (requests) => {
    await requests.ready();
    requests.poll();
    isHeld = true;
    await holding;
    return Buffer.alloc(0);
  });
  const holder = await startServer({ services: [hold], memory });
  const session = await rawSession(holder);
  const stream = rawStream(session, SUM.path);
  const message = frame(Buffer.alloc(300_000));
  // One to be held, one that waits unread, one that is not whole.
  stream.write(Buffer.concat([message, message, message.subarray(0, 200_000)]));
  await until(() => isHeld && lent.length === 3);
  stream.close(8);
  await until(() => holder.grpc.counts().calls === 0);
  assert.equal(back.length, 0);
  finish();
  await until(() => back.length === 3);
  assert.deepEqual(new Set(back), new Set(lent));
  session.destroy();
  await holder.close();
});

/** What a reader makes of chunks. */
function readAll(chunks: readonly Buffer[], messageMaxBytes: number) {
  const messages: Buffer[] = [];
  const reader = new FrameReader(messageMaxBytes, (message) => messages.push(Buffer.from(message)));
  let fault: FramingFault | undefined;
  for (const chunk of chunks) {
    fault = reader.push(chunk);
    if (fault !== undefined) break;
  }
  return { messages, fault, isInsideMessage: reader.isInsideMessage, heldBytes: reader.heldBytes };
}

test("messages arrive whole and in order however their frames are cut", () => {
  const property = fc.property(
    fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }),
    fc.array(fc.nat(), { maxLength: 30 }),
    (sent, places) => {
      const { messages, fault, isInsideMessage, heldBytes } = readAll(
        cut(Buffer.concat(sent.map((each) => frame(each))), places),
        300,
      );
      assert.deepEqual([fault, isInsideMessage, heldBytes], [undefined, false, 0]);
      assert.deepEqual(
        messages,
        sent.map((each) => Buffer.from(each)),
      );
    },
  );
  fc.assert(property, { seed: SEED, numRuns: 1000 * SCALE });
});

test("a long message in small chunks takes memory for what has come, not for what it claims", () => {
  const whole = frame(Buffer.alloc(5 << 20, "m"));
  const messages: Buffer[] = [];
  const reader = new FrameReader(16 << 20, (message) => messages.push(message));
  for (let at = 0; at < whole.length; at += 1000) reader.push(whole.subarray(at, at + 1000));
  assert.ok(messages[0]!.equals(whole.subarray(5)));
  const claims = Array.from({ length: 2000 }, () => new FrameReader(16 << 20, () => {}));
  const before = process.memoryUsage.rss();
  for (const claim of claims) claim.push(Buffer.from([0, 1, 0, 0, 0, 1]));
  assert.ok(process.memoryUsage.rss() - before < 200 << 20, "2,000 claims of 16 MiB each took real memory");
});

test("any bytes are messages or a fault, and never more messages than bytes allow", () => {
  const rubbish = fc.oneof(fc.uint8Array({ maxLength: 64 }), framesWithFaults(0, 20));
  const property = fc.property(rubbish, fc.array(fc.nat(), { maxLength: 8 }), (bytes, places) => {
    const whole = readAll([Buffer.from(bytes)], MESSAGE_MAX_BYTES);
    const pieces = readAll(cut(Buffer.from(bytes), places), MESSAGE_MAX_BYTES);
    assert.deepEqual(pieces, whole);
    const taken = whole.messages.reduce((sum, message) => sum + message.length + 5, 0);
    assert.ok(taken + whole.heldBytes <= bytes.length);
  });
  fc.assert(property, { seed: SEED, numRuns: 1000 * SCALE });
});

/** Frames of which each may have a wrong flag, a wrong length, or be cut. */
function framesWithFaults(minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> {
  const one = fc.record({
    message: fc.uint8Array({ maxLength: 40 }),
    flag: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(255)),
    claim: fc.option(fc.nat(0xffff_ffff), { freq: 9 }),
  });
  return fc.array(one, { minLength, maxLength, size: "max" }).map((frames) =>
    Buffer.concat(
      frames.map(({ message, flag, claim }) => {
        const bytes = frame(message, flag);
        if (claim !== null) bytes.writeUInt32BE(claim, 1);
        return bytes;
      }),
    ),
  );
}

// Goal: no bytes of a peer harm more than their call. Method: calls of random frames, valid and not, over connections
// that other calls use; at full scale about a million frames. Each must get a status, and nothing may stay behind.
test("malformed frames end their own call alone, with a status, and leave nothing behind", {
  timeout: 600_000,
}, async () => {
  const session = await rawSession(server);
  const path = fc.constantFrom(ECHO.path, SUM.path, CHAT.path, COUNT.path.replace("Count", "First"));
  const headers = fc.constantFrom<Record<string, string>>(
    {},
    {},
    { "grpc-encoding": "gzip" },
    { "grpc-timeout": "9S" },
  );
  const call = fc.record({
    path,
    headers,
    body: framesWithFaults(30, 100),
    places: fc.array(fc.nat(), { maxLength: 4 }),
  });
  let calls = 0;
  const property = fc.asyncProperty(fc.array(call, { minLength: 10, maxLength: 30 }), async (batch) => {
    const answers = await Promise.all(
      batch.map((each) => rawCall(session, each.path, cut(Buffer.from(each.body), each.places), each.headers)),
    );
    calls += batch.length;
    for (const answer of answers) assert.match(answer.status ?? `reset ${answer.rstCode}`, /^(0|8|12|13)$/);
    const good = await rawCall(session, ECHO.path, [frame("good")]);
    assert.deepEqual(good.body, frame("good"));
  });
  await fc.assert(property, { seed: SEED, numRuns: 100 * SCALE });
  await until(() => server.grpc.counts().calls === 0);
  assert.deepEqual(server.grpc.counts(), { calls: 0, heldBytes: 0 });
  assert.deepEqual(server.faults, []);
  assert.ok(calls >= 1000);
  session.destroy();
});

test("bytes that are no HTTP/2 close their own connection alone", { timeout: 600_000 }, async () => {
  const good = await rawSession(server);
  const http2Frame = fc
    .record({ type: fc.nat(12), flags: fc.nat(255), stream: fc.nat(5), payload: fc.uint8Array({ maxLength: 60 }) })
    .map(({ type, flags, stream, payload }) => {
      const head = Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]);
      return Buffer.concat([head, payload]);
    });
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const frames = fc
    .array(http2Frame, { maxLength: 20 })
    .map((each) => Buffer.concat([HTTP2_PREFACE, settings, ...each]));
  const rubbish = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 200 }), frames);
  const [host, port] = server.target.split(":");
  const speak = async (bytes: Uint8Array) => {
    const socket = connect({ host: host!, port: Number(port) });
    socket.on("error", () => {});
    socket.resume();
    socket.end(bytes);
    await new Promise((resolve) => socket.on("close", resolve));
  };
  for (let round = 0; round < SCALE; round++) {
    await Promise.all(fc.sample(rubbish, { seed: SEED + round, numRuns: 300 }).map(speak));
  }
  assert.equal((await rawCall(good, ECHO.path, [frame("alive")])).status, "0");
  await until(() => server.port.counts().connections === 1);
  assert.deepEqual(server.port.counts(), { connections: 1, sessions: 1, streams: 0, requests: 0 });
  good.destroy();
});

test("a status survives its headers", () => {
  const property = fc.property(
    fc.nat(16),
    fc.string({ unit: "grapheme", maxLength: 100 }),
    fc.option(fc.uint8Array({ maxLength: 100 }), { nil: undefined }),
    (code, message, details) => {
      const status = { code: code as StatusCode, message };
      const sent = details === undefined ? status : { ...status, details };
      const received = statusOf(statusHeaders(sent) as Record<string, string>);
      assert.equal(received?.code, code);
      assert.equal(received.message, Buffer.from(message).toString());
      assert.deepEqual(received.details && new Uint8Array(received.details), details);
    },
  );
  fc.assert(property, { seed: SEED, numRuns: 500 * SCALE });
});

test("a message beyond clients' header limits is cut between characters; broken escapes do no harm", () => {
  const encoded = percentEncode("ü".repeat(5000));
  assert.ok(encoded.length <= 2048 && encoded.endsWith("%C3%BC"));
  assert.equal(percentDecode("100% %4 %zz %41 %FF"), "100% %4 %zz A \ufffd");
  const long = statusHeaders({ code: 9, message: "x", details: new Uint8Array(10_000) });
  assert.equal(long["grpc-status-details-bin"], undefined);
});

test("HTTP answers and resets have the statuses that gRPC gives them", () => {
  assert.deepEqual(
    [400, 401, 403, 404, 429, 502, 200].map((http) => statusOfHttp(http).code),
    [13, 16, 7, 12, 14, 14, 2],
  );
  assert.deepEqual(
    [1, 7, 8, 11, 12].map((rst) => statusOfReset(rst).code),
    [13, 14, 1, 8, 7],
  );
  assert.equal(statusOfReset(7).unprocessed, true);
});

test("a timeout is read in every unit and written so that it is read as no less", () => {
  const of = (text: string) => {
    const parsed = parseTimeout(text);
    return parsed.kind === "within" ? parsed.timeoutMs : parsed.kind;
  };
  assert.deepEqual(["1H", "2M", "3S", "4m", "5u", "6n", "0n"].map(of), [3_600_000, 120_000, 3000, 4, 1, 1, 0]);
  assert.deepEqual(["", "1", "S", "-1S", "1s", "123456789S", "1 S"].map(of), Array(7).fill("malformed"));
  assert.equal(of("99999999H"), "none");
  assert.equal(parseTimeout(undefined).kind, "none");
  const property = fc.property(fc.double({ min: 0, max: TIMEOUT_MAX_MS - 1e4, noNaN: true }), (timeoutMs) => {
    const read = of(formatTimeout(timeoutMs));
    assert.ok(typeof read === "number" && read >= timeoutMs && read <= timeoutMs + 1001);
  });
  fc.assert(property, { seed: SEED, numRuns: 500 * SCALE });
});

test("metadata: repeated binary values with and without padding are read, reserved names are not sent", () => {
  const metadata = new Metadata({ "a-bin": "AP8=, AQ", "x-plain": "p", "grpc-timeout": "1S", ":path": "/p" });
  assert.deepEqual(metadata.bytes("a-bin"), [new Uint8Array([0, 255]), new Uint8Array([1])]);
  assert.deepEqual(metadata.bytes("absent-bin"), []);
  assert.deepEqual(metadata.names(), ["a-bin", "x-plain"]);
  const headers = {};
  addMetadata(headers, { "b-bin": [new Uint8Array([1]), new Uint8Array([2])], plain: "text" });
  assert.deepEqual(headers, { "b-bin": ["AQ", "Ag"], plain: "text" });
  for (const bad of [{ ":path": "x" }, { "grpc-status": "0" }, { Upper: "x" }, { te: "x" }, { "x-bin": "text" }]) {
    assert.throws(() => addMetadata({}, bad), { name: "InvariantError" });
  }
  assert.throws(() => addMetadata({}, { plain: new Uint8Array(1) }), { name: "InvariantError" });
});

test("addresses are read as people write them, and refused without repeating a password", () => {
  const read = (text: string) => {
    const target = parseTarget(text);
    return target.ok ? targetText(target.value) : target.problem.code;
  };
  assert.equal(read("grpc://127.0.0.1:9092"), "grpc://127.0.0.1:9092");
  assert.equal(read("grpcs://cache.example"), "grpcs://cache.example:443");
  assert.equal(read("http://[::1]:80/"), "grpc://[::1]:80");
  assert.equal(read("unix:/run/kahn.sock"), "unix:/run/kahn.sock");
  assert.equal(read("unix:///run/kahn.sock"), "unix:/run/kahn.sock");
  for (const bad of [
    "",
    "cache:9092",
    "ftp://x",
    "grpc://",
    "grpc://h:0",
    "grpc://h:99999",
    "grpc://h/path",
    "unix:",
  ]) {
    assert.equal(read(bad), "remote-address-malformed");
  }
  const secret = parseTarget("grpc://user:hunter2@host:1");
  assert.ok(!secret.ok && !secret.problem.message.includes("hunter2"));
});
