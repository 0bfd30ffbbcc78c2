/** One suite for the stores of a flow: ours pass it, broken ones do not. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { openValueStore } from "@kahn/cas";
import type { Journal, JournalStore } from "@kahn/core";
import { digestOf, err, ok, problem } from "@kahn/core";
import { fileJournalStore } from "@kahn/journal";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { memoryFileSystem, memoryJournalStore, seededRandom, virtualClock } from "@kahn/testing";
import { journalStoreContract } from "@kahn/testing/contract";
import { describe, expect, test } from "vitest";
import { inFolder, leaseLocks, memoryJournals, memoryLeases, memoryStore, type RunInboxes } from "../index.ts";
import { changedJournals } from "../journals.fixture.ts";
import { memoryValues } from "../machine/state/values.ts";
import { type FlowPorts, flowPortsContract } from "../testing/index.ts";

/** Stores in memory that processes share, with leases for locks and calls for inboxes. */
function inMemory(over: Partial<FlowPorts> = {}) {
  const clock = virtualClock();
  const [leases, handlers] = [memoryLeases(), new Map<string, Parameters<RunInboxes["watch"]>[1]>()];
  let sent = 0;
  const inboxes: RunInboxes = {
    watch: (run, handle) => {
      handlers.set(run, handle);
      return { close: async () => void handlers.delete(run) };
    },
    send: async (run, command) => {
      const handle = handlers.get(run);
      const text = JSON.stringify(command);
      return handle === undefined
        ? err(problem("inbox-withdrawn", "nobody is there"))
        : ok(await handle({ id: `c${++sent}`, command: JSON.parse(text) }));
    },
  };
  const shared = {
    clock,
    random: seededRandom(1),
    journals: memoryJournals(),
    values: memoryValues((bytes) => digestOf(bytes)),
    store: memoryStore(),
    inboxes,
  };
  let processes = 0;
  return {
    patience: () => new Promise<void>((resolve) => void setTimeout(resolve, 300)),
    open: () => ({ ...shared, locks: leaseLocks({ leases, clock, owner: `process ${++processes}` }), ...over }),
  };
}

function inFiles() {
  const directory = mkdtempSync(`${tmpdir()}/kahn-ports-`);
  const ports = { clock: nodeClock(), random: nodeRandom(), directory };
  return {
    open: () => inFolder({ ...ports, fs: nodeFileSystem() }) as FlowPorts,
    cleanup: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function onMemoryFiles() {
  const fs = memoryFileSystem();
  const clock = virtualClock();
  const random = seededRandom(3);
  return {
    open: () => ({
      clock,
      random,
      journals: fileJournalStore({ fs, directory: "/journals" }),
      values: openValueStore({ fs, clock, random, root: "/values" }),
    }),
  };
}

const subjects = { memory: inMemory, "a folder": inFiles, "journals and values on a file system alone": onMemoryFiles };
for (const [name, make] of Object.entries(subjects)) {
  describe(`must-have 14: stores in ${name}`, () => {
    for (const each of flowPortsContract(make)) test(each.name, each.run);
  });
}

async function failures(cases: readonly { readonly name: string; run(): Promise<void> }[]): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { name, run } of cases) await run().catch(() => failed.push(name));
  return failed;
}

/** A journal store that knows nothing of fences, and whose appends are as told. */
function brokenJournals(append: (journal: Journal) => Journal["append"]): JournalStore {
  const store = changedJournals(memoryJournalStore(), (journal) => ({ append: append(journal) }));
  return { ...store, open: (id) => store.open(id) };
}

const anybody = () =>
  brokenJournals(
    (journal) =>
      (bodies, { durability }) =>
        journal.append(bodies, { durability }),
  );
const firstOnly = () => brokenJournals((journal) => (bodies, options) => journal.append(bodies.slice(0, 1), options));

// Goal: the suites find what they are for. Method: stores with one fault each, most of them such that runs without
// trouble go well.
test("must-have 14: a journal store that takes records from anybody, or keeps part of an append, fails both suites", async () => {
  const contractOf = (make: () => JournalStore) =>
    journalStoreContract(() => {
      const store = make();
      return { store, afterKill: () => store };
    });
  expect(await failures(contractOf(() => memoryJournals()))).toEqual([]);
  expect(await failures(contractOf(anybody))).toEqual([
    expect.stringContaining("expects another end is refused whole"),
    expect.stringContaining("only the first is taken"),
    expect.stringContaining("opens with a fence shuts out"),
    expect.stringContaining("the last one that appends keeps the journal"),
  ]);
  expect(await failures(contractOf(firstOnly))).toContainEqual(expect.stringContaining("without gaps"));
  expect(await failures(flowPortsContract(() => inMemory({ journals: anybody() })))).toEqual([
    expect.stringContaining("an owner that sleeps"),
  ]);
  expect((await failures(flowPortsContract(() => inMemory({ journals: firstOnly() })))).length).toBeGreaterThan(3);
});

test("must-have 14: locks, values, inboxes and long-term stores with a fault fail in the sentences about them", async () => {
  const failing = async (over: Partial<FlowPorts>) =>
    (await failures(flowPortsContract(() => inMemory(over)))).map((name) => name.split(":")[0]);
  expect(await failing({})).toEqual([]);
  expect(await failing({ locks: { acquire: async () => ok({ release: () => {} }) } })).toEqual(["locks", "runs"]);
  const lost = { ...memoryValues((bytes) => digestOf(bytes)), get: () => ok(undefined) };
  expect((await failing({ values: lost })).slice(0, 2)).toEqual(["values", "runs"]);
  expect(await failing({ store: { ...memoryStore(), search: async () => [] } })).toEqual(["store"]);
  const silent: RunInboxes = { watch: () => ({ close: async () => {} }), send: async () => ok({ ack: "accepted" }) };
  expect(await failing({ inboxes: silent })).toEqual(["inboxes", "runs"]);
});
