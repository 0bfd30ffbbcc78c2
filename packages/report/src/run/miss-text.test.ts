// Goal: the reason of a miss is true whatever led to it. Method: the texts of reasons with more than one cause.
import { expect, test } from "vitest";
import { missText } from "./miss-text.ts";

test("a task without a known success may have run and failed", () => {
  expect(missText({ code: "first-run" })).toBe("it has not succeeded before");
});

test("a cache that was not asked was passed over by --force, or there was none to read", () => {
  expect(missText({ code: "forced" })).toBe("the cache was not asked (--force)");
  const detail = "--cache has none to read";
  expect(missText({ code: "forced", detail })).toBe("the cache was not asked (--cache has none to read)");
});

test("a file that entered or left the inputs may have been there all the time", () => {
  expect(missText({ code: "input-added", name: "a.ts" })).toBe("a.ts is a new input");
  expect(missText({ code: "input-removed", name: "a.ts" })).toBe("a.ts is no longer an input");
});

test("a result of another machine is said to be one, by the server it ran on", () => {
  const detail = "grpc://host:9092 → here";
  expect(missText({ code: "place-changed", detail })).toBe("where it runs changed (grpc://host:9092 → here)");
});
