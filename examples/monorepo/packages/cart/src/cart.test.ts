/** Tests of carts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fillCart } from "./index.js";

test("orders of one product add up, and so reach a discount", () => {
  const cart = fillCart(["2xsoap", "tea", "soap"]);
  assert.ok(cart.ok);
  assert.deepEqual(
    cart.value.lines.map((line) => [line.product.id, line.quantity, line.total]),
    [
      ["soap", 3, 620],
      ["tea", 1, 550],
    ],
  );
  assert.equal(cart.value.total, 1170);
});

test("an order that cannot be read is named", () => {
  assert.deepEqual(fillCart(["tea", "3 teas"]), { ok: false, why: '"3 teas" is not an order; write tea, or 3xtea' });
});
