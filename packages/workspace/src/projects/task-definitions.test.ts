import { expect, test } from "vitest";
import type { WorkspaceModel } from "../model.ts";
import { modelOf, npmWorkspace, problemsOf, taskOf } from "../workspace.fixture.ts";

const ids = (model: WorkspaceModel) => model.tasks.map((task) => task.id);

test("every field of a task arrives in the model in its normal form", async () => {
  const found = await modelOf({
    ...npmWorkspace({ a: { scripts: { test: "vitest" } } }),
    "kahn.jsonc": {
      pools: { db: 2 },
      cache: { outputMode: "link", maxSize: "10GB" },
      globalEnv: ["CI"],
      globalInputs: ["./tsconfig.base.json"],
      tasks: {
        test: {
          description: "unit tests",
          dependsOn: ["build", "^build", "//#codegen"],
          after: ["lint"],
          validates: ["types"],
          inputs: ["./src/", "../b/x", "$default"],
          outputs: [],
          env: ["NODE_ENV"],
          passEnv: ["AWS_*"],
          tools: ["tsc"],
          mutex: ["port", { name: "fs", mode: "shared" }],
          pool: "db",
          slots: 2,
          tags: ["heavy"],
          priority: 5,
          timeout: "5m",
          grace: 100,
          retries: 1,
          deps: "direct",
        },
        dev: { command: "vite", persistent: true, ready: { port: 3000 } },
      },
    },
  });
  expect(found.settings).toMatchObject({ globalEnv: ["CI"], globalInputs: ["tsconfig.base.json"], pools: { db: 2 } });
  expect(taskOf(found, "a#test")).toMatchObject({
    description: "unit tests",
    command: { kind: "script", event: "test", script: "vitest" },
    dependsOn: [
      { kind: "same-project", task: "build" },
      { kind: "dependencies", task: "build" },
      { kind: "exact", id: "//#codegen" },
    ],
    after: [{ kind: "same-project", task: "lint" }],
    validates: [{ kind: "same-project", task: "types" }],
    inputs: ["src/**", "/packages/b/x", "$default"],
    outputs: [],
    env: ["NODE_ENV"],
    passEnv: ["AWS_*"],
    tools: ["tsc"],
    mutexes: [
      { name: "port", mode: "exclusive" },
      { name: "fs", mode: "shared" },
    ],
    pools: [["db", 1]],
    slots: 2,
    tags: ["heavy"],
    priority: 5,
    timeoutMs: 300_000,
    graceMs: 100,
    retries: 1,
    persistent: false,
    interactive: false,
    cache: true,
    uncachedBecause: undefined,
    outputMode: "link",
    deps: "direct",
  });
  expect(taskOf(found, "a#dev")).toMatchObject({
    command: { kind: "shell", script: "vite" },
    persistent: true,
    ready: { port: 3000, timeoutMs: 60_000 },
    cache: false,
    uncachedBecause: "it is persistent",
  });
});

test("a declared task without outputs is cached; persistent, interactive and cache false are not", async () => {
  const scripts = { lint: "x", dev: "x", ask: "x", deploy: "x" };
  const found = await modelOf({
    ...npmWorkspace({ a: { scripts } }),
    "kahn.jsonc": {
      tasks: { lint: {}, dev: { persistent: true }, ask: { interactive: true }, deploy: { cache: false } },
    },
  });
  expect(Object.fromEntries(found.tasks.map((task) => [task.task, task.uncachedBecause]))).toEqual({
    lint: undefined,
    dev: "it is persistent",
    ask: "it is interactive",
    deploy: 'its configuration says "cache": false',
  });
});

test("more specific entries override field by field, and $inherit keeps what is beneath", async () => {
  const found = await modelOf({
    ...npmWorkspace({ a: { scripts: { build: "x" } }, b: { scripts: { build: "x" } }, c: { scripts: { build: "x" } } }),
    "kahn.jsonc": {
      tasks: {
        build: { outputs: ["dist/**"], env: ["A"], retries: 1 },
        "b#build": { outputs: ["$inherit", "types/**"], retries: 2 },
      },
    },
    "packages/b/kahn.jsonc": { tags: ["ui"], tasks: { build: { outputs: ["$inherit", "css/**"], env: [] } } },
    "packages/c/package.json": { name: "c", scripts: { build: "x" }, kahn: { tasks: { build: { cache: false } } } },
  });
  const pick = (id: string) => {
    const { outputs, env, retries, cache, declaredAt } = taskOf(found, id);
    return { outputs, env, retries, cache, file: declaredAt.file };
  };
  expect(pick("a#build")).toEqual({ outputs: ["dist/**"], env: ["A"], retries: 1, cache: true, file: "kahn.jsonc" });
  expect(pick("b#build")).toEqual({
    outputs: ["dist/**", "types/**", "css/**"],
    env: [],
    retries: 2,
    cache: true,
    file: "packages/b/kahn.jsonc",
  });
  expect(pick("c#build")).toMatchObject({ outputs: ["dist/**"], cache: false, file: "packages/c/package.json" });
  expect(found.projects.find((project) => project.name === "b")?.tags).toEqual(["ui"]);
});

