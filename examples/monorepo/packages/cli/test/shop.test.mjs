/** Runs the bundled program as a customer would. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

function shop(...orders) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["dist/shop.mjs", ...orders], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("an order prints a receipt", () => {
  const { status, stdout } = shop("3xsoap", "tea");
  assert.equal(status, 0);
  assert.match(stdout, /Total +11\.70/);
});

test("an order that cannot be read ends with 1 and a reason", () => {
  const { status, stderr } = shop("gold");
  assert.equal(status, 1);
  assert.match(stderr, /^shop: there is no "gold"/);
});
