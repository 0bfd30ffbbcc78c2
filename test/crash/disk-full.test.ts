/** A disk that fills in the midst of a run: it is said, nothing is corrupt, and with room again the next run finishes. */
import { beforeEach, expect, test } from "vitest";
import { manifest } from "../e2e/rig/workspace.ts";
import { type CrashWorkspace, scriptedWorkspace } from "./rig/crash-workspace.ts";
import { UNSUPPORTED } from "./rig/live-processes.ts";
import { mountSmallDisk, type SmallDisk } from "./rig/small-disk.ts";

beforeEach(({ skip }) => skip(UNSUPPORTED !== undefined, UNSUPPORTED));

const DISK_BYTES = 4 * 1024 * 1024;
const MAKE = "mkdir -p dist && seq 1 2000 > dist/numbers && echo ran >> started";

/** Packages that come last; so many that a journal cannot hold their events in the room it has. */
const LAST = Array.from({ length: 30 }, (_, index) => `c${index}`);

/**
 * Packages a ← b ← c0, c1, …, where b says `now`, waits for `go` and then makes its output; so there is a result before
 * the disk is full, one in the moment, and some after.
 */
function chain(config: object = {}): CrashWorkspace {
  const workspace = scriptedWorkspace({});
  workspace.write("kahn.jsonc", {
    tasks: { task: { dependsOn: ["^task"], inputs: ["package.json"], outputs: ["dist/**"] } },
    ...config,
  });
  workspace.write("packages/a/package.json", manifest("a", { task: MAKE }));
  const wait = "echo > now; while [ ! -e ../../go ]; do sleep 0.02; done";
  workspace.write("packages/b/package.json", manifest("b", { task: `${wait}; ${MAKE}` }, ["a"]));
  for (const name of LAST) workspace.write(`packages/${name}/package.json`, manifest(name, { task: MAKE }, ["b"]));
  workspace.write("package-lock.json", "{}\n");
  return workspace;
}

/** Runs the chain with the disk full from the middle on, and then gives the space back. */
async function runIntoFullDisk(workspace: CrashWorkspace, disk: SmallDisk) {
  const kahn = workspace.start(["run", "task", "--concurrency", "1"]);
  await workspace.awaitFile("packages/b/now");
  disk.fill();
  workspace.write("go", "");
  const ended = await kahn.ended;
  await workspace.quiet();
  disk.free();
  return ended;
}

async function expectWholeAfter(workspace: CrashWorkspace): Promise<void> {
  const next = await workspace.run("task");
  expect(next, next.stdout + next.stderr).toMatchObject({ exitCode: 0 });
  // What was stored before the disk was full is not made again.
  expect(next.log.sources()["a#task"]).toBe("cached");
  const numbers = Array.from({ length: 2000 }, (_, index) => `${index + 1}\n`).join("");
  for (const name of ["a", "b", ...LAST]) expect(workspace.read(`packages/${name}/dist/numbers`)).toBe(numbers);
  await workspace.expectSoundCache();
  await workspace.expectListedRuns();
  expect((await workspace.run("task")).finished).toMatchObject({ executed: 0, cached: 32 });
}

test("the cache's disk fills: the run goes on, says what is not cached, and the next run caches it", async ({
  skip,
}) => {
  const workspace = chain({ cache: { dir: "cache" } });
  const disk = mountSmallDisk(workspace.path("cache"), DISK_BYTES);
  if (typeof disk === "string") return skip(disk);
  const ended = await runIntoFullDisk(workspace, disk);
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ exitCode: 0 });
  expect(ended.stdout).toMatch(/result of b#task could not be stored/);
  expect(ended.stdout).toMatch(/full|space/i);
  expect(ended.stdout + ended.stderr).not.toContain("bug");
  expect(workspace.runs()[0]?.stored).toEqual(new Set(["a#task"]));
  await expectWholeAfter(workspace);
});

test("the state's disk fills: the run ends with an error that says so, and the next run finishes", async ({ skip }) => {
  const workspace = chain();
  const disk = mountSmallDisk(workspace.path(".kahn/state"), DISK_BYTES);
  if (typeof disk === "string") return skip(disk);
  const ended = await runIntoFullDisk(workspace, disk);
  expect(ended.exitCode, ended.stdout + ended.stderr).toBe(1);
  expect(ended.stdout + ended.stderr).toMatch(/full|space/i);
  expect(ended.stdout + ended.stderr).not.toContain("bug");
  // Without a record nothing may start.
  expect(LAST.filter((name) => workspace.exists(`packages/${name}/started`)).length).toBeLessThan(LAST.length);
  await expectWholeAfter(workspace);
});

test("everything is on one disk that fills: the task that cannot write fails, and the next run finishes", async ({
  skip,
}) => {
  const workspace = chain();
  const disk = mountSmallDisk(workspace.path(".kahn"), DISK_BYTES);
  if (typeof disk === "string") return skip(disk);
  const ended = await runIntoFullDisk(workspace, disk);
  expect(ended.exitCode, ended.stdout + ended.stderr).toBe(1);
  expect(ended.stdout + ended.stderr).toMatch(/full|space/i);
  expect(ended.stdout + ended.stderr).not.toContain("bug");
  await expectWholeAfter(workspace);
});

// Goal: the disk may be full before Kahn starts, too.
test("a run on a full disk says so and starts nothing", async ({ skip }) => {
  const workspace = chain();
  const disk = mountSmallDisk(workspace.path(".kahn"), DISK_BYTES);
  if (typeof disk === "string") return skip(disk);
  workspace.write("go", "");
  disk.fill();
  const ended = await workspace.kahn("run task");
  expect([1, 2], ended.stdout + ended.stderr).toContain(ended.exitCode);
  expect(ended.stdout + ended.stderr).toMatch(/full|space/i);
  expect(ended.stdout + ended.stderr).not.toContain("bug");
  expect(workspace.exists("packages/a/started")).toBe(false);
  disk.free();
  expect((await workspace.run("task")).finished).toMatchObject({ executed: 32 });
});

// Goal: what is done is worth more than the words about it. Method: only the log of the run lies on the full disk.
test("output that goes to a full disk ends no run, but is said and shows in the exit code", async ({ skip }) => {
  const workspace = chain();
  const disk = mountSmallDisk(workspace.path("logs"), DISK_BYTES);
  if (typeof disk === "string") return skip(disk);
  workspace.write("go", "");
  disk.fill();
  const ended = workspace.shell("run task > logs/log");
  expect(ended).toMatchObject({ status: 2, stderr: expect.stringMatching(/^error\[output-lost\].*ENOSPC/) });
  expect(workspace.runs()).toMatchObject([{ status: "succeeded" }]);
});

test("a run that succeeded and cannot save its indexes has succeeded", async ({ skip }) => {
  const workspace = chain();
  const disk = mountSmallDisk(workspace.path(".kahn/state"), DISK_BYTES);
  if (typeof disk === "string") return skip(disk);
  workspace.write("go", "");
  // The first run makes the indexes; of the second nothing but they is written anew.
  expect(await workspace.kahn("run a#task")).toMatchObject({ exitCode: 0 });
  workspace.write("packages/a/package.json", manifest("a", { task: `${MAKE}; rm -f ../../go` }));
  const kahn = workspace.start(["run", "b#task"]);
  await workspace.awaitFile("packages/b/now");
  disk.fill();
  workspace.write("go", "");
  const ended = await kahn.ended;
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ exitCode: 0 });
  expect(ended.stderr).toContain("warning[state-not-saved]");
  disk.free();
  expect((await workspace.run("b#task")).finished).toMatchObject({ executed: 0, cached: 2 });
});
