/** Work that claims something: when it starts, and that a place is never lost. */
import { expect, test } from "vitest";
import { deferred, quiet, S, world } from "../../flow.fixture.ts";
import { defineGraph, END, map } from "../../index.ts";
import { Admission, type Admitted } from "./admission.ts";

const PLACE = { slots: 1, mutexes: [], pools: [], tags: [], terminal: false } as const;
const ONE_PLACE = { slots: 1, pools: {}, tagCaps: {}, io: 1 };

// Goal: however much waits for one place, and though all of it ends as it starts, each piece runs once and the run ends.
test("a thousand steps that end as they start get the one place that a slow step gives back, each once", async () => {
  const width = 1000;
  const ran = new Uint8Array(width);
  const first = deferred();
  const graph = defineGraph(S, {
    id: "wide",
    start: "m",
    nodes: {
      m: map({
        over: () => Array.from({ length: width }, (_, index) => index),
        run: ({ index }) => {
          ran[index]!++;
          return index === 0 ? first.promise : undefined;
        },
      }),
    },
    edges: [["m", END]],
  });
  const { flow } = world({ concurrency: 1 });
  const run = await flow.start(graph);
  while (flow.load().queued < width - 1) await quiet();
  first.resolve();
  expect(await run.result).toMatchObject({ status: "completed" });
  expect(ran.every((times) => times === 1)).toBe(true);
  expect(flow.load()).toEqual({ runs: 0, running: 0, queued: 0 });
});

test("what starts and ends within another's start has its place, and one is given up that was not begun", () => {
  const admission = new Admission(ONE_PLACE);
  const began: string[] = [];
  const admitted = new Map<string, Admitted>();
  const admit = (name: string, begin: () => void = () => admitted.get(name)!.done()) => {
    const found = admission.admit(PLACE, () => {
      began.push(name);
      begin();
    });
    admitted.set(name, found!);
  };
  admit("holds", () => {});
  for (let index = 0; index < 700; index++) admit(`n${index}`);
  // The first to get the place gives up one that waits, and asks for one more.
  admit("nests", () => {
    admitted.get("never")!.done();
    admit("nested");
    admitted.get("nests")!.done();
  });
  admit("never");
  admit("last");
  expect([began, admission.waiting]).toEqual([["holds"], 703]);
  admitted.get("holds")!.done();
  expect(began.slice(1)).toEqual([
    ...Array.from({ length: 700 }, (_, index) => `n${index}`),
    "nests",
    "last",
    "nested",
  ]);
  expect(admission.waiting).toBe(0);
  admit("after", () => {});
  expect(began.at(-1)).toBe("after");
});

// Goal: what was admitted with others and aborted by the first of them to start does not start.
test("work that was admitted and given up before its turn is never begun, and its place is free", () => {
  const admission = new Admission({ ...ONE_PLACE, slots: 3 });
  const began: string[] = [];
  const all = { ...PLACE, slots: 3 };
  const holds = admission.admit(all, () => began.push("holds"))!;
  const second: { entry?: Admitted } = {};
  const first = admission.admit(PLACE, () => {
    began.push("first");
    second.entry!.done();
  })!;
  second.entry = admission.admit(PLACE, () => began.push("second"))!;
  holds.done();
  expect(began).toEqual(["holds", "first"]);
  first.done();
  admission.admit(all, () => began.push("all"));
  expect(began).toEqual(["holds", "first", "all"]);
});
