/** Tests of results. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { all, no, ok } from "./index.js";

test("all values come in order", () => {
  assert.deepEqual(all([ok(1), ok(2)]), ok([1, 2]));
});

test("the first reason wins", () => {
  assert.deepEqual(all([ok(1), no("sold out"), no("closed")]), no("sold out"));
});
