/** Readers that join a run at any moment. */
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { line, quiet, runOf, S, world } from "../../flow.fixture.ts";
import type { Flow, FlowGraph, FlowRun, StreamEvent } from "../../index.ts";
import { barrier, defineGraph, END, map, reduce, state } from "../../index.ts";
import { changedJournals } from "../../journals.fixture.ts";

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
      const journals = changedJournals(memoryJournalStore(), (journal) => ({
        append: async (...what) => {
          await turns(3);
          return journal.append(...what);
        },
      }));
      const { flow, events } = world({ journals });
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

/** Asks, then opens more branches than the buffer of a reader holds; they end at once, or when they are aborted. */
function wide(ends: "at once" | "aborted") {
  const over = () => Array.from({ length: 300 }, (_, index) => index);
  const run = ({ signal }: { readonly signal: AbortSignal }) =>
    ends === "at once" ? undefined : new Promise<undefined>((yes) => void (signal.onabort = () => yes(undefined)));
  return defineGraph(S, {
    id: "wide",
    start: "ask",
    nodes: { ask: barrier({}), m: map({ over, run }), more: barrier({}) },
    edges: [
      ["ask", "m"],
      ["m", "more"],
      ["more", END],
    ],
  }) as unknown as FlowGraph;
}

type Tell = (run: FlowRun, flow: Flow) => Promise<unknown>;

// Goal: who follows a run may also be who decides in it. Method: a reader with a small buffer that, in the middle of a
// wide fan, tells its run each thing that can be told, and reads on only when it has the answer.
test("a reader that blocks may itself decide, revoke, cancel, leave or close, however much its run has to tell", async () => {
  const going: Readonly<Record<string, Tell>> = {
    decide: (run) => run.decide("more#1", { approve: true }),
    revoke: (run) => run.revoke("d9"),
    checkpoint: (run) => run.checkpoint("there"),
  };
  const ending: Readonly<Record<string, Tell>> = {
    cancel: (run) => run.cancel(),
    leave: (run) => run.leave(),
    close: (_, flow) => flow.close(),
  };
  for (const [how, tell] of Object.entries({ ...going, ...ending })) {
    const { flow, events } = world();
    const run: FlowRun = (await flow.start(wide(how in ending ? "aborted" : "at once"), {}, { id: "r" })) as never;
    const numbers: number[] = [];
    let branches = 0;
    for await (const event of run.events({ buffer: 4 })) {
      numbers.push(event.seq);
      if (event.type === "barrier.opened") await run.decide(event.barrier as never, { approve: true });
      if (event.type === "branch.started" && ++branches === 10) await tell(run, flow);
    }
    expect([how, branches > 9, numbers]).toEqual([how, true, events("r").map(({ seq }) => seq)]);
  }
});

test("a reader that rests keeps nobody from ending its run, and is told all of it when it reads on", async () => {
  for (const end of ["cancel", "leave", "close"] as const) {
    const { flow, events } = world();
    const run = await flow.start(wide("aborted"), {}, { id: "r" });
    const reader = run.events({ buffer: 2 });
    const numbers = [(await reader.next()).value.seq as number];
    await run.decide("ask#1" as never, { approve: true });
    await quiet();
    await { cancel: () => run.cancel(), leave: () => run.leave(), close: () => flow.close() }[end]();
    for await (const { seq } of reader) numbers.push(seq);
    expect([end, numbers]).toEqual([end, events("r").map(({ seq }) => seq)]);
  }
});

test("a run that loses its journal while a reader has no room still tells what it has kept, and then why", async () => {
  const { flow, again, journals } = world();
  const run = await flow.start(wide("at once"), {}, { id: "r" });
  const reader = run.events({ buffer: 2 });
  const seen = [(await reader.next()).value as StreamEvent];
  await run.decide("ask#1" as never, { approve: true });
  await quiet();
  const later = await again(journals).flow.resume("r", wide("at once"));
  void run.decide("more#1" as never, { approve: true });
  for await (const event of reader) seen.push(event);
  expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1));
  expect(seen.at(-1)).toMatchObject({ type: "run.suspended", reason: expect.stringMatching(/^flow-run-taken/) });
  expect(await run.result).toMatchObject({ status: "suspended" });
  await later.leave();
});
