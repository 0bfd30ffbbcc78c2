import assert from "node:assert/strict";
import { test } from "vitest";
import { DEFAULT_PLATFORM_POLICY, poolOf } from "../actions/platform.ts";
import { workerWish } from "./worker-wish.ts";

const wish = (properties: Readonly<Record<string, string>>) => {
  const platform = Object.entries(properties).map(([name, value]) => ({ name, value }));
  assert.ok(poolOf(platform, DEFAULT_PLATFORM_POLICY).ok);
  return workerWish(platform);
};

test("the key that Bazel sends asks for a worker that speaks protobuf, one piece at a time", () => {
  assert.deepEqual(wish({ persistentWorkerKey: "abc" }), { protocol: "proto", isMultiplex: false, canCancel: false });
  assert.equal(wish({ OSFamily: "linux" }), undefined);
});

test("a rule says what kind of worker it has", () => {
  const kind = { persistentWorkerProtocol: "json", "supports-worker-cancellation": "1" };
  assert.deepEqual(wish({ "supports-workers": "1", ...kind }), {
    ...{ protocol: "json", isMultiplex: false, canCancel: true },
  });
  assert.equal(wish({ "supports-workers": "0", ...kind }), undefined);
  assert.equal(wish({ persistentWorkerKey: "abc", persistentWorkerProtocol: "xml" }), undefined);
});

test("a multiplex worker is one only where each piece of work has a directory of its own", () => {
  const many = { persistentWorkerKey: "abc", "supports-multiplex-workers": "1" };
  assert.equal(wish(many)?.isMultiplex, false);
  assert.equal(wish({ ...many, "supports-multiplex-sandboxing": "1" })?.isMultiplex, true);
});
