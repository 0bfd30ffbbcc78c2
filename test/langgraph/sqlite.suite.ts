/** Import of a SQLite file as `@langchain/langgraph-checkpoint-sqlite` writes it, with whichever SQLite there is. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importLangGraphSqlite } from "@kahn/workflow/langgraph";
import { type Checkpoint, emptyCheckpoint, MemorySaver, TASKS, uuid6 } from "@langchain/langgraph-checkpoint";
import { expect, test } from "vitest";
import { memoryStorage, openSaver, toArray } from "./saver.fixture.ts";

interface Connection {
  exec(sql: string): unknown;
  prepare(sql: string): { run(...parameters: unknown[]): unknown };
  close(): void;
}

/** A connection that may write, from Node's own SQLite or from better-sqlite3; `undefined` where there is neither. */
async function connect(file: string): Promise<Connection | undefined> {
  for (const [module, name] of [
    ["node:sqlite", "DatabaseSync"],
    ["better-sqlite3", "default"],
  ] as const) {
    const loaded = (await import(module).catch(() => undefined)) as
      | Record<string, new (file: string) => Connection>
      | undefined;
    if (loaded?.[name] !== undefined) return new loaded[name](file);
  }
  return undefined;
}

const TABLES = `
CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL,
  parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB,
  PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL,
  task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, value BLOB,
  PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));`;

// Goal: a thread reads the same after the import. Method: the same thread in LangGraph's own saver in memory, which is
// compared with; and in a file, written row by row.
test("a thread imported from a SQLite file reads as it did in LangGraph", async ({ skip }) => {
  const folder = mkdtempSync(join(tmpdir(), "kahn-sqlite-"));
  const file = join(folder, "langgraph.db");
  const connection = await connect(file);
  if (connection === undefined) {
    rmSync(folder, { recursive: true });
    return skip("this Node has no SQLite, and better-sqlite3 is not installed");
  }
  connection.exec(TABLES);
  const original = new MemorySaver();
  const metadata = { source: "loop", step: 1, parents: {} } as const;
  for (const thread_id of ["one", "two"]) {
    let parent: string | undefined;
    for (let step = 1; step <= 5; step++) {
      const values = { big: "x".repeat(9000), step, set: new Set([step]), bytes: new Uint8Array([0, 255, step]) };
      const checkpoint: Checkpoint = {
        ...emptyCheckpoint(),
        v: step < 4 ? 1 : 4,
        id: uuid6(step),
        channel_values: values,
        channel_versions: { big: 1, step, set: step, bytes: step },
      };
      const config = { configurable: { thread_id, checkpoint_ns: "", checkpoint_id: parent } };
      const saved = await original.put(config, checkpoint, metadata);
      await original.putWrites(
        saved,
        [
          [TASKS, `send ${step}`],
          ["step", step],
        ],
        "task",
      );
      const dump = async (value: unknown) => (await original.serde.dumpsTyped(value))[1];
      connection
        .prepare("INSERT INTO checkpoints VALUES (?, '', ?, ?, 'json', ?, ?)")
        .run(thread_id, checkpoint.id, parent ?? null, await dump(checkpoint), await dump(metadata));
      const write = connection.prepare("INSERT INTO writes VALUES (?, '', ?, 'task', ?, ?, 'json', ?)");
      write.run(thread_id, checkpoint.id, 0, TASKS, await dump(`send ${step}`));
      write.run(thread_id, checkpoint.id, 1, "step", await dump(step));
      parent = checkpoint.id;
    }
  }
  connection.close();
  const saver = await openSaver(memoryStorage());
  for (let time = 0; time < 2; time++) {
    const imported = await importLangGraphSqlite(saver, file);
    expect(imported).toEqual({ ok: true, value: { threads: 2, checkpoints: 10, writes: 20 } });
  }
  for (const thread_id of ["one", "two"]) {
    const config = { configurable: { thread_id, checkpoint_ns: "" } };
    expect(await toArray(saver.list(config))).toEqual(await toArray(original.list(config)));
  }
  rmSync(folder, { recursive: true });
});
