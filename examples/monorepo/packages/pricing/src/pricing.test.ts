/** Tests of prices. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PRODUCTS } from "@shop/catalogue";
import { priceOf } from "./index.js";

const soap = PRODUCTS.find((product) => product.id === "soap")!;
const tea = PRODUCTS.find((product) => product.id === "tea")!;

test("one of something costs its price", () => {
  assert.deepEqual(priceOf(tea, 1), { total: 550 });
});

test("three soaps cost two", () => {
  assert.deepEqual(priceOf(soap, 3), { total: 620, discount: "three for two" });
});

test("more never costs less", () => {
  for (const product of PRODUCTS) {
    for (let quantity = 1; quantity < 30; quantity++) {
      assert.ok(priceOf(product, quantity + 1).total >= priceOf(product, quantity).total - product.price);
    }
  }
});
