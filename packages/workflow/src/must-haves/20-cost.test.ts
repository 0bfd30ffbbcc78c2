/** What steps cost; how fast they are is measured by `bench/flow`. */
import type { JournalStore } from "@kahn/core";
import { fileJournalStore } from "@kahn/journal";
import { memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import { S, world } from "../flow.fixture.ts";
import { defineGraph, END, type FlowGraph, type FlowOptions, reduce, state } from "../index.ts";

const loop = (steps: number, schema: typeof S = S): FlowGraph =>
  defineGraph(schema, {
    id: "loop",
    start: "a",
    maxSteps: steps + 10,
    nodes: { a: { run: () => ({ add: { n: 1 } }) } },
    edges: [{ from: "a", to: "a", when: (s) => s.n < steps }, ["a", END]],
  }) as FlowGraph;

/** All bytes that a run has put on its file system, snapshots that were replaced included. */
async function bytesOf(graph: FlowGraph, input: object, options: Partial<FlowOptions> = {}): Promise<number> {
  const fs = memoryFileSystem();
  let written = 0;
  const counting = new Proxy(fs, {
    get: (target, name, self) => {
      const member = Reflect.get(target, name, self);
      if (name === "writeFile")
        return (path: string, content: string | Uint8Array, more?: object) => {
          written += content.length;
          return target.writeFile(path, content, more as never);
        };
      if (name === "openAppend")
        return (path: string) => {
          const handle = target.openAppend(path);
          return {
            ...handle,
            append: (bytes: Uint8Array) => handle.append(bytes.subarray(0, (written += bytes.length) && bytes.length)),
          };
        };
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const journals: JournalStore = fileJournalStore({ fs: counting, directory: "/j" });
  const { flow } = world({ ...options, journals } as never);
  const run = await flow.start(graph, input, { id: "r" });
  expect((await run.result).status).toBe("completed");
  return written;
}

test("must-have 20: a trivial step is less than 200 bytes of journal, frames included", async () => {
  const [short, long] = [await bytesOf(loop(100), {}), await bytesOf(loop(1100), {})];
  expect((long - short) / 1000).toBeLessThan(200);
});

// Goal: a step costs what it changes. Method: every byte written is counted, for a megabyte in one value (which goes to
// the value store) and for one in 300 values that stay in the state, with the default policy; and with a snapshot a step.
test("must-have 14: a megabyte of state that does not change costs less than 1 KB a step", async () => {
  const one = state({ n: state.value(0, reduce.sum), big: state.value("") });
  const many = state({
    n: state.value(0, reduce.sum),
    ...Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, state.value("")])),
  }) as typeof one;
  const big = { big: "x".repeat(1 << 20) };
  const parts = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, "x".repeat(3500)]));
  for (const [schema, input, options, limit] of [
    [one, big, {}, 200],
    [many, parts, {}, 200],
    // Each of these steps asks for a snapshot besides: a kilobyte with the digest of the large value.
    [one, big, { snapshots: { kind: "every-node" } }, 1300],
  ] as const) {
    const of = async (steps: number) => bytesOf(loop(steps, schema as never), input, options);
    const [short, long] = [await of(100), await of(600)];
    expect((long - short) / 500).toBeLessThan(limit);
  }
});
