import { expect, test } from "vitest";
import { modelOf, npmWorkspace, problemsOf, rendered, taskOf } from "../workspace.fixture.ts";

const FILES = npmWorkspace(
  {
    "@b/web": {
      scripts: { build: "next build", dev: "next dev", test: "x", lint: "x" },
      dependencies: { "@b/ui": "*" },
    },
    "@b/ui": { scripts: { build: "tsc", dev: "tsc -w", lint: "x" } },
  },
  { scripts: { codegen: "x", build: "turbo run build" } },
);

test("a turbo.json is read as it stands", async () => {
  const found = await modelOf({
    ...FILES,
    "turbo.json": `{
  "$schema": "https://turborepo.com/schema.json", // comments are fine
  "ui": "tui",
  "concurrency": "3",
  "cacheDir": ".cache/turbo",
  "globalEnv": ["CI", "VERCEL_*"],
  "globalPassThroughEnv": ["AWS_SECRET"],
  "globalDependencies": ["tsconfig.base.json", "$TURBO_ROOT$/.env"],
  "tasks": {
    "build": {
      "dependsOn": ["^build", "//#codegen"],
      "inputs": ["$TURBO_DEFAULT$", "!README.md", "$TURBO_ROOT$/babel.config.js"],
      "outputs": [".next/**", "!.next/cache/**"],
      "env": ["NODE_ENV"],
      "passThroughEnv": ["SECRET"]
    },
    "@b/web#build": { "outputs": ["out/**"] },
    "lint": { "inputs": ["src/**"] },
    "//#codegen": { "outputs": ["gen/**"] },
    "test": { "dependsOn": ["build"], "cache": false },
    "dev": { "persistent": true, "cache": false, "interactive": true, "with": ["@b/ui#dev"] },
  },
}
`,
  });
  expect(found.source).toBe("turbo");
  expect(found.warnings).toEqual([]);
  expect(found.settings).toMatchObject({
    concurrency: 3,
    cache: { dir: ".cache/turbo" },
    globalEnv: ["CI", "VERCEL_*"],
    globalPassEnv: ["AWS_SECRET"],
    globalInputs: ["tsconfig.base.json", "/.env"],
  });
  expect(taskOf(found, "@b/ui#build")).toMatchObject({
    dependsOn: [
      { kind: "dependencies", task: "build" },
      { kind: "exact", id: "//#codegen" },
    ],
    inputs: ["$default", "!README.md", "/babel.config.js"],
    outputs: [".next/**", "!.next/cache/**"],
    env: ["NODE_ENV"],
    passEnv: ["SECRET"],
    cache: true,
    declaredAt: { file: "turbo.json", line: 10 },
  });
  // An entry for one package replaces the general one as a whole.
  expect(taskOf(found, "@b/web#build")).toMatchObject({ dependsOn: [], env: [], outputs: ["out/**"] });
  // turbo always hashes the manifest.
  expect(taskOf(found, "@b/ui#lint").inputs).toEqual(["src/**", "package.json"]);
  expect(taskOf(found, "@b/web#dev")).toMatchObject({
    persistent: true,
    interactive: true,
    validates: [{ kind: "exact", id: "@b/ui#dev" }],
  });
  expect(taskOf(found, "//#codegen").cache).toBe(true);
  expect(taskOf(found, "//#build").cache).toBe(false);
  expect(taskOf(found, "@b/ui#test").command.kind).toBe("none");
});

test("a package's turbo.json extends the root's, field by field", async () => {
  const found = await modelOf({
    ...FILES,
    "turbo.json": { tasks: { build: { outputs: ["dist/**"], env: ["A"] }, lint: {} } },
    "packages/web/turbo.json": {
      extends: ["//"],
      tags: ["app"],
      tasks: { build: { outputs: ["$TURBO_EXTENDS$", ".next/**"] }, lint: { extends: false } },
    },
  });
  expect(taskOf(found, "@b/web#build")).toMatchObject({ outputs: ["dist/**", ".next/**"], env: ["A"] });
  expect(found.tasks.map((task) => task.id)).not.toContain("@b/web#lint");
  expect(taskOf(found, "@b/ui#lint").cache).toBe(true);
  expect(found.projects.find((project) => project.name === "@b/web")?.tags).toEqual(["app"]);
});

test("version 1's pipeline and its variables among the dependencies are understood", async () => {
  const found = await modelOf({
    ...FILES,
    "turbo.json": { pipeline: { build: { dependsOn: ["^build", "$API_URL"], outputMode: "full" } } },
  });
  expect(taskOf(found, "@b/ui#build")).toMatchObject({
    dependsOn: [{ kind: "dependencies", task: "build" }],
    env: ["API_URL"],
    declaredAt: { file: "turbo.json" },
  });
});

test("what has no counterpart gives one warning for each key", async () => {
  const found = await modelOf({
    ...FILES,
    "turbo.json": {
      remoteCache: { enabled: true },
      envMode: "loose",
      tasks: {
        build: { interruptible: true, env: ["!SECRET", "A"] },
        dev: { interruptible: true },
        "@b/gone#build": {},
      },
    },
  });
  expect(found.warnings.map((each) => rendered(each).split("\n")[0])).toEqual([
    'turbo.json:2:3 turbo-unsupported: Kahn does not use "remoteCache" of turbo.json',
    'turbo.json:5:3 turbo-unsupported: Kahn does not use "envMode" of turbo.json',
    'turbo.json:8:7 turbo-unsupported: Kahn does not use "interruptible" of a task of turbo.json',
    'turbo.json:9:7 turbo-unsupported: Kahn does not use "env: "!SECRET"" which is neither a name nor a beginning of names of turbo.json',
    'turbo.json:17:5 config-unknown-project: "tasks["@b/gone#build"]" is for a project that is not there',
  ]);
  expect(taskOf(found, "@b/ui#build").env).toEqual(["A"]);
});

test("wrong values of a turbo.json are problems with their lines", async () => {
  const problems = await problemsOf({
    ...FILES,
    "turbo.json": {
      globalEnv: "CI",
      tasks: { build: { outputs: "dist", cache: 1 }, lint: [], test: { dependsOn: ["a#"] } },
    },
  });
  expect(problems.map((text) => text.split("\n")[0])).toEqual([
    'turbo.json:2:16 config-wrong-value: "globalEnv" of turbo.json must be a list of texts',
    'turbo.json:5:18 config-wrong-value: "tasks.build.outputs" of turbo.json must be a list of texts',
    'turbo.json:6:16 config-wrong-value: "tasks.build.cache" of turbo.json must be true or false',
    'turbo.json:8:13 config-wrong-value: "tasks.lint" of turbo.json must be an object',
  ]);
});

test("a Kahn file beside it wins", async () => {
  const found = await modelOf({ ...FILES, "turbo.json": { tasks: {} }, "kahn.jsonc": {} });
  expect(found.source).toBe("kahn");
});
