// Goal: runs are looked at, forked, drawn and replayed from the shell; what is wrong is refused by name, with exit code 2.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CHAIN, REVIEW } from "./rig/flow-files.ts";
import { Workspace } from "./rig/workspace.ts";

/** A workspace with one run of the review, which waits. */
async function reviewed(): Promise<Workspace> {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const left = await workspace.kahn(["flow", "run", "review.ts", "--id", "r", "--input", '{"topic":"kites"}']);
  expect(left, left.stderr).toMatchObject({ exitCode: 4 });
  return workspace;
}

test("show tells history, barriers with their command, and the state after any step", async () => {
  const workspace = await reviewed();
  const shown = await workspace.kahn("flow show");
  expect(shown).toMatchObject({ exitCode: 0 });
  expect(shown.stdout).toContain("committed  draft#1");
  expect(shown.stdout).toContain("kahn flow decide r approve#1 --approve");
  expect(shown.stdout).toMatch(/review\.ts/);
  const whole = JSON.parse((await workspace.kahn("flow show r --json")).stdout);
  expect(whole).toMatchObject({ run: "r", status: "waiting", state: { topic: "kites", notes: ["a note on kites"] } });
  const step = whole.history.find((each: { kind: string }) => each.kind === "committed").seq as number;
  expect(JSON.parse((await workspace.kahn(`flow show r --at ${step - 1} --json`)).stdout)).toMatchObject({ notes: [] });
  expect((await workspace.kahn(`flow show r --diff 1..${step}`)).stdout).toContain('+ ["a note on kites"]');
  const events = (await workspace.kahn("flow show r --events")).stdout.trim().split("\n");
  expect(events.map((line) => JSON.parse(line).seq)).toEqual(events.map((_, index) => index + 1));
  const beyond = await workspace.kahn("flow show r --at 99");
  expect(beyond).toMatchObject({ exitCode: 2 });
  expect(beyond.stderr).toContain("flow-step-unknown");
});

test("show tells who decided what and why, and what became of a run that a decision ended", async () => {
  const strict = REVIEW.replace(', onReject: { goto: "draft" }', "");
  const workspace = new Workspace({ "review.ts": REVIEW, "strict.ts": strict });
  await workspace.kahn("flow run review.ts --id r");
  await workspace.kahn(["flow", "decide", "r", "approve", "--reject", "too thin", "--by", "ann"]);
  await workspace.kahn("flow resume r");
  await workspace.kahn(["flow", "cancel", "r", "--reason", "wrong branch", "--by", "bob"]);
  const shown = (await workspace.kahn("flow show r")).stdout;
  for (const part of ["rejected by ann: too thin", "by bob: wrong branch"]) expect(shown).toContain(part);
  expect(shown).not.toContain("waits for a decision");
  const { history } = JSON.parse((await workspace.kahn("flow show r --json")).stdout);
  expect(history).toContainEqual(
    expect.objectContaining({ kind: "decided", decision: { kind: "reject", by: "ann", reason: "too thin" } }),
  );
  expect((await workspace.kahn("flow list")).stdout).not.toContain("approve#");
  const kept = await workspace.kahn("flow decide r approve#2 --approve");
  expect(kept).toMatchObject({ exitCode: 0 });
  expect(kept.stdout).toContain("the run is cancelled, and stays so until it is taken up again: kahn flow resume r");
  await workspace.kahn("flow run strict.ts --id s");
  const failed = await workspace.kahn("flow decide s approve#1 --reject no");
  expect(failed.stdout).toContain("with it the run has failed:");
  expect(failed.stdout).toContain("[flow-rejected]");
  await workspace.kahn("flow fork r --at 1 --id f");
  expect(JSON.parse((await workspace.kahn("flow show last --json")).stdout)).toMatchObject({ run: "f" });
});

test("a fork goes on from any step with other values, and the run it came from stays", async () => {
  const workspace = await reviewed();
  const forked = await workspace.kahn([
    "flow",
    "fork",
    "r",
    "--at",
    "1",
    "--set",
    'topic="boats"',
    "--goto",
    "draft",
    "--id",
    "f",
  ]);
  expect(forked, forked.stderr).toMatchObject({ exitCode: 0 });
  expect(forked.stdout).toContain("kahn flow resume f");
  expect(workspace.lines("visits.log")).toEqual(["draft"]);
  expect(await workspace.kahn("flow resume f")).toMatchObject({ exitCode: 4 });
  expect(JSON.parse((await workspace.kahn("flow show f --json")).stdout)).toMatchObject({
    parent: { run: "r", seq: 1 },
    state: { notes: ["a note on boats"] },
  });
  expect(JSON.parse((await workspace.kahn("flow show r --json")).stdout)).toMatchObject({ state: { topic: "kites" } });
  const again = await workspace.kahn("flow fork f --from draft --run --json");
  expect(JSON.parse(again.stdout.trim().split("\n").at(-1)!)).toMatchObject({ status: "waiting" });
  expect(workspace.lines("visits.log")).toEqual(["draft", "draft", "draft"]);
  const unknown = await workspace.kahn("flow fork r --goto drat");
  expect(unknown).toMatchObject({ exitCode: 2 });
  expect(unknown.stderr).toContain('Did you mean "draft"?');
});

test("a graph is drawn, and a run of it with what it did", async () => {
  const workspace = await reviewed();
  const plain = await workspace.kahn("flow graph review.ts");
  expect(plain.stdout).toContain('n1{{"approve"}}');
  expect(plain.stdout).not.toContain("classDef");
  const marked = await workspace.kahn("flow graph r");
  expect(marked.stdout).toContain("class n0 done");
  expect(marked.stdout).toContain("class n1 open");
  expect((await workspace.kahn("flow graph last --format dot")).stdout).toContain(
    '"draft" [label="draft", shape=box, style=filled',
  );
});

