import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { modelOf, npmWorkspace } from "../workspace.fixture.ts";
import { selectProjects } from "./select-projects.ts";

// util ← ui ← web, util ← api; docs alone.
const model = await modelOf({
  ...npmWorkspace(
    {
      "@b/util": { scripts: { build: "x" } },
      "@b/ui": { scripts: { build: "x", test: "x" }, dependencies: { "@b/util": "*" } },
      "@b/api": { scripts: { build: "x" }, dependencies: { "@b/util": "*" } },
      web: { scripts: { build: "x", e2e: "x" }, dependencies: { "@b/ui": "*" } },
    },
    { workspaces: ["packages/*", "docs"], scripts: { build: "kahn run build", lint: "x" } },
  ),
  "docs/package.json": { name: "docs", scripts: { build: "x" }, kahn: { tags: ["site"] } },
  "kahn.jsonc": { tasks: { build: { dependsOn: ["^build"] }, test: { dependsOn: ["build"] } } },
});

function chosen(patterns: string[], directory?: string): string[] | string {
  const result = selectProjects(model, patterns, directory === undefined ? {} : { directory });
  return result.ok ? result.value.map((project) => project.name) : result.problem.map((each) => each.code).join();
}

test("selectors mean what their grammar says", () => {
  const all = ["docs", "@b/api", "@b/ui", "@b/util", "web"];
  const cases: [string[], string[] | string][] = [
    [[], all],
    [["*"], all],
    [["@b/*"], ["@b/api", "@b/ui", "@b/util"]],
    [["ui"], ["@b/ui"]],
    [["./packages/ui"], ["@b/ui"]],
    [["./packages"], ["@b/api", "@b/ui", "@b/util", "web"]],
    [["./packages/u*"], ["@b/ui", "@b/util"]],
    [["tag:site"], ["docs"]],
    [["//"], ["//"]],
    [["root"], ["//"]],
    [["web..."], ["@b/ui", "@b/util", "web"]],
    [["web^..."], ["@b/ui", "@b/util"]],
    [["...@b/util"], ["@b/api", "@b/ui", "@b/util", "web"]],
    [["...^@b/util"], ["@b/api", "@b/ui", "web"]],
    [["...@b/ui..."], ["@b/ui", "@b/util", "web"]],
    [["!web"], ["docs", "@b/api", "@b/ui", "@b/util"]],
    [["!...@b/ui"], ["docs", "@b/api", "@b/util"]],
    [
      ["web...", "!@b/util"],
      ["@b/ui", "web"],
    ],
    [
      ["docs", "web"],
      ["docs", "web"],
    ],
    [["nothing"], "no-project-matches"],
    [["tag:none", "./nowhere"], "no-project-matches,no-project-matches"],
    [["..."], "selector-malformed"],
    [["[main]"], "selector-malformed"],
  ];
  for (const [patterns, expected] of cases) expect(chosen(patterns), patterns.join(" ")).toEqual(expected);
});

test("folders start from where Kahn was started", () => {
  expect(chosen(["."], "packages/web")).toEqual(["web"]);
  expect(chosen(["../ui"], "packages/web")).toEqual(["@b/ui"]);
  expect(chosen(["../../.."], "packages/web")).toBe("no-project-matches");
});

test("a name that matches nothing is answered with the closest one", () => {
  const result = selectProjects(model, ["@b/utl", "tag:sit"]);
  expect(result.ok ? [] : result.problem.map((each) => each.next)).toEqual([
    'Did you mean "@b/util"?',
    'Did you mean "tag:site"?',
  ]);
});

// Goal: `!x` is the complement of `x`, and `...` is monotone. Method: all projects and closures of the fixture.
test("an exclusion leaves exactly what the same pattern would not choose", () => {
  const base = fc.constantFrom("@b/util", "@b/ui", "web", "docs", "@b/*", "./packages", "tag:site");
  const pattern = fc.tuple(fc.constantFrom("", "..."), base, fc.constantFrom("", "...")).map((parts) => parts.join(""));
  fc.assert(
    fc.property(pattern, (each) => {
      const [kept, rest, all] = [chosen([each]), chosen([`!${each}`]), chosen([])] as string[][];
      expect([...kept!, ...rest!].sort()).toEqual([...all!].sort());
    }),
    { numRuns: 50 * testScale(process.env.KAHN_TEST_SCALE) },
  );
});
