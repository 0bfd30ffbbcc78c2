// Goal: haz's cross-project scenarios on the real file system with real processes; the same scenarios in memory and
// virtual time are in packages/exec/src/run-graph.test.ts. Method: scripts append to a log when they begin and end, and
// wait for a file where something must happen while they run.
import { expect, test } from "vitest";
import { until } from "./rig/kahn-process.ts";
import { manifest, ROOT_MANIFEST, type RunReport, reasonsOf, Workspace } from "./rig/workspace.ts";

const LOGGED = (body: string) =>
  `echo "+ $npm_package_name" >> ../../log && ${body} && echo "- $npm_package_name" >> ../../log`;

/** lib#build → app#build → app#test, and other#build beside them. */
function chain(): Workspace {
  return new Workspace({
    "package.json": ROOT_MANIFEST,
    "packages/lib/package.json": manifest("lib", {
      build: LOGGED("mkdir -p dist && cp src.txt dist/out && echo building lib"),
    }),
    "packages/lib/src.txt": "lib, first\n",
    "packages/app/package.json": manifest(
      "app",
      {
        build: LOGGED("mkdir -p dist && cat src.txt ../lib/dist/out > dist/out"),
        test: LOGGED("cat dist/out && echo 1 test >&2"),
      },
      ["lib"],
    ),
    "packages/app/src.txt": "app, first\n",
    "packages/other/package.json": manifest("other", { build: LOGGED("true") }),
    "kahn.jsonc": {
      concurrency: 4,
      tasks: {
        build: { dependsOn: ["^build"], inputs: ["src.txt"], outputs: ["dist/**"] },
        "other#build": { inputs: [], outputs: [] },
        test: { dependsOn: ["build"], inputs: [] },
      },
    },
  });
}

function counts({ finished }: RunReport) {
  const { executed, cached, failed, skipped, cancelled } = finished;
  return { executed, cached, failed, skipped, cancelled };
}

test("fresh: every command runs once, after what it requires", async () => {
  const work = chain();
  const run = await work.run("build test");
  expect(run.finished).toMatchObject({ status: "succeeded", executed: 4, cached: 0 });
  const order = work.lines("log").filter((line) => !line.endsWith("other"));
  expect(order).toEqual(["+ lib", "- lib", "+ app", "- app", "+ app", "- app"]);
  expect(work.read("packages/app/dist/out")).toBe("app, first\nlib, first\n");
});

test("hit: nothing runs again, removed outputs come back, and streams are replayed byte for byte", async () => {
  const work = chain();
  const fresh = await work.kahn("run test --output live");
  work.remove("packages/lib/dist");
  work.remove("packages/app/dist");
  const log = work.read("log");
  const again = await work.kahn("run test --output live");
  expect(work.read("log")).toBe(log);
  const streams = (text: string) =>
    text
      .split("\n")
      .filter((line) => line.includes(" │ "))
      .sort();
  expect(streams(again.stdout)).toEqual(streams(fresh.stdout));
  expect(streams(again.stdout)).toContain("app#test │ 1 test");
  expect(again.stdout).toContain("= lib#build cached, 1 file restored");
  expect(work.read("packages/app/dist/out")).toBe("app, first\nlib, first\n");
});

test("failure cascade: dependents are skipped with the root cause, independent work goes on", async () => {
  const work = chain();
  work.write("packages/lib/package.json", manifest("lib", { build: LOGGED("echo no >&2; exit 3") }));
  const run = await work.run("build test");
  expect(run.exitCode).toBe(1);
  expect(counts(run)).toEqual({ executed: 1, cached: 0, failed: 1, skipped: 2, cancelled: 0 });
  expect(run.log.labelOf(run.log.settledOf("app#test")!.cause!)).toBe("lib#build");
  expect(run.log.ends()["other#build"]).toBe("succeeded");
  const shown = await work.kahn("run build test");
  expect(shown.stdout).toContain("○ app#test skipped: lib#build failed");
  expect(shown.stdout).toContain("error[command-failed]: lib#build exited with code 3");
  expect(shown.stdout).toContain("\nno\n");
});

test("a failed command is not cached: the next run starts it again", async () => {
  const work = chain();
  work.write(
    "packages/lib/package.json",
    manifest("lib", { build: LOGGED("test -e ../../ok && mkdir -p dist && cp src.txt dist/out") }),
  );
  expect((await work.run("lib#build")).exitCode).toBe(1);
  work.write("ok", "");
  const again = await work.run("lib#build");
  expect(again.log.startedOrder()).toEqual(["lib#build"]);
  expect(again.exitCode).toBe(0);
});

/** Packages a to d whose task waits until `go` holds as many lines as are let go; each says when it begins and ends. */
function held(names: readonly string[], task: object, root: object = {}): Workspace {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "kahn.jsonc": { concurrency: 4, ...root, tasks: { hold: task } },
  });
  for (const name of names) {
    work.write(
      `packages/${name}/package.json`,
      manifest(name, { hold: LOGGED("while [ ! -e go ]; do sleep 0.02; done") }),
    );
  }
  return work;
}

function running(work: Workspace): string[] {
  const alive = new Set<string>();
  for (const line of work.lines("log")) {
    const [sign, name] = line.split(" ") as [string, string];
    if (sign === "+") alive.add(name);
    else alive.delete(name);
  }
  return [...alive];
}

/** Lets the running tasks go one by one. @returns the largest number that ran together. */
async function drain(work: Workspace, total: number): Promise<number> {
  let most = 0;
  for (let ended = 0; ended < total; ended++) {
    await until("a task runs", () => running(work).length > 0);
    most = Math.max(most, running(work).length);
    work.write(`packages/${running(work)[0]}/go`, "");
    await until("it has ended", () => work.lines("log").filter((line) => line.startsWith("-")).length > ended);
  }
  return most;
}

