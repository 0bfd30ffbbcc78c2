import { memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import { modelOf, npmWorkspace, problemsOf, rendered, taskOf, type WorkspaceFiles } from "../workspace.fixture.ts";
import { loadWorkspace, projectAt } from "./load-workspace.ts";

const WORKSPACE = npmWorkspace({
  "@b/a": { scripts: { build: "tsc", test: "vitest" } },
  "@b/b": { scripts: { build: "tsc" }, dependencies: { "@b/a": "*" } },
});

test("an npm workspace with a kahn.jsonc gives projects, edges and tasks with their lines", async () => {
  const found = await modelOf({
    ...WORKSPACE,
    "kahn.jsonc":
      '{\n  // tasks\n  "tasks": {\n    "build": { "dependsOn": ["^build"], "outputs": ["dist/**"] },\n  }\n}\n',
  });
  expect(found).toMatchObject({ root: "/ws", manager: "npm", lockFile: "package-lock.json", source: "kahn" });
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
  expect(taskOf(found, "@b/a#build")).toMatchObject({
    outputs: ["dist/**"],
    inputs: undefined,
    declaredAt: { file: "kahn.jsonc", line: 4, column: 5 },
  });
  expect(taskOf(found, "@b/a#test")).toMatchObject({
    declaredAt: { file: "packages/a/package.json", line: 6, column: 5, text: '    "test": "vitest"' },
    uncachedBecause: 'the configuration has no task "test"',
  });
  expect(found.files).toEqual(["package.json", "kahn.jsonc", "packages/a/package.json", "packages/b/package.json"]);
});

test("without configuration scripts are uncached tasks after the same script of dependencies", async () => {
  const found = await modelOf(WORKSPACE);
  expect(found.source).toBe("none");
  for (const task of found.tasks) {
    expect(task).toMatchObject({ cache: false, uncachedBecause: expect.stringContaining("kahn init") });
    expect(task.dependsOn).toEqual([{ kind: "dependencies", task: task.task }]);
  }
});

test("from inside a package the workspace above it is found, and the package is known", async () => {
  const found = await modelOf(
    { ...WORKSPACE, "packages/a/src/deep/x.ts": "" },
    { startDirectory: "/ws/packages/a/src/deep" },
  );
  expect(found.root).toBe("/ws");
  expect(projectAt(found, "/ws/packages/a/src/deep")?.name).toBe("@b/a");
  expect(projectAt(found, "/ws/packages")?.name).toBe("//");
  expect(projectAt(found, "/ws")?.name).toBe("//");
  expect(projectAt(found, "/ws2")).toBeUndefined();
});

test("a package that the workspace above does not include is a workspace of its own", async () => {
  const files = { ...WORKSPACE, "fixtures/x/package.json": { name: "x", scripts: { build: "echo" } } };
  const found = await modelOf(files, { startDirectory: "/ws/fixtures/x" });
  expect(found.root).toBe("/ws/fixtures/x");
  expect(found.tasks.map((task) => task.id)).toEqual(["//#build"]);
});

test("a package inside a member, which is no member itself, is a workspace of its own", async () => {
  const files = { ...WORKSPACE, "packages/a/fixtures/x/package.json": { name: "x" } };
  const found = await modelOf(files, { startDirectory: "/ws/packages/a/fixtures/x" });
  expect(found.root).toBe("/ws/packages/a/fixtures/x");
});

test("a script named workspaces does not make a root", async () => {
  const files = { ...WORKSPACE, "packages/a/package.json": { name: "@b/a", scripts: { workspaces: "npm ls" } } };
  expect((await modelOf(files, { startDirectory: "/ws/packages/a" })).root).toBe("/ws");
});

test("a file that may not be read is a problem that names it", async () => {
  const fs = memoryFileSystem({ files: { "ws/package.json": "{}" } });
  fs.chmod("/ws/package.json", 0);
  const importModule = () => Promise.resolve(undefined);
  const result = await loadWorkspace({ fs, startDirectory: "/ws", processorCount: 1, importModule });
  expect(result.ok ? [] : result.problem.map((each) => each.message)).toEqual([
    "/ws/package.json cannot be read: EACCES",
  ]);
});

test("a project's own kahn.jsonc does not make it a root", async () => {
  const files = { ...WORKSPACE, "packages/a/kahn.jsonc": { tasks: { build: {} } } };
  const found = await modelOf(files, { startDirectory: "/ws/packages/a" });
  expect([found.root, found.source]).toEqual(["/ws", "kahn"]);
});

test("a repository of one package is its root project", async () => {
  const found = await modelOf({
    "package.json": { name: "solo", version: "2.0.0", scripts: { build: "tsc", test: "vitest" }, bin: "cli.js" },
    "kahn.jsonc": { tasks: { build: { outputs: ["dist"] }, "solo#test": { dependsOn: ["build", "solo#build"] } } },
  });
  expect(found.projects).toMatchObject([{ name: "//", directory: "" }]);
  expect(found.projects[0]!.manifestEnv).toEqual({
    npm_package_name: "solo",
    npm_package_version: "2.0.0",
    npm_package_bin_solo: "cli.js",
  });
  expect(taskOf(found, "//#build").cache).toBe(true);
  expect(taskOf(found, "//#test").dependsOn).toEqual([
    { kind: "same-project", task: "build" },
    { kind: "exact", id: "//#build" },
  ]);
});

test("package managers are told apart by field, then by lock file", async () => {
  const plain = { name: "root", workspaces: ["packages/*"] };
  const cases: [Record<string, unknown>, string, string | undefined][] = [
    [{ "package.json": plain }, "npm", undefined],
    [{ "package.json": plain, "yarn.lock": "" }, "yarn", "yarn.lock"],
    [{ "package.json": plain, "pnpm-lock.yaml": "", "yarn.lock": "" }, "pnpm", "pnpm-lock.yaml"],
    [{ "package.json": { ...plain, packageManager: "yarn@4.1.0" }, "yarn.lock": "" }, "yarn", "yarn.lock"],
    [{ "package.json": { ...plain, packageManager: "npm@11.0.0" }, "yarn.lock": "" }, "npm", undefined],
    [{ "package.json": plain, "yarn.lock": "", ".pnp.cjs": "" }, "yarn-pnp", "yarn.lock"],
    [{ "kahn.jsonc": { projects: ["packages/*"] } }, "none", undefined],
  ];
  for (const [files, manager, lockFile] of cases) {
    const found = await modelOf(files);
    expect([found.manager, found.lockFile]).toEqual([manager, lockFile]);
    const codes = found.warnings.map((each) => each.code).filter((each) => each !== "workspace-empty");
    expect(codes).toEqual(manager === "yarn-pnp" ? ["yarn-pnp"] : []);
  }
});

test("project globs follow each manager's file, with exclusions, depth and braces", async () => {
  const member = (name: string) => ({ name });
  const files = {
    "packages/a/package.json": member("a"),
    "packages/old/package.json": member("old"),
    "packages/group/deep/package.json": member("deep"),
    "packages/group/deep/node_modules/x/package.json": member("x"),
    "packages/.hidden/package.json": member("hidden"),
    "packages/empty/readme.md": "",
    "apps/web/package.json": member("web"),
    "tools/package.json": member("tools"),
  };
  const directories = async (extra: Record<string, unknown>) =>
    (await modelOf({ ...files, ...extra })).projects.map((project) => project.directory);
  expect(await directories({ "package.json": { workspaces: ["packages/*", "!packages/old", "./tools/"] } })).toEqual([
    "",
    "packages/a",
    "tools",
  ]);
  expect(await directories({ "package.json": { workspaces: { packages: ["packages/**"] } } })).toEqual([
    "",
    "packages/a",
    "packages/group/deep",
    "packages/old",
  ]);
  const yaml =
    "# members\npackages:\n  - 'packages/**'\n  - \"!packages/old\" # gone\n  - apps/*\ncatalog:\n  react: 19\n";
  expect(await directories({ "package.json": {}, "pnpm-workspace.yaml": yaml })).toEqual([
    "",
    "apps/web",
    "packages/a",
    "packages/group/deep",
  ]);
  const flow = "packages: [packages/*, '!**/old']\n";
  expect(await directories({ "package.json": {}, "pnpm-workspace.yaml": flow })).toEqual(["", "packages/a"]);
  const own = { "package.json": { workspaces: ["packages/*"] }, "kahn.jsonc": { projects: ["{apps,packages}/[aw]*"] } };
  expect(await directories(own)).toEqual(["", "apps/web", "packages/a"]);
});

test("a broken or wrong pnpm-workspace.yaml is named with its line", async () => {
  expect(await problemsOf({ "package.json": {}, "pnpm-workspace.yaml": 'packages:\n  - "a\n' })).toEqual([
    expect.stringContaining("pnpm-workspace.yaml:3:1 config-syntax: pnpm-workspace.yaml is not valid YAML"),
  ]);
  expect(await problemsOf({ "package.json": {}, "pnpm-workspace.yaml": "x: 1\npackages: all\n" })).toEqual([
    expect.stringContaining('pnpm-workspace.yaml:2:11 config-wrong-value: "packages" of pnpm-workspace.yaml must be'),
  ]);
});

test("specifiers lead to projects by name, folder and alias, and not when they point elsewhere", async () => {
  const found = await modelOf({
    ...npmWorkspace({ "@b/lib": {}, "@b/alias": {}, "@b/folder": {}, "@b/peer": {}, "@b/dev": {}, "@b/out": {} }),
    "packages/app/package.json": {
      name: "app",
      dependencies: {
        "@b/lib": "workspace:^",
        renamed: "workspace:@b/alias@*",
        "any-name": "file:../folder",
        "@b/out": "npm:other@^1",
        "@b/gone": "^1.0.0",
        app: "*",
      },
      devDependencies: { "@b/dev": "catalog:", "@b/lib": "1.x" },
      peerDependencies: { "@b/peer": ">=1 <3" },
      optionalDependencies: { "@b/out": "owner/repository#main" },
    },
  });
  expect(found.projects.find((project) => project.name === "app")?.dependencies).toEqual([
    "@b/alias",
    "@b/dev",
    "@b/folder",
    "@b/lib",
    "@b/peer",
  ]);
});

test("sections of other packages are checked with the rest and kept in the model", async () => {
  const { strictObject: object, number, optional } = await import("valibot");
  const sections = [{ key: "serve", schema: object({ port: optional(number("a port"), 9092) }) }];
  const good = await modelOf({ ...WORKSPACE, "kahn.jsonc": { serve: {} } }, { sections });
  expect(good.settings.sections).toEqual({ serve: { port: 9092 } });
  expect(await problemsOf({ ...WORKSPACE, "kahn.jsonc": { serve: { port: "x", prot: 1 } } }, { sections })).toEqual([
    expect.stringContaining('kahn.jsonc:4:5 config-unknown-key: "serve.prot" is not a key'),
    expect.stringContaining('kahn.jsonc:3:13 config-wrong-value: "serve.port" must be a port'),
  ]);
});

test("whatever words a section's owner has for a mistake, the message reads", async () => {
  const v = await import("valibot");
  const size = v.pipe(
    v.string(),
    v.check((it) => it === "1GB", 'Write a size such as "10GB".'),
  );
  const schema = v.strictObject({
    size: v.optional(size),
    big: v.optional(size),
    hash: v.optional(v.picklist(["sha256"], "only sha256 is built so far")),
    mode: v.optional(v.picklist(["copy", "link"])),
    on: v.optional(v.boolean()),
  });
  const serve = { size: "ten", big: 10, hash: "sha1", mode: "move", on: "yes" };
  const problems = await problemsOf(
    { ...WORKSPACE, "kahn.jsonc": { serve } },
    { sections: [{ key: "serve", schema }] },
  );
  expect(problems.map((each) => [each.split("\n")[0]!.split(": ")[1], each.split("-> ")[1]])).toEqual([
    ['"serve.size" cannot be the text "ten"', 'Write a size such as "10GB".'],
    ['"serve.big" must be a text', "Change the value of serve.big."],
    ['"serve.hash" cannot be the text "sha1"', "Only sha256 is built so far."],
    ['"serve.mode" must be "copy" or "link"', "Change the value of serve.mode."],
    ['"serve.on" must be true or false', "Change the value of serve.on."],
  ]);
});

test("globs that match no project are a warning with their place, not a small workspace", async () => {
  const warnings = async (files: WorkspaceFiles) => (await modelOf(files)).warnings.map(rendered);
  expect(await warnings({ "package.json": { name: "root", workspaces: ["pkgs/*", "!pkgs/x"] } })).toEqual([
    [
      'package.json:3:3 workspace-empty: No folder with a package.json matches "pkgs/*"',
      '|   "workspaces": [',
      "|   ^^^^^^^^^^^^",
      "-> Correct the globs, or remove them if the root is all there is.",
    ].join("\n"),
  ]);
  expect(await warnings({ "package.json": {}, "pnpm-workspace.yaml": "packages:\n  - a/*\n  - b\n" })).toEqual([
    expect.stringContaining(
      'pnpm-workspace.yaml:1:1 workspace-empty: No folder with a package.json matches "a/*", "b"',
    ),
  ]);
  expect(await warnings({ "package.json": {}, "kahn.jsonc": { projects: ["x/*"] } })).toEqual([
    expect.stringContaining("kahn.jsonc:2:15 workspace-empty"),
  ]);
  expect(await warnings({ "package.json": { workspaces: ["."] } })).toEqual([]);
  expect(await warnings({ "package.json": { workspaces: [] } })).toEqual([]);
});
