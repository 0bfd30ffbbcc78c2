/** What the guardian does when Kahn dies, and Kahn when the guardian does. */
import { existsSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { until } from "../e2e/rig/kahn-process.ts";
import { type CrashWorkspace, HANG, STUBBORN, scriptedWorkspace } from "./rig/crash-workspace.ts";
import { type LiveProcess, UNSUPPORTED } from "./rig/live-processes.ts";

beforeEach(({ skip }) => skip(UNSUPPORTED !== undefined, UNSUPPORTED));

/** A guardian's grace is five seconds long; both cases are tested when time does not matter. */
const WHOM = Number(process.env.KAHN_TEST_SCALE ?? 1) > 1 ? (["alone", "group"] as const) : (["group"] as const);

async function guardianOf(workspace: CrashWorkspace, except: number): Promise<LiveProcess> {
  const find = () => workspace.living().find(({ pid, isGuardian }) => isGuardian && pid !== except);
  await until("there is a guardian", () => find() !== undefined);
  return find()!;
}

// Goal: the death of the guardian costs nothing, and Kahn is never without one. Method: two tasks run; their guardian
// is killed; the run goes on to its end. Then the same, but Kahn dies too, after the second guardian has taken over.
test("a guardian that is killed is replaced, and its successor knows all processes", async () => {
  const workspace = scriptedWorkspace({ a: HANG, b: HANG });
  for (const kahnDiesToo of [false, true]) {
    const kahn = workspace.start(["run", "task", "--force", "--concurrency", "2"]);
    await workspace.started(["a", "b"]);
    const first = await guardianOf(workspace, 0);
    process.kill(first.pid, "SIGKILL");
    const second = await guardianOf(workspace, first.pid);
    expect(existsSync(`/proc/${second.pid}`)).toBe(true);
    if (kahnDiesToo) kahn.signal("SIGKILL");
    else workspace.write("go", "");
    expect((await kahn.ended).exitCode).toBe(kahnDiesToo ? null : 0);
    await workspace.quiet();
    workspace.forgetStarts();
    if (workspace.exists("go")) workspace.remove("go");
  }
  workspace.write("go", "");
  expect((await workspace.run("task --force")).finished).toMatchObject({ status: "succeeded", executed: 2 });
});

// Goal: what heeds no request is ended all the same, with everything it started, and nobody works in the workspace
// meanwhile. Method: Kahn is killed while such tasks run; the next run is started at once.
test.each(WHOM)(
  "kill -9 of Kahn (%s) among tasks that ignore TERM: the next run waits, says so, and goes on",
  async (whom) => {
    const workspace = scriptedWorkspace({ a: STUBBORN, b: STUBBORN });
    const kahn = workspace.start(["run", "task", "--concurrency", "2"], { ownGroup: true });
    await workspace.started(["a", "b"]);
    const before = workspace.living().filter(({ pid }) => pid !== kahn.pid);
    // Per task: the shell and at least three that it started.
    expect(before.length).toBeGreaterThanOrEqual(8);
    if (whom === "alone") kahn.signal("SIGKILL");
    else kahn.signalGroup("SIGKILL");
    await kahn.ended;
    workspace.write("go", "");
    const next = await workspace.kahn("run task --concurrency 2");
    expect(next, next.stderr).toMatchObject({ exitCode: 0 });
    expect(next.stderr).toContain(`waiting until what \`kahn run task\` (process ${kahn.pid}, gone) left behind`);
    // The lock was let go only when all of them were gone.
    const after = new Set(workspace.living().map(({ pid }) => pid));
    expect(before.filter(({ pid }) => after.has(pid))).toEqual([]);
    expect(workspace.runs().map(({ status }) => status)).toEqual([undefined, "succeeded"]);
    await workspace.expectListedRuns();
  },
);
