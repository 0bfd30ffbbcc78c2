import { digestOf } from "@kahn/core";
import { expect, test } from "vitest";
import { command, memoryRig } from "./hermetic.fixture.ts";
import { runTwice } from "./run-twice.ts";

const request = { command: command(["make"], { outputPaths: ["d", "o"] }), inputRoot: digestOf(""), label: "act" };

test("an action that gives the same twice has no differences", async () => {
  const { blobs, processes, runner } = memoryRig();
  processes.script("act", { files: { "d/a": "1", o: "2" }, stdout: "said" });
  expect(await runTwice({ runner, blobs }, request)).toMatchObject({ kind: "compared", differences: [] });
  expect(processes.started.length).toBe(2);
});

test("differences are named by path, inside of directories too", async () => {
  const { blobs, processes, runner } = memoryRig();
  processes.script("act", (_, nth) => ({
    files: { "d/same": "1", "d/time": String(nth), [`d/only${nth}`]: "x" },
    stdout: `run ${nth}`,
    exit: nth,
  }));
  const outcome = await runTwice({ runner, blobs }, request);
  if (outcome.kind !== "compared") throw new Error(outcome.kind);
  expect(outcome.differences).toEqual([
    { what: "d/only1", first: digestOf("x"), second: undefined },
    { what: "d/only2", first: undefined, second: digestOf("x") },
    { what: "d/time", first: digestOf("1"), second: digestOf("2") },
    { what: "exit code", first: "1", second: "2" },
    { what: "stdout", first: '"run 1"', second: '"run 2"' },
  ]);
});

test("a run that does not complete decides nothing", async () => {
  const { blobs, processes, runner } = memoryRig();
  processes.script("act", { notStarted: "EAGAIN" });
  const outcome = await runTwice({ runner, blobs }, request);
  expect(outcome).toMatchObject({
    kind: "undecided",
    outcome: { kind: "errored", problem: { code: "command-not-started" } },
  });
});
