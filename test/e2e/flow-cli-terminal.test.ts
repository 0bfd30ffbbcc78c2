// Goal: a person at a terminal is asked at a barrier, and gives way to a decision from elsewhere. Method: a pseudo
// terminal that is typed at, with the built command line in it.
import { beforeEach, expect, test } from "vitest";
import { QUICK, REVIEW } from "./rig/flow-files.ts";
import { NO_TERMINAL, TerminalKahn } from "./rig/terminal-kahn.ts";
import { Workspace } from "./rig/workspace.ts";

beforeEach(({ skip }) => skip(NO_TERMINAL !== undefined, NO_TERMINAL));

test("a rejection goes back, an approval goes on, and who decided is in the record", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const kahn = new TerminalKahn(workspace, ["flow", "run", "review.ts", "--id", "t"]);
  await kahn.shows("approve#1> ");
  expect(kahn.shown).toContain("a note on nothing");
  expect(kahn.shown).toContain("without one in 24 h 00 m: reject");
  expect(kahn.shown).toContain("rerou[t]e (publish, draft)");
  kahn.types("nonsense");
  await kahn.shows('"nonsense" is none of');
  kahn.types("r");
  await kahn.shows("reason> ");
  kahn.types("too thin");
  await kahn.shows("approve#2> ");
  kahn.types('m {"topic": "kites", "wings": 2}');
  await kahn.shows('the state has no key "wings"');
  kahn.types("a");
  expect(await kahn.exitCode, kahn.shown).toBe(0);
  expect(kahn.shown).toContain("rejected by ann: too thin");
  expect(kahn.shown).toContain("✔ completed");
  expect(workspace.lines("visits.log")).toEqual(["draft", "draft", "publish"]);
});

test("a payload that a barrier wants is asked for", async () => {
  const workspace = new Workspace({ "quick.ts": QUICK });
  const kahn = new TerminalKahn(workspace, ["flow", "run", "quick.ts#asks"]);
  await kahn.shows("ask#1> ");
  kahn.types("a");
  await kahn.shows("payload of ask#1 (JSON)> ");
  kahn.types('{"comment": "fine"}');
  expect(await kahn.exitCode, kahn.shown).toBe(0);
  expect(kahn.shown).toContain('"comment": "fine"');
});

// What was half typed for a barrier must not answer the next one.
test("a decision from another shell takes the question back, with what was half typed", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const kahn = new TerminalKahn(workspace, ["flow", "run", "review.ts", "--id", "t"]);
  await kahn.shows("approve#1> ");
  kahn.keys("a");
  await kahn.shows("approve#1> a");
  expect(await workspace.kahn("flow decide t approve#1 --reject=elsewhere --by bob")).toMatchObject({ exitCode: 0 });
  await kahn.shows("approve#2> ");
  expect(kahn.shown).toContain("rejected by bob: elsewhere");
  kahn.types("");
  expect(JSON.parse((await workspace.kahn("flow list --json")).stdout)).toMatchObject({ status: "waiting" });
  kahn.types("l");
  expect(await kahn.exitCode, kahn.shown).toBe(4);
  expect(kahn.shown).toContain("kahn flow resume t");
});

test("Ctrl-C at the question leaves the run, and the question is put again when it is resumed", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const first = new TerminalKahn(workspace, ["flow", "run", "review.ts", "--id", "t"]);
  await first.shows("approve#1> ");
  first.does("int");
  expect(await first.exitCode, first.shown).toBe(130);
  expect(first.shown).toContain("nothing is lost");
  const second = new TerminalKahn(workspace, ["flow", "resume"]);
  await second.shows("approve#1> ");
  second.types("t publish");
  expect(await second.exitCode, second.shown).toBe(0);
  expect(workspace.lines("visits.log")).toEqual(["draft", "publish"]);
});

test("a terminal that is closed leaves the run as it is", async () => {
  const workspace = new Workspace({ "review.ts": REVIEW });
  const kahn = new TerminalKahn(workspace, ["flow", "run", "review.ts", "--id", "t"]);
  await kahn.shows("approve#1> ");
  kahn.does("close");
  // By the end of its input, or by the signal that comes with it.
  expect([4, 130]).toContain(await kahn.exitCode);
  expect(await workspace.kahn("flow decide t approve --approve")).toMatchObject({ exitCode: 0 });
  expect(await workspace.kahn("flow resume t")).toMatchObject({ exitCode: 0 });
});