test("mutex: holders of one name never run together, whatever the slots", async () => {
  const work = held(["a", "b", "c"], { mutex: "db", cache: false });
  const run = work.start(["run", "hold"]);
  expect(await drain(work, 3)).toBe(1);
  expect((await run.ended).exitCode).toBe(0);
  expect(
    work
      .lines("log")
      .map((line) => line[0])
      .join(""),
  ).toBe("+-+-+-");
});

test("mutex: shared holders run together, and an exclusive one is alone", async () => {
  const work = held(["a", "b", "c"], { mutex: { name: "db", mode: "shared" }, cache: false });
  work.write("packages/c/kahn.jsonc", { tasks: { hold: { mutex: "db" } } });
  const run = work.start(["run", "hold"]);
  await until("a and b run", () => running(work).length === 2 || running(work)[0] === "c");
  if (running(work)[0] === "c") {
    work.write("packages/c/go", "");
    await until("both run", () => running(work).join("") === "ab" || running(work).join("") === "ba");
  }
  for (const name of ["a", "b", "c"]) work.write(`packages/${name}/go`, "");
  expect((await run.ended).exitCode).toBe(0);
  const lines = work.lines("log");
  expect(Math.abs(lines.indexOf("+ c") - lines.indexOf("- c"))).toBe(1);
});

test("tag cap: no more than the cap's number of tagged tasks run together", async () => {
  const work = held(["a", "b", "c", "d"], { tags: ["heavy"], cache: false }, { tagCaps: { heavy: 2 } });
  const run = work.start(["run", "hold"]);
  await until("two run", () => running(work).length === 2);
  expect(await drain(work, 4)).toBe(2);
  expect((await run.ended).exitCode).toBe(0);
});

test("live cancel: what runs is ended, nothing new starts, and the run is recorded as cancelled", async () => {
  const work = held(["a", "b", "c"], { cache: false, grace: "100ms" }, { concurrency: 1 });
  const run = work.start(["run", "hold", "--json"]);
  await until("one runs", () => running(work).length === 1);
  run.signal("SIGINT");
  const { exitCode, stdout } = await run.ended;
  expect(exitCode).toBe(130);
  expect(JSON.parse(stdout.trimEnd().split("\n").at(-1)!)).toMatchObject({
    kind: "run.finished",
    status: "cancelled",
    cancelled: 3,
  });
  expect(work.lines("log")).toEqual(["+ a"]);
  const list = await work.kahn("runs list --json");
  expect(JSON.parse(list.stdout)).toMatchObject({ status: "cancelled" });
});

test("cycle: refused before anything starts, every node named in order", async () => {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "kahn.jsonc": { tasks: { build: { dependsOn: ["^build"] } } },
  });
  for (const [name, needs] of [
    ["a", "b"],
    ["b", "c"],
    ["c", "a"],
  ] as const) {
    work.write(`packages/${name}/package.json`, manifest(name, { build: LOGGED("true") }, [needs]));
  }
  const refused = await work.kahn("run build");
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain("a#build → b#build → c#build → a#build");
  expect(work.exists("log")).toBe(false);
});

test("fail-fast: after a failure nothing new starts", async () => {
  const work = held(["a", "b", "c"], { cache: false }, { concurrency: 1 });
  work.write("packages/a/package.json", manifest("a", { hold: LOGGED("exit 1") }));
  const run = await work.run("hold --fail-fast");
  expect(run.exitCode).toBe(1);
  expect(work.lines("log")).toEqual(["+ a"]);
});

test("timeout: a command that hangs is ended and has failed, named as timed out", async () => {
  const work = held(["a"], { cache: false, timeout: "150ms", grace: "100ms" });
  const run = await work.kahn("run hold");
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toContain("error[task-timed-out]: a#hold did not end within its timeout");
});

test("a command that a signal ended has failed, and the signal is named", async () => {
  const work = held(["a"], { cache: false });
  work.write("packages/a/package.json", manifest("a", { hold: "kill -SEGV $$" }));
  const run = await work.kahn("run hold");
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toContain("error[command-failed]: a#hold was ended by SIGSEGV");
});

test("retries: a failure is tried again as often as allowed, and the attempts are told", async () => {
  const work = held(["a"], { cache: false, retries: 2 });
  work.write("packages/a/package.json", manifest("a", { hold: "echo x >> tries; test $(wc -l < tries) -ge 3" }));
  const run = await work.run("hold");
  expect(run.exitCode).toBe(0);
  expect(run.log.settledOf("a#hold")?.attempts).toBe(3);
  expect(work.lines("packages/a/tries")).toHaveLength(3);
});

test("a source that is gone takes its old output with it, and going back restores it", async () => {
  const work = chain();
  const copyAll = 'mkdir -p dist && for f in src/*; do cp "$f" dist/; done';
  work.write("packages/lib/package.json", manifest("lib", { build: copyAll }));
  work.write("packages/lib/kahn.jsonc", { tasks: { build: { inputs: ["src/**"] } } });
  work.write("packages/lib/src/a", "a\n");
  work.write("packages/lib/src/b", "b\n");
  await work.run("lib#build");
  work.remove("packages/lib/src/b");
  const without = await work.run("lib#build");
  expect(reasonsOf(without)["lib#build"]).toEqual(["input-removed packages/lib/src/b"]);
  expect(Object.keys(work.tree("packages/lib/dist"))).toEqual(["packages/lib/dist/a"]);
  work.write("packages/lib/src/b", "b\n");
  expect((await work.run("lib#build")).finished).toMatchObject({ executed: 0, cached: 1 });
  expect(Object.keys(work.tree("packages/lib/dist"))).toEqual(["packages/lib/dist/a", "packages/lib/dist/b"]);
});
