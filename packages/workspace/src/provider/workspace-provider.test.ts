import {
  type ActionProvider,
  canonicalJson,
  digestOf,
  type FileSystem,
  type PlannedNode,
  type ResolvedAction,
} from "@kahn/core";
import { type FileTree, memoryFileSystem, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Project, TaskDefinition, WorkspaceModel } from "../model.ts";
import { openFileStates } from "../states/index.ts";
import { project, task, type WorkspaceFields, workspace } from "../testing-model.ts";
import { type WorkspaceProviderOptions, type WorkspaceRequest, workspaceProvider } from "./workspace-provider.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const A = project("a", "packages/a", ["b"]);
const B = project("b", "packages/b");
const HOST = { PATH: "/usr/bin:/bin", HOME: "/home/me", SECRET: "s", VITE_A: "1", VITE_B: "2", CI: "1", LC_ALL: "C" };
const FILES: FileTree = {
  "usr/bin/node": "node 20",
  "w/packages/a/package.json": "{}",
  "w/packages/a/src/x": "x",
  "w/packages/b/package.json": "{}",
  "w/packages/b/src/y": "y",
  "w/lock.json": "locked",
};

interface SetUp {
  readonly root?: string;
  readonly projects?: readonly Project[];
  readonly tasks: readonly TaskDefinition[];
  readonly request?: WorkspaceRequest;
  readonly host?: Record<string, string>;
  readonly more?: WorkspaceFields;
  readonly files?: FileTree;
}

