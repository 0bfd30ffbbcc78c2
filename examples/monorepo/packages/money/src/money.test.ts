/** Tests of money. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cents, formatMoney, parseMoney, percentOf, sum } from "./index.js";

test("what is formatted reads back as the same amount", () => {
  for (const amount of [0, 1, 10, 99, 100, 12345]) {
    assert.deepEqual(parseMoney(formatMoney(cents(amount))), { ok: true, value: amount });
  }
});

test("ten cents and twenty cents are thirty cents", () => {
  assert.equal(sum([cents(10), cents(20)]), 30);
});

test("fractions of a cent are refused, percentages rounded", () => {
  assert.throws(() => cents(0.5), RangeError);
  assert.equal(percentOf(cents(250), 10), 25);
  assert.equal(percentOf(cents(5), 10), 1);
});

test("what is no amount is named", () => {
  assert.deepEqual(parseMoney("1.234"), { ok: false, why: '"1.234" is not an amount of money' });
});
