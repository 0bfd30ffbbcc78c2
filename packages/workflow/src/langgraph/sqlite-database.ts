/**
 * SQLite, where there is one: Node's own (22 and newer), else `better-sqlite3` if it is installed.
 *
 * Never: writes; databases are opened for reading.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";

/** The part of a SQLite connection that is used. Those of `node:sqlite` and `better-sqlite3` have it. */
export interface SqliteDatabase {
  prepare(sql: string): { all(...parameters: (string | number)[]): unknown[] };
  close(): void;
}

/** What can go wrong with opening a database. */
export type SqliteProblem = Problem<"sqlite-absent" | "sqlite-unreadable">;

type Open = (file: string) => SqliteDatabase;

/** Opens an existing database for reading. */
export async function openSqlite(file: string): Promise<Result<SqliteDatabase, SqliteProblem>> {
  const open = (await nodeSqlite()) ?? (await betterSqlite());
  if (open === undefined) {
    return err(
      problem("sqlite-absent", `Reading ${file} needs SQLite, and this Node has none.`, {
        next: "Use Node 22.13 or newer, or install better-sqlite3.",
      }),
    );
  }
  try {
    return ok(open(file));
  } catch (error) {
    return err(unreadable(file, error));
  }
}

/** The problem of a file that SQLite refuses. */
export function unreadable(file: string, error: unknown): SqliteProblem {
  return problem("sqlite-unreadable", `SQLite could not read ${file}: ${(error as Error).message}.`, {
    next: "Check the path, and that the file is a database that nobody is writing to.",
  });
}

async function nodeSqlite(): Promise<Open | undefined> {
  const loaded = await optional<{
    readonly DatabaseSync?: new (file: string, options: { readonly readOnly: boolean }) => SqliteDatabase;
  }>("node:sqlite");
  const DatabaseSync = loaded?.DatabaseSync;
  return DatabaseSync && ((file) => new DatabaseSync(file, { readOnly: true }));
}

async function betterSqlite(): Promise<Open | undefined> {
  const loaded = await optional<{
    readonly default: new (
      file: string,
      options: { readonly readonly: boolean; readonly fileMustExist: boolean },
    ) => SqliteDatabase;
  }>("better-sqlite3");
  const Database = loaded?.default;
  return Database && ((file) => new Database(file, { readonly: true, fileMustExist: true }));
}

async function optional<T>(module: string): Promise<T | undefined> {
  try {
    return (await import(module)) as T;
  } catch (error) {
    // Not there, or built for another Node: both mean that it cannot be used.
    void error;
    return undefined;
  }
}
