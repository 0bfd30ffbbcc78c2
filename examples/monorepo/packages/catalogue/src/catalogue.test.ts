/** Tests of the catalogue. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findProduct, PRODUCTS } from "./index.js";

test("every product is found by its id, and ids are unique", () => {
  for (const product of PRODUCTS) assert.deepEqual(findProduct(product.id), { ok: true, value: product });
});

test("a wrong id is answered with what there is", () => {
  const found = findProduct("gold");
  assert.equal(found.ok, false);
  assert.match(found.ok ? "" : found.why, /there is no "gold"; there is bread, tea/);
});
