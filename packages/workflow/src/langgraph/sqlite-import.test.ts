import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { all, at, checkpoint, idOf, memoryWorld, metadata, saver, storeOn, TASKS } from "./checkpoint-store.fixture.ts";
import type { CheckpointStore } from "./checkpoint-store.ts";
import type { Checkpoint, CheckpointMetadata } from "./peer.ts";
import { openSqlite, type SqliteDatabase } from "./sqlite-database.ts";
import { type ImportTarget, importLangGraphSqlite } from "./sqlite-import.ts";

interface Row {
  readonly thread: string;
  readonly ns: string;
  readonly id: string;
  readonly parent_checkpoint_id: string | null;
  readonly type: string;
  readonly checkpoint: string;
  readonly metadata: Uint8Array;
}

interface Write {
  readonly id: string;
  readonly task_id: string;
  readonly idx: number;
  readonly channel: string;
  readonly type: string;
  readonly value: string;
}

/** Answers the queries of an import from lists, as either SQLite module does. */
function database(rows: readonly Row[], writes: readonly Write[], tables = ["checkpoints", "writes"]): SqliteDatabase {
  const answer = (sql: string, [, ns, id]: readonly unknown[]): unknown[] => {
    if (sql.includes("sqlite_master")) return tables.map((name) => ({ name }));
    if (sql.includes("FROM writes")) return writes.filter((write) => write.id === id && ns === "");
    if (sql.includes("AS thread")) return rows.map(({ thread, ns, id }) => ({ thread, ns, id }));
    return rows.filter((row) => row.ns === ns && row.id === id);
  };
  return { prepare: (sql) => ({ all: (...parameters) => answer(sql, parameters) }), close: () => {} };
}

function row(saved: Checkpoint, parent: number | null, ns = ""): Row {
  return {
    thread: "t",
    ns,
    id: saved.id,
    parent_checkpoint_id: parent === null ? null : idOf(parent),
    type: "json",
    checkpoint: JSON.stringify(saved),
    metadata: Buffer.from(JSON.stringify(metadata(7))),
  };
}

function target(store: CheckpointStore, puts: Record<string, unknown>[] = []): ImportTarget {
  return {
    serde: saver.serde,
    // Four parameters: LangGraph's signature.
    put: (config, saved: Checkpoint, noted: CheckpointMetadata, newVersions) => {
      puts.push(newVersions);
      return store.put(config, { checkpoint: saved, metadata: noted, newVersions });
    },
    putImportedWrites: (config, writes) => store.putImportedWrites(config, writes),
  };
}

const ROWS = [
  row(checkpoint(1, { a: "a1", b: "b1" }), null),
  row(checkpoint(2, { a: "a1", b: "b2" }, { a: 1, b: 2 }), 1),
  row({ ...checkpoint(3, { a: "a1" }, { a: 1 }), v: 1 }, 2),
  row(checkpoint(1, { a: "sub" }), null, "sub"),
];
const WRITES = [
  { id: idOf(2), task_id: "task", idx: -1, channel: "__error__", type: "json", value: '"failed"' },
  { id: idOf(2), task_id: "task", idx: 4, channel: TASKS, type: "json", value: '"send"' },
];

test("an import gives the same checkpoints, and stores each value once, twice imported as well", async () => {
  const store = storeOn(memoryWorld().storage);
  const puts: Record<string, unknown>[] = [];
  for (let time = 0; time < 2; time++) {
    const imported = await importLangGraphSqlite(target(store, puts), database(ROWS, WRITES));
    expect(imported).toEqual({ ok: true, value: { threads: 1, checkpoints: 4, writes: 2 } });
  }
  expect(puts.slice(0, 4)).toEqual([{ a: 1, b: 1 }, { b: 2 }, {}, { a: 1 }]);
  const read = await all(store.list(at("t", undefined, ""), {}));
  expect(read.map((tuple) => tuple.checkpoint.channel_values)).toEqual([
    { a: "a1", [TASKS]: ["send"] },
    { a: "a1", b: "b2" },
    { a: "a1", b: "b1" },
  ]);
  expect(read.map((tuple) => tuple.parentConfig?.configurable?.checkpoint_id)).toEqual([idOf(2), idOf(1), undefined]);
  expect(read[0]?.metadata).toEqual(metadata(7));
  expect(read[1]?.pendingWrites).toEqual([
    ["task", "__error__", "failed"],
    ["task", TASKS, "send"],
  ]);
  expect((await store.get(at("t", undefined, "sub")))?.checkpoint.channel_values).toEqual({ a: "sub" });
});

test("a database of something else is a coded problem that lists what it has", async () => {
  const imported = await importLangGraphSqlite(target(storeOn(memoryWorld().storage)), database([], [], ["users"]));
  expect(imported).toMatchObject({
    ok: false,
    problem: { code: "langgraph-import-unknown", facts: [["tables", "users"]] },
  });
});

test("a file that cannot be read is a coded problem, with SQLite or without", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kahn-sqlite-"));
  writeFileSync(
    join(folder, "text.db"),
    "no database, but a text that is long enough to have the header of one, were it one",
  );
  for (const name of ["absent.db", "text.db"]) {
    const file = join(folder, name);
    const imported = await importLangGraphSqlite(target(storeOn(memoryWorld().storage)), file);
    const expected = (await hasSqlite()) ? "sqlite-unreadable" : "sqlite-absent";
    expect(imported).toMatchObject({ ok: false, problem: { code: expected } });
    expect(!imported.ok && imported.problem.message).toContain(file);
  }
  rmSync(folder, { recursive: true });
});

async function hasSqlite(): Promise<boolean> {
  const opened = await openSqlite(":memory:");
  if (opened.ok) opened.value.close();
  return opened.ok || opened.problem.code !== "sqlite-absent";
}
