// Goal: what `kahn flow` prints says what there is to know, once, and in the order in which it happened. Method: the
// command line in this process, on small graphs in a folder of files.
import { execFileSync } from "node:child_process";
import { durationText } from "@kahn/report";
import { expect, test, vi } from "vitest";
import { FlowFolder } from "./folder.fixture.ts";

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

/** A barrier with a payload, one with a schema, and one whose name a shell would take apart. */
const ASKS = `${HEAD}
const S = state({ note: state.value("") });
const decided = (outcome) => ({ set: { note: outcome.payload?.note ?? "" } });
const schema = { "~standard": { validate: (value) => ({ value }) } };
export default defineGraph(S, {
  id: "asks", version: "1", start: "it's;me", maxSteps: 9,
  nodes: {
    "it's;me": barrier({ accept: { note: "string", few: "number?", "it's": "boolean", more: "json" }, decided }),
    check: barrier({ accept: schema }),
  },
  edges: [["it's;me", "check"], ["check", END]],
});
`;

test("the command that decides a barrier can be pasted into a shell, payload and all", async () => {
  const folder = new FlowFolder({ "asks.mjs": ASKS });
  const { stdout } = await folder.flow(["run", "asks.mjs", "--id", "a", "--dir", "my runs"]);
  const printed = /^ {4}kahn flow (decide .*)$/m.exec(stdout)?.[1] ?? stdout;
  const words = execFileSync("sh", ["-c", `printf '%s\\0' ${printed}`], { encoding: "utf8" })
    .split("\0")
    .slice(0, -1);
  expect(words).toEqual([
    ...["decide", "a", "it's;me#1", "--approve"],
    ...["--payload", `{"note": "TEXT", "it's": true, "more": null}`, "--dir", "my runs"],
  ]);
  expect(await folder.flow(words)).toMatchObject({ exitCode: 0 });
  const shown = await folder.flow(["resume", "a", "--dir", "my runs"]);
  expect(shown.stdout).toContain("--approve --payload '{}' --dir 'my runs'\n    the graph's schema says");
});

test("a decision for a visit that has not come says so, and how to take it back", async () => {
  const folder = new FlowFolder({ "review.mjs": REVIEW });
  await folder.flow("run review.mjs --id r");
  const early = await folder.flow("decide r approve#9 --approve");
  expect(early.stdout.split("\n").slice(0, 3)).toEqual([
    "✔ accepted (token d1)",
    'early: "approve#9" is not open yet, and the decision waits for it; open: approve#1',
    "to take it back: kahn flow decide r --revoke d1",
  ]);
  expect(await folder.flow("decide r --revoke d1")).toMatchObject({ exitCode: 0 });
  expect((await folder.flow("decide r approve#1 --approve")).stdout).not.toContain("early");
});

test("an unknown barrier is answered with the nearest and the open ones, of a run that somebody executes and of one left", async () => {
  const folder = new FlowFolder({ "review.mjs": REVIEW });
  await folder.flow("run review.mjs --id r");
  const unknown = await folder.flow("decide r aprove#1 --approve");
  expect(unknown).toMatchObject({ exitCode: 1 });
  expect(unknown.stdout).toContain(
    '✖ unknown: there is no barrier "aprove" (did you mean approve?); open: approve#1\n',
  );
  expect(unknown.stdout).toContain("kahn flow decide r approve#1 --approve\n");
  const waiting = folder.flow("resume r --wait");
  await vi.waitUntil(async () => JSON.parse((await folder.flow("list --json")).stdout).pid !== undefined);
  expect((await folder.flow("decide r elsewhere --approve")).stdout).toContain(
    "(the graph has approve); open: approve#1",
  );
  folder.interrupt();
  await waiting;
});

