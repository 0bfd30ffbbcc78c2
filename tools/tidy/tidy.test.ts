/** The repository keeps its own rules. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { render } from "./render.ts";
import { loadRepository, repositoryOf } from "./repository.ts";
import { findingsOf } from "./rules.ts";

test("the repository is tidy", () => {
  const findings = findingsOf(loadRepository(join(import.meta.dirname, "../..")));
  expect(render(findings)).toBe("");
});

// Goal: each author finds their own part in one place. Method: findings of two packages, given out of order.
test("findings are printed by package, file and line, each with its remedy", () => {
  const repository = repositoryOf({
    "package.json": "{}",
    "packages/core/src/b.ts": "/** B. */\n\nconst x: any = 1;\n// TODO: x\n",
    "packages/cas/src/a.ts": "/** A. */\nconst x: any = 1;\n",
  });
  expect(render(findingsOf(repository))).toBe(
    [
      "packages/cas",
      "  packages/cas/src/a.ts:2  [types] uses `any`",
      "      Write `unknown` and narrow it, or name the type.",
      "",
      "packages/core",
      "  packages/core/src/b.ts:3  [types] uses `any`",
      "      Write `unknown` and narrow it, or name the type.",
      "  packages/core/src/b.ts:4  [leftovers] TODO without an issue",
      "      Do it, drop it, or write TODO(#123) with the number of its issue.",
    ].join("\n"),
  );
});
