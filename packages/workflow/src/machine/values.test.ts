// Goal: what cannot be kept is refused by a short name of the place, however the value is made.
import { digestOf } from "@kahn/core";
import { expect, test } from "vitest";
import { memoryValues, ValueCodec } from "./values.ts";

function refusal(value: unknown) {
  const encoded = new ValueCodec(memoryValues((bytes) => digestOf(bytes))).encode(value);
  if (encoded.ok) throw new Error("it was kept");
  return encoded.problem;
}

test("a value that contains itself is refused with where it does, once round", () => {
  const tree: Record<string, unknown> = { name: "root", kids: [{ name: "a" }] };
  (tree.kids as Record<string, unknown>[])[0]!.parent = tree;
  expect(refusal({ tree })).toMatchObject({
    code: "flow-value-unserialisable",
    message: "A value that contains itself cannot be kept",
    facts: [
      ["at", "tree.kids[0].parent"],
      ["which is", "tree"],
    ],
  });
  const self: unknown[] = [];
  self.push(new Map([["self", new Set([self])]]));
  expect(refusal(self).facts).toEqual([
    ["at", "[0]<0><0>"],
    ["which is", "the value itself"],
  ]);
});

test("a value that holds another twice does not contain itself; one that is too deep is named shortly", () => {
  const shared = { n: 1 };
  const codec = new ValueCodec(memoryValues((bytes) => digestOf(bytes)));
  expect(codec.encode({ a: shared, b: [shared, shared] })).toMatchObject({ ok: true });
  let deep: unknown = shared;
  for (let level = 0; level < 300; level++) deep = { [`level${level}`]: deep, twice: shared };
  const { message, facts } = refusal(deep);
  expect(message).toBe("A value nested more than 200 deep cannot be kept");
  expect(facts?.[0]?.[1]).toMatch(/^level299\.level298\..*…/);
  expect(facts?.[0]?.[1]?.length).toBeLessThanOrEqual(200);
  expect(refusal({ [`k${"x".repeat(5000)}`]: () => {} }).facts?.[0]?.[1]?.length).toBeLessThanOrEqual(200);
});
