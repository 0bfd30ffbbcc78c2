// Goal: what `kahn flow` prints says what there is to know, once, and in the order in which it happened. Method: the
// command line in this process, on small graphs in a folder of files.
import { expect, test } from "vitest";
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
