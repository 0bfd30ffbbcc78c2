// Goal: Kahn works where people are: without configuration, with a turbo.json, with each package manager's workspaces,
// in linked work trees, with configuration in code. Method: the files as those tools write them.
import { symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { manifest, ROOT_MANIFEST, reasonsOf, Workspace } from "./rig/workspace.ts";

const SHOW = "node -p 'JSON.stringify(process.env)'";

test("without configuration scripts are tasks, after the same script of dependencies, not cached, and it says so", async () => {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "packages/app/package.json": manifest("app", { build: "echo app >> ../../log" }, ["lib"]),
    "packages/lib/package.json": manifest("lib", { build: "echo lib >> ../../log" }),
  });
  const first = await work.kahn("run build");
  expect(first.exitCode).toBe(0);
  expect(first.stdout).toMatch(/\n {2}not cached: 2 tasks, .*`kahn init`/);
  expect((await work.kahn("why lib#build")).stdout).toMatch(/^▶ lib#build would run: it is not cached: .*\n$/);
  await work.kahn("run build");
  expect(work.lines("log")).toEqual(["lib", "app", "lib", "app"]);
});

test("scripts run as npm would run them: pre and post scripts, npm's variables, node_modules/.bin, the shell's stdin", async () => {
  const work = new Workspace({
    "package.json": { ...ROOT_MANIFEST, config: { port: "80" } },
    "packages/app/package.json": {
      ...manifest("app", {
        prebuild: "echo pre $npm_lifecycle_event >> ../../log",
        build: "echo main $npm_lifecycle_event >> ../../log; tool; cat; echo end >> ../../log",
        postbuild: "echo post $npm_lifecycle_event >> ../../log",
        env: SHOW,
      }),
      version: "3.2.1",
      config: { color: "blue" },
    },
  });
  work.write("packages/app/node_modules/.bin/tool", "#!/bin/sh\necho own tool >> ../../log\n", 0o755);
  work.write("node_modules/.bin/tool", "#!/bin/sh\necho root tool >> ../../log\n", 0o755);
  expect((await work.kahn("run build")).exitCode).toBe(0);
  expect(work.lines("log")).toEqual(["pre prebuild", "main build", "own tool", "end", "post postbuild"]);
  const shown = await work.kahn("run env", {
    in: "packages/app",
    env: { SECRET_OF_MINE: "x", CI: "1", npm_config_yes: "y" },
  });
  const env = JSON.parse(/^\{.*\}$/m.exec(shown.stdout)![0]) as Record<string, string>;
  expect(env).toMatchObject({
    npm_lifecycle_event: "env",
    npm_lifecycle_script: SHOW,
    npm_package_name: "app",
    npm_package_version: "3.2.1",
    npm_package_config_color: "blue",
    npm_package_json: work.path("packages/app/package.json"),
    INIT_CWD: work.path("packages/app"),
    CI: "1",
    npm_config_yes: "y",
  });
  expect(env).not.toHaveProperty("SECRET_OF_MINE");
});

test("a failing task is told which variable its script mentions and does not receive", async () => {
  const work = new Workspace({ "package.json": manifest("one", { build: 'test -n "$DEPLOY_TARGET"' }) });
  const run = await work.kahn("run build", { env: { DEPLOY_TARGET: "prod" } });
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toContain("mentions DEPLOY_TARGET, which the task does not receive: add it to the task's `env`");
});

test("init writes a kahn.jsonc with which the second run is all cached", async () => {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "packages/lib/package.json": manifest("lib", {
      build: "mkdir -p dist && cp src.ts dist/src.js",
      test: "test -e dist/src.js",
    }),
    "packages/lib/src.ts": "export {};\n",
    "packages/app/package.json": manifest("app", { build: "mkdir -p dist && cp ../lib/dist/src.js dist/" }, ["lib"]),
    ".gitignore": "dist\nnode_modules\n",
  });
  work.commitAll();
  const printed = await work.kahn("init --print");
  expect(work.exists("kahn.jsonc")).toBe(false);
  const init = await work.kahn("init");
  expect(init.exitCode).toBe(0);
  expect(init.stdout).toContain("Next: kahn run build, twice.");
  expect(work.read("kahn.jsonc")).toBe(printed.stdout);
  expect((await work.run("build test")).finished).toMatchObject({ executed: 3, cached: 0 });
  expect((await work.run("build test")).finished).toMatchObject({ executed: 0, cached: 3 });
  work.remove("packages/lib/dist");
  expect((await work.run("build test")).finished).toMatchObject({ executed: 0, cached: 3 });
  expect(work.exists("packages/lib/dist/src.js")).toBe(true);
  const again = await work.kahn("init");
  expect(again.exitCode).toBe(2);
  expect(again.stderr).toContain("error[config-exists]");
  expect((await work.kahn("init --force")).exitCode).toBe(0);
});

