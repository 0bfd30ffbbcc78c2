/** Starts that die, are refused or come twice. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { line, S, world } from "../flow.fixture.ts";
import { barrier, createFlow, defineGraph, END, inFolder } from "../index.ts";
import { clean, live, newWorld } from "./lives.fixture.ts";

/** Calls on the journal at a run's beginning: its folder and header, the first records, each of them also torn. */
const FIRST_CALLS = 8;

test("a start that dies at any of its first writes can be made again with the same id", async () => {
  const filmed = await live(newWorld(), {
    camera: ({ call }) =>
      !call.path.startsWith("/journals") ? [] : call.operation === "append" ? ["before", 9] : ["before"],
    photographsMax: FIRST_CALLS,
  });
  expect(filmed.photographs.length).toBeGreaterThanOrEqual(FIRST_CALLS);
  for (const dead of filmed.photographs.slice(0, FIRST_CALLS)) {
    const next = await live(await clean(dead, { cache: "removed", snapshots: "kept", downMs: 0 }), {
      camera: () => [],
    });
    expect([dead.at, next.result?.status]).toEqual([dead.at, "completed"]);
  }
});

test("a keyed start whose creator died before the first record is begun by the next one", async () => {
  const first = world();
  const { id } = await first.flow.start(line("a"), {}, { key: "invoice 7" });
  const journals = memoryJournalStore();
  journals.create(id);
  const run = await world({}, journals).flow.start(line("a"), {}, { key: "invoice 7" });
  expect(run.id).toBe(id);
  expect((await run.result).status).toBe("completed");
});

test("a start that is refused at its first write leaves nothing in the way of another", async () => {
  const refusal = { code: "journal-io", severity: "error", message: "refused" } as const;
  const journals = memoryJournalStore({ faults: ({ nth }) => (nth === 1 ? refusal : undefined) });
  const held = new Set<string>();
  const locks = {
    acquire: async (run: string) => {
      expect(held.has(run)).toBe(false);
      held.add(run);
      return { ok: true as const, value: { release: () => void held.delete(run) } };
    },
  };
  const full = { code: "value-store-full", severity: "error", message: "no space left" } as const;
  let isFull = true;
  const values = {
    ...world().values,
    put: (bytes: Uint8Array) => (isFull ? { ok: false as const, problem: full } : world().values.put(bytes)),
  };
  const { flow } = world({ locks, values }, journals);
  await expect(flow.start(line("a"), { x: "x".repeat(5000) }, { id: "r" })).rejects.toThrow(/value-store-full/);
  isFull = false;
  await expect(flow.start(line("a"), {}, { id: "r" })).rejects.toThrow(/journal-io/);
  expect(held.size).toBe(0);
  expect((await (await flow.start(line("a"), {}, { id: "r" })).result).status).toBe("completed");
});

test("starting twice with one key gives the same run, though its lock is held", async () => {
  const directory = mkdtempSync(`${tmpdir()}/kahn-start-`);
  const flow = createFlow(inFolder({ fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), directory }));
  const first = await flow.start(waits, {}, { key: "once" });
  const second = await flow.start(waits, {}, { key: "once" });
  expect(second.id).toBe(first.id);
  await first.decide("ask#1", { approve: true });
  expect((await second.result).status).toBe("completed");
  expect((await (await flow.start(waits, {}, { key: "once" })).result).status).toBe("completed");
  rmSync(directory, { recursive: true });
});

const waits = defineGraph(S, { id: "waits", start: "ask", nodes: { ask: barrier({}) }, edges: [["ask", END]] });
