import fc from "fast-check";
import { expect, test } from "vitest";
import { newRunId, parseRunId, runIdTimeMs, splitTaskId, taskId } from "./ids.ts";
import type { Clock } from "./ports/clock.ts";

const clockAt = (timeMs: number) => ({ nowMs: () => timeMs }) as Clock;
const timeMs = fc.nat({ max: 2 ** 48 - 1 });
const random = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ({ bytes: () => bytes }));

test("a run id tells when it was made and reads back as itself", () => {
  fc.assert(
    fc.property(timeMs, random, (time, source) => {
      const id = newRunId(clockAt(time), source);
      expect(runIdTimeMs(id)).toBe(time);
      expect(parseRunId(id)).toBe(id);
    }),
  );
});

test("run ids sort as text like the times they were made at", () => {
  fc.assert(
    fc.property(timeMs, timeMs, random, (a, b, source) => {
      fc.pre(a < b);
      expect(newRunId(clockAt(a), source) < newRunId(clockAt(b), source)).toBe(true);
    }),
  );
});

test("text that is not a ULID is not a run id", () => {
  for (const text of [
    "",
    "01J",
    "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    "01ARZ3NDEKTSV4RRFFQ69G5FAI",
    "01arz3ndektsv4rrffq69g5fav",
  ]) {
    expect(parseRunId(text), text).toBe(undefined);
  }
});

test("a task id splits into the project and task it was made of", () => {
  expect(splitTaskId(taskId("@scope/app", "build:web"))).toStrictEqual({ project: "@scope/app", task: "build:web" });
  expect(splitTaskId(taskId("//", "lint"))).toStrictEqual({ project: "//", task: "lint" });
});