test("a turbo.json is read as it stands", async () => {
  const work = new Workspace({
    "package.json": { ...ROOT_MANIFEST, packageManager: "npm@10.0.0" },
    "turbo.json": `{
  "$schema": "https://turbo.build/schema.json",
  // comments are allowed
  "globalEnv": ["STAGE"],
  "tasks": {
    "build": { "dependsOn": ["^build"], "outputs": ["dist/**"], "env": ["MODE"] },
    "test": { "dependsOn": ["build"], "cache": false },
    "app#build": { "dependsOn": ["^build"], "outputs": ["out/**"] }
  }
}`,
    "packages/lib/package.json": manifest("lib", { build: "mkdir -p dist && echo lib > dist/x", test: "true" }),
    "packages/app/package.json": manifest("app", { build: "mkdir -p out && echo app > out/x" }, ["lib"]),
  });
  const first = await work.run("build test");
  expect(first.exitCode, first.stderr).toBe(0);
  expect(first.log.startedOrder().sort()).toEqual(["app#build", "lib#build", "lib#test"]);
  work.remove("packages/app/out");
  const again = await work.run("build test");
  expect(again.log.startedOrder()).toEqual(["lib#test"]);
  expect(work.read("packages/app/out/x")).toBe("app\n");
  expect(reasonsOf(await work.run("build", { env: { STAGE: "prod" } }))["lib#build"]![0]).toMatch(/^env-changed STAGE/);
});

const LAYOUTS: readonly (readonly [manager: string, files: Record<string, string | object>])[] = [
  [
    "pnpm",
    {
      "package.json": { name: "root", private: true },
      "pnpm-workspace.yaml": "# the packages\npackages:\n  - 'packages/*'\n  - '!packages/old'\n",
      "pnpm-lock.yaml":
        "lockfileVersion: '9.0'\n\npackages:\n\n  left-pad@1.1.0:\n    resolution: {integrity: sha512-a}\n",
      "packages/old/package.json": manifest("old", { build: "exit 1" }),
    },
  ],
  [
    "yarn",
    {
      "package.json": { name: "root", private: true, workspaces: { packages: ["packages/*"] } },
      "yarn.lock": '# yarn lockfile v1\n\n\nleft-pad@^1.0.0:\n  version "1.1.0"\n  resolved ""\n',
    },
  ],
];

test.each(LAYOUTS)("a workspace of %s: its packages, its lock file, workspace: versions", async (manager, files) => {
  const work = new Workspace({
    ...files,
    "packages/lib/package.json": manifest("lib", { build: "true" }),
    "packages/app/package.json": { name: "app", scripts: { build: "true" }, devDependencies: { lib: "workspace:*" } },
    "kahn.jsonc": { tasks: { build: { dependsOn: ["^build"], inputs: ["package.json"] } } },
  });
  const first = await work.run("build");
  expect(first.exitCode, first.stderr).toBe(0);
  expect(first.log.startedOrder()).toEqual(["lib#build", "app#build"]);
  const lock = manager === "pnpm" ? "pnpm-lock.yaml" : "yarn.lock";
  work.write(lock, work.read(lock).replaceAll("1.1.0", "1.2.0"));
  const why = await work.kahn("why lib#build");
  expect(why.stdout).toBe(`▶ lib#build would run: ${lock}: left-pad 1.1.0 → 1.2.0\n`);
});

