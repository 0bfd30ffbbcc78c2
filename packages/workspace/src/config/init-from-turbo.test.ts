import { memoryFileSystem, testScale } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { TaskDefinition, WorkspaceModel } from "../model.ts";
import { modelOf, npmWorkspace, taskOf, textOf, type WorkspaceFiles } from "../workspace.fixture.ts";
import { initConfig } from "./init-config.ts";

const FILES = npmWorkspace(
  {
    "@b/web": {
      scripts: { build: "next build", dev: "next dev", test: "x", lint: "x" },
      dependencies: { "@b/ui": "*" },
    },
    "@b/ui": { scripts: { build: "tsc", dev: "tsc -w", lint: "x" }, dependencies: { "@b/base": "*" } },
    "@b/base": { scripts: { build: "tsc" } },
  },
  { scripts: { codegen: "x", build: "turbo run build" } },
);

async function translation(files: WorkspaceFiles): Promise<{ text: string; from: WorkspaceModel; to: WorkspaceModel }> {
  const tree = Object.fromEntries(Object.entries(files).map(([path, value]) => [`ws/${path}`, textOf(value)]));
  const from = await modelOf(files);
  expect(from.source).toBe("turbo");
  const text = initConfig(from, memoryFileSystem({ files: tree }));
  return { text, from, to: await modelOf({ ...files, "kahn.jsonc": text }) };
}

/** What a task means: without where it was written, and with defaults that may be written or not. */
function meaning(task: TaskDefinition) {
  const { declaredAt: _, uncachedBecause: __, description, inputs, outputs, ...rest } = task;
  return { ...rest, description: description || undefined, inputs: inputs ?? ["$default"], outputs: outputs ?? [] };
}

function expectSame({ from, to }: { readonly from: WorkspaceModel; readonly to: WorkspaceModel }): void {
  expect(to.source).toBe("kahn");
  expect(to.tasks.map(meaning)).toEqual(from.tasks.map(meaning));
  const { cache: _, ...settings } = from.settings;
  expect(to.settings).toEqual({ ...settings, cache: {} });
}

test("a turbo.json is translated with all that it says", async () => {
  const done = await translation({
    ...FILES,
    "turbo.json": `{
  "concurrency": "3", // a comment
  "cacheDir": ".cache/turbo",
  "globalEnv": ["CI", "VERCEL_*"],
  "globalPassThroughEnv": ["AWS_SECRET"],
  "globalDependencies": ["tsconfig.base.json", "$TURBO_ROOT$/.env"],
  "tasks": {
    "build": {
      "dependsOn": ["^build", "//#codegen"],
      "inputs": ["$TURBO_DEFAULT$", "!README.md", "../../shared/**"],
      "outputs": [".next/**", "!.next/cache/**"], "env": ["NODE_ENV"], "passThroughEnv": ["SECRET"]
    },
    "@b/web#build": { "dependsOn": ["@b/ui#lint"], "outputs": ["out/**"] },
    "lint": { "inputs": ["src/**"] },
    "//#codegen": { "outputs": ["gen/**"] },
    "test": { "dependsOn": ["build"], "cache": false },
    "dev": { "persistent": true, "cache": false, "interactive": true, "with": ["@b/ui#dev"] }
  }
}
`,
  });
  expectSame(done);
  expect(done.text).toBe(`{
  "$schema": "./node_modules/kahn/dist/schema.json",

  // Translated from turbo.json, which Kahn does not read beside this file.
  // Not carried over: cacheDir. Kahn's own are "cache": { "maxSize": "10GB" }.
  "concurrency": 3,
  "globalEnv": ["CI", "VERCEL_*"],
  "globalPassEnv": ["AWS_SECRET"],
  "globalInputs": ["tsconfig.base.json", "/.env"],
  "tasks": {
    "build": {
      "dependsOn": ["^build", "//#codegen"],
      "inputs": ["$default", "!README.md", "/shared/**"],
      "outputs": [".next/**", "!.next/cache/**"],
      "env": ["NODE_ENV"],
      "passEnv": ["SECRET"]
    },
    "@b/web#build": {
      "dependsOn": ["@b/ui#lint"],
      "inputs": ["$default"],
      "outputs": ["out/**"],
      "env": [],
      "passEnv": []
    },
    "//#codegen": { "outputs": ["gen/**"] },
    "dev": { "validates": ["@b/ui#dev"], "persistent": true, "interactive": true },
    "lint": { "inputs": ["src/**", "package.json"] },
    "test": { "dependsOn": ["build"], "cache": false }
  }
}
`);
});

