import { expect, test } from "vitest";
import { ProblemError, problem, warning } from "./problem.ts";

test("a problem is plain JSON with its code, severity and detail", () => {
  const made = problem("task-unknown", "no task named x", {
    next: "Run kahn ls.",
    where: { file: "kahn.jsonc", line: 3 },
  });
  expect(JSON.parse(JSON.stringify(made))).toStrictEqual({
    code: "task-unknown",
    severity: "error",
    message: "no task named x",
    next: "Run kahn ls.",
    where: { file: "kahn.jsonc", line: 3 },
  });
  expect(warning("cache-off", "not cached").severity).toBe("warning");
});

test("a thrown problem carries one or many, and names each code in its message", () => {
  const first = problem("a-code", "first");
  const second = problem("b-code", "second");
  expect(new ProblemError(first).problems).toStrictEqual([first]);
  expect(new ProblemError([first, second]).message).toBe("a-code: first; b-code: second");
});
