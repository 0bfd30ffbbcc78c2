/** Acceptance: Ctrl-C, and the other polite signals, at bad moments. */
import { readdirSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { until } from "../e2e/rig/kahn-process.ts";
import { type CrashWorkspace, HANG, STUBBORN, scriptedWorkspace } from "./rig/crash-workspace.ts";
import { UNSUPPORTED } from "./rig/live-processes.ts";

beforeEach(({ skip }) => skip(UNSUPPORTED !== undefined, UNSUPPORTED));

/** The last run is recorded as cancelled, and people are told so. */
async function expectCancelled(workspace: CrashWorkspace): Promise<void> {
  expect(workspace.runs().at(-1)?.status).toBe("cancelled");
  await workspace.expectListedRuns();
  expect((await workspace.kahn("runs show")).stdout).toMatch(/cancelled/);
}

// Goal: within the grace everything has ended, and the run says how. Method: tasks that ignore the signal and leave
// grandchildren, with a short grace.
test.each([
  ["SIGINT", "alone"],
  ["SIGINT", "group"],
  ["SIGTERM", "alone"],
  ["SIGHUP", "alone"],
] as const)("%s to Kahn (%s) among tasks that ignore TERM: 130, nothing left, recorded", async (signal, whom) => {
  const workspace = scriptedWorkspace({ a: STUBBORN, b: STUBBORN, c: HANG }, { grace: "200ms" });
  const kahn = workspace.start(["run", "task", "--concurrency", "2"], { ownGroup: true });
  await workspace.started(["a", "b"]);
  if (whom === "alone") kahn.signal(signal);
  else kahn.signalGroup(signal);
  const ended = await kahn.ended;
  expect(ended, ended.stderr).toMatchObject({ exitCode: 130 });
  // No waiting: Kahn answers only when all are gone.
  expect(workspace.living()).toEqual([]);
  expect(workspace.exists("packages/c/started")).toBe(false);
  await expectCancelled(workspace);
});

// Goal: who is in a hurry need not wait. Method: the grace is longer than any test may take.
test.each(["alone", "group"] as const)("a second Ctrl-C (%s) skips a grace of ten minutes", async (whom) => {
  const workspace = scriptedWorkspace({ a: STUBBORN, b: STUBBORN }, { grace: "10m" });
  const kahn = workspace.start(["run", "task", "--json", "--concurrency", "2"], { ownGroup: true });
  const interrupt = () => (whom === "alone" ? kahn.signal("SIGINT") : kahn.signalGroup("SIGINT"));
  await workspace.started(["a", "b"]);
  interrupt();
  await kahn.output((stdout) => stdout.includes('"run.cancelling"'));
  expect(workspace.living().length).toBeGreaterThanOrEqual(9);
  interrupt();
  expect(await kahn.ended).toMatchObject({ exitCode: 130 });
  expect(workspace.living()).toEqual([]);
  await expectCancelled(workspace);
});

test("Ctrl-C while waiting for another run: 130, nothing was started, and the other goes on", async () => {
  const workspace = scriptedWorkspace({ a: HANG });
  const first = workspace.start(["run", "task"]);
  await workspace.started(["a"]);
  const second = workspace.start(["run", "task"]);
  await second.printed("waiting");
  second.signal("SIGINT");
  expect(await second.ended).toMatchObject({ exitCode: 130 });
  workspace.write("go", "");
  expect(await first.ended).toMatchObject({ exitCode: 0 });
  expect(workspace.runs().map(({ status }) => status)).toEqual(["succeeded"]);
});

const MANY = 1200;
const MAKE_MANY = `[ -e ../../never ] && exit 1; mkdir -p dist && cd dist && seq 1 ${MANY} | split -l 1 -a 4 - f`;

// Goal: a restore that is cut short leaves nothing that a later run takes for whole. Method: one result of over a thousand
// files; the signal comes when the first of them are back. With INT the run may also be through by then.
test.each(["SIGINT", "SIGKILL"] as const)(
  "%s during the restore of a large result corrupts nothing",
  async (signal) => {
    const workspace = scriptedWorkspace({ a: MAKE_MANY });
    expect(await workspace.kahn("run task")).toMatchObject({ exitCode: 0 });
    const tree = workspace.tree("packages/a");
    workspace.write("never", "");
    workspace.remove("packages/a/dist");
    const kahn = workspace.start(["run", "task"]);
    const dist = workspace.path("packages/a/dist");
    await until("some files are back", () => workspace.exists("packages/a/dist") && readdirSync(dist).length > 10);
    kahn.signal(signal);
    const { exitCode } = await kahn.ended;
    expect(signal === "SIGINT" ? [0, 130] : [0, null]).toContain(exitCode);
    await workspace.quiet();
    expect((await workspace.run("task")).finished).toMatchObject({ executed: 0, cached: 1 });
    expect(workspace.tree("packages/a")).toEqual(tree);
    await workspace.expectSoundCache();
  },
);

// Goal: a reader that has seen enough is no error. Method: tasks that print far more than a pipe holds, one after
// another, into `head -1`; Kahn's own exit code goes to a file.
test.each(["", "2>&1"])("a closed pipe (%s| head -1) neither ends the run nor leaves processes", async (redirect) => {
  const print = "seq 1 50000; echo > started";
  const workspace = scriptedWorkspace({ a: print, b: print, c: print });
  const shell = workspace.shell(`run task --concurrency 1 ${redirect}; echo $? > code`, " | head -1");
  expect(shell.stderr).toBe("");
  expect(workspace.lines("code")).toEqual(["0"]);
  expect(workspace.runs()).toMatchObject([{ status: "succeeded" }]);
  expect(workspace.runs()[0]?.stored.size).toBe(3);
  expect(workspace.living()).toEqual([]);
});
