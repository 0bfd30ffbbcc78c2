// Goal: what `kahn flow` prints says what there is to know, once, and in the order in which it happened. Method: the
// command line in this process, on small graphs in a folder of files.
import { durationText } from "@kahn/report";
import { expect, test, vi } from "vitest";
import { FlowFolder } from "./flow-folder.fixture.ts";

const HEAD = 'import { action, barrier, defineGraph, END, reduce, state, subgraph } from "kahn/flow";\n';

/** Draft, then a person, who may send it back, then publish. */
const REVIEW = `${HEAD}
const S = state({ notes: state.value([], reduce.append), done: state.value(false) });
export default defineGraph(S, {
  id: "review", version: "1", start: "draft", maxSteps: 50,
  nodes: {
    draft: { run: () => ({ set: { notes: ["a note"] } }) },
    approve: barrier({ onReject: { goto: "draft" } }),
    publish: { run: () => ({ set: { done: true } }) },
  },
  edges: [["draft", "approve"], ["approve", "publish"], ["publish", END]],
});
`;

test("a fork that is executed at once shows what happens from the fork on, and how much it took over", async () => {
  const folder = new FlowFolder({ "review.mjs": REVIEW });
  const left = await folder.flow("run review.mjs --id r");
  expect(left, left.stderr).toMatchObject({ exitCode: 4 });
  await folder.flow("decide r approve --approve");
  const forked = await folder.flow("fork r --from publish --id f --run");
  expect(forked, forked.stderr).toMatchObject({ exitCode: 0 });
  const lines = forked.stdout.split("\n");
  expect(lines[0]).toBe("✔ forked r as f: 2 steps taken over");
  expect(lines[1]).toMatch(/^▶ review resumed/);
  expect(lines[2]).toMatch(/^✔ publish#1/);
  const told = await folder.flow("fork r --from publish --id g --run --json");
  const events = told.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events[0]).toMatchObject({ kind: "flow.forked", run: "g", parent: "r", steps: 2 });
  expect(events[1]).toMatchObject({ type: "run.resumed" });
});

test("a second start with one key shows what happens from then on", async () => {
  const folder = new FlowFolder({ "review.mjs": REVIEW });
  const first = await folder.flow("run review.mjs --key k");
  expect(first.stdout).toContain("draft#1");
  const second = await folder.flow("run review.mjs --key k");
  expect(second.stdout).toMatch(/^▶ review resumed.*\n⏸ waiting/);
});

/** Holds until a file is there. */
const HELD = `${HEAD}
import { existsSync } from "node:fs";
const gate = new URL("gate", import.meta.url);
const S = state({});
export default defineGraph(S, {
  id: "held", version: "1", start: "hold", maxSteps: 9,
  nodes: { hold: { run: async ({ signal }) => {
    while (!existsSync(gate) && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
    signal.throwIfAborted();
  } } },
  edges: [["hold", END]],
});
`;

test("show names what runs, since when and by which process; of a run that was left, what it goes on with", async () => {
  const folder = new FlowFolder({ "held.mjs": HELD });
  const going = folder.flow("run held.mjs --id h");
  await vi.waitUntil(async () => (await folder.flow("show h")).stdout.includes("running"));
  const shown = await folder.flow("show h");
  expect(shown.stdout).toMatch(
    new RegExp(`^  hold#1 runs for [0-9.]+ m?s, since \\d\\d:\\d\\d:\\d\\d UTC, in process ${process.pid}$`, "m"),
  );
  expect(JSON.parse((await folder.flow("show h --json")).stdout)).toMatchObject({
    pid: process.pid,
    running: [{ path: "hold#1", attempt: 1, sinceMs: expect.any(Number) }],
  });
  folder.interrupt();
  await going;
  expect((await folder.flow("show h")).stdout).toContain("to go on with hold#1: kahn flow resume h");
  folder.write("gate", "");
  await folder.flow("resume h");
  const whole = JSON.parse((await folder.flow("show h --json")).stdout);
  expect(whole).toMatchObject({ status: "completed", running: [] });
  expect(whole.executedMs).toBe(whole.history.find((each: { path?: string }) => each.path === "hold#1").tookMs);
});

test("the time of a run is that of its execution, in the list, when it is shown, and at its end", async () => {
  const folder = new FlowFolder({ "review.mjs": REVIEW });
  await folder.flow("run review.mjs --id r");
  await folder.flow("decide r approve#1 --approve");
  const { executedMs } = JSON.parse((await folder.flow("list --json")).stdout);
  const took = durationText(executedMs);
  expect((await folder.flow("list")).stdout).toMatch(new RegExp(` STEPS +TOOK .*\\n.* 3 +${took}`));
  expect((await folder.flow("show r")).stdout).toContain(`interrupted, 3 steps in ${took}\n`);
  expect((await folder.flow("show r")).stdout).toMatch(/approved by ann; waited /);
});
