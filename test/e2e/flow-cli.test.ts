// Goal: a graph is run from the shell, left, killed, decided from elsewhere and taken up, as the guide says. Method: the
// built command line on files that stand alone: no Kahn is installed beside them.
import { appendFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CHAIN, QUICK, REVIEW } from "./rig/flow-files.ts";
import { until } from "./rig/kahn-process.ts";
import { Workspace } from "./rig/workspace.ts";

/** The last line of a `--json` run. */
function finished(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Record<string, unknown>;
}

test("a lone file runs to its end, and its state is printed", async () => {
  const workspace = new Workspace({ "chain.ts": CHAIN });
  const done = await workspace.kahn("flow run chain.ts --id one");
  expect(done, done.stderr).toMatchObject({ exitCode: 0, stderr: "" });
  expect(done.stdout).toContain("✔ c#1");
  expect(done.stdout).toContain('"log": [\n    "a",');
  const listed = await workspace.kahn("flow list --json");
  expect(JSON.parse(listed.stdout)).toMatchObject({ run: "one", status: "completed", steps: 5 });
});

test("without a terminal a run is left at its barrier, decided by nobody's owner, and resumed", async () => {
  const workspace = new Workspace({ "flows/review.ts": REVIEW, "package.json": { name: "x" } });
  const left = await workspace.kahn(["flow", "run", "flows/review.ts", "--id", "r-1", "--input", '{"topic":"kites"}']);
  expect(left, left.stderr).toMatchObject({ exitCode: 4 });
  expect(left.stdout).toContain("kahn flow decide r-1 approve#1 --approve");
  expect(workspace.exists(".kahn/state/flows/journals/r-1")).toBe(true);
  const rejected = await workspace.kahn(["flow", "decide", "r-", "approve", "--reject", "too thin"]);
  expect(rejected).toMatchObject({ exitCode: 0 });
  expect(rejected.stdout).toContain("to go on: kahn flow resume r-1");
  expect(await workspace.kahn("flow resume last")).toMatchObject({ exitCode: 4 });
  // The first decision was for one visit.
  const late = await workspace.kahn("flow decide last approve#1 --approve");
  expect(late).toMatchObject({ exitCode: 1 });
  expect(late.stdout).toContain("late");
  expect(await workspace.kahn("flow decide last approve#2 --approve")).toMatchObject({ exitCode: 0 });
  expect(await workspace.kahn("flow decide last approve#2 --approve")).toMatchObject({ exitCode: 1 });
  const done = await workspace.kahn("flow resume r-1 --json");
  expect(done, done.stderr).toMatchObject({ exitCode: 0 });
  expect(finished(done.stdout)).toMatchObject({ kind: "flow.finished", status: "completed", state: { done: true } });
  expect(workspace.lines("flows/visits.log")).toEqual(["draft", "draft", "publish"]);
});

test("a decision from another shell reaches the process that waits", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const waiting = workspace.start(["flow", "run", "review.ts", "--wait", "--json", "--id", "w"]);
  await waiting.printed('"barrier.opened"');
  const listed = await workspace.kahn("flow list --status waiting --json");
  expect(JSON.parse(listed.stdout)).toMatchObject({ run: "w", pid: waiting.pid });
  const owned = await workspace.kahn("flow resume w");
  expect(owned).toMatchObject({ exitCode: 2 });
  expect(owned.stderr).toContain("flow-run-owned");
  expect(owned.stderr).toContain(`process ${waiting.pid}`);
  const unknown = await workspace.kahn("flow decide w aprove --approve");
  expect(unknown).toMatchObject({ exitCode: 1 });
  expect(unknown.stdout).toContain("did you mean approve?");
  const decided = await workspace.kahn("flow decide w approve#1 --approve --by ann --json");
  expect(JSON.parse(decided.stdout)).toMatchObject({ run: "w", ack: "accepted" });
  const done = await waiting.ended;
  expect(done).toMatchObject({ exitCode: 0 });
  expect(finished(done.stdout)).toMatchObject({ status: "completed" });
  const decisions = done.stdout.split("\n").filter((line) => line.includes('"barrier.decided"'));
  expect(decisions.map((line) => JSON.parse(line))).toMatchObject([{ barrier: "approve#1", by: "ann" }]);
  expect(done.stdout).toContain('"node.data"');
});

test("a run that waits takes its default when the time is up", async () => {
  const workspace = new Workspace({ "quick.ts": QUICK });
  const done = await workspace.kahn("flow run quick.ts#soon --wait --json");
  expect(done, done.stderr).toMatchObject({ exitCode: 0 });
  expect(finished(done.stdout)).toMatchObject({ state: { comment: "skip" } });
});

test("kill -9 loses no finished node, and the run is taken up in place", async () => {
  const workspace = new Workspace({ "chain.ts": CHAIN });
  const killed = workspace.start(["flow", "run", "chain.ts", "--id", "k", "--input", '{"hold":60000}']);
  await until("c runs", () => workspace.lines("visits.log").includes("c"));
  killed.signal("SIGKILL");
  await killed.ended;
  expect(JSON.parse((await workspace.kahn("flow list --json")).stdout)).toMatchObject({ status: "interrupted" });
  const forked = await workspace.kahn("flow fork k --set hold=0 --goto c --id k2 --run");
  expect(forked, forked.stderr).toMatchObject({ exitCode: 0 });
  expect(workspace.lines("visits.log")).toEqual(["a", "b", "c", "c", "d", "e"]);
});