test("replay tells where a changed graph would go another way; resume refuses it until a mode is given", async () => {
  const workspace = await reviewed();
  expect(await workspace.kahn("flow replay r")).toMatchObject({ exitCode: 0 });
  workspace.write(
    "review.ts",
    REVIEW.replace(
      '["draft", "approve"]',
      '["draft", "publish"], { from: "draft", to: "approve", when: (s) => s.done }',
    ),
  );
  const replayed = await workspace.kahn("flow replay r");
  expect(replayed).toMatchObject({ exitCode: 1 });
  expect(replayed.stdout).toContain("draft#1: went to approve, and would go to publish");
  const decided = await workspace.kahn("flow decide r approve --approve");
  expect(decided).toMatchObject({ exitCode: 2 });
  expect(decided.stderr).toContain("flow-graph-changed");
  expect((await workspace.kahn("flow resume r")).stderr).toContain("flow-graph-changed");
  expect(await workspace.kahn("flow resume r --mode compatible")).toMatchObject({ exitCode: 4 });
  expect(await workspace.kahn("flow decide r approve --approve")).toMatchObject({ exitCode: 0 });
});

// Each line: what is in graph.ts, and what the refusal must name.
const WRONG_FILES: readonly (readonly [name: string, text: string, ...parts: readonly string[]])[] = [
  [
    "no default export",
    `${CHAIN.replace("export default", "export const chain =")}`,
    "flow-export-missing",
    "graph.ts#chain",
  ],
  ["a default export that is no graph", "export default 7;", "flow-export-no-graph", "a value of type number"],
  ["a file that throws", 'const x: number = 1;\nthrow new Error("no " + x);', "flow-file-failed", "no 1", "graph.ts:2"],
  ["a file that does not parse", "export default {", "flow-file-failed"],
  ["an import that is not there", 'import { x } from "./nowhere.ts"; export default x;', "flow-file-failed", "nowhere"],
  [
    "several mistakes at once",
    CHAIN.replace('["a", "b"]', '["a", "bb"]').replace('["c", "d"]', '["cc", "d"]'),
    "flow-node-unknown",
    '"bb"',
    '"cc"',
  ],
];

test.each(WRONG_FILES)("%s is refused by name", async (_, text, ...parts) => {
  const workspace = new Workspace({ "graph.ts": text });
  const refused = await workspace.kahn("flow run graph.ts --json");
  expect(refused).toMatchObject({ exitCode: 2 });
  expect(JSON.parse(refused.stdout)).toMatchObject({ kind: "flow.refused" });
  for (const part of parts) expect(refused.stderr).toContain(part);
  expect(workspace.exists(".kahn/state/flows")).toBe(false);
});

test("arguments that cannot be meant are refused before anything is run", async () => {
  const workspace = await reviewed();
  writeFileSync(workspace.path("notes.txt"), "");
  const refusals: readonly (readonly [line: string, ...parts: readonly string[]])[] = [
    ["flow run nowhere.ts", "flow-file-missing"],
    ["flow run notes.txt", "flow-file-kind"],
    ["flow run review.ts --id ../../out", "journal-id-invalid"],
    ["flow run review.ts --id r", "flow-run-exists", "kahn flow resume"],
    ["flow run review.ts --input [1]", "--input is no object"],
    ["flow run review.ts --input {", "--input is no JSON"],
    ["flow run review.ts --input @none.json", "none.json"],
    ['flow run review.ts --input {"topik":1}', "flow-key-unknown", "topic"],
    ['flow run review.ts --input {"notes":7}', "flow-value-type", "notes"],
    ["flow run review.ts --id x --key y", "--id and --key"],
    ["flow run review.ts --max-steps none", "--max-steps"],
    ["flow resume nobody", "flow-run-unknown"],
    ["flow show rr", "Did you mean r?"],
    ["flow resume r --rename a=b", "--mode migrate"],
    ["flow decide r approve#1", "nothing was decided"],
    ["flow decide r approve#1 --approve --reject", "--approve and --reject"],
    ["flow decide r approve#1 --approve --count 2", "--count and --for"],
    ["flow decide r approve#1 --modify 7", "--modify is no object"],
    ["flow decide r --approve", "no barrier was named"],
    ["flow fork r --set topic", "KEY=JSON"],
    ["flow list --status wating", "waiting"],
    ["flow lst", "Did you mean list?"],
    ["flow run", "kahn flow run FILE"],
  ];
  for (const [line, ...parts] of refusals) {
    const refused = await workspace.kahn(line);
    expect(refused, line).toMatchObject({ exitCode: 2, stdout: "" });
    for (const part of parts) expect(refused.stderr, line).toContain(part);
  }
  expect(workspace.lines("visits.log")).toEqual(["draft"]);
});

test("a run that a newer Kahn wrote is refused and listed; the beginning of two ids names neither", async () => {
  const workspace = await reviewed();
  await workspace.kahn("flow run review.ts --id x1");
  await workspace.kahn("flow run review.ts --id x2");
  const both = await workspace.kahn("flow show x");
  expect(both).toMatchObject({ exitCode: 2 });
  expect(both.stderr).toContain("flow-run-ambiguous");
  const log = workspace.path(".kahn/state/flows/journals/x1/000001.log");
  const bytes = readFileSync(log);
  bytes.writeUInt32LE(99, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 20)), 20);
  writeFileSync(log, bytes);
  const shown = await workspace.kahn("flow show x1");
  expect(shown).toMatchObject({ exitCode: 2 });
  expect(shown.stderr).toContain("journal-format-newer");
  expect((await workspace.kahn("flow list")).stdout).toMatch(/^x1 +unreadable/m);
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  }
  return ~crc >>> 0;
}
