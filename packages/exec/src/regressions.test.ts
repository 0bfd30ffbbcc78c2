// Goal: the known defects of an earlier engine stay out (their numbers are those of the list in the specification; those
// of the kernel alone are tested in scheduler, those of the journal and the store there). Method: whole runs on the rig.
import { digestOf, type RunObserver } from "@kahn/core";
import { recorder } from "@kahn/testing";
import { expect, test } from "vitest";
import { actionKey } from "./action-key.ts";
import { GraphRig, type RigRun } from "./fixtures/graph-rig.ts";
import { openRunHistory } from "./run-history.ts";

function twoTasks(): GraphRig {
  const rig = new GraphRig({ a: { inputs: ["a.src"], outputs: ["a/dist"] }, b: { requires: ["a"] } });
  rig.write("a.src", "1");
  rig.processes.script("a", { files: { "a/dist/out": "made" }, durationMs: 10 });
  return rig;
}

test("R2: a provider that cannot plan settles the run with its problems", async () => {
  const rig = twoTasks();
  const problem = { code: "config-bad-value", severity: "error", message: "no" } as const;
  const provider = { plan: async () => ({ ok: false as const, problem: [problem] }), resolve: async () => never() };
  const refused = await rig.start({ options: { provider } }).graphRun.outcome;
  expect(refused).toEqual({ ok: false, problem: [problem] });
});

test("R8: a follower that fails at every event changes nothing for the run and for other followers", async () => {
  const rig = twoTasks();
  const good = recorder();
  const broken: RunObserver = {
    event: () => {
      throw new Error("disconnected");
    },
    output: () => {
      throw new Error("disconnected");
    },
  };
  const run = await rig.run({ options: { observers: [broken, good] } });
  expect(run.outcome.status).toBe("succeeded");
  expect(good.ends()).toEqual({ a: "succeeded", b: "succeeded" });
  expect(good.warnings()).toContain("observer-failed");
});

test("R10: a failed run is recorded to its end, and what it finished is a hit for the next", async () => {
  const rig = twoTasks();
  rig.processes.script("b", { exit: 1 });
  const failed = await rig.run();
  const journalled = rig.journals.peek(failed.run);
  if (!journalled.ok) throw new Error(journalled.problem.message);
  const last = [...journalled.value].at(-1)?.body;
  expect(last).toMatchObject({ kind: "run.finished", status: "failed" });
  const next = await rig.run();
  expect(next.recorder.sources()).toEqual({ a: "cached" });
  expect(next.recorder.startedOrder()).toEqual(["b"]);
});

test("R12: a key holds the versions of external packages, although nothing else tells them apart", async () => {
  const rig = twoTasks();
  const options = rig.optionsOf();
  const resolved = await options.provider.resolve("b");
  if (!resolved.ok) throw new Error(resolved.problem.message);
  const withLock = (text: string) => {
    const parts = { ...resolved.value.parts, external: [["package-lock.json", digestOf(text)] as const] };
    return actionKey({ ...resolved.value, parts }, []).action;
  };
  expect(withLock("left-pad 1.0.0")).not.toBe(withLock("left-pad 1.3.0"));
  expect(withLock("left-pad 1.0.0")).toBe(withLock("left-pad 1.0.0"));
});

test("R13: the record of a run carries the key that the cache was asked with and the result is stored under", async () => {
  const rig = twoTasks();
  const run = await rig.run();
  const settled = run.recorder.ofKind("node.settled").map((event) => event.action);
  expect(new Set(settled)).toEqual(new Set(rig.actions.lookups));
  expect(new Set(settled)).toEqual(new Set(rig.actions.recorded));
});

test("R17: two tasks that make one path are never both taken for good", async () => {
  const rig = new GraphRig({ debug: { outputs: ["bin"] }, release: { outputs: ["bin"] } });
  for (const name of ["debug", "release"]) rig.processes.script(name, { files: { "bin/tool": name }, durationMs: 10 });
  const run = await rig.run();
  expect(run.outcome.status).toBe("failed");
  expect(Object.values(run.recorder.ends()).sort()).toEqual(["errored", "succeeded"]);
});

