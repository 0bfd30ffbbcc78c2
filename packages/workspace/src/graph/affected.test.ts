import { expect, test } from "vitest";
import { project, task, workspace } from "../testing-model.ts";
import { affectedProjects } from "./affected.ts";

const ROOT = project("//", "");
const CORE = project("core", "packages/core");
const UI = project("ui", "packages/ui", ["core"]);
const APP = project("app", "apps/app", ["ui"]);
const DOCS = project("docs", "docs");
const MODEL = workspace("/w", [ROOT, CORE, UI, APP, DOCS], {
  tasks: [task(DOCS, "build", { inputs: ["$default", "/README.md"] }), task(UI, "build", { inputs: ["src/**"] })],
  lockFile: "package-lock.json",
  files: ["package.json", "kahn.jsonc", "packages/core/package.json"],
  settings: { globalInputs: ["tsconfig.base.json", "config/**"] },
});

test("a changed file touches its project and everything that depends on it", () => {
  expect(affectedProjects(MODEL, ["packages/core/src/a.ts"])).toEqual({ projects: ["app", "core", "ui"] });
  expect(affectedProjects(MODEL, ["apps/app/x", "docs/y"])).toEqual({ projects: ["app", "docs"] });
  expect(affectedProjects(MODEL, [])).toEqual({ projects: [] });
});

test("a project's own manifest touches only it and its dependents", () => {
  expect(affectedProjects(MODEL, ["packages/core/package.json"]).projects).toEqual(["app", "core", "ui"]);
});

test("lock file, root configuration and global inputs touch everything, and it is said which did", () => {
  for (const file of ["package-lock.json", "kahn.jsonc", "tsconfig.base.json", "config/deep/x"]) {
    expect(affectedProjects(MODEL, ["docs/y", file])).toEqual({
      projects: ["//", "app", "core", "docs", "ui"],
      allBecauseOf: file,
    });
  }
});

test("a file of the root touches the root and whoever names it among the inputs", () => {
  expect(affectedProjects(MODEL, ["README.md"])).toEqual({ projects: ["//", "docs"] });
});
