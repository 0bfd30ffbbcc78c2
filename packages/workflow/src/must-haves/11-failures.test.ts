/** Failures have classes; attempts, their delays and their budget are in the journal. */
import { expect, test } from "vitest";
import { quiet, S, world } from "../flow.fixture.ts";
import { defineGraph, END, type FlowGraph, fail, type RetryPolicy } from "../index.ts";

const trying = (run: (attempt: number) => unknown, retry: RetryPolicy): FlowGraph =>
  defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { retry, run: async ({ attempt }) => (await run(attempt)) as never } },
    edges: [["a", END]],
  }) as FlowGraph;

// Goal: a process that dies does not give its successor a new budget. Method: it dies after every attempt, four lives
// long; the policy allows four attempts.
test("must-have 11: the budget of attempts and the growth of delays go on from life to life", async () => {
  const attempts: number[] = [];
  let life = 0;
  // Those before live on in a world of their own, where nobody counts.
  const graph = () => {
    const mine = ++life;
    return trying(
      (attempt) => {
        if (mine === life) attempts.push(attempt);
        throw new Error("down");
      },
      { max: 4, delay: 100, jitter: 0 },
    );
  };
  let at = world();
  let run = await at.flow.start(graph(), {}, { id: "r" });
  const delays = [100, 200, 400];
  for (const delay of delays) {
    await quiet();
    at = at.again();
    run = (await at.flow.resume("r", graph())) as typeof run;
    await quiet();
    at.clock.advance(delay - 1);
    await quiet();
    const before = attempts.length;
    at.clock.advance(1);
    await quiet();
    expect([delay, attempts.length]).toEqual([delay, before + 1]);
  }
  expect(await run.result).toMatchObject({ status: "failed", error: { class: "Retryable" } });
  expect(attempts).toEqual([1, 2, 3, 4]);
  const retried = at.events("r").flatMap((event) => (event.type === "node.retrying" ? [event.attempt] : []));
  expect(retried).toEqual([2, 3, 4]);
});

test("must-have 11: terminal failures are not tried again, unless the policy's predicate says so", async () => {
  for (const [retry, expected] of [
    [{ max: 3, delay: 1 }, 1],
    [{ max: 3, delay: 1, jitter: 0, when: () => true }, 3],
    [{ max: 3, delay: 1, jitter: 0, when: (error: { code: string }) => error.code === "again" }, 1],
  ] as const) {
    let runs = 0;
    const { flow, clock } = world();
    const run = await flow.start(
      trying(() => {
        runs++;
        fail("no", { class: "Terminal" });
      }, retry as RetryPolicy),
    );
    for (let round = 0; round < 5; round++) {
      await quiet();
      clock.advance(10);
    }
    expect([(await run.result).status, runs]).toEqual(["failed", expected]);
  }
});

test("must-have 11: delays are those of the policy: fixed or doubling, bounded, with chance from its share", async () => {
  for (const [retry, expected] of [
    [{ backoff: "fixed", delay: 50, jitter: 0 }, [50, 50, 50]],
    [{ backoff: "exp", delay: 50, maxDelay: 120, jitter: 0 }, [50, 100, 120]],
  ] as const) {
    const { flow, clock, events } = world();
    const run = await flow.start(
      trying(() => Promise.reject(new Error("x")), { ...retry, max: 4 }),
      {},
      { id: "r" },
    );
    for (let round = 0; round < 4; round++) {
      await quiet();
      clock.advance(1000);
    }
    expect((await run.result).status).toBe("failed");
    const told = events("r").flatMap((event) => (event.type === "node.retrying" ? [event.dueMs - event.atMs] : []));
    expect(told).toEqual(expected);
  }
  const { flow, clock, events } = world();
  const run = await flow.start(
    trying(() => Promise.reject(new Error("x")), { max: 2, delay: 1000, jitter: 0.5 }),
    {},
    { id: "r" },
  );
  await quiet();
  clock.advance(1500);
  await run.result;
  const [retry] = events("r").flatMap((event) => (event.type === "node.retrying" ? [event.dueMs - event.atMs] : []));
  expect(retry).toBeGreaterThanOrEqual(1000);
  expect(retry).toBeLessThanOrEqual(1500);
});
