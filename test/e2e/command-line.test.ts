// Goal: the contract of the command line: what is printed where, for people, pipes and programs, and the exit codes.
import { expect, test } from "vitest";
import { until } from "./rig/kahn-process.ts";
import { manifest, ROOT_MANIFEST, Workspace } from "./rig/workspace.ts";

function pair(): Workspace {
  return new Workspace({
    "package.json": { ...ROOT_MANIFEST, scripts: { root: "echo at the root" } },
    "packages/lib/package.json": manifest("@acme/lib", {
      build: "echo lib out; echo lib err >&2; mkdir -p dist; echo x > dist/x",
    }),
    "packages/app/package.json": manifest(
      "app",
      { build: "echo app out", test: "echo testing", fail: "echo oh no; exit 7" },
      ["@acme/lib"],
    ),
    "kahn.jsonc": {
      tasks: {
        build: { dependsOn: ["^build"], inputs: ["package.json"], outputs: ["dist/**"] },
        test: { dependsOn: ["build"], inputs: [] },
        fail: { dependsOn: ["build"], inputs: [] },
      },
    },
  });
}

const COMMANDS = ["run", "why", "ls", "init", "doctor", "runs", "cache"];

test("help of every command teaches: usage, options, examples; and works outside of any workspace", async () => {
  const work = new Workspace();
  const general = await work.kahn("--help");
  expect(general.exitCode).toBe(0);
  for (const command of COMMANDS) {
    expect(general.stdout).toMatch(new RegExp(`^ {2}${command} +[A-Z]`, "m"));
    const help = await work.kahn([command, "--help"]);
    expect(help.exitCode).toBe(0);
    expect(help.stderr).toBe("");
    expect(help.stdout).toMatch(new RegExp(`^Usage: kahn ${command}`));
    expect(help.stdout).toContain("\nOptions:\n");
    expect(help.stdout).toContain("\nExamples:\n");
    expect((await work.kahn(["help", command])).stdout).toBe(help.stdout);
  }
});

test.each([
  ["nothing at all", [], /^Kahn runs graphs/, ""],
  [
    "an unknown command",
    ["rnu", "build"],
    /^$/,
    'error[command-unknown]: kahn has no command "rnu"\n  next: Did you mean kahn run?\n',
  ],
  [
    "a task instead of a command",
    ["typecheck"],
    /^$/,
    'error[command-unknown]: kahn has no command "typecheck"\n  next: To run a task: kahn run typecheck. All commands: kahn --help.\n',
  ],
  [
    "an unknown option",
    ["run", "build", "--concurency", "2"],
    /^$/,
    "error[option-unknown]: kahn run has no option --concurency\n  next: Did you mean --concurrency?\n",
  ],
  [
    "an option without its value",
    ["run", "build", "--concurrency"],
    /^$/,
    "error[option-value]: --concurrency needs a value\n  next: Write --concurrency=N.\n",
  ],
  [
    "a value that is no choice",
    ["run", "build", "--output", "loud"],
    /^$/,
    'error[option-value]: --output cannot be "loud"\n  choices  live, grouped, errors, none\n',
  ],
  [
    "a number that is none",
    ["run", "build", "-c", "many"],
    /^$/,
    'error[option-value]: --concurrency cannot be "many"\n  next: Give a whole number from 1 on.\n',
  ],
  ["a switch with a value", ["run", "build", "--dry=yes"], /^$/, "error[option-value]: --dry takes no value\n"],
  [
    "run without a task",
    ["run"],
    /^$/,
    "error[arguments-count]: no task was named\n  next: kahn run build, for example; kahn ls shows all tasks.\n",
  ],
  [
    "too many arguments",
    ["doctor", "a", "b"],
    /^$/,
    "error[arguments-count]: too many arguments\n  usage  kahn doctor [OPTIONS]\n",
  ],
  [
    "arguments after -- that mean nothing",
    ["ls", "--", "x"],
    /^$/,
    "error[arguments-count]: nothing may follow `--` here\n",
  ],
  [
    "an unknown part of a command",
    ["cache", "empty"],
    /^$/,
    'error[arguments-count]: kahn cache has no "empty"\n  next: One of: stats, gc, verify, clear, find.\n',
  ],
] as const)("%s is refused with exit code 2 and what to write instead", async (_, args, stdout, stderr) => {
  const work = pair();
  const refused = await work.kahn(args);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toBe(stderr);
  expect(refused.stdout).toMatch(stdout);
});

