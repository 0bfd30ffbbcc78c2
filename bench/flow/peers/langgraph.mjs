/** LangGraph.js on the shapes of the flow benchmarks; run from the folder in which it is installed. */

import { join } from "node:path";
import { Annotation, END, MemorySaver, Send, START, StateGraph } from "@langchain/langgraph";
import { blob, directory, n, persist, report, shape, size, tick } from "./kit.mjs";

const { SqliteSaver } = persist === "disk" ? await import("@langchain/langgraph-checkpoint-sqlite") : {};
const savers = {
  none: () => undefined,
  memory: () => new MemorySaver(),
  disk: () => SqliteSaver.fromConnString(join(directory, "db.sqlite")),
};
const checkpointer = savers[persist]();

const add = (a, b) => a + b;
const State = Annotation.Root({
  blob: Annotation(),
  count: Annotation({ reducer: add, default: () => 0 }),
  sum: Annotation({ reducer: add, default: () => 0 }),
});

function chain() {
  const step = async () => {
    tick();
    return { count: 1 };
  };
  const route = (other) => (state) => (state.count >= n ? END : other);
  return new StateGraph(State)
    .addNode("a", step)
    .addNode("b", step)
    .addEdge(START, "a")
    .addConditionalEdges("a", route("b"), ["b", END])
    .addConditionalEdges("b", route("a"), ["a", END]);
}

function fanout() {
  const send = () => Array.from({ length: n }, (_, item) => new Send("work", { item }));
  const work = async ({ item }) => {
    tick();
    return { sum: item };
  };
  return new StateGraph(State)
    .addNode("seed", async () => ({ count: 0 }))
    .addNode("work", work)
    .addNode("join", async () => ({ count: 1 }))
    .addEdge(START, "seed")
    .addConditionalEdges("seed", send, ["work"])
    .addEdge("work", "join")
    .addEdge("join", END);
}

const app = (shape === "chain" ? chain() : fanout()).compile({ checkpointer });
const input = { blob: blob(size) };
const begun = performance.now();
const result = await app.invoke(input, { recursionLimit: n + 50, configurable: { thread_id: "t" } });
const ms = performance.now() - begun;
checkpointer?.db?.close();
report("langgraph", { ms, count: result.count, sum: result.sum });