function setUp(given: SetUp) {
  const { root = "/w", projects = [A, B], tasks, request = { tasks: ["build"] }, host = HOST, more } = given;
  const clock = virtualClock();
  const moved = Object.entries({ ...FILES, ...given.files }).map(([path, text]) => [
    path.startsWith("w/") ? `${root.slice(1)}/${path.slice(2)}` : path,
    text,
  ]);
  const fs = memoryFileSystem({ clock, files: Object.fromEntries(moved) });
  fs.chmod("/usr/bin/node", 0o755);
  for (const path of Object.keys(given.files ?? {})) {
    if (/bin\//.test(path) && fs.lstat(`/${path}`)?.kind === "file") fs.chmod(`/${path}`, 0o755);
  }
  clock.advance(5001);
  const model: WorkspaceModel = workspace(root, projects, { tasks, lockFile: "lock.json", ...more });
  const states = openFileStates({ fs, clock, indexPath: `${root}/.kahn/state/files`, workspaceRoot: root });
  const options: WorkspaceProviderOptions = {
    model,
    states,
    fs: fs as FileSystem,
    request,
    hostEnv: host,
    platform: "linux-x64",
    nodePath: "/usr/bin/node",
    startDirectory: root,
  };
  return { fs, clock, states, provider: workspaceProvider(options) };
}

async function planOf(provider: ActionProvider): Promise<readonly PlannedNode[]> {
  const plan = await provider.plan();
  if (!plan.ok) throw new Error(JSON.stringify(plan.problem));
  return plan.value;
}

async function resolved(provider: ActionProvider, label: string): Promise<ResolvedAction> {
  await planOf(provider);
  const action = await provider.resolve(label);
  if (!action.ok) throw new Error(action.problem.message);
  return action.value;
}

/** Everything of an action that enters its key, as one text. */
function keyText(action: ResolvedAction): string {
  const { command, inputs, parts, contributions } = action;
  const env = parts.env.map(([name, value]) => [name, value ?? null]);
  return canonicalJson(JSON.parse(JSON.stringify({ command, inputs, parts: { ...parts, env }, contributions })));
}

const BUILD = { inputs: ["src/**", "package.json"], outputs: ["dist/**"] };

test("a task becomes an action: command, inputs, outputs, tools, lock file", async () => {
  const { provider } = setUp({ tasks: [task(A, "build", { ...BUILD, outputs: ["dist/**", "!dist/*.log", "/out"] })] });
  const action = await resolved(provider, "a#build");
  expect(action.command).toEqual({
    arguments: ["sh", "-c", "echo build"],
    environment: [],
    outputPaths: ["../../out", "dist"],
    platform: [],
    workingDirectory: "packages/a",
  });
  expect(action.inputs.map((entry) => entry.path)).toEqual(["packages/a/package.json", "packages/a/src/x"]);
  expect(action.parts).toEqual({
    outputGlobs: ["packages/a/dist/**", "!packages/a/dist/*.log", "out"],
    external: [["lock.json", digestOf("locked")]],
    tools: [["node", digestOf("node 20")]],
    platform: "linux-x64",
    env: [],
    passedArguments: [],
  });
  expect(action.outputs.roots).toEqual(["out", "packages/a/dist"]);
  const matching = [
    "packages/a/dist/x",
    "packages/a/dist/deep/x",
    "out",
    "out/x",
    "packages/a/dist/x.log",
    "packages/a/src/x",
  ];
  expect(matching.filter(action.outputs.matches)).toEqual(matching.slice(0, 4));
  expect(action).toMatchObject({ isolation: "declared", reach: "transitive", cacheable: true });
});

test("declared variables are in the key, absent is not empty, wildcards take what is there", async () => {
  const env = ["SECRET", "NONE", "EMPTY", "VITE_*", "OTHER_*"];
  const { provider } = setUp({
    tasks: [task(A, "build", { ...BUILD, env })],
    host: { ...HOST, EMPTY: "" },
    more: { settings: { globalEnv: ["CI"] } },
  });
  const { parts, command } = await resolved(provider, "a#build");
  expect(parts.env).toEqual([
    ["CI", "1"],
    ["EMPTY", ""],
    ["NONE", undefined],
    ["SECRET", "s"],
    ["VITE_A", "1"],
    ["VITE_B", "2"],
  ]);
  expect(command.environment.map((each) => each.name)).toEqual(["CI", "EMPTY", "SECRET", "VITE_A", "VITE_B"]);
});

test("a task receives what it declares, what is always passed and what npm would set, and nothing else", async () => {
  const { provider } = setUp({ tasks: [task(A, "build", { ...BUILD, env: ["VITE_A"], passEnv: ["VITE_B"] })] });
  const { run } = await resolved(provider, "a#build");
  expect(run.env).toEqual({
    PATH: "/w/packages/a/node_modules/.bin:/w/node_modules/.bin:/usr/bin:/bin",
    HOME: "/home/me",
    CI: "1",
    LC_ALL: "C",
    VITE_A: "1",
    VITE_B: "2",
    INIT_CWD: "/w",
    NODE: "/usr/bin/node",
    npm_command: "run-script",
    npm_lifecycle_event: "build",
    npm_lifecycle_script: "echo build",
    npm_node_execpath: "/usr/bin/node",
    npm_package_json: "/w/packages/a/package.json",
    npm_package_name: "a",
    npm_package_version: "1.0.0",
  });
  expect(run).toMatchObject({ cwd: "/w/packages/a", argv: ["sh", "-c", "echo build"], attemptsMax: 1 });
});

test("variables that the script mentions and does not receive are named; a manifest field it mentions is keyed", async () => {
  const command = {
    kind: "script",
    event: "build",
    script: "x $SECRET $HOME $NOWHERE $npm_package_version",
    pre: undefined,
    post: undefined,
  } as const;
  const { provider } = setUp({ tasks: [task(A, "build", { ...BUILD, command })] });
  const action = await resolved(provider, "a#build");
  expect(action.run.unpassedNames).toEqual(["SECRET"]);
  expect(action.parts.env).toEqual([["npm_package_version", "1.0.0"]]);
});

test("arguments go to the tasks that were asked for, and into their keys", async () => {
  const tasks = [task(A, "build", { ...BUILD, dependsOn: ["^build"] }), task(B, "build", BUILD)];
  const { provider } = setUp({ tasks, request: { tasks: ["a#build"], passedArguments: ["--fast", "a b"] } });
  const a = await resolved(provider, "a#build");
  expect(a.parts.passedArguments).toEqual(["--fast", "a b"]);
  expect(a.run.argv).toEqual(["sh", "-c", "echo build --fast 'a b'"]);
  expect(a.command.arguments).toEqual(["sh", "-c", "echo build"]);
  const b = await resolved(provider, "b#build");
  expect([b.parts.passedArguments, b.run.argv]).toEqual([[], ["sh", "-c", "echo build"]]);
});

test("the key does not know where the work tree lies, who runs it, or in what order things were declared", async () => {
  const tasks = [
    task(A, "build", { ...BUILD, env: ["CI", "NONE"], dependsOn: ["^gen", "^build"] }),
    task(B, "build", { ...BUILD, inputs: ["package.json", "src/**"] }),
    task(B, "gen", { inputs: ["src/**"] }),
  ];
  const other = { HOME: "/root", SECRET: "other", LC_ALL: "de", PATH: "/bin:/usr/bin" };
  for (const label of ["a#build", "b#build", "b#gen"]) {
    const here = setUp({ tasks });
    const there = setUp({
      root: "/else/where",
      projects: [B, A],
      tasks: [...tasks].reverse(),
      host: { ...HOST, ...other },
      request: { tasks: ["build"] },
    });
    expect(keyText(await resolved(there.provider, label))).toBe(keyText(await resolved(here.provider, label)));
  }
});

test("a project that a reference passed through contributes its files to the key", async () => {
  const tasks = [task(A, "build", { ...BUILD, dependsOn: ["^build"] }), task(project("c", "packages/c"), "build")];
  const { provider, fs, states } = setUp({
    tasks,
    projects: [A, B, project("c", "packages/c")],
    request: { tasks: ["a#build"] },
  });
  const before = await resolved(provider, "a#build");
  expect(before.contributions.map(([name]) => name)).toEqual(["b"]);
  fs.writeFile("/w/packages/b/src/y", "changed");
  states.beginAgain();
  const after = await resolved(provider, "a#build");
  expect(after.contributions[0]![1]).not.toBe(before.contributions[0]![1]);
  expect(after.inputs).toEqual(before.inputs);
});

test("files are looked at once until a command starts, and afterwards for each task anew", async () => {
  const tasks = [task(A, "build", BUILD), task(A, "test", { inputs: ["src/**"] })];
  const { provider, fs } = setUp({ tasks, request: { tasks: ["build", "test"] } });
  const build = await resolved(provider, "a#build");
  fs.writeFile("/w/packages/a/src/x", "written by somebody else, seen a moment later");
  const test = await provider.resolve("a#test");
  expect(test.ok && test.value.inputs).toEqual([build.inputs[1]]);
  expect(Object.keys(build.run.env)).toContain("PATH");
  fs.writeFile("/w/packages/a/src/x", "written by the command");
  const again = await provider.resolve("a#test");
  expect(again.ok && again.value.inputs[0]).toMatchObject({ digest: digestOf("written by the command") });
});

test("files that were restored from the cache are seen by the next task, though no command ran", async () => {
  const generated = { inputs: ["src/**"], outputs: [] };
  const tasks = [task(A, "lint", generated), task(A, "build", generated), task(A, "pack", {}), task(A, "all", {})];
  const { provider, fs, states } = setUp({ tasks, request: { tasks: ["lint", "build", "pack", "all"] } });
  const paths = async (label: string) => {
    const action = await provider.resolve(label);
    return action.ok ? action.value.inputs.map((entry) => entry.path) : [];
  };
  await planOf(provider);
  expect(await paths("a#lint")).toEqual(["packages/a/src/x"]);
  expect(await paths("a#pack")).toEqual(["packages/a/package.json", "packages/a/src/x"]);
  const path = "/w/packages/a/src/gen.ts";
  expect(states.digests([path])).toEqual([{ kind: "absent" }]);
  fs.writeFile(path, "made");
  states.remember([{ path, digest: digestOf("made"), stat: fs.lstat(path)!, linked: false }]);
  expect(await paths("a#build")).toEqual(["packages/a/src/gen.ts", "packages/a/src/x"]);
  expect(await paths("a#all")).toEqual(["packages/a/package.json", "packages/a/src/gen.ts", "packages/a/src/x"]);
});

test("inputs that changed, came or went since the key was made are named, touched ones are not", async () => {
  const tasks = [task(A, "build", { ...BUILD, dependsOn: ["^build"] }), task(project("c", "c"), "build")];
  const { provider, fs, clock } = setUp({
    tasks,
    projects: [A, B, project("c", "c")],
    files: { "w/packages/a/src/z": "z" },
  });
  const action = await resolved(provider, "a#build");
  expect(action.changedInputs()).toEqual([]);
  clock.advance(100);
  fs.setTimes("/w/packages/a/src/z", clock.nowMs(), clock.nowMs());
  expect(action.changedInputs()).toEqual([]);
  fs.writeFile("/w/packages/a/src/x", "X");
  fs.writeFile("/w/packages/a/src/new", "");
  expect(action.changedInputs()).toEqual(["packages/a/src/new", "packages/a/src/x"]);
  fs.chmod("/w/packages/a/src/z", 0o755);
  fs.remove("/w/packages/a/src/x");
  fs.writeFile("/w/lock.json", "other");
  fs.writeFile("/w/packages/b/src/y", "other");
  const all = ["packages/a/src/new", "packages/a/src/x", "packages/a/src/z", "lock.json", "packages/b"];
  expect(action.changedInputs()).toEqual(all);
});

test("tools are the files that PATH leads to, with interpreter and target; an absent one is a problem", async () => {
  const shim = '#!/bin/sh\nbasedir=$(dirname "$0")\nexec node "$basedir/../tsc/bin/tsc" "$@"\n';
  const files = {
    "w/node_modules/.bin/tsc": shim,
    "w/node_modules/tsc/bin/tsc": "#!/usr/bin/env node\nrequire('x')",
    "w/packages/a/node_modules/.bin/own": "-> ../../../../tools/own",
    "w/tools/own": "binary",
    "bin/sh": "shell",
    "usr/bin/own": "host's",
  };
  const setup = (tools: string[]) =>
    setUp({ tasks: [task(A, "build", { ...BUILD, tools }), task(B, "build", { ...BUILD, tools: ["own"] })], files });
  const one = setup(["tsc", "own"]);
  for (const path of ["/w/node_modules/.bin/tsc", "/w/node_modules/tsc/bin/tsc", "/w/tools/own"])
    one.fs.chmod(path, 0o755);
  const { parts } = await resolved(one.provider, "a#build");
  const shared = [
    digestOf(shim),
    digestOf("#!/usr/bin/env node\nrequire('x')"),
    digestOf("node 20"),
    digestOf("shell"),
  ];
  expect(parts.tools).toEqual([
    ["node", digestOf("node 20")],
    ["own", digestOf("binary")],
    ["tsc", digestOf(canonicalJson(shared))],
  ]);
  expect((await resolved(one.provider, "b#build")).parts.tools[1]).toEqual(["own", digestOf("host's")]);
  const { provider } = setup(["nothing"]);
  await planOf(provider);
  expect(await provider.resolve("a#build")).toMatchObject({
    ok: false,
    problem: { code: "tool-absent", message: 'a#build needs the tool "nothing", which is not on its PATH' },
  });
});

test("a tool that many tasks lack is told of once in full, and then by the name of each task", async () => {
  const C = project("c", "c");
  const tasks = [A, B, C].map((each) => task(each, "build", { ...BUILD, tools: ["nothing"] }));
  const { provider } = setUp({
    tasks: [...tasks, task(C, "lint")],
    projects: [A, B, C],
    request: { tasks: ["build"] },
  });
  await planOf(provider);
  const first = await provider.resolve("b#build");
  expect(first).toMatchObject({
    problem: {
      message: 'b#build needs the tool "nothing", which is not on its PATH',
      where: { file: "kahn.jsonc" },
      facts: [["also needed by", "2 other tasks of this run"]],
    },
  });
  const second = { ok: false, problem: { message: 'a#build needs the tool "nothing", which is not on its PATH' } };
  expect(await provider.resolve("a#build")).toMatchObject({ ...second, problem: { next: "See b#build." } });
  expect(await provider.resolve("b#build")).toEqual(first);
});

test("a tool that the workspace itself makes is looked at again when it was made", async () => {
  const files = { "w/node_modules/.bin/gen": "-> ../../packages/b/dist/gen" };
  const { provider, fs, states } = setUp({ tasks: [task(A, "build", { ...BUILD, tools: ["gen"] })], files });
  await planOf(provider);
  const identity = async () => {
    const action = await provider.resolve("a#build");
    return action.ok ? action.value.parts.tools[0]![1] : action.problem.code;
  };
  const make = (text: string) => {
    const path = "/w/packages/b/dist/gen";
    fs.makeDirectory("/w/packages/b/dist");
    fs.writeFile(path, text, { mode: 0o755 });
    states.remember([{ path, digest: digestOf(text), stat: fs.lstat(path)!, linked: false }]);
  };
  expect(await identity()).toBe("tool-absent");
  make("one");
  expect(await identity()).toBe(digestOf("one"));
  make("three");
  expect(await identity()).toBe(digestOf("three"));
});

test("nothing is hashed for tasks that nobody caches, unless a cached one rests on them", async () => {
  const uncached = { cache: false, uncachedBecause: "because" };
  const tasks = [
    task(A, "build", { ...BUILD, ...uncached }),
    task(A, "gen", { ...BUILD, outputs: [], ...uncached }),
    task(A, "test", { ...BUILD, dependsOn: ["gen"] }),
  ];
  const { provider } = setUp({ tasks, request: { tasks: ["build", "test"] } });
  const build = await resolved(provider, "a#build");
  expect(build).toMatchObject({ cacheable: false, uncachedBecause: "because", inputs: [] });
  expect((await resolved(provider, "a#gen")).inputs).toHaveLength(2);
});

test("what a node claims, how long it lives and how it is retried come from its declaration", async () => {
  const tasks = [
    task(A, "dev", {
      persistent: true,
      cache: false,
      dependsOn: ["db"],
      slots: 2,
      pools: [["db", 1]],
      tags: ["heavy"],
      interactive: true,
      priority: 5,
    }),
    task(A, "db", { persistent: true, cache: false, mutexes: [{ name: "port", mode: "exclusive" }] }),
    task(A, "all", { command: { kind: "none" }, cache: false }),
  ];
  const { provider } = setUp({ tasks, request: { tasks: ["dev", "all"] } });
  const [all, db, dev] = await planOf(provider);
  expect(dev).toMatchObject({
    lifetime: "pinned",
    priorityClass: 5,
    claim: { slots: 2, pools: [["db", 1]], tags: ["heavy"], terminal: true },
  });
  expect(db).toMatchObject({ lifetime: "service", claim: { mutexes: [{ name: "port", mode: "exclusive" }] } });
  expect(all).toMatchObject({ lifetime: "task", claim: { slots: 0 } });
  expect((await resolved(provider, "a#all")).run.argv).toEqual([]);
});

test("npm's script-shell is used, and Yarn PnP is left to yarn", async () => {
  const tasks = [task(A, "build", BUILD)];
  const bash = setUp({ tasks, files: { "w/.npmrc": "# shell\nscript-shell = /bin/bash\n" } });
  expect((await resolved(bash.provider, "a#build")).command.arguments).toEqual(["/bin/bash", "-c", "echo build"]);
  const yarn = setUp({ tasks, more: { manager: "yarn-pnp" }, request: { tasks: ["build"], passedArguments: ["x"] } });
  const action = await resolved(yarn.provider, "a#build");
  expect(action.run.argv).toEqual(["yarn", "run", "build", "x"]);
  expect(action.command.arguments).toEqual(["sh", "-c", "echo build"]);
});

// Goal: the key is a function of what is declared to matter. Method: random edits of the work tree and of the host;
// the key changes exactly when an input, a declared variable or the lock file changed.
test("a key changes exactly when something that it covers changes", async () => {
  const edit = fc.constantFrom(
    "src/x", "src/new", "package.json", "README", "dist/out", "../b/src/y", "../../lock.json", "env:CI", "env:SECRET", "touch", "chmod",
  ); // biome-ignore format: a list
  const covered = new Set(["src/x", "src/new", "package.json", "../../lock.json", "env:CI", "chmod"]);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(edit, { maxLength: 4 }), async (edits) => {
      const tasks = [task(A, "build", { ...BUILD, env: ["CI"] })];
      const host: Record<string, string> = { ...HOST };
      const { provider, fs, clock, states } = setUp({ tasks, host });
      const before = keyText(await resolved(provider, "a#build"));
      clock.advance(50);
      for (const each of edits) {
        const path = `/w/packages/a/${each}`;
        if (each.startsWith("env:")) host[each.slice(4)] = "edited";
        else if (each === "touch") fs.setTimes("/w/packages/a/package.json", clock.nowMs(), clock.nowMs());
        else if (each === "chmod") fs.chmod("/w/packages/a/src/x", 0o755);
        else {
          fs.makeDirectory("/w/packages/a/dist");
          fs.writeFile(path, "edited");
        }
      }
      states.beginAgain();
      const options = {
        model: workspace("/w", [A, B], { tasks, lockFile: "lock.json" }),
        states,
        fs,
        request: { tasks: ["build"] },
      };
      const next = workspaceProvider({
        ...options,
        hostEnv: host,
        platform: "linux-x64",
        nodePath: "/usr/bin/node",
        startDirectory: "/w",
      });
      const after = keyText(await resolved(next, "a#build"));
      expect(after !== before).toBe(edits.some((each) => covered.has(each)));
    }),
    { numRuns: 150 * SCALE },
  );
});