test("--version is one line", async () => {
  const { stdout, exitCode } = await new Workspace().kahn("--version");
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  expect(exitCode).toBe(0);
});

test("--json: every line is one event, numbered without gaps, and the last is run.finished with the counts", async () => {
  const work = pair();
  const run = await work.run("fail");
  expect(run.exitCode).toBe(1);
  expect(run.stderr).toBe("");
  const events = run.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { seq: number; run: string; kind: string });
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
  expect(new Set(events.map((event) => event.run)).size).toBe(1);
  expect(events.at(-1)).toMatchObject({
    kind: "run.finished",
    status: "failed",
    executed: 2,
    cached: 0,
    failed: 1,
    errored: 0,
    skipped: 0,
    cancelled: 0,
  });
  expect(run.log.settledOf("app#fail")).toMatchObject({ end: "failed", exitCode: 7 });
});

test("--json of a run that is refused: one line with the problems on stdout, their text on stderr", async () => {
  const work = pair();
  const refusedWith = async (code: string, line: string) => {
    const refused = await work.kahn(line);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain(`error[${code}]`);
    expect(
      refused.stdout
        .trimEnd()
        .split("\n")
        .map((each) => JSON.parse(each)),
    ).toMatchObject([{ kind: "run.refused", problems: [{ code, severity: "error" }] }]);
  };
  await refusedWith("task-unknown", "run biuld --json");
  work.write("kahn.jsonc", { tasks: { build: { inputs: [], slots: 4 } } });
  await refusedWith("claim-exceeds-limit", "run @acme/lib#build -c 1 --json");
  work.write(".kahn/cache/format", "kahn-cas 99\n");
  await refusedWith("store-format-newer", "run build --dry --json");
  work.write("kahn.jsonc", '{ "tasksss": {} }');
  await refusedWith("config-unknown-key", "run build --json");
});

test("--dry says what would run and why, runs nothing, and --json gives the same to programs", async () => {
  const work = pair();
  const dry = await work.kahn("run test --dry");
  expect(dry.stdout).toBe(
    "▶ @acme/lib#build would run: it has not succeeded before\n" +
      "? app#build depends on the outcome of @acme/lib#build\n" +
      "? app#test depends on the outcome of @acme/lib#build\n\n" +
      "1 would run, 2 depend on those, 0 cached\n",
  );
  expect(work.exists("packages/lib/dist")).toBe(false);
  await work.run("test");
  const again = await work.kahn("run test --dry --json");
  const lines = again.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ kind, label }) => [kind, label])).toEqual([
    ["hit", "@acme/lib#build"],
    ["hit", "app#build"],
    ["hit", "app#test"],
  ]);
});