test("Ctrl-C leaves a run; the second one stops at once although a node hears nothing", async () => {
  const workspace = new Workspace({ "chain.ts": CHAIN });
  const start = (id: string, input: object) =>
    workspace.start(["flow", "run", "chain.ts", "--id", id, "--input", JSON.stringify(input)]);
  const heeding = start("h", { hold: 60_000 });
  await until("c runs", () => workspace.lines("visits.log").includes("c"));
  heeding.signal("SIGINT");
  const left = await heeding.ended;
  expect(left, left.stderr).toMatchObject({ exitCode: 130 });
  expect(left.stdout).toContain("kahn flow resume h");
  workspace.remove("visits.log");
  const deaf = start("d", { hold: 60_000, deaf: true });
  await until("c runs", () => workspace.lines("visits.log").includes("c"));
  deaf.signal("SIGTERM");
  await deaf.printed("once more to stop at once");
  deaf.signal("SIGTERM");
  expect(await deaf.ended).toMatchObject({ exitCode: 130 });
  expect(JSON.parse((await workspace.kahn("flow show d --json")).stdout)).toMatchObject({ status: "interrupted" });
});

test("a run is cancelled from elsewhere, with and without an owner, and can go on after all", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const waiting = workspace.start(["flow", "run", "review.ts", "--wait", "--id", "c"]);
  await waiting.printed("waits for a decision");
  expect(await workspace.kahn("flow cancel c --reason enough")).toMatchObject({ exitCode: 0 });
  const done = await waiting.ended;
  expect(done).toMatchObject({ exitCode: 130 });
  expect(done.stdout).toContain("cancelling: enough");
  const again = await workspace.kahn("flow cancel c");
  expect(again).toMatchObject({ exitCode: 1 });
  expect(again.stdout).toContain("the run is cancelled");
  expect(await workspace.kahn("flow resume c")).toMatchObject({ exitCode: 4 });
  expect(await workspace.kahn("flow cancel c")).toMatchObject({ exitCode: 0 });
  expect(JSON.parse((await workspace.kahn("flow list --json")).stdout)).toMatchObject({ status: "cancelled" });
});

test("a failed run says why, and tries again what failed when it is resumed", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const failed = await workspace.kahn(["flow", "run", "review.ts", "--id", "f", "--input", '{"topic":"bad"}']);
  expect(failed).toMatchObject({ exitCode: 1 });
  expect(failed.stdout).toContain("a bad topic");
  expect(failed.stdout).toContain("topic-bad");
  expect(await workspace.kahn("flow resume f")).toMatchObject({ exitCode: 1 });
  expect(workspace.lines("visits.log")).toEqual(["draft", "draft"]);
});

test("a run finds its graph after its folder moved, and by --file after its file did", async () => {
  const workspace = new Workspace({ "p/review.ts": REVIEW, "p/package.json": { name: "p" } });
  expect(await workspace.kahn("flow run review.ts --id m", { in: "p" })).toMatchObject({ exitCode: 4 });
  renameSync(workspace.path("p"), workspace.path("q"));
  expect(await workspace.kahn("flow decide m approve --approve", { in: "q" })).toMatchObject({ exitCode: 0 });
  renameSync(workspace.path("q/review.ts"), workspace.path("q/other.ts"));
  const gone = await workspace.kahn("flow resume m", { in: "q" });
  expect(gone).toMatchObject({ exitCode: 2 });
  expect(gone.stderr).toContain("flow-file-missing");
  expect(await workspace.kahn("flow resume m --file other.ts", { in: "q" })).toMatchObject({ exitCode: 0 });
  expect((await workspace.kahn("flow show m", { in: "q" })).stdout).toContain("q/other.ts");
});

test("a journal that ends within a record is repaired, and that is said", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  expect(await workspace.kahn("flow run review.ts --id t")).toMatchObject({ exitCode: 4 });
  appendFileSync(workspace.path(".kahn/state/flows/journals/t/000001.log"), "\u0040half");
  const resumed = await workspace.kahn("flow resume t");
  expect(resumed).toMatchObject({ exitCode: 4 });
  expect(resumed.stderr).toContain("warning[flow-journal-repaired]");
});

test("one key is one run, and one folder may be elsewhere", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const runs = `--dir ${join(workspace.directory, "runs")}`;
  const first = await workspace.kahn(`flow run review.ts --key monday ${runs} --json`);
  expect(first, first.stderr).toMatchObject({ exitCode: 4 });
  const second = await workspace.kahn(`flow run review.ts --key monday ${runs} --json`);
  expect(finished(second.stdout).run).toBe(finished(first.stdout).run);
  expect(workspace.lines("visits.log")).toEqual(["draft"]);
  expect((await workspace.kahn("flow list")).stdout).toContain("no runs");
  expect((await workspace.kahn(`flow decide last approve --approve ${runs}`)).stdout).toContain(
    `resume ${finished(first.stdout).run} --dir`,
  );
});
