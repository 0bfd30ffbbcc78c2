import { ProblemError } from "@kahn/core";
import { expect, test } from "vitest";
import { END, type NodeContext } from "../definition/nodes.ts";
import { fromLangGraph, type LangGraphNode, type LangGraphNodeConfig } from "./from-langgraph.ts";

type State = Readonly<Record<string, unknown>>;

const emitted: unknown[] = [];
const signal = new AbortController().signal;

function context(state: State): NodeContext<State> {
  const unused = () => {
    throw new Error("a LangGraph function cannot reach this");
  };
  return {
    state,
    signal,
    run: "run-1",
    path: "write#2",
    occurrence: 2,
    attempt: 3,
    parents: {},
    idempotencyKey: "key",
    emit: (data) => emitted.push(data),
    heartbeat: unused,
    once: unused,
    putBlob: unused,
    keepFile: unused,
    readBlob: unused,
    store: { get: unused, put: unused, delete: unused, search: unused },
  };
}

const run = (node: LangGraphNode<State>, state: State = {}) => fromLangGraph(node)(context(state));
const command = (fields: object) => ({ lg_name: "Command", goto: [], ...fields });

async function refusal(node: LangGraphNode<State>): Promise<{ readonly code: string; readonly message: string }> {
  const error = await run(node).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ProblemError)) throw new Error("no problem was thrown");
  return error.problems[0]!;
}

test("what a function returns is written, from a promise as well, and nothing when it returns nothing", async () => {
  expect(await run((state) => ({ n: (state.n as number) + 1 }), { n: 1 })).toEqual({ set: { n: 2 } });
  expect(await run(async () => ({ a: null, b: undefined }))).toEqual({ set: { a: null } });
  expect(await run(() => undefined)).toBeUndefined();
  expect(await run(() => null)).toBeUndefined();
  expect(await run(() => ({}))).toEqual({});
});

test("a Command writes and goes to one node, or to the end", async () => {
  expect(await run(() => command({ update: { n: 1 }, goto: ["next"] }))).toEqual({ set: { n: 1 }, goto: "next" });
  expect(await run(() => command({ goto: "next" }))).toEqual({ goto: "next" });
  expect(
    await run(() =>
      command({
        update: [
          ["a", 1],
          ["b", 2],
        ],
      }),
    ),
  ).toEqual({ set: { a: 1, b: 2 } });
  expect(await run(() => command({ goto: ["__end__"] }))).toEqual({ goto: END });
});

test("an Overwrite passes by the reducer, alone or beside ordinary writes", async () => {
  class Overwrite {
    readonly lg_name = "Overwrite";
    readonly __overwrite__ = [1];
  }
  expect(await run(() => ({ list: new Overwrite(), n: 1 }))).toEqual({ set: { n: 1 }, replace: { list: [1] } });
  expect(await run(() => command({ update: { list: { __overwrite__: null } } }))).toEqual({ replace: { list: null } });
});

test("a function is given the state, the signal, the run as its thread, and a writer", async () => {
  let seen: Record<string, unknown> = {};
  const node = (state: State, config: LangGraphNodeConfig) => {
    seen = { state, ...config };
    config.writer("token");
  };
  await fromLangGraph(node, { configurable: { model: "m" }, context: { user: "ann" } })(context({ n: 1 }));
  expect(seen).toMatchObject({
    state: { n: 1 },
    signal,
    configurable: { thread_id: "run-1", model: "m" },
    metadata: { kahn_path: "write#2", kahn_attempt: 3 },
    context: { user: "ann" },
  });
  expect(emitted.splice(0)).toEqual(["token"]);
});

const UNSUPPORTED: Readonly<Record<string, unknown>> = {
  "a Command with Send": command({ goto: [{ lg_name: "Send", node: "n", args: {} }] }),
  "a Command to a, b": command({ goto: ["a", "b"] }),
  "a Command for another graph": command({ graph: "__parent__", goto: ["a"] }),
  "a Command that resumes": command({ resume: "yes" }),
  "a list": [command({ goto: ["a"] }), { n: 1 }],
  "several writes to one key": command({
    update: [
      ["a", 1],
      ["a", 2],
    ],
  }),
  "an object of a class": new Map([["a", 1]]),
  "a string": "text",
};

for (const [what, returned] of Object.entries(UNSUPPORTED)) {
  test(`${what} is refused by name, and not dropped`, async () => {
    const refused = await refusal(() => returned);
    expect(refused.code).toBe("langgraph-result-unsupported");
    expect(refused.message).toContain(`write#2 returned ${what}`);
  });
}

test("an interrupt is a coded problem that names barriers; other errors pass as they are", async () => {
  const interrupt = Object.assign(new Error("interrupted"), { name: "GraphInterrupt" });
  const node = () => {
    throw interrupt;
  };
  expect((await refusal(node)).code).toBe("langgraph-interrupt");
  const failure = new TypeError("broken");
  await expect(run(() => Promise.reject(failure))).rejects.toBe(failure);
});
