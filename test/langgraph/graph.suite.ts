/** Real LangGraph graphs on our saver: interrupted, left and resumed by another saver, looked back on, forked. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromLangGraph, type KahnSaver } from "@kahn/workflow/langgraph";
import { Annotation, Command, END, interrupt, Overwrite, Send, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { afterAll, expect, test } from "vitest";
import { fileStorage, memoryStorage, openSaver, toArray } from "./saver.fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "kahn-langgraph-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const thread = { configurable: { thread_id: "t" } };

const State = Annotation.Root({
  topics: Annotation<string[]>({ reducer: (_, b) => b, default: () => [] }),
  notes: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
  approved: Annotation<boolean>(),
});

function review(saver: BaseCheckpointSaver) {
  return new StateGraph(State)
    .addNode("plan", ({ topics }) => ({ topics: topics.length === 0 ? ["a", "b", "c"] : topics }))
    .addNode("gather", (item: { topic: string }) => ({ notes: [`on ${item.topic}`] }))
    .addNode("review", () => ({ approved: interrupt<string, string>("all right?") === "yes" }))
    .addEdge(START, "plan")
    .addConditionalEdges("plan", ({ topics }) => topics.map((topic) => new Send("gather", { topic })), ["gather"])
    .addEdge("gather", "review")
    .addEdge("review", END)
    .compile({ checkpointer: saver });
}

// Goal: the type of our saver is one that LangGraph takes, without a cast. Method: it is passed as one here.
const asBase = (saver: KahnSaver): BaseCheckpointSaver => saver;

test("a graph that waits for a person is resumed by another saver on the same folder, in either class", async () => {
  for (const durability of ["process", "disk"] as const) {
    const directory = mkdtempSync(join(folder, "review-"));
    const before = await openSaver(fileStorage(directory), { durability });
    const waiting = await review(asBase(before)).invoke({ topics: ["x", "y"] }, thread);
    expect(waiting).toMatchObject({ __interrupt__: [{ value: "all right?" }] });
    before.close();

    const after = await openSaver(fileStorage(directory), { durability });
    const graph = review(asBase(after));
    expect((await graph.getState(thread)).next).toEqual(["review"]);
    const done = await graph.invoke(new Command({ resume: "yes" }), thread);
    expect(done).toEqual({ topics: ["x", "y"], notes: ["on x", "on y"], approved: true });
    after.close();
  }
});

test("the past of a thread can be read and forked; each branch keeps its own state", async () => {
  const saver = await openSaver(memoryStorage());
  const graph = review(asBase(saver));
  await graph.invoke({ topics: ["x"] }, thread);
  await graph.invoke(new Command({ resume: "no" }), thread);
  const history = await toArray(graph.getStateHistory(thread));
  const waiting = history.find((state) => state.next.includes("review"));
  const forked = await graph.updateState(waiting!.config, { notes: ["added"] }, "gather");
  const other = await graph.invoke(new Command({ resume: "yes" }), forked);
  expect(other).toMatchObject({ notes: ["on x", "added"], approved: true });
  const first = await graph.getState(history[0]!.config);
  expect(first.values).toEqual({ topics: ["x"], notes: ["on x"], approved: false });
});

test("a thread that keeps its last checkpoints goes on as if it had all of them", async () => {
  const count = Annotation.Root({ n: Annotation<number>(), big: Annotation<string>() });
  const storage = fileStorage(mkdtempSync(join(folder, "keep-")));
  const saver = await openSaver(storage, { keepLast: 4 });
  const graph = new StateGraph(count)
    .addNode("step", ({ n }) => new Command({ update: { n: n + 1 }, goto: n + 1 < 30 ? "step" : END }), {
      ends: ["step", END],
    })
    .addEdge(START, "step")
    .compile({ checkpointer: asBase(saver) });
  const done = await graph.invoke({ n: 0, big: "x".repeat(20_000) }, { ...thread, recursionLimit: 100 });
  expect(done.n).toBe(30);
  const left = await toArray(saver.list(thread));
  expect(left.length).toBeLessThan(8);
  expect((await graph.getState(thread)).values).toEqual(done);
  await saver.deleteThread("t");
  expect((await graph.getState(thread)).values).toEqual({});
  saver.close();
});

test("real Commands and Overwrites of node functions are understood by the wrapper", async () => {
  const context = {
    state: {},
    run: "r",
    path: "p#1",
    attempt: 1,
    signal: new AbortController().signal,
    emit: () => {},
  };
  const run = (returned: unknown) => fromLangGraph(() => returned)(context as never);
  expect(await run(new Command({ update: { a: 1, b: new Overwrite([]) }, goto: "next" }))).toEqual({
    set: { a: 1 },
    replace: { b: [] },
    goto: "next",
  });
  await expect(run(new Command({ goto: new Send("n", {}) }))).rejects.toThrow("langgraph-result-unsupported");
  await expect(run(new Command({ goto: "n", graph: Command.PARENT }))).rejects.toThrow("langgraph-result-unsupported");
});
