/** A Kahn that a task starts: what it starts must end with the outer one, whatever becomes of the two. */
import { beforeEach, expect, test } from "vitest";
import { kahnBinary } from "../e2e/rig/kahn-process.ts";
import { manifest } from "../e2e/rig/workspace.ts";
import { type CrashWorkspace, STUBBORN, scriptedWorkspace } from "./rig/crash-workspace.ts";
import { UNSUPPORTED } from "./rig/live-processes.ts";

beforeEach(({ skip }) => skip(UNSUPPORTED !== undefined, UNSUPPORTED));

/** A task `outer` that runs the stubborn task `inner` through a Kahn of its own; both with the same grace. */
function nesting(grace: string): CrashWorkspace {
  const workspace = scriptedWorkspace({});
  const task = { inputs: ["package.json"], outputs: [], grace };
  workspace.write("kahn.jsonc", { tasks: { outer: task, inner: task } });
  const outer = `[ -e ../../go ] || "${process.execPath}" "${kahnBinary()}" run inner`;
  workspace.write("packages/a/package.json", manifest("a", { outer, inner: STUBBORN }));
  return workspace;
}

async function startNested(workspace: CrashWorkspace) {
  const kahn = workspace.start(["run", "outer", "--json"]);
  await workspace.started(["a"]);
  return kahn;
}

test("Ctrl-C ends what a nested Kahn started before the outer one exits", async () => {
  const workspace = nesting("300ms");
  const kahn = await startNested(workspace);
  kahn.signal("SIGINT");
  expect(await kahn.ended).toMatchObject({ exitCode: 130 });
  expect(workspace.living().filter(({ isGuardian }) => !isGuardian)).toEqual([]);
  await workspace.quiet();
});

test("a second Ctrl-C skips the grace of what a nested Kahn started", async () => {
  const workspace = nesting("10m");
  const kahn = await startNested(workspace);
  kahn.signal("SIGINT");
  await kahn.output((stdout) => stdout.includes('"run.cancelling"'));
  kahn.signal("SIGINT");
  expect(await kahn.ended).toMatchObject({ exitCode: 130 });
  expect(workspace.living().filter(({ isGuardian }) => !isGuardian)).toEqual([]);
  await workspace.quiet();
});

test("kill -9 of the outer Kahn: the next run begins when what a nested one started has ended", async () => {
  const workspace = nesting("10m");
  const kahn = await startNested(workspace);
  const before = workspace.living();
  kahn.signal("SIGKILL");
  await kahn.ended;
  workspace.write("go", "");
  expect(await workspace.kahn("run outer")).toMatchObject({ exitCode: 0 });
  const after = new Set(workspace.living().map(({ pid }) => pid));
  expect(before.filter(({ pid, isGuardian }) => !isGuardian && after.has(pid))).toEqual([]);
  await workspace.quiet();
});
