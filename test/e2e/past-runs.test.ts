// Goal: what was done can be looked at again, and what is kept can be measured, checked, trimmed and thrown away.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { until } from "./rig/kahn-process.ts";
import { manifest, ROOT_MANIFEST, Workspace } from "./rig/workspace.ts";

function pair(): Workspace {
  return new Workspace({
    "package.json": ROOT_MANIFEST,
    "packages/lib/package.json": manifest("lib", {
      build: "echo to out; echo to err >&2; echo x > out",
      lint: "echo broken; exit 2",
    }),
    "packages/app/package.json": manifest("app", { build: "cat src > out" }, ["lib"]),
    "packages/app/src": "app\n",
    "kahn.jsonc": {
      tasks: { build: { dependsOn: ["^build"], inputs: ["src"], outputs: ["out"] }, lint: { inputs: ["src"] } },
    },
  });
}

test("ls shows projects, folders and tasks, a star for what is cached, and what a task is made of", async () => {
  const work = pair();
  const all = await work.kahn("ls");
  expect(all.stdout).toMatch(/^PROJECT +FOLDER +TASKS\n/);
  expect(all.stdout).toMatch(/^lib +packages\/lib +build\* lint\*$/m);
  expect(all.stdout).toContain("* results are cached");
  const one = await work.kahn("ls build");
  expect(one.stdout).toMatch(/^lib#build\n {2}command +echo to out/m);
  expect(one.stdout).toMatch(/^ {2}declared +kahn\.jsonc:3$/m);
  expect(JSON.parse((await work.kahn("ls --json")).stdout)).toMatchObject({ root: work.directory });
  expect(all.stdout).toContain("\n3 projects, ");
  const none = await work.kahn("ls biuld");
  expect(none.exitCode).toBe(2);
  expect(none.stdout).toBe("");
  expect(none.stderr).toBe('error[task-unknown]: no project has a task "biuld"\n  next: Did you mean "build"?\n');
  expect((await work.kahn("ls nothing --json")).exitCode).toBe(2);
});

test("runs list shows every run, newest first, and show what became of each task", async () => {
  const work = pair();
  expect((await work.kahn("runs show")).stderr).toContain("error[run-unknown]: this workspace has no runs yet");
  await work.run("build");
  await work.run("build lint");
  const list = (await work.kahn("runs list --json")).stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(list).toMatchObject([
    { status: "failed", executed: 0, cached: 2, failed: 1 },
    { status: "succeeded", executed: 2, cached: 0, failed: 0 },
  ]);
  for (const { startedAt, durationMs } of list) {
    expect(new Date(startedAt).toISOString()).toBe(startedAt);
    expect(durationMs).toBeGreaterThanOrEqual(0);
  }
  const table = (await work.kahn("runs list")).stdout.split("\n");
  expect(table[1]).toMatch(new RegExp(`^${list[0].run} +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d +failed +0 +2 +1 `));
  const shown = await work.kahn("runs show");
  expect(shown.stdout).toMatch(
    new RegExp(`^run ${list[0].run} · kahn run build lint · \\d{4}-\\d\\d-\\d\\d [\\d:]{8} UTC\\n`),
  );
  expect(shown.stdout).toContain("= lib#build cached");
  expect(shown.stdout).toContain("✖ lib#lint failed, exit 2");
  const first = await work.kahn(["runs", "show", list[1].run.toLowerCase()]);
  expect(first.stdout).toContain("✔ lib#build");
  const events = (await work.kahn(["runs", "show", list[1].run, "--json"])).stdout.trimEnd().split("\n");
  expect(JSON.parse(events.at(-1)!)).toMatchObject({ kind: "run.finished", status: "succeeded" });
  const unknown = await work.kahn("runs show zzz");
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stderr).toContain("error[run-unknown]: no run has an id that begins with zzz");
});