test("--graph prints the graph and nothing else, in each format", async () => {
  const work = pair();
  const graph = async (format: string) => (await work.kahn(["run", "test", `--graph${format}`])).stdout;
  const json = JSON.parse(await graph(""));
  expect(JSON.stringify(json)).toContain("@acme/lib#build");
  expect(JSON.parse(await graph("=json"))).toEqual(json);
  expect(await graph("=dot")).toMatch(/^digraph [\s\S]*"@acme\/lib#build"[\s\S]*\}\n$/);
  expect(await graph("=mermaid")).toMatch(/^(graph|flowchart) [\s\S]*app#build/);
  const html = await graph("=html");
  expect(html).toMatch(/^<!doctype html>/i);
  expect(html).toContain("@acme/lib#build");
  expect(html).not.toMatch(/(src|href)="https?:/);
  expect(work.exists("packages/lib/dist")).toBe(false);
});

test("--output: grouped below each task, live with labels, errors only for failures, none", async () => {
  const work = pair();
  const output = async (mode: string) => (await work.kahn(["run", "fail", "--force", "--output", mode])).stdout;
  const grouped = await output("grouped");
  expect(grouped).toMatch(/✔ @acme\/lib#build [^\n]*\nlib out\nlib err\n/);
  expect(grouped).toMatch(/✖ app#fail [^\n]*\noh no\n/);
  const live = await output("live");
  for (const line of ["@acme/lib#build │ lib out", "@acme/lib#build │ lib err", "app#fail │ oh no"])
    expect(live).toContain(line);
  const errors = await output("errors");
  expect(errors).not.toContain("lib out");
  expect(errors).toContain("oh no\n");
  const none = await output("none");
  expect(none).not.toMatch(/lib out|oh no/);
  expect(none).toContain("error[command-failed]: app#fail exited with code 7");
});

test("without a terminal no control character is printed; FORCE_COLOR asks for colours and NO_COLOR wins", async () => {
  const work = pair();
  const control = "\u001b";
  for (const command of [
    "run fail",
    "run fail --output live",
    "why test",
    "ls",
    "doctor",
    "runs list",
    "runs show",
    "run nothing",
  ]) {
    const { stdout, stderr } = await work.kahn(command);
    expect(stdout + stderr, command).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  }
  expect((await work.kahn("run fail", { env: { FORCE_COLOR: "1" } })).stdout).toContain(`${control}[`);
  expect((await work.kahn("run fail", { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stdout).not.toContain(control);
});

test("exit codes: 0 done, 1 a task failed, 2 wrong use, 130 cancelled", async () => {
  const work = pair();
  expect((await work.kahn("run build")).exitCode).toBe(0);
  expect((await work.kahn("run fail")).exitCode).toBe(1);
  expect((await work.kahn("run nothing")).exitCode).toBe(2);
  work.write("packages/app/package.json", manifest("app", { wait: "touch began; exec sleep 60" }));
  const waiting = work.start(["run", "wait"]);
  await until("it waits", () => work.exists("packages/app/began"));
  waiting.signal("SIGTERM");
  const cancelled = await waiting.ended;
  expect(cancelled.exitCode).toBe(130);
  expect(cancelled.stdout).toContain("cancelling (SIGTERM); once more to kill at once");
});

test("--force runs everything and stores what it made", async () => {
  const work = pair();
  await work.run("build");
  const forced = await work.kahn("run build --force");
  expect(forced.stdout).toMatch(/✔ app#build .* · the cache was not asked \(--force\)/);
  expect(forced.stdout).toContain("2 executed, 0 cached");
  expect((await work.run("build")).finished).toMatchObject({ cached: 2 });
});

test("--concurrency limits how many tasks run together", async () => {
  const work = new Workspace({ "package.json": ROOT_MANIFEST });
  const meet =
    "touch ../$npm_package_name.here; n=0; until [ -e ../a.here ] && [ -e ../b.here ]; do n=$((n+1)); [ $n -gt 2000 ] && exit 1; sleep 0.01; done";
  for (const name of ["a", "b"])
    work.write(
      `packages/${name}/package.json`,
      manifest(name, { meet, alone: "mkdir ../busy && sleep 0.05 && rmdir ../busy" }),
    );
  expect((await work.kahn("run meet --concurrency 2")).exitCode).toBe(0);
  expect((await work.kahn("run alone --concurrency 1")).exitCode).toBe(0);
  const started = JSON.parse((await work.run("alone -c 1")).stdout.split("\n")[0]!);
  expect(started).toMatchObject({ kind: "run.started", concurrency: 1 });
});

test("arguments after -- reach only the named tasks and are in their key", async () => {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "packages/lib/package.json": manifest("lib", { build: "echo lib build:" }),
    "packages/app/package.json": manifest("app", { test: 'echo "args:"' }, ["lib"]),
    "kahn.jsonc": { tasks: { build: { inputs: [] }, test: { dependsOn: ["^build"], inputs: [] } } },
  });
  const first = await work.kahn(["run", "test", "--", "--bail", "two words", "$HOME", "it's"]);
  expect(first.stdout).toContain("args: --bail two words $HOME it's\n");
  expect(first.stdout).toContain("lib build:\n");
  const again = await work.kahn(["run", "test", "--", "--bail", "two words", "$HOME", "it's"]);
  expect(again.stdout).toContain("2 cached");
  const other = await work.kahn(["run", "test", "--", "--watch"]);
  expect(other.stdout).toMatch(/✔ app#test .* · its arguments changed \(--watch\)/);
  expect(other.stdout).toContain("= lib#build cached");
  expect((await work.run("test")).log.startedOrder()).toEqual(["app#test"]);
});

test("in a package's folder a task means that package; the root's own scripts are //#name", async () => {
  const work = pair();
  const here = await work.run("build", { in: "packages/lib" });
  expect(Object.keys(here.log.ends())).toEqual(["@acme/lib#build"]);
  const deeper = await work.run("build", { in: "packages/lib/dist" });
  expect(Object.keys(deeper.log.ends())).toEqual(["@acme/lib#build"]);
  const elsewhere = await work.run("app#build", { in: "packages/lib" });
  expect(Object.keys(elsewhere.log.ends())).toContain("app#build");
  expect((await work.kahn("run //#root")).stdout).toContain("at the root\n");
  expect((await work.kahn("run root")).stdout).toContain("at the root\n");
  const refused = await work.kahn("run test", { in: "packages/lib" });
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain("error[task-not-selected]");
});

test("-p selects by name, scope, folder, tag of dependents and dependencies, and takes away", async () => {
  const work = new Workspace({ "package.json": { ...ROOT_MANIFEST, workspaces: ["packages/*", "apps/*"] } });
  const add = (folder: string, name: string, needs: readonly string[] = []) =>
    work.write(`${folder}/package.json`, manifest(name, { build: "true" }, needs));
  add("packages/core", "@acme/core");
  add("packages/ui", "@acme/ui", ["@acme/core"]);
  add("apps/web", "web", ["@acme/ui"]);
  add("apps/docs", "docs");
  const selected = async (...selectors: readonly string[]) => {
    const args = selectors.flatMap((each) => ["-p", each]);
    const dry = await work.kahn(["run", "build", ...args, "--dry", "--json"]);
    return dry.stdout
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { label: string }).label.split("#")[0])
      .sort();
  };
  expect(await selected("docs")).toEqual(["docs"]);
  expect(await selected("core")).toEqual(["@acme/core"]);
  expect(await selected("@acme/*")).toEqual(["@acme/core", "@acme/ui"]);
  expect(await selected("./apps")).toEqual(expect.arrayContaining(["docs", "web"]));
  expect(await selected("...@acme/core")).toEqual(["@acme/core", "@acme/ui", "web"]);
  expect(await selected("web...")).toEqual(["@acme/core", "@acme/ui", "web"]);
  expect(await selected("!docs", "!web")).toEqual(["@acme/core", "@acme/ui"]);
});

test("--affected runs what changed since a commit, and its dependents", async () => {
  const work = new Workspace({ "package.json": ROOT_MANIFEST, ".gitignore": ".kahn\n" });
  for (const [name, needs] of [
    ["a", []],
    ["b", ["a"]],
    ["c", []],
  ] as const) {
    work.write(`packages/${name}/package.json`, manifest(name, { build: "true" }, needs));
  }
  work.commitAll();
  expect((await work.run("build --affected=HEAD")).log.ends()).toEqual({});
  work.write("packages/a/new.txt", "new\n");
  expect(Object.keys((await work.run("build --affected=HEAD")).log.ends())).toEqual(["a#build", "b#build"]);
  const refused = await work.kahn("run build --affected=nowhere");
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain("error[affected-base-unknown]");
});

test("a reader that goes away early is no error", async () => {
  const work = pair();
  work.installKahn();
  work.write("package.json", {
    ...ROOT_MANIFEST,
    scripts: { pipe: "kahn ls --json 2> err.txt | head -c 1; kahn run build 2>> err.txt | true" },
  });
  expect((await work.kahn("run //#pipe")).exitCode).toBe(0);
  expect(work.read("err.txt")).toBe("");
});
