// Goal: a problem is read at a glance: what, where with the characters meant, the facts, what to do.
import { problem } from "@kahn/core";
import { expect, test } from "vitest";
import { painter } from "./paint.ts";
import { problemText } from "./problem.ts";

test("a problem with a place shows the line and marks what is meant", () => {
  const text = problemText(
    problem("unknown-key", '"inputz" is not a key of a task', {
      where: { file: "kahn.jsonc", line: 4, column: 7, text: '\t    "inputz": []', length: 8 },
      facts: [["known", "inputs, outputs"]],
      next: 'did you mean "inputs"?',
      cause: problem("inner", "something below"),
    }),
    painter(false),
  );
  expect(text).toBe(`error[unknown-key]: "inputz" is not a key of a task
  --> kahn.jsonc:4:7
  4 |      "inputz": []
    |       ^^^^^^^^
  known  inputs, outputs
  because: something below [inner]
  next: did you mean "inputs"?
`);
});

test("without colour no control character is written", () => {
  expect(problemText(problem("x", "y"), painter(false))).not.toContain("\u001b");
  expect(problemText(problem("x", "y"), painter(true))).toContain("\u001b[31m");
});

test("a fact of several lines stays below its beginning", () => {
  const text = problemText(
    problem("x", "y", {
      facts: [
        ["exit code", "3"],
        ["stderr", "one\ntwo"],
      ],
    }),
    painter(false),
  );
  expect(text).toBe("error[x]: y\n  exit code  3\n  stderr     one\n             two\n");
});
