/**
 * Takes over the threads of a SQLite file that `@langchain/langgraph-checkpoint-sqlite` wrote.
 *
 * Owns:      what its two tables, `checkpoints` and `writes`, mean in terms of a saver.
 * Never:     changes the file.
 * Invariant: a thread reads the same in both afterwards; importing again changes nothing.
 */
import type { Result } from "@kahn/core";
import { err, ok, ProblemError, problem } from "@kahn/core";
import type { ImportedWrite } from "./checkpoint-store.ts";
import type { ChannelVersion, Checkpoint, CheckpointMetadata } from "./peer.ts";
import type { KahnSaver } from "./saver.ts";
import type { CheckpointAddress } from "./saver-config.ts";
import { configOf } from "./saver-config.ts";
import type { SqliteDatabase, SqliteProblem } from "./sqlite-database.ts";
import { openSqlite, unreadable } from "./sqlite-database.ts";

/** How much was taken over. */
export interface ImportedThreads {
  readonly threads: number;
  readonly checkpoints: number;
  readonly writes: number;
}

/** Where threads are imported to. */
export type ImportTarget = Pick<KahnSaver, "serde" | "put" | "putImportedWrites">;

/** What can go wrong with an import. */
export type ImportProblem = SqliteProblem | ReturnType<typeof notACheckpointFile>;

interface CheckpointRow {
  readonly parent_checkpoint_id: string | null;
  readonly type: string | null;
  readonly checkpoint: Uint8Array | string;
  readonly metadata: Uint8Array | string;
}

interface WriteRow {
  readonly task_id: string;
  readonly idx: number;
  readonly channel: string;
  readonly type: string | null;
  readonly value: Uint8Array | string | null;
}

/**
 * Imports every thread.
 *
 * @param source path of the file, or an open connection, which stays open.
 * @throws ProblemError when the saver refuses; what was imported until then stays.
 */
export async function importLangGraphSqlite(
  saver: ImportTarget,
  source: string | SqliteDatabase,
): Promise<Result<ImportedThreads, ImportProblem>> {
  if (typeof source !== "string") return importFrom(saver, source);
  const database = await openSqlite(source);
  if (!database.ok) return database;
  try {
    return await importFrom(saver, database.value);
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    return err(unreadable(source, error));
  } finally {
    database.value.close();
  }
}

async function importFrom(
  saver: ImportTarget,
  database: SqliteDatabase,
): Promise<Result<ImportedThreads, ReturnType<typeof notACheckpointFile>>> {
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  const names = new Set((tables as { readonly name: string }[]).map(({ name }) => name));
  if (!names.has("checkpoints") || !names.has("writes")) return err(notACheckpointFile([...names]));
  // Ids are UUIDs of version 6, so a parent comes before its children.
  const addresses = database
    .prepare("SELECT thread_id AS thread, checkpoint_ns AS ns, checkpoint_id AS id FROM checkpoints ORDER BY 1, 2, 3")
    .all() as CheckpointAddress[];
  const import_ = new Import(saver, database);
  for (const address of addresses) await import_.checkpoint(address);
  return ok({ threads: new Set(addresses.map(({ thread }) => thread)).size, ...import_.counts });
}

class Import {
  readonly counts = { checkpoints: 0, writes: 0 };
  readonly #saver: ImportTarget;
  readonly #row: ReturnType<SqliteDatabase["prepare"]>;
  readonly #writes: ReturnType<SqliteDatabase["prepare"]>;
  /** Of the present thread and namespace: the versions of channels with a value, by checkpoint. */
  #versions = new Map<string, ReadonlyMap<string, ChannelVersion>>();
  #place: string | undefined;

  constructor(saver: ImportTarget, database: SqliteDatabase) {
    this.#saver = saver;
    const one = "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?";
    this.#row = database.prepare(`SELECT parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints ${one}`);
    this.#writes = database.prepare(
      `SELECT task_id, idx, channel, type, value FROM writes ${one} ORDER BY rowid, task_id, idx`,
    );
  }

  async checkpoint(address: CheckpointAddress): Promise<void> {
    const { thread, ns, id } = address;
    const place = JSON.stringify([thread, ns]);
    if (this.#place !== place) this.#versions = new Map();
    this.#place = place;
    const [row] = this.#row.all(thread, ns, id) as [CheckpointRow];
    const checkpoint = (await this.#load(row.type, row.checkpoint)) as Checkpoint;
    // One column tells the type of both.
    const metadata = (await this.#load(row.type, row.metadata)) as CheckpointMetadata;
    const parent = row.parent_checkpoint_id ?? undefined;
    const known = parent === undefined ? undefined : this.#versions.get(parent);
    const own = Object.entries(checkpoint.channel_versions).filter(([name]) =>
      Object.hasOwn(checkpoint.channel_values, name),
    );
    this.#versions.set(id, new Map(own));
    const newVersions = Object.fromEntries(own.filter(([name, version]) => known?.get(name) !== version));
    const { checkpoint_id: _, ...above } = configOf(address).configurable!;
    const config = { configurable: parent === undefined ? above : { ...above, checkpoint_id: parent } };
    await this.#saver.put(config, checkpoint, metadata, newVersions);
    this.counts.checkpoints++;
    await this.#importWrites(address);
  }

  async #importWrites(address: CheckpointAddress): Promise<void> {
    const rows = this.#writes.all(address.thread, address.ns, address.id) as WriteRow[];
    if (rows.length === 0) return;
    const writes = rows.map(async ({ task_id: task, idx: index, channel, type, value }): Promise<ImportedWrite> => {
      return { task, index, channel, value: await this.#load(type, value ?? "") };
    });
    await this.#saver.putImportedWrites(configOf(address), await Promise.all(writes));
    this.counts.writes += rows.length;
  }

  #load(type: string | null, bytes: Uint8Array | string): Promise<unknown> {
    return this.#saver.serde.loadsTyped(type ?? "json", bytes);
  }
}

function notACheckpointFile(tables: readonly string[]) {
  return problem("langgraph-import-unknown", "The database has no tables `checkpoints` and `writes` of LangGraph.", {
    facts: [["tables", tables.join(", ") || "none"]],
    next: "Give the file that SqliteSaver was opened with.",
  });
}