test("pre and post scripts belong to their script, as npm runs them, and to themselves in newer Yarn", async () => {
  const scripts = {
    prebuild: "echo 1",
    build: "echo 2",
    postbuild: "echo 3",
    pretty: "x",
    postinstall: "x",
    prepare: "x",
  };
  const npm = await modelOf(npmWorkspace({ a: { scripts } }));
  expect(ids(npm)).toEqual(["a#build", "a#pretty"]);
  expect(taskOf(npm, "a#build").command).toEqual({
    kind: "script",
    event: "build",
    script: "echo 2",
    pre: "echo 1",
    post: "echo 3",
  });
  const berry = await modelOf({
    ...npmWorkspace({ a: { scripts } }, { packageManager: "yarn@4.0.0" }),
    "yarn.lock": "",
  });
  expect(ids(berry)).toEqual(["a#build", "a#postbuild", "a#prebuild", "a#pretty"]);
  expect(taskOf(berry, "a#build").command).toMatchObject({ pre: undefined, post: undefined });
});

test("a lifecycle script is a task when it is declared", async () => {
  const files = npmWorkspace({ a: { scripts: { prepare: "x", build: "y" } } });
  expect(ids(await modelOf({ ...files, "kahn.jsonc": { tasks: { prepare: {} } } }))).toEqual(["a#build", "a#prepare"]);
});

test("the root's scripts are tasks of // that only their own entries declare", async () => {
  const root = { scripts: { build: "kahn run build", codegen: "x" } };
  const found = await modelOf({
    ...npmWorkspace({ a: { scripts: { build: "x" } } }, root),
    "kahn.jsonc": { tasks: { build: { outputs: ["dist/**"] }, "//#codegen": { outputs: ["gen/**"] } } },
  });
  expect(found.tasks.map((task) => [task.id, task.cache])).toEqual([
    ["//#build", false],
    ["//#codegen", true],
    ["a#build", true],
  ]);
});

test("undeclared servers and watchers wait for nothing and are persistent", async () => {
  const found = await modelOf(npmWorkspace({ a: { scripts: { dev: "x", "build:watch": "x", build: "x" } } }));
  expect(found.tasks.map((task) => [task.task, task.persistent, task.dependsOn.length])).toEqual([
    ["build", false, 1],
    ["build:watch", true, 0],
    ["dev", true, 0],
  ]);
});

// Goal: the graph that turbo makes. `test` needs `build`; a has tests and nothing to build, and depends on b.
test("a declared task stands in where a project has no such script but something leads through it", async () => {
  const found = await modelOf({
    ...npmWorkspace({
      a: { scripts: { test: "x" }, dependencies: { b: "*" } },
      b: { scripts: { build: "x", codegen: "x" } },
      c: { scripts: { codegen: "x" } },
      d: {},
    }),
    "kahn.jsonc": {
      tasks: {
        build: { dependsOn: ["^build"] },
        test: { dependsOn: ["build"] },
        codegen: {},
        ci: { dependsOn: ["test"] },
      },
    },
  });
  expect(taskOf(found, "a#build")).toMatchObject({ command: { kind: "none" }, cache: false });
  expect(ids(found).filter((id) => id.endsWith("#build"))).toEqual(["a#build", "b#build", "c#build", "d#build"]);
  expect(ids(found).filter((id) => id.endsWith("#ci"))).toEqual(["a#ci", "b#ci", "c#ci", "d#ci"]);
  expect(ids(found)).not.toContain("a#codegen");
});

test("a task that passes only its own name on needs no stand-in", async () => {
  const found = await modelOf({
    ...npmWorkspace({ a: { scripts: { build: "x" } }, b: {} }),
    "kahn.jsonc": { tasks: { build: { dependsOn: ["^build"] } } },
  });
  expect(ids(found)).toEqual(["a#build"]);
});

test("a chain of names through dependencies exists in every project when nothing runs under it", async () => {
  const found = await modelOf({
    ...npmWorkspace({ a: { scripts: { lint: "x" } }, b: {} }),
    "kahn.jsonc": { tasks: { transit: { dependsOn: ["^transit"] }, lint: { dependsOn: ["transit"] } } },
  });
  expect(ids(found)).toEqual(["a#lint", "a#transit", "b#lint", "b#transit"]);
});

test("an entry that nothing runs is a warning with the name that was meant", async () => {
  const found = await modelOf({
    ...npmWorkspace({ a: { scripts: { build: "x" } } }),
    "kahn.jsonc": { tasks: { biuld: { outputs: ["dist/**"] } } },
  });
  expect(found.warnings).toMatchObject([
    {
      code: "task-without-command",
      severity: "warning",
      where: { file: "kahn.jsonc", line: 3 },
      next: 'Did you mean "build"?',
    },
  ]);
});

test("ready without persistent is a problem, named once", async () => {
  const files = npmWorkspace({ a: { scripts: { dev: "x" } }, b: { scripts: { dev: "x" } } });
  expect(await problemsOf({ ...files, "kahn.jsonc": { tasks: { dev: { ready: { port: 1 } } } } })).toEqual([
    expect.stringContaining('"ready" is only for tasks that are persistent'),
  ]);
});
