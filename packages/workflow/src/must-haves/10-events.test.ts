/** Events: in order, without gaps, one end, as many readers as there are, and the same told again. */
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { deferred, line, quiet, S, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, type FlowGraph, isTerminal, type StreamEvent } from "../index.ts";
import { changedJournals } from "../journals.fixture.ts";

const loop = (rounds: number, did: () => void = () => {}): FlowGraph =>
  defineGraph(S, {
    id: "loop",
    start: "a",
    maxSteps: 10_000,
    nodes: {
      a: {
        run: () => {
          did();
          return { add: { n: 1 } };
        },
      },
    },
    edges: [{ from: "a", to: "a", when: (s) => s.n < rounds }, ["a", END]],
  }) as FlowGraph;

const all = async (events: AsyncIterable<StreamEvent>) => {
  const seen: StreamEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
};
const numbers = (events: readonly StreamEvent[]) => events.map(({ seq }) => seq);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test("must-have 10: the run is ahead of a slow reader by its buffer and what is in flight, and no more", async () => {
  const EVENTS_A_STEP = 3;
  for (const buffer of [1, 4, 32]) {
    let made = 0;
    const { flow } = world();
    const run = await flow.start(loop(200, () => made++));
    const reader = run.events({ buffer });
    for (let read = 1; read <= 60; read++) {
      await reader.next();
      await quiet();
      // One step is in flight beyond what is told, and one commit is told in one go.
      expect(made * EVENTS_A_STEP).toBeLessThanOrEqual(read + buffer + 2 * EVENTS_A_STEP);
    }
    await reader.return?.();
    expect((await run.result).status).toBe("completed");
  }
});

test("must-have 10: a full buffer drops data only, or ends the stream to be followed again from its last number", async () => {
  const { flow } = world();
  const run = await flow.start(loop(100));
  const slow = run.events({ buffer: 2, onFull: "disconnect" });
  const seen = [(await slow.next()).value as StreamEvent];
  await run.result;
  seen.push(...(await all(slow)));
  expect(seen.length).toBeLessThan(300);
  const rest = await all(run.events({ from: seen.at(-1)!.seq + 1 }));
  expect(numbers([...seen, ...rest])).toEqual(upTo(rest.at(-1)!.seq));
});

/** A store whose appends resolve when told, as those of a slow disk do. */
function slowJournals() {
  let gate = Promise.resolve();
  const journals = changedJournals(memoryJournalStore(), (journal) => ({
    append: async (bodies, options) => {
      await gate;
      return journal.append(bodies, options);
    },
  }));
  return { journals, wait: (until: Promise<void>) => void (gate = until) };
}

// Goal: no reader misses what was being written when it came. Method: the journal is slow; a reader joins in the middle
// of an append that was begun when nobody listened.
test("must-have 10: a reader that joins while the journal writes misses nothing", async () => {
  const { journals, wait } = slowJournals();
  const { flow } = world({ journals });
  const run = await flow.start(line("a", "b", "c"), {}, { id: "r" });
  const written = deferred();
  wait(written.promise);
  await quiet();
  const reading = all(run.events());
  await quiet();
  written.resolve();
  const seen = await reading;
  expect(numbers(seen)).toEqual(upTo(seen.length));
  expect(seen.filter(isTerminal).map(({ type }) => type)).toEqual(["run.completed"]);
});

test("must-have 10: several readers, whenever they come, are told the same, and so is a process after a restart", async () => {
  const graph = (): FlowGraph =>
    defineGraph(S, {
      id: "g",
      start: "a",
      nodes: { a: { run: () => ({ add: { n: 1, log: "ü" } }) }, ok: barrier({ payload: (s) => ({ n: s.n }) }) },
      edges: [
        ["a", "ok"],
        ["ok", END],
      ],
    }) as FlowGraph;
  const { flow, again } = world();
  const run = await flow.start(graph(), {}, { id: "r" });
  const early = all(run.events());
  await run.settled();
  const late = all(run.events({ from: 3, buffer: 1 }));
  await run.decide("ok#1" as never, { approve: true }, { by: "ann" });
  await run.result;
  const [first, second] = [await early, await late];
  expect(numbers(first)).toEqual(upTo(first.length));
  expect(second).toEqual(first.slice(2));
  const later = again();
  const retold = await all((await later.flow.resume("r", graph())).events({ from: 2 }));
  expect(JSON.stringify(retold)).toBe(JSON.stringify(first.slice(1)));
});

test("must-have 10: whatever throws in a hook changes nothing, and there is one end", async () => {
  const warnings: string[] = [];
  const hooks = [
    () => {
      throw new Error("hook");
    },
    () => Promise.reject(new Error("late")) as never,
  ];
  const { flow } = world({ hooks, warn: (message) => warnings.push(message) });
  const run = await flow.start(line("a", "b"), {}, { id: "r" });
  const seen = await all(run.events());
  await quiet();
  expect(seen.filter(isTerminal).map(({ type }) => type)).toEqual(["run.completed"]);
  expect(warnings.length).toBe(2 * seen.length);
});
