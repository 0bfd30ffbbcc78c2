import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJsonTree, plainValue } from "./json-tree.ts";

function parse(text: string, dialect: "json" | "jsonc" = "jsonc"): unknown {
  const parsed = parseJsonTree(text, dialect);
  if (!parsed.ok) throw new Error(`${parsed.problem.offset}+${parsed.problem.length} ${parsed.problem.what}`);
  return plainValue(parsed.value);
}

// Goal: this parser and the engine's never disagree. Method: valid texts with random indentation, then texts damaged in
// one place, which each parser either reads as the same value or refuses.
test("a text is JSON exactly when JSON.parse says so, with the same value", () => {
  const damaged = fc
    .tuple(
      fc.json(),
      fc.nat(),
      fc.constantFrom("", ",", "{", "}", "[", "]", '"', ":", "0", "-", "\\", "\n", " ", "e", "tru"),
    )
    .map(([text, at, insert]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + insert + text.slice(cut + (at % 2));
    });
  fc.assert(
    fc.property(fc.oneof(fc.json(), damaged), (text) => {
      let expected: { value: unknown } | undefined;
      try {
        expected = { value: JSON.parse(text) };
      } catch {
        expected = undefined;
      }
      const parsed = parseJsonTree(text, "json");
      expect(parsed.ok).toBe(expected !== undefined);
      if (parsed.ok) expect(plainValue(parsed.value)).toEqual(expected!.value);
      else expect(parsed.problem.offset).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 500 * testScale(process.env.KAHN_TEST_SCALE) },
  );
});

test("comments and trailing commas are blank space in jsonc and an error in json", () => {
  const text = '// head\n{ "a": [1, /* two */ 2,], // end\n "b": {"c": null,}, }\n/* tail */';
  expect(parse(text)).toEqual({ a: [1, 2], b: { c: null } });
  expect(() => parse(text, "json")).toThrow("0+2 comments are not allowed");
  expect(() => parse("[1,]", "json")).toThrow("3+1 there is a comma too many");
});

test("the first mistake is named with its place", () => {
  const cases: [string, string][] = [
    ["", "0+1 the text ends where a value is expected"],
    ['{"a" 1}', '5+1 a colon is missing after the key "a"'],
    ['{"a": 1 "b": 2}', '8+1 a comma or "}" is missing'],
    ["{a: 1}", "1+1 a key in double quotes"],
    ["['x']", "1+3 texts are written in double quotes"],
    ["[undefined]", '1+9 "undefined" is not JSON'],
    ['{"a": "x\n"}', "6+2 this text does not end"],
    ["[1, 2", '5+1 the text ends before a closing "]"'],
    ["{} {}", "3+1 the document should end"],
    ["/* x", "0+2 this comment does not end"],
    ["[,]", "1+1 a value is expected"],
  ];
  for (const [text, message] of cases) expect(() => parse(text), text).toThrow(message);
  expect(() => parse("[".repeat(5000))).toThrow("nested too deeply");
});

test("a key named __proto__ is only a key", () => {
  const value = parse('{"__proto__": {"polluted": true}}') as Record<string, unknown>;
  expect(Object.keys(value)).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});
