import { newRunId } from "@kahn/core";
import { memoryFileSystem, seededRandom, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { openRunHistory } from "./run-history.ts";

test("a run whose clock was set back does not make newer runs look unknown", () => {
  const clock = virtualClock();
  const random = seededRandom(1);
  const fs = memoryFileSystem({ clock });
  const first = newRunId(clock, random);
  clock.jump(clock.nowMs() - 3_600_000);
  const second = newRunId(clock, random);
  const history = openRunHistory(fs, "/history.json");
  history.fold(first, []);
  history.fold(second, []);
  history.save();
  expect(openRunHistory(fs, "/history.json").lastRun).toBe(first);
});
