/** A whole server: probes, pages, drain, and what it refuses to start with. */
import assert from "node:assert/strict";
import { digestOf } from "@kahn/core";
import { test } from "vitest";
import { methodOf } from "./grpc/index.ts";
import { HealthCheckResponseServingStatus as Health, HealthMethods } from "./proto/generated/health.ts";
import { CapabilitiesMethods } from "./proto/generated/remote-execution.ts";
import { testServer } from "./server.fixture.ts";

const CAPABILITIES = methodOf("unary", CapabilitiesMethods.getCapabilities);
const CHECK = methodOf("unary", HealthMethods.check);

test("one port answers gRPC, caches over HTTP, probes and metrics", async () => {
  const it = await testServer();
  try {
    const channel = it.channel();
    const capabilities = await channel.unary(CAPABILITIES, { instanceName: "a/b" });
    assert.ok(capabilities.ok && capabilities.value.cacheCapabilities?.actionCacheUpdateCapabilities?.updateEnabled);
    assert.equal(capabilities.value.executionCapabilities, undefined);
    const blob = Buffer.from("hello");
    const hash = digestOf(blob).split(":")[1]!.split("/")[0];
    assert.equal((await fetch(`${it.url}/cas/${hash}`, { method: "PUT", body: blob })).status, 200);
    assert.equal(await (await fetch(`${it.url}/cas/${hash}`)).text(), "hello");
    assert.equal((await fetch(`${it.url}/healthz`)).status, 200);
    assert.equal(await (await fetch(`${it.url}/readyz`)).text(), "ok\n");
    const status = (await (await fetch(`${it.url}/status`)).json()) as ReturnType<typeof it.server.status>;
    assert.equal(status.version, "1.2.3");
    assert.deepEqual(status.readiness, { ready: true, reasons: [] });
    assert.ok(status.store.blobs >= 1);
    const metrics = await (await fetch(`${it.url}/metrics`)).text();
    assert.match(metrics, /kahn_calls_total\{protocol="grpc",call="\/build[^"]+GetCapabilities",code="ok"\} 1/);
    assert.match(metrics, /kahn_calls_total\{protocol="http",call="PUT blob",code="200"\} 1/);
    const health = await channel.unary(CHECK, { service: "" });
    assert.equal(health.ok && health.value.status, Health.SERVING);
    assert.deepEqual(it.reported, []);
  } finally {
    await it.close();
  }
});
