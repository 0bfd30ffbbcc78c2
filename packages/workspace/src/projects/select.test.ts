import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { WorkspaceModel } from "../model.ts";
import { modelOf, npmWorkspace } from "../workspace.fixture.ts";
import { selectProjects } from "./select-projects.ts";
import { selectTasks } from "./select-tasks.ts";

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

function tasks(requests: string[], from: WorkspaceModel = model, patterns: string[] = []): readonly string[] | string {
  const projects = selectProjects(from, patterns);
  const result = selectTasks(from, requests, projects.ok ? projects.value : []);
  return result.ok
    ? result.value
    : result.problem.map((each) => `${each.code}: ${each.message} ${each.next}`).join("\n");
}

test("a plain request means the chosen packages, an exact one that task", () => {
  expect(tasks(["build"])).toEqual(["docs#build", "@b/api#build", "@b/ui#build", "@b/util#build", "web#build"]);
  expect(tasks(["test"])).toEqual(["@b/ui#test"]);
  expect(tasks(["//#lint", "build"], model, ["web"])).toEqual(["//#lint", "web#build"]);
  expect(tasks(["root#lint"])).toEqual(["//#lint"]);
  expect(tasks(["web#build", "web#build"])).toEqual(["web#build"]);
});

test("a request that names nothing says what is closest and where a task is", () => {
  expect(tasks(["biuld"])).toBe('task-unknown: There is no task "biuld" Did you mean "build"?');
  expect(tasks(["web#biuld"])).toBe('task-unknown: There is no task "web#biuld" Did you mean "web#build"?');
  expect(tasks(["e2e"], model, ["docs"])).toBe(
    'task-unknown: No chosen project has a task "e2e" Name it with its project (web#e2e), or choose that project with -p.',
  );
  expect(tasks(["^build", ""])).toContain('"^build" is not the name of a task');
});

test("turbo starts from every package that has the task declared", async () => {
  const turbo = await modelOf({
    ...npmWorkspace({ a: { scripts: { build: "x" } }, b: { scripts: { build: "x", test: "x" } } }),
    "turbo.json": { tasks: { build: {}, test: { dependsOn: ["build"] } } },
  });
  expect(tasks(["test"], turbo)).toEqual(["a#test", "b#test"]);
});