test("runs log prints what a task printed again: of a success from the cache, of a failure as well", async () => {
  const work = pair();
  await work.run("build lint");
  const success = await work.kahn("runs log lib#build");
  expect(success.stdout).toBe("to out\n");
  expect(success.stderr).toMatch(/^lib#build in run \w{26} · kahn run build lint · [-\d: ]+ UTC\nto err\n$/);
  const silent = await work.kahn("runs log app#build");
  expect([silent.exitCode, silent.stdout]).toEqual([0, ""]);
  expect(silent.stderr).toMatch(/^app#build printed nothing \(run \w{26}\)\n$/);
  const failure = await work.kahn("runs log lib#lint");
  expect(failure.stdout).toBe("broken\n");
  const unknown = await work.kahn("runs log lib#nothing");
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stderr).toContain("error[task-unknown]");
  await work.kahn("cache clear");
  const gone = await work.kahn("runs log lib#build");
  expect(gone.exitCode).toBe(2);
  expect(gone.stderr).toContain("error[log-gone]");
});

test("what a task printed until it was cancelled is shown, and runs log prints it again", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { slow: "echo important clue; touch began; while :; do sleep 0.02; done" }),
  });
  const running = work.start(["run", "slow"]);
  await until("the task runs", () => work.exists("began"));
  running.signal("SIGINT");
  const ended = await running.ended;
  expect(ended.exitCode).toBe(130);
  expect(ended.stdout).toContain("○ //#slow cancelled\nimportant clue\n");
  expect((await work.kahn("runs log //#slow")).stdout).toBe("important clue\n");
});

test("runs prune keeps the newest", async () => {
  const work = pair();
  for (let index = 0; index < 3; index++) await work.run("lib#build");
  const before = readdirSync(work.path(".kahn/state/runs")).sort();
  expect((await work.kahn("runs prune --keep 1")).stdout).toMatch(/^2 runs forgotten/);
  expect(readdirSync(work.path(".kahn/state/runs"))).toEqual(before.slice(-1));
  expect((await work.run("lib#build")).finished).toMatchObject({ cached: 1 });
  expect((await work.kahn("runs prune --keep some")).exitCode).toBe(2);
});

test("cache stats, verify, gc and clear: what is there, that it is whole, and that it can go", async () => {
  const work = pair();
  await work.run("build");
  const stats = JSON.parse((await work.kahn("cache stats --json")).stdout);
  expect(stats).toMatchObject({ directory: work.path(".kahn/cache"), records: 2 });
  expect(stats).toMatchObject({ maxSizeBytes: 10e9 });
  expect((await work.kahn("cache stats")).stdout).toMatch(/ 2 results, .* on disk, of at most 10\.0 GB\n/);
  const verify = await work.kahn("cache verify");
  expect(verify.exitCode).toBe(0);
  expect(verify.stdout).toContain("everything is what its name says");
  expect(JSON.parse((await work.kahn("cache verify --json")).stdout)).toMatchObject({ records: 2, corrupt: [] });
  expect((await work.kahn("cache gc --dry")).stdout).toMatch(/^would remove 0 results and 0 files/);
  expect((await work.kahn("cache gc")).exitCode).toBe(0);
  expect((await work.run("build")).finished).toMatchObject({ cached: 2 });
  expect((await work.kahn("cache clear")).stdout).toContain("is empty");
  expect((await work.run("build")).finished).toMatchObject({ executed: 2 });
});

test("cache find names the place that holds the content of a file", async () => {
  const work = pair();
  await work.run("build");
  const found = JSON.parse((await work.kahn("cache find packages/app/out --json")).stdout);
  const stored = readFileSync(found.path).subarray(found.offset, found.offset + found.sizeBytes);
  expect(stored).toEqual(readFileSync(work.path("packages/app/out")));
  expect((await work.kahn("cache find packages/app/package.json")).exitCode).toBe(1);
  expect((await work.kahn("cache find nothing")).exitCode).toBe(2);
});

test("doctor says what is there and what is wrong, with exit code 1 when something is", async () => {
  const work = pair();
  const well = await work.kahn("doctor");
  expect(well.exitCode).toBe(0);
  for (const what of ["node", "git", "workspace", "caching", "cache"])
    expect(well.stdout).toMatch(new RegExp(`^[✔·] ${what} `, "m"));
  expect(JSON.parse((await work.kahn("doctor --json")).stdout)).toMatchObject({ problems: [] });
  const env = await work.kahn("doctor --env", { env: { CI: "true", MINE: "no" } });
  expect(env.stdout).toContain("CI=true\n");
  expect(env.stdout).not.toContain("MINE");
  work.write("kahn.jsonc", '{ "tasksss": {} }');
  const ill = await work.kahn("doctor");
  expect(ill.exitCode).toBe(1);
  expect(ill.stdout).toContain("error[config-unknown-key]");
});

test("the journals and the cache leave nothing for git to see", async () => {
  const work = pair();
  work.commitAll();
  await work.run("lib#build");
  expect(work.git("status", "--short")).toBe("?? packages/lib/out\n");
});
