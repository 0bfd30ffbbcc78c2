import fc from "fast-check";
import { expect, test } from "vitest";
import { compareUtf8, sortedBy } from "./text-order.ts";

const text = fc.string({
  unit: fc.constantFrom("a", "b", "/", "é", "\ud7ff", "\ue000", "\uffff", "😀", "\u{10000}"),
  maxLength: 6,
});

test("names are ordered as their UTF-8 bytes are", () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: 1000 },
  );
});

test("a sorted list is answered as it is, another one as a sorted copy", () => {
  const sorted = ["a", "b", "b"];
  expect(sortedBy(sorted, compareUtf8)).toBe(sorted);
  const unsorted = ["b", "a"];
  expect(sortedBy(unsorted, compareUtf8)).toStrictEqual(["a", "b"]);
  expect(unsorted).toStrictEqual(["b", "a"]);
});