test("a linked git work tree shares the cache: what was computed in one is a hit in the other", async () => {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    ".gitignore": "dist\nlog\nlinked\n.kahn\n",
    "packages/lib/package.json": manifest("lib", {
      build: "echo ran >> ../../log; mkdir -p dist; cat src > dist/out; echo built in $INIT_CWD",
    }),
    "packages/lib/src": "a\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["src"], outputs: ["dist/**"] } } },
  });
  work.commitAll();
  expect((await work.run("build")).finished).toMatchObject({ executed: 1 });
  work.git("worktree", "add", "-q", "linked");
  const linked = await work.run("build", { in: "linked" });
  expect(linked.finished).toMatchObject({ executed: 0, cached: 1 });
  expect(work.read("linked/packages/lib/dist/out")).toBe("a\n");
  expect(work.exists("linked/log")).toBe(false);
  expect(work.exists("linked/.kahn/cache")).toBe(false);
  work.append("linked/packages/lib/src", "b\n");
  expect((await work.run("build", { in: "linked/packages/lib" })).finished).toMatchObject({ executed: 1 });
  work.append("packages/lib/src", "b\n");
  expect((await work.run("build")).finished).toMatchObject({ executed: 0, cached: 1 });
});

test("another checkout that is given the same cache hits, wherever it lies", async () => {
  const files = {
    "package.json": manifest("one", { build: "mkdir -p dist && cat src > dist/out" }),
    src: "a\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["src"], outputs: ["dist/**"] } } },
  };
  const first = new Workspace(files);
  const second = new Workspace(files);
  const env = { KAHN_CACHE_DIR: first.path("shared-cache") };
  await first.run("build", { env });
  const run = await second.run("build", { env });
  expect(run.finished).toMatchObject({ executed: 0, cached: 1 });
  expect(second.read("dist/out")).toBe("a\n");
});

const CONFIG = `
const inputs${": string[]"} = ["src"];
export default { tasks: { build: { inputs, outputs: ["out"] } } };
`;

test.each(["kahn.config.mts", "kahn.config.ts", "kahn.config.mjs", "kahn.config.js"])(
  "%s configures the workspace, and its edit and that of what it imports are noticed",
  async (name) => {
    const text = name.endsWith("ts") ? CONFIG : CONFIG.replace(": string[]", "");
    const work = new Workspace({
      "package.json": { ...manifest("one", { build: "cat src > out" }), type: "module" },
      src: "a\n",
      "more.mjs": 'export const env = ["FIRST"];\n',
      [name]: text,
    });
    expect((await work.run("build")).finished).toMatchObject({ executed: 1 });
    const second = await work.run("build");
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.finished).toMatchObject({ executed: 0, cached: 1 });
    work.write(name, `import { env } from "./more.mjs";\n${text.replace("inputs,", "inputs, env,")}`);
    expect(reasonsOf(await work.run("build"))["//#build"]).toEqual(["env-list-changed FIRST (added)"]);
    work.write("more.mjs", 'export const env = ["FIRST", "SECOND"];\n');
    expect(reasonsOf(await work.run("build"))["//#build"]).toEqual(["env-list-changed SECOND (added)"]);
  },
);

test('a project may say more in its own kahn.jsonc or in "kahn" of its package.json, and a list may inherit', async () => {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "kahn.jsonc": { tasks: { build: { inputs: ["src"], outputs: ["out"] } } },
    "packages/a/package.json": manifest("a", { build: "cat src extra > out" }),
    "packages/a/kahn.jsonc": { tasks: { build: { inputs: ["$inherit", "extra"] } } },
    "packages/b/package.json": {
      ...manifest("b", { build: "echo b > out" }),
      kahn: { tasks: { build: { cache: false } } },
    },
  });
  for (const name of ["a", "b"]) for (const file of ["src", "extra"]) work.write(`packages/${name}/${file}`, "x\n");
  await work.run("build");
  expect((await work.run("build")).log.startedOrder()).toEqual(["b#build"]);
  work.append("packages/a/extra", "y\n");
  expect(reasonsOf(await work.run("build"))["a#build"]).toEqual(["input-changed packages/a/extra"]);
});

test("default inputs are what git would add: ignored files and outputs do not count, new files do", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "mkdir -p dist && cat *.txt > dist/out" }),
    ".gitignore": "*.tmp\n",
    "a.txt": "a\n",
    "kahn.jsonc": { tasks: { build: { outputs: ["dist/**"] } } },
  });
  work.git("init", "-q");
  await work.run("build");
  work.write("noise.tmp", "x\n");
  expect((await work.run("build")).finished).toMatchObject({ cached: 1 });
  work.write("b.txt", "b\n");
  expect(reasonsOf(await work.run("build"))["//#build"]).toEqual(["input-added b.txt"]);
});

test("a workspace reached through a symbolic link is the same workspace", async () => {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "packages/lib/package.json": manifest("lib", { build: "cat src > out" }),
    "packages/lib/src": "a\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["src"], outputs: ["out"] } } },
  });
  await work.run("build");
  symlinkSync(work.directory, `${work.home}/link`);
  const through = await work.run("build", { in: "../home/link/packages/lib" });
  expect(through.finished).toMatchObject({ executed: 0, cached: 1 });
});

test("a pnpm workspace whose file is more than a plain list is read as YAML, and a mistake in it is shown", async () => {
  const work = new Workspace({
    "package.json": { name: "root", private: true },
    "pnpm-workspace.yaml": 'packages: &here ["packages/*"]\ncatalog: { react: "19" }\nonlyBuiltDependencies: *here\n',
    "packages/app/package.json": manifest("app", { build: "true" }),
  });
  expect((await work.kahn("ls")).stdout).toContain("app      packages/app");
  work.write("pnpm-workspace.yaml", "packages: [unfinished\n");
  const refused = await work.kahn("ls");
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain("config-syntax");
});
