// Goal: a task that must run again says which one thing changed, before (`kahn why`) and while it runs; what is not
// part of a key does not make it run. Method: one cached result, one mutation, both answers compared with the words.
import { symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { until } from "./rig/kahn-process.ts";
import { type CommandOptions, type Files, manifest, ROOT_MANIFEST, Workspace } from "./rig/workspace.ts";

const TASK = { inputs: ["src/**"], outputs: ["dist/**"], env: ["MODE", "API_TOKEN"] };
const COMMAND = "mkdir -p dist && cat src/* > dist/out";

const SECRET = "s3cr3t-5a1e";

function lockFile(version: string): object {
  return {
    name: "root",
    lockfileVersion: 3,
    packages: {
      "": { name: "root" },
      "node_modules/left-pad": { version, resolved: "" },
      "node_modules/other": { version: "1.0.0" },
    },
  };
}

function files(task: object = TASK): Files {
  return {
    "package.json": ROOT_MANIFEST,
    "package-lock.json": lockFile("1.1.0"),
    "packages/lib/package.json": manifest("lib", { build: COMMAND }),
    "packages/lib/src/a.txt": "a\n",
    "packages/lib/src/b.txt": "b\n",
    "packages/app/package.json": manifest("app", { build: COMMAND }, ["lib"]),
    "packages/app/src/a.txt": "app\n",
    "kahn.jsonc": configuration(task),
  };
}

function configuration(task: object): object {
  return { tasks: { build: { ...task, dependsOn: ["^build"] } } };
}

/** One thing that changes between two runs. */
interface Mutation {
  readonly title: string;
  /** The task that is asked about. */
  readonly task?: "lib#build" | "app#build";
  readonly change?: (work: Workspace) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** The reason in words; the same from `why` and from the run. */
  readonly reason: string;
}

const MUTATIONS: readonly Mutation[] = [
  {
    title: "an input edited",
    change: (work) => work.append("packages/lib/src/a.txt", "more\n"),
    reason: "input packages/lib/src/a.txt changed",
  },
  {
    title: "an input added",
    change: (work) => work.write("packages/lib/src/new.txt", "new\n"),
    reason: "packages/lib/src/new.txt is a new input",
  },
  {
    title: "an input removed",
    change: (work) => work.remove("packages/lib/src/b.txt"),
    reason: "packages/lib/src/b.txt is no longer an input",
  },
  {
    title: "an input made executable",
    change: (work) => work.write("packages/lib/src/a.txt", "a\n", 0o755),
    reason: "input packages/lib/src/a.txt changed (became executable)",
  },
  {
    title: "a name added to the env list",
    change: (work) => work.write("kahn.jsonc", configuration({ ...TASK, env: [...TASK.env, "STAGE"] })),
    reason: "variable STAGE was added in its env list",
  },
  {
    title: "a name removed from the env list",
    change: (work) => work.write("kahn.jsonc", configuration({ ...TASK, env: ["API_TOKEN"] })),
    reason: "variable MODE was removed in its env list",
  },
  { title: "a variable's value", env: { MODE: "fast" }, reason: "variable MODE changed (slow → fast)" },
  {
    title: "the command",
    change: (work) => work.write("packages/lib/package.json", manifest("lib", { build: `${COMMAND} && true` })),
    reason: `its command changed (${COMMAND} → ${COMMAND} && true)`,
  },
  {
    title: "the output globs",
    change: (work) => work.write("kahn.jsonc", configuration({ ...TASK, outputs: ["dist/**", "!dist/*.tmp"] })),
    reason: "its output globs changed (packages/lib/dist/** → packages/lib/dist/**, !packages/lib/dist/*.tmp)",
  },
  {
    title: "one resolved version in the lock file",
    change: (work) => work.write("package-lock.json", lockFile("1.2.0")),
    reason: "package-lock.json: left-pad 1.1.0 → 1.2.0",
  },
];

const HOST = { MODE: "slow", API_TOKEN: SECRET };

test.each(MUTATIONS)("why and the run name $title, and nothing else", async ({ change, env, reason }) => {
  const work = new Workspace(files());
  expect((await work.run("lib#build", { env: HOST })).finished).toMatchObject({ executed: 1 });
  change?.(work);
  const options: CommandOptions = { env: { ...HOST, ...env } };
  const why = await work.kahn("why lib#build", options);
  expect(why.stdout).toBe(`▶ lib#build would run: ${reason}\n`);
  const run = await work.kahn("run lib#build", options);
  expect(run.stdout).toMatch(/^✔ lib#build [^·]*· (.*)$/m);
  expect(/· (.*)$/m.exec(run.stdout)?.[1]).toBe(reason);
});

test("a dependency whose output changed is named by its dependent, and why says what is below", async () => {
  const work = new Workspace(files());
  await work.run("app#build");
  work.append("packages/lib/src/a.txt", "more\n");
  const open = await work.kahn("why app#build");
  expect(open.stdout).toContain("? app#build depends on the outcome of lib#build");
  expect(open.stdout).toContain("lib#build would run: input packages/lib/src/a.txt changed");
  await work.run("lib#build");
  const why = await work.kahn("why app#build");
  expect(why.stdout).toBe("▶ app#build would run: the output of lib#build changed\n");
  const run = await work.kahn("run app#build");
  expect(run.stdout).toMatch(/✔ app#build .* · the output of lib#build changed\n/);
});

test("a tool's shim that changed is named, and so is the file that a linked shim leads to", async () => {
  const work = new Workspace(files({ ...TASK, tools: ["compile", "pack"] }));
  work.write("node_modules/.bin/compile", "#!/bin/sh\necho one\n", 0o755);
  work.write("node_modules/packer/cli.js", "#!/usr/bin/env node\nconsole.log(1);\n", 0o755);
  symlinkSync("../packer/cli.js", work.path("node_modules/.bin/pack"));
  await work.run("lib#build");
  for (const [tool, file] of [
    ["compile", "node_modules/.bin/compile"],
    ["pack", "node_modules/packer/cli.js"],
  ] as const) {
    work.append(file, "# another version\n");
    const why = await work.kahn("why lib#build");
    expect(why.stdout).toBe(`▶ lib#build would run: tool ${tool} changed\n`);
    const run = await work.kahn("run lib#build");
    expect(run.stdout).toMatch(new RegExp(`✔ lib#build .* · tool ${tool} changed\\n`));
  }
});

// Goal: a secret is nowhere but in the environment of its task. Method: run, change it, fail with it, ask in every way,
// then look for its bytes in all that was printed and in every file that Kahn keeps.
test("a secret-looking variable that changed is named, and its value is never shown or kept", async () => {
  const task = { ...TASK, inputs: ["src/**", "mode"] };
  const work = new Workspace(files(task));
  const other = "0th3r-s3cr3t";
  const env = { ...HOST, API_TOKEN: other };
  await work.run("lib#build", { env: HOST });
  const outcomes = [
    await work.kahn("why lib#build", { env }),
    await work.kahn("why lib#build --all", { env }),
    await work.kahn("why lib#build --json", { env }),
    await work.kahn("run lib#build --dry --json", { env }),
    await work.kahn("ls --json", { env }),
    await work.kahn("run lib#build", { env }),
    await work.kahn("runs show --json", { env }),
    await work.kahn("doctor", { env }),
  ];
  expect(outcomes[0]!.stdout).toMatch(/would run: variable API_TOKEN changed \(\(hidden \w+\) → \(hidden \w+\)\)\n$/);
  expect(outcomes[5]!.stdout).toContain("· variable API_TOKEN changed");
  for (const secret of [SECRET, other]) {
    for (const { stdout, stderr } of outcomes) expect(stdout + stderr).not.toContain(secret);
    expect(work.filesWith(".kahn", secret)).toEqual([]);
  }
});

test("what is no part of a key makes nothing run: timeout, tags, mutex, priority, retries, description, passEnv", async () => {
  const work = new Workspace(files());
  await work.run("lib#build");
  for (const extra of [
    { timeout: "10m" },
    { tags: ["heavy"] },
    { mutex: "db" },
    { priority: 3 },
    { retries: 2 },
    { description: "builds" },
    { passEnv: ["STAGE"] },
  ]) {
    work.write("kahn.jsonc", configuration({ ...TASK, ...extra }));
    const run = await work.run("lib#build", { env: { STAGE: "x" } });
    expect(run.finished, JSON.stringify(extra)).toMatchObject({ executed: 0, cached: 1 });
  }
});

test("an input edited while its task runs: the result is not cached, it says so, and the next run runs it again", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "cat src > dist; touch began; while [ ! -e go ]; do sleep 0.02; done" }),
    src: "one\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["src"], outputs: ["dist"] } } },
  });
  const running = work.start(["run", "build"]);
  await until("the task runs", () => work.exists("began"));
  work.write("src", "two\n");
  work.write("go", "");
  const first = await running.ended;
  expect(first.exitCode).toBe(0);
  expect(first.stdout).toContain("warning[input-changed-during-run]: src changed while //#build ran");
  const second = await work.kahn("run build");
  expect(second.stdout).toMatch(/✔ \/\/#build .* · input src changed\n/);
  expect(work.read("dist")).toBe("two\n");
  expect((await work.run("build")).finished).toMatchObject({ executed: 0, cached: 1 });
});