test("a changed graph is refused with the flags that take it, whoever asks", async () => {
  const folder = new FlowFolder({ "review.mjs": REVIEW });
  await folder.flow("run review.mjs --id r");
  folder.write("other.mjs", REVIEW.replaceAll("approve", "consent"));
  for (const line of ["resume r --file other.mjs", "decide r consent --approve --file other.mjs"]) {
    const refused = await folder.flow(line);
    expect(refused).toMatchObject({ exitCode: 2 });
    expect(refused.stderr).toContain("error[flow-graph-changed]");
    expect(refused.stderr).toContain("next: kahn flow resume r --mode compatible");
    expect(refused.stderr).toContain("--mode migrate --rename OLD=NEW");
  }
  const unfit = await folder.flow("resume r --file other.mjs --mode compatible");
  expect(unfit.stderr).toContain("next: kahn flow resume r --mode migrate --rename OLD=NEW names its successor");
  expect(await folder.flow("resume r --file other.mjs --mode migrate --rename approve=consent")).toMatchObject({
    exitCode: 4,
  });
  const exists = await folder.flow("fork r --id r --file other.mjs");
  expect(exists.stderr).toContain("kahn flow resume r)");
});

test("a resumed run asks what it had asked below the line that says that it goes on", async () => {
  const folder = new FlowFolder({ "review.mjs": REVIEW });
  await folder.flow("run review.mjs --id r");
  const resumed = await folder.flow("resume r", { answers: ["r too thin", "a"] });
  expect(resumed).toMatchObject({ exitCode: 0 });
  const asked = resumed.stdout.split("\n").filter((line) => /^[▶?⏸✔]|> $/.test(line));
  expect(asked.map((line) => line.replace(/ \d+ ms| version.*| · .*$/g, ""))).toEqual([
    "▶ review resumed",
    "? approve#1 waits for a decision",
    "approve#1> ",
    "✔ approve#1 rejected by ann: too thin → draft",
    "✔ draft#2 → approve",
    "⏸ approve#2 waits for a decision",
    "? approve#2 waits for a decision",
    "approve#2> ",
    "✔ approve#2 approved by ann → publish",
    "✔ publish#1",
    "✔ completed 5 steps",
  ]);
});

/** What goes wrong in code, by name. */
const WRONG = `${HEAD}
const S = state({ what: state.value("") });
const circle = { name: "a" };
circle.self = circle;
const wrongs = {
  emit: ({ emit }) => void emit(circle),
  detail: () => fail("no", { detail: circle }),
  loop: () => ({ goto: "go" }),
};
export default defineGraph(S, {
  id: "wrong", version: "1", start: "go", maxSteps: 5,
  nodes: { go: { targets: ["go", END], run: (context) => wrongs[context.state.what](context) } },
  edges: [["go", END]],
});
`.replace("barrier,", "barrier, fail,");

test("a value that contains itself ends no process, whoever is given it", async () => {
  const folder = new FlowFolder({ "wrong.mjs": WRONG });
  const run = (what: string) => folder.flow(["run", "wrong.mjs", "--json", "--input", JSON.stringify({ what })]);
  const emitted = await run("emit");
  expect(emitted, emitted.stderr).toMatchObject({ exitCode: 0 });
  expect(emitted.stdout).toContain('"data":{"name":"a","self":"(circular)"}');
  const failed = await run("detail");
  expect(failed, failed.stdout).toMatchObject({ exitCode: 1 });
  expect(JSON.parse(failed.stdout.trim().split("\n").at(-1)!)).toMatchObject({
    status: "failed",
    error: { message: "no", facts: [["detail", "is no JSON, and was not kept"]] },
  });
});

test("a run that has made all of its steps is taken up with room for more", async () => {
  const folder = new FlowFolder({ "wrong.mjs": WRONG });
  const failed = await folder.flow(["run", "wrong.mjs", "--id", "w", "--input", '{"what":"loop"}']);
  expect(failed.stdout).toContain("to try again what failed: kahn flow resume w --max-steps 12\n");
});
