import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "./json.ts";
import { canonicalJson } from "./json.ts";

test("canonical text reads back as the value, and does not depend on the order of keys", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const text = canonicalJson(value as Json);
      // -0 is written as 0 by JSON itself.
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(canonicalJson(reversedKeys(value as Json))).toBe(text);
    }),
  );
});

test("an absent member and one that is undefined are the same, null is not", () => {
  expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
  expect(canonicalJson({ b: null, a: 1 })).toBe('{"a":1,"b":null}');
});

function reversedKeys(value: Json): Json {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => reversedKeys(item as Json));
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversedKeys(member ?? null)]),
  );
}