test("R18: two runs at once with different tools share the stores and never each other's results", async () => {
  const rig = new GraphRig({ a: { command: "tool one", outputs: ["out"] } });
  const other = new GraphRig({ a: { command: "tool two", outputs: ["out"] } });
  rig.processes.script("a", { files: { "out/x": "one" }, durationMs: 20 });
  other.processes.script("a", { files: { "out/x": "two" }, durationMs: 20 });
  const shared = { actions: rig.actions };
  await Promise.all([rig.run(shared), other.run(shared)]);
  expect(rig.actions.recorded).toHaveLength(2);
  const again = await Promise.all([rig.run(shared), other.run(shared)]);
  expect(again.map((run) => run.outcome.counts.cached)).toEqual([1, 1]);
  expect([rig.read("out/x"), other.read("out/x")]).toEqual(["one", "two"]);
});

test("the history of a run that was never folded is the same after a crash as without one", async () => {
  const rig = twoTasks();
  const run = await rig.run();
  rig.history.save();
  const fresh = openRunHistory(rig.fs, "/w/.kahn/other.json");
  fresh.fold(run.run, run.recorder.events);
  const kept = openRunHistory(rig.fs, "/w/.kahn/history.json");
  for (const label of ["a", "b"]) expect(fresh.entry(label)).toEqual(kept.entry(label));
});

function never(): never {
  throw new Error("not asked");
}

// Goal: what a task said before it was ended is there to be read, for that is when it is wanted. Method: a command that
// prints and hangs, ended in each way; looked at in what observers got and in the value that the journal names.
test.each([
  ["a cancel", {}, "cancelled", (run: RigRun) => run.graphRun.cancel("term", "SIGINT")],
  ["a cancel that kills", {}, "cancelled", (run: RigRun) => run.graphRun.cancel("kill", "SIGINT")],
  ["its timeout", { timeoutMs: 500 }, "failed", () => {}],
] as const)("the output of a command that %s ended is shown and kept", async (_, limits, end, act) => {
  const rig = new GraphRig({ a: limits });
  rig.processes.script("a", { hangs: true });
  const started = rig.start();
  const process = await rig.processes.nextStart("a");
  process.write("stdout", "important clue\n");
  process.write("stderr", "and another\n");
  act(started);
  const run = await rig.finish(started);
  expect(run.recorder.outputOf("a")).toBe("important clue\nand another\n");
  const settled = run.recorder.settledOf("a");
  expect(settled).toMatchObject({ end });
  const kept = [settled?.stdout, settled?.stderr].map((digest) => rig.records.get(digest!));
  expect(kept.map((each) => each.ok && Buffer.from(each.value!).toString())).toEqual([
    "important clue\n",
    "and another\n",
  ]);
});

test("a command that died of the Ctrl-C itself keeps its output, too", async () => {
  const rig = new GraphRig({ a: {} });
  rig.processes.script("a", { hangs: true });
  const started = rig.start();
  const process = await rig.processes.nextStart("a");
  process.write("stdout", "important clue\n");
  started.graphRun.cancel("term", "SIGINT");
  process.die("SIGINT");
  const run = await rig.finish(started);
  expect(run.recorder.outputOf("a")).toBe("important clue\n");
  expect(run.recorder.settledOf("a")?.stdout).toBeDefined();
});

test.each([
  ["slots", { slots: 4 }, "a asks for 4 slots, the run has 2", /--concurrency/],
  ["a pool", { pools: [["db", 3]] }, 'a needs 3 of pool "db", which has 1', /"pools": \{ "db": 3 \}/],
] as const)(
  "a task that asks for more of %s than there is is refused in words, with the way out",
  async (_, claim, message, next) => {
    const rig = new GraphRig({ a: { claim } });
    rig.limits = { ...rig.limits, pools: { db: 1 } };
    expect(await rig.start().graphRun.outcome).toMatchObject({
      ok: false,
      problem: [{ code: "claim-exceeds-limit", message, next: expect.stringMatching(next) }],
    });
  },
);
