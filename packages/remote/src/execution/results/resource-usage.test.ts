import assert from "node:assert/strict";
import protobuf from "protobufjs";
import { test } from "vitest";
import { auxiliaryMetadata } from "./resource-usage.ts";

const { root } = protobuf.parse(`
  syntax = "proto3";
  package google.protobuf;
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message Usage { Duration user_time = 1; Duration system_time = 2; }
`);
const usage = root.lookupType("google.protobuf.Usage");

test("the time that a command used is read back by another codec, zero and fractions too", () => {
  const [any] = auxiliaryMetadata({ userMs: 1230, systemMs: 0 });
  assert.equal(any?.typeUrl, "type.googleapis.com/buildbarn.resourceusage.POSIXResourceUsage");
  const read = usage.toObject(usage.decode(any.value), { longs: Number, defaults: true });
  assert.deepEqual(read, { userTime: { seconds: 1, nanos: 230_000_000 }, systemTime: { seconds: 0, nanos: 0 } });
});

test("where nothing is known of what was used, nothing is said", () => {
  assert.deepEqual(auxiliaryMetadata({}), []);
});