test("a task that writes its own input says so and is not cached", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "echo x >> src/log; mkdir -p src/out; echo y > src/out/y" }),
    "src/a": "a\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["src/**", "!src/out/**"], outputs: ["src/out/**"] } } },
  });
  const first = await work.run("build");
  expect(first.exitCode).toBe(0);
  expect(first.log.warnings()).toEqual(["input-changed-during-run"]);
  expect((await work.run("build")).finished).toMatchObject({ executed: 1, cached: 0 });
});

test("a task whose output matches its own input globs says so, and the next run names the way out", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "echo y > gen.txt" }),
    "a.txt": "a\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["*.txt"], outputs: ["gen*"] } } },
  });
  const first = await work.run("build");
  expect(first.exitCode).toBe(0);
  expect(first.log.warnings()).toEqual(["task-writes-its-input"]);
  const second = await work.kahn("run build");
  expect(second.exitCode).toBe(1);
  expect(second.stdout).toContain("error[input-is-output]: gen.txt is both an input and an output of //#build");
});

test("a lock file edited while a task runs keeps its result out of the cache", async () => {
  const work = new Workspace(files());
  work.write(
    "packages/lib/package.json",
    manifest("lib", { build: "touch ../../began; while [ ! -e ../../go ]; do sleep 0.02; done" }),
  );
  const running = work.start(["run", "--json", "lib#build"]);
  await until("the task runs", () => work.exists("began"));
  work.write("package-lock.json", lockFile("9.0.0"));
  work.write("go", "");
  expect((await running.ended).stdout).toContain("input-changed-during-run");
});
