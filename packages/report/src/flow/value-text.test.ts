// Goal: whatever a node emits can be shown: nothing of it may end the process that shows it, or keep it from ending.
import { expect, test } from "vitest";
import { jsonOf, valueText } from "./value-text.ts";

test("a value that contains itself is shown once round, one that is held twice is shown twice", () => {
  const node: Record<string, unknown> = { name: "a" };
  node.self = new Map([["back", [node]]]);
  expect(jsonOf(node)).toEqual({ name: "a", self: { entries: [["back", ["(circular)"]]] } });
  const shared = { n: 1n };
  expect(valueText([shared, shared], 100)).toBe('[{"n":"1"},{"n":"1"}]');
});

test("a value that is too deep is cut", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 50_000; level++) deep = [deep];
  expect(valueText(deep, 1000)).toContain("(too deep)");
});