test("a package's turbo.json becomes an entry for that package, and what it cannot be is said", async () => {
  const { text, to } = await translation({
    ...FILES,
    "turbo.json": { tasks: { build: { outputs: ["dist/**"], env: ["A"] }, lint: {} } },
    "packages/web/turbo.json": {
      extends: ["//"],
      tags: ["app"],
      tasks: { build: { outputs: ["$TURBO_EXTENDS$", ".next/**"] }, lint: { extends: false } },
    },
  });
  expect(taskOf(to, "@b/web#build")).toMatchObject({ outputs: ["dist/**", ".next/**"], env: ["A"] });
  expect(text).toContain('@b/web opts out of "lint" in its turbo.json');
  expect(text).toContain('packages/web/kahn.jsonc: { "tags": ["app"] }');
});

test("a single package's turbo.json is translated to plain names", async () => {
  const files = { "package.json": { name: "solo", scripts: { build: "tsc", x: "y" } } };
  const done = await translation({ ...files, "turbo.json": { tasks: { build: { outputs: ["dist/**"] } } } });
  expectSame(done);
  expect(done.text).toContain('    "build": { "outputs": ["dist/**"] }\n');
  expect(done.text).toContain("not cached: x.");
});

// Goal: no turbo.json changes its meaning by being translated. Method: random tables at the root and in a package.
test("the translation of any turbo.json gives the tasks that it gave", async () => {
  const entry = fc.record(
    {
      dependsOn: fc.uniqueArray(fc.constantFrom("^build", "build", "lint", "@b/ui#build", "//#codegen"), {
        maxLength: 2,
      }),
      inputs: fc.uniqueArray(fc.constantFrom("src/**", "!src/x", "$TURBO_DEFAULT$", "./y/", "$TURBO_ROOT$/z"), {
        maxLength: 2,
      }),
      outputs: fc.uniqueArray(fc.constantFrom("dist/**", "!dist/x", "out"), { maxLength: 2 }),
      env: fc.uniqueArray(fc.constantFrom("A", "B_*"), { maxLength: 2 }),
      passThroughEnv: fc.constant(["C"]),
      cache: fc.boolean(),
      persistent: fc.boolean(),
      interactive: fc.boolean(),
      description: fc.constantFrom("one", "two"),
    },
    { requiredKeys: [] },
  );
  const keys = ["build", "lint", "test", "all", "dev", "@b/ui#build", "@b/web#test", "@b/base#test", "@b/ui#all"];
  const root = fc.dictionary(fc.constantFrom(...keys, "//#codegen", "//#build"), entry, { maxKeys: 8 });
  const own = fc.dictionary(fc.constantFrom("build", "lint", "test", "all"), entry, { maxKeys: 3 });
  await fc.assert(
    fc.asyncProperty(root, fc.option(own, { nil: undefined }), async (tasks, inPackage) => {
      const files: WorkspaceFiles = {
        ...FILES,
        "turbo.json": { tasks },
        ...(inPackage && { "packages/ui/turbo.json": { extends: ["//"], tasks: inPackage } }),
      };
      expectSame(await translation(files));
    }),
    { numRuns: 150 * testScale(process.env.KAHN_TEST_SCALE) },
  );
});
