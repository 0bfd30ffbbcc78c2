/** Metrics, traces and the access log: what they say, that others can read it, and what they never say. */
import assert from "node:assert/strict";
import { digestOf } from "@kahn/core";
import { nodeClock } from "@kahn/system";
import { seededRandom, settled, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { test } from "vitest";
import { newToken } from "../access/token.ts";
import { methodOf } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import { ActionCacheMethods, RequestMetadata } from "../proto/generated/remote-execution.ts";
import { testServer } from "../server.fixture.ts";
import { AccessLog } from "./access-log.ts";
import { Metrics } from "./metrics.ts";
import { parseMetrics } from "./prometheus-reader.fixture.ts";
import { parseTraceparent, Tracer } from "./traces.ts";

test("metrics are read by a strict reader, whatever labels and values are", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 })), { minLength: 1 }),
      (pairs) => {
        const metrics = new Metrics();
        const sums = new Map<string, number>();
        for (const [label, value] of pairs) {
          metrics.counter("a_total", "A\nhelp \\ text.", { label }).add(value);
          metrics.histogram("b_seconds", "B.", { label }).observe(value);
          sums.set(label, (sums.get(label) ?? 0) + value);
        }
        const { samples } = parseMetrics(metrics.text());
        for (const [label, sum] of sums) {
          const of = (name: string, le?: string) =>
            samples.find((it) => it.name === name && it.labels.label === label && it.labels.le === le)?.value;
          const values = pairs.filter(([each]) => each === label).map(([, value]) => value);
          assert.equal(of("a_total"), sum);
          assert.equal(of("b_seconds_bucket", "+Inf"), values.length);
          assert.equal(of("b_seconds_bucket", "0.5"), values.filter((value) => value <= 0.5).length);
          assert.equal(of("b_seconds_count"), values.length);
        }
      },
    ),
  );
});

test("each call has a count, a latency, and bytes; strangers cannot make series", async () => {
  const it = await testServer();
  try {
    const channel = it.channel();
    const get = methodOf("unary", ActionCacheMethods.getActionResult);
    const request = { actionDigest: digestMessage(digestOf(Buffer.from("x"))) };
    for (let count = 0; count < 3; count++) await channel.unary(get, request);
    await channel.unary({ ...get, path: "/no.Such/Method" }, request);
    for (const path of ["/nothing/here", "/or/there", "/cas/123"]) await (await fetch(`${it.url}${path}`)).text();
    const { samples, types } = parseMetrics(await (await fetch(`${it.url}/metrics`)).text());
    const call = "/build.bazel.remote.execution.v2.ActionCache/GetActionResult";
    const of = (name: string, more: object = {}) =>
      samples.find(
        (each) => each.name === name && Object.entries({ call, ...more }).every(([k, v]) => each.labels[k] === v),
      )?.value;
    assert.equal(of("kahn_calls_total", { code: "notFound" }), 3);
    assert.equal(of("kahn_call_duration_seconds_count"), 3);
    assert.ok(of("kahn_call_received_bytes_total")! > 3 * 64);
    assert.equal(of("kahn_call_sent_bytes_total"), 0);
    for (const gauge of ["kahn_store_used_bytes", "kahn_store_blobs", "kahn_connections", "kahn_ready"]) {
      assert.equal(types.get(gauge), "gauge");
    }
    const calls = new Set(samples.flatMap(({ labels }) => labels.call ?? []));
    assert.ok(![...calls].some((each) => each.includes("nothing") || each.includes("no.Such")), [...calls].join());
    assert.ok(calls.has("GET unknown"));
  } finally {
    await it.close();
  }
});

