/** Tests of tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { textTable } from "./index.js";

test("names stand left, numbers right", () => {
  assert.deepEqual(
    textTable([
      ["tea", "1"],
      ["coffee", "12"],
    ]),
    ["tea      1", "coffee  12"],
  );
});

test("no rows, no lines", () => {
  assert.deepEqual(textTable([]), []);
});
