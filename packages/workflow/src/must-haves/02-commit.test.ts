/** A commit is one append, before anything follows from it. */
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { quiet, S, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, type FlowGraph, isTerminal, map, parallel } from "../index.ts";

const graph = (started: (path: string) => void): FlowGraph => {
  const act = {
    run: async ({ path }: { readonly path: string }) => {
      started(path);
      await quiet();
      return { add: { log: path } };
    },
  };
  return defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: act,
      fan: parallel({ left: act, right: act, ask: barrier({}) }),
      each: map({ over: () => [1, 2, 3], limit: 2, run: act.run }),
      z: act,
    },
    edges: [
      ["a", "fan"],
      ["fan", "each"],
      ["each", "z"],
      ["z", END],
    ],
  }) as FlowGraph;
};

// Goal: nothing is started that the journal does not know of. Method: the k-th append is refused, for every k and for
// both durabilities; from then on no node may start, no reader may hear of what was refused, and a resume completes.
test("must-have 2: after a write that the store refused no node starts, and the run is resumed to the same state", async () => {
  for (const durability of ["process", "disk"] as const) {
    for (let nth = 2; ; nth++) {
      let refusedAt: number | undefined;
      const started: string[] = [];
      const journals = memoryJournalStore({
        faults: (append) => {
          if (refusedAt !== undefined || append.nth !== nth) return undefined;
          refusedAt = started.length;
          return { code: "journal-io", severity: "error", message: "the device is gone" };
        },
      });
      const told: string[] = [];
      const hooks = [(event: { type: string }) => void told.push(event.type)];
      const { flow, again } = world({ durability, hooks }, journals);
      const run = await flow.start(
        graph((path) => started.push(path)),
        {},
        { id: "r" },
      );
      let result = await run.settled();
      while (result.status === "waiting") {
        await run.decide("fan#1/ask" as never, { approve: true });
        result = await run.settled();
      }
      if (refusedAt === undefined) break;
      await quiet();
      await quiet();
      expect([nth, result.status, result.problem?.code]).toEqual([nth, "suspended", "journal-io"]);
      expect([nth, started.length]).toEqual([nth, refusedAt]);
      expect(told.filter((type) => isTerminal({ type }))).toEqual(["run.suspended"]);
      const next = again();
      const resumed = await next.flow.resume(
        "r",
        graph(() => {}),
      );
      if ((await resumed.settled()).status === "waiting") await resumed.decide("fan#1/ask" as never, { approve: true });
      const done = await resumed.result;
      expect([nth, done.status, (done.state as { log: string[] }).log]).toEqual([
        nth,
        "completed",
        ["a#1", "fan#1/left", "fan#1/right", "each#1/0", "each#1/1", "each#1/2", "z#1"],
      ]);
    }
  }
});