test("a call's line says who, what, and how it went, and never a credential", async () => {
  const { token, hash } = newToken(seededRandom(9));
  const lines: string[] = [];
  const it = await testServer({
    config: `access: { tokens: [{ name: ci, hash: "${hash}" }] }\ntelemetry: { accessLog: "-" }\n`,
    ports: { print: (text) => void lines.push(...text.trimEnd().split("\n")) },
  });
  const channel = it.channel();
  const metadata = RequestMetadata.encode({
    ...{ toolDetails: { toolName: "bazel", toolVersion: "8" }, toolInvocationId: "inv-1" },
    ...{ actionId: "act", actionMnemonic: "Javac", targetId: "//a:b" },
  });
  const get = methodOf("unary", ActionCacheMethods.getActionResult);
  const request = { actionDigest: digestMessage(digestOf(Buffer.from("x"))) };
  const header = { "build.bazel.remote.execution.v2.requestmetadata-bin": metadata };
  await channel.unary(get, request, { metadata: { ...header, authorization: `Bearer ${token}` } });
  await channel.unary(get, request, { metadata: { authorization: `Bearer ${token}x` } });
  const headers = { authorization: `Bearer ${token}` };
  await (await fetch(`${it.url}/v1/cache/12?token=${token}`, { headers })).text();
  await it.close();
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const [good, bad, http] = records;
  assert.equal(records.length, 3);
  assert.match(String(good!.at), /^\d{4}-.*Z$/);
  const { call, subject, code, tool, invocation, action, mnemonic, target } = good!;
  assert.deepEqual(
    { call, subject, code, tool, invocation, action, mnemonic, target },
    {
      ...{ call: get.path, subject: "token:ci", code: 5, tool: "bazel 8", invocation: "inv-1" },
      ...{ action: "act", mnemonic: "Javac", target: "//a:b" },
    },
  );
  assert.deepEqual([bad!.code, bad!.subject, bad!.message], [16, undefined, "the token is not known here"]);
  assert.deepEqual([http!.call, http!.code, http!.subject], ["GET /v1/cache/12", 404, "token:ci"]);
  assert.ok(!lines.join().includes(token) && !JSON.stringify(it.reported).includes(token));
});

// Goal: who reads the log of a failed build knows why, over HTTP as over gRPC. A plain miss says it by its code.
test("a refusal over HTTP says why: no credential, no right, a wrong hash, a quota, a protocol that is off, trouble", async () => {
  const { token, hash } = newToken(seededRandom(9));
  const lines: string[] = [];
  const it = await testServer({
    config: `
access:
  tokens: [{ name: ci, hash: "${hash}" }]
  rules: [{ who: ["token:ci"], instances: [""], allow: [write] }]
  quotas: [{ bytesPerDay: 3 }]
http: { nx: false }
telemetry: { accessLog: "-" }
`,
    ports: { print: (text) => void lines.push(...text.trimEnd().split("\n")) },
  });
  const name = "a".repeat(64);
  const ask = async (path: string, { method = "GET", as = token } = {}) => {
    const body = method === "PUT" ? { body: "four" } : {};
    await (await fetch(`${it.url}${path}`, { method, headers: { authorization: `Bearer ${as}` }, ...body })).text();
  };
  await ask(`/ac/${name}`);
  await ask(`/ac/${name}`, { as: "other" });
  await ask(`/x/ac/${name}`);
  await ask(`/cas/${name}`, { method: "PUT" });
  await ask(`/cas/${name}`, { method: "PUT" });
  await ask("/v1/cache/1");
  await ask("/metrics");
  await ask(`/cas/${name.slice(32)}`);
  await it.close();
  const told = lines.map((line) => JSON.parse(line) as { code: number; reason?: string; message?: string });
  assert.deepEqual(
    told.map(({ code, reason, message }) => [code, reason, message?.replace(/[0-9a-f]{64}/g, "HASH")]),
    [
      [404, undefined, undefined],
      [401, "unauthenticated", "the token is not known here"],
      [403, "forbidden", "token:ci has no right ac.read on instance x"],
      [400, "malformed", told[3]!.message?.replace(/[0-9a-f]{64}/g, "HASH")],
      [429, "quota", "token:ci has sent its 3 bytes of today"],
      [404, "missing", "this protocol is switched off"],
      [403, "forbidden", "token:ci has no right admin on the empty instance"],
      [400, "malformed", "MD5 is no name for content: use --digest_function=SHA256 or BLAKE3"],
    ],
  );
  assert.ok(told[3]!.message !== undefined);
});

test("lines are gathered, and written at the latest when asked", () => {
  const clock = virtualClock();
  const written: string[] = [];
  const log = new AccessLog((lines) => void written.push(lines), clock);
  const record = {
    protocol: "http",
    call: "GET /",
    peer: "",
    subject: "a",
    code: 200,
    receivedBytes: 0,
    sentBytes: 1,
    ms: 0.12345,
  } as const;
  log.write(record);
  log.write({ ...record, message: "x".repeat(10_000) });
  assert.equal(written.length, 0);
  clock.advance(200);
  assert.equal(written.length, 1);
  const [first, second] = written[0]!
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([first!.ms, (second!.message as string).length], [0.123, 500]);
  log.write(record);
  log.flush();
  assert.equal(written.length, 2);
  assert.equal(clock.advanceToNext(), false);
});

