/** Readers that join a run at any moment. */
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { line, quiet, runOf, world } from "./flow.fixture.ts";
import type { FlowRun, StreamEvent } from "./index.ts";
import { defineGraph, END, reduce, state } from "./index.ts";

/** So many turns of the promises' queue lie between the beginning of the run and its end, at least. */
const TURNS = 60;

async function numbersOf(events: AsyncIterable<StreamEvent>, pause: () => Promise<void> | undefined) {
  const numbers: number[] = [];
  for await (const { seq } of events) {
    numbers.push(seq);
    await pause();
  }
  return numbers;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await undefined;
}

// Goal: a stream has every event once, whenever its reader comes. Method: a run of steps that are appended one by one,
// to a journal that takes its time; readers that join after each number of turns, beside one that is slow and blocks.
test("a reader that joins at any moment is told every event once", async () => {
  for (const isBlocked of [false, true]) {
    for (let after = 0; after < TURNS; after++) {
      const journals = memoryJournalStore();
      const create = journals.create.bind(journals);
      journals.create = (id) => {
        const created = create(id);
        if (!created.ok) return created;
        const append = created.value.append.bind(created.value);
        return {
          ...created,
          value: Object.assign(created.value, {
            append: async (...what: Parameters<typeof append>) => {
              await turns(3);
              return append(...what);
            },
          }),
        };
      };
      const { flow, events } = world({}, journals);
      const run: FlowRun = (await flow.start(line("a", "b", "c", "d"), {}, { id: "r" })) as never;
      const slow = isBlocked ? numbersOf(run.events({ buffer: 1 }), () => turns(2)) : undefined;
      await turns(after);
      const joined = await numbersOf(run.events(), () => undefined);
      await quiet();
      const all = events("r").map(({ seq }) => seq);
      expect([isBlocked, after, joined]).toEqual([isBlocked, after, all]);
      if (slow !== undefined) expect([after, await slow]).toEqual([after, all]);
    }
  }
});

test("events have the same numbers live and told again, whatever objects a node hands back", async () => {
  const keys = state({
    same: state.value({ a: 1 }),
    none: state.value<readonly string[]>([], reduce.append),
    first: state.value({ b: 1 }, reduce.custom<object>("first", (existing) => existing, { b: 1 }) as never),
    count: state.value(0),
  });
  const graph = defineGraph(keys, {
    id: "g",
    start: "a",
    nodes: {
      a: { run: ({ state: s }) => ({ set: { same: s.same, none: s.none, first: s.first, count: 0 } }) },
      b: { run: ({ state: s }) => ({ set: { same: s.same, count: s.count } }) },
    },
    edges: [
      ["a", "b"],
      ["b", END],
    ],
  });
  const live: StreamEvent[] = [];
  const { events } = await runOf(graph, {}, { hooks: [(event) => void live.push(event)] });
  expect(live).toEqual(events.slice(-live.length));
  expect(live.map(({ seq }) => seq)).toEqual(live.map((_, index) => index + events.length - live.length + 1));
});
