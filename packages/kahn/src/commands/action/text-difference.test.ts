import { expect, test } from "vitest";
import { textDifference } from "./text-difference.ts";

const difference = (first: string, second: string) => textDifference(Buffer.from(first), Buffer.from(second));

test("what two texts share at their ends is left out", () => {
  expect(difference("a\nb\nc\n", "a\nx\ny\nc\n")).toEqual(["- b", "+ x", "+ y"]);
  expect(difference("a\na\n", "a\na\na\n")).toEqual(["+ a"]);
  expect(difference("", "a")).toEqual(["- ", "+ a"]);
  expect(difference("same\n", "same\n")).toEqual([]);
});

test("many lines are counted and long ones cut; what is no small text is not compared", () => {
  const many = difference("", "line\n".repeat(20))!;
  expect(many.slice(-2)).toEqual(["+ line", "+ … 12 more lines"]);
  expect(difference("", "x".repeat(500))![1]).toHaveLength(203);
  expect(difference("\0", "a")).toBeUndefined();
  expect(textDifference(Uint8Array.of(0xff), Buffer.from("a"))).toBeUndefined();
  expect(difference("x".repeat(70_000), "a")).toBeUndefined();
});