test("a caller's trace goes on; the span says what the call was and how it ended", async () => {
  const sent: { url: string; body: string }[] = [];
  const it = await testServer({
    config: "telemetry: { traces: 'http://collector/v1/traces', traceRatio: 0 }",
    ports: {
      clock: nodeClock(),
      post: async (url, body) => {
        sent.push({ url, body });
        return 200;
      },
    },
  });
  const channel = it.channel();
  const get = methodOf("unary", ActionCacheMethods.getActionResult);
  const request = { actionDigest: digestMessage(digestOf(Buffer.from("x"))) };
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
  await channel.unary(get, request, { metadata: { traceparent } });
  await channel.unary(get, request, { metadata: { traceparent: traceparent.replace(/01$/, "00") } });
  await channel.unary(get, request);
  await (await fetch(`${it.url}/v1/cache/12`, { headers: { traceparent } })).text();
  await it.close();
  assert.deepEqual([sent.length, sent[0]?.url], [1, "http://collector/v1/traces"]);
  const { resourceSpans } = JSON.parse(sent[0]!.body) as {
    resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[];
  };
  const { spans } = resourceSpans[0]!.scopeSpans[0]!;
  assert.equal(spans.length, 2);
  const [grpc, http] = spans;
  assert.deepEqual(
    [grpc!.traceId, grpc!.parentSpanId, grpc!.name, grpc!.kind],
    [traceId, "b7ad6b7169203331", get.path.slice(1), 2],
  );
  assert.match(String(grpc!.spanId), /^[0-9a-f]{16}$/);
  assert.equal((grpc!.status as { code: number }).code, 2);
  assert.ok(BigInt(String(grpc!.endTimeUnixNano)) >= BigInt(String(grpc!.startTimeUnixNano)));
  assert.deepEqual([http!.name, http!.traceId, http!.status], ["GET nx", traceId, {}]);
});

test("a collector that is away costs its spans, not memory and not the calls", async () => {
  const clock = virtualClock();
  let posts = 0;
  const post = async (): Promise<number> => {
    posts++;
    throw new Error("away");
  };
  const tracer = new Tracer({ url: "x", ratio: 1, version: "1", clock, random: seededRandom(1), post });
  const one = () => tracer.end(tracer.begin("a", undefined)!, { durationMs: 1, attributes: {} });
  for (let count = 0; count < 5000; count++) one();
  assert.equal(tracer.dropped, 5000 - 4096);
  clock.advance(2000);
  await settled();
  await tracer.flush();
  assert.deepEqual([tracer.dropped, posts], [5000, 8]);
});

test("a collector that takes and never answers holds up nothing, not the end of the server either", async () => {
  const clock = virtualClock();
  const signals: AbortSignal[] = [];
  const post = (_url: string, _body: string, signal: AbortSignal): Promise<number> => {
    signals.push(signal);
    return new Promise(() => {});
  };
  const tracer = new Tracer({ url: "x", ratio: 1, version: "1", clock, random: seededRandom(1), post });
  const one = () => tracer.end(tracer.begin("a", undefined)!, { durationMs: 1, attributes: {} });
  one();
  const flushed = tracer.flush();
  clock.advance(10_000);
  await flushed;
  assert.deepEqual([tracer.dropped, signals.length, signals[0]?.aborted], [1, 1, true]);
  for (let count = 0; count < 4000; count++) one();
  const closed = tracer.close(1000);
  clock.advance(1000);
  await closed;
  assert.deepEqual([tracer.dropped, signals.length, clock.advanceToNext()], [4001, 2, false]);
});

test("a trace's header is read as the standard says", () => {
  const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  assert.ok(parseTraceparent(good)?.isSampled);
  assert.ok(parseTraceparent(`${good.replace(/^00/, "cc")}-what-comes`)?.isSampled);
  for (const bad of [
    ...["", "00", `${good}-x`, good.toUpperCase(), good.replace(/^00/, "ff"), good.slice(0, -1)],
    ...[`00-${"0".repeat(32)}-b7ad6b7169203331-01`, `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`],
  ]) {
    assert.equal(parseTraceparent(bad), undefined, bad);
  }
});
