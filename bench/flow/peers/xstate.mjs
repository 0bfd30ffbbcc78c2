/**
 * XState on the shapes of the flow benchmarks; run from the folder in which it is installed. It has no store of its own:
 * the persisted snapshot is kept after each step, on disk in SQLite as its documentation shows.
 */

import { join } from "node:path";
import { assign, createActor, createMachine, fromPromise } from "xstate";
import { blob, directory, n, persist, report, shape, size, tick } from "./kit.mjs";

const kept = [];
let db;
let save = () => {};
if (persist === "memory") save = (snapshot) => kept.push(JSON.stringify(snapshot));
if (persist === "disk") {
  const { default: Database } = await import("better-sqlite3");
  db = new Database(join(directory, "db.sqlite"));
  db.pragma("journal_mode=WAL");
  db.exec("create table snapshots(id integer primary key, value text)");
  const insert = db.prepare("insert into snapshots(value) values(?)");
  save = (snapshot) => insert.run(JSON.stringify(snapshot));
}

const work = fromPromise(async () => {
  tick();
  return 1;
});
const counted = { count: ({ context }) => context.count + 1 };

function chain() {
  const node = (other) => ({
    invoke: {
      src: "work",
      onDone: [
        { guard: ({ context }) => context.count + 1 >= n, target: "end", actions: assign(counted) },
        { target: other, actions: assign(counted) },
      ],
    },
  });
  return { initial: "a", states: { a: node("b"), b: node("a"), end: { type: "final" } } };
}

function fanout() {
  const branch = (_, index) => ({
    id: `work${index}`,
    src: "work",
    onDone: { actions: assign({ ...counted, sum: ({ context }) => context.sum + index }) },
  });
  const always = { guard: ({ context }) => context.count >= n, target: "end" };
  return {
    initial: "run",
    states: { run: { invoke: Array.from({ length: n }, branch), always }, end: { type: "final" } },
  };
}

const context = ({ input }) => ({ blob: input.blob, count: 0, sum: 0 });
const machine = createMachine({ context, ...(shape === "chain" ? chain() : fanout()) }, { actors: { work } });
const input = { blob: blob(size) };
const begun = performance.now();
const actor = createActor(machine, { input });
await new Promise((resolve, reject) => {
  let last = -1;
  const next = ({ context: { count } }) => {
    if (count === last || shape !== "chain") return;
    last = count;
    save(actor.getPersistedSnapshot());
  };
  actor.subscribe({ next, complete: resolve, error: reject });
  actor.start();
});
if (shape !== "chain") save(actor.getPersistedSnapshot());
const ms = performance.now() - begun;
db?.close();
const { count, sum } = actor.getSnapshot().context;
report("xstate", { ms, count, sum });
