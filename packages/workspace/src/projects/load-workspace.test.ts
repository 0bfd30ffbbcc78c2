import { memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import type { WorkspaceModel } from "../model.ts";
import { loadWorkspace, projectAt } from "./load-workspace.ts";

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** Loads a workspace whose files are given below `/ws`. */
function load(files: Record<string, string>, startDirectory = "/ws") {
  const tree = Object.fromEntries(Object.entries(files).map(([path, text]) => [`ws/${path}`, text]));
  const importModule = () => Promise.reject(new Error("no modules in this test"));
  return loadWorkspace({ fs: memoryFileSystem({ files: tree }), startDirectory, processorCount: 4, importModule });
}

async function model(files: Record<string, string>, startDirectory?: string): Promise<WorkspaceModel> {
  const result = await load(files, startDirectory);
  if (!result.ok) throw new Error(JSON.stringify(result.problem, null, 2));
  return result.value;
}

const WORKSPACE = {
  "package.json": json({ name: "root", workspaces: ["packages/*"] }),
  "package-lock.json": "{}",
  "packages/a/package.json": json({ name: "@b/a", scripts: { build: "tsc", test: "vitest" } }),
  "packages/b/package.json": json({ name: "@b/b", scripts: { build: "tsc" }, dependencies: { "@b/a": "*" } }),
};

test("an npm workspace with a kahn.jsonc gives projects, edges and tasks", async () => {
  const found = await model({
    ...WORKSPACE,
    "kahn.jsonc":
      '{\n  // tasks\n  "tasks": {\n    "build": { "dependsOn": ["^build"], "outputs": ["dist/**"] },\n  }\n}\n',
  });
  expect(found.manager).toBe("npm");
  expect(found.lockFile).toBe("package-lock.json");
  expect(found.source).toBe("kahn");
  expect(found.settings.concurrency).toBe(4);
  expect(found.projects.map(({ name, directory, dependencies }) => [name, directory, dependencies])).toEqual([
    ["//", "", []],
    ["@b/a", "packages/a", []],
    ["@b/b", "packages/b", ["@b/a"]],
  ]);
  expect(found.tasks.map((task) => [task.id, task.cache])).toEqual([
    ["@b/a#build", true],
    ["@b/a#test", false],
    ["@b/b#build", true],
  ]);
  const build = found.tasks[0]!;
  expect(build.outputs).toEqual(["dist/**"]);
  expect(build.declaredAt).toMatchObject({ file: "kahn.jsonc", line: 4, column: 5 });
  expect(found.tasks[1]!.declaredAt).toMatchObject({ file: "packages/a/package.json", line: 5, column: 5 });
});

test("without configuration scripts are uncached tasks after the same script of dependencies", async () => {
  const found = await model(WORKSPACE, "/ws/packages/b");
  expect(projectAt(found, "/ws/packages/b")?.name).toBe("@b/b");
  expect(found.source).toBe("none");
  for (const task of found.tasks) {
    expect(task.cache).toBe(false);
    expect(task.uncachedBecause).toContain("kahn init");
    expect(task.dependsOn).toEqual([{ kind: "dependencies", task: task.task }]);
  }
});
