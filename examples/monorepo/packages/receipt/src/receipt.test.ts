/** Tests of receipts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fillCart } from "@shop/cart";
import { receiptHtml, receiptText } from "./index.js";

const filled = fillCart(["3xsoap", "tea"]);
assert.ok(filled.ok);
const cart = filled.value;

test("the receipt lines up", () => {
  assert.equal(
    receiptText(cart),
    [
      "3 × Olive soap (three for two)   6.20",
      "1 × Assam tea                    5.50",
      "Total                           11.70",
    ].join("\n"),
  );
});

test("names of products are escaped in HTML", () => {
  const [line] = cart.lines;
  const evil = { ...cart, lines: [{ ...line!, product: { ...line!.product, name: "<script>" } }] };
  assert.match(receiptHtml(evil), /&#60;script&#62;/);
});
