/** Parallel work: all that was sent is run, what fails is awaited, what is done is not repeated. */
import { expect, test } from "vitest";
import { logOf, quiet, runOf, S, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, type FlowGraph, fail, map, parallel, subgraph } from "../index.ts";

test("must-have 7: items sent are items run, once each, for limits from one to more than there are, and nested", async () => {
  for (let limit = 1; limit <= 7; limit++) {
    const ran: string[] = [];
    const graph = defineGraph(S, {
      id: "g",
      start: "m",
      nodes: {
        m: map({
          over: () => [1, 2, 3, 4, 5],
          limit,
          run: async ({ path }) => {
            ran.push(path);
            await Promise.resolve();
            return { add: { n: 1 } };
          },
        }),
        nested: parallel({
          x: map({ over: () => [1, 2, 3], limit, run: ({ path }) => void ran.push(path) }),
          y: parallel({ z: { run: ({ path }) => void ran.push(path) } }),
        }),
      },
      edges: [
        ["m", "nested"],
        ["nested", END],
      ],
    });
    const { run } = await runOf(graph);
    expect(await run.result).toMatchObject({ status: "completed", state: { n: 5 } });
    expect([limit, ran.length, new Set(ran).size]).toEqual([limit, 9, 9]);
  }
});

// Goal: a failing branch ends the others before anybody is told. Method: branches that heed the signal and note when
// they stopped, and one that does not heed it and is given up after the grace; each says when it does something.
test("must-have 7: after fail-fast nothing that heeds happens later than the end, and who does not heed is named", async () => {
  const did: string[] = [];
  const heeding = (name: string) => ({
    run: ({ signal }: { readonly signal: AbortSignal }) =>
      new Promise<undefined>((_, no) => {
        signal.addEventListener("abort", () => void quiet().then(() => no(did.push(`${name} stopped`))));
      }),
  });
  let release: () => void = () => {};
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: {
      p: parallel({
        one: heeding("one"),
        deep: subgraph({
          graph: defineGraph(S, { id: "in", start: "a", nodes: { a: heeding("deep") }, edges: [["a", END]] }),
          input: () => ({}),
          output: () => ({}),
        }),
        deaf: {
          run: () =>
            new Promise<undefined>((yes) => {
              release = () => yes(undefined);
            }),
        },
        bad: { run: async () => fail("bad") },
      }),
    },
    edges: [["p", END]],
  });
  const hooks = [(event: { type: string }) => void (event.type === "run.failed" && did.push("told"))];
  const { flow, clock, events } = world({ grace: "2s", hooks });
  const run = await flow.start(graph, {}, { id: "r" });
  await quiet();
  await quiet();
  expect(did).toEqual(["one stopped", "deep stopped"]);
  clock.advance(4000);
  await quiet();
  expect((await run.result).status).toBe("failed");
  release();
  await quiet();
  expect(did).toEqual(["one stopped", "deep stopped", "told"]);
  const told = events("r");
  const abandoned = told.flatMap((event) => ("abandoned" in event ? (event.abandoned ?? []) : []));
  const skipped = told.flatMap((event) =>
    event.type === "node.skipped" && event.why === "abandoned" ? [event.path] : [],
  );
  expect([...abandoned, ...skipped]).toContain("p#1/deaf");
});

test("must-have 7: branches that are done are not repeated when a run is taken up in the middle of them", async () => {
  const ran: string[] = [];
  const graph = (): FlowGraph =>
    defineGraph(S, {
      id: "g",
      start: "m",
      nodes: {
        m: parallel({
          items: map({
            over: () => ["a", "b", "c"],
            run: ({ path, item }) => {
              ran.push(path);
              return { add: { log: item } };
            },
          }),
          ask: barrier({}),
        }),
      },
      edges: [["m", END]],
    }) as FlowGraph;
  const { again } = await runOf(graph());
  const next = again();
  const run = await next.flow.resume(next.flow.journals.list()[0]!, graph());
  await run.settled();
  await run.decide("m#1/ask" as never, { approve: true });
  expect(logOf(await run.result)).toEqual(["a", "b", "c"]);
  expect(ran).toEqual(["m#1/items/0", "m#1/items/1", "m#1/items/2"]);
});
