/**
 * Brings a store of format 1 to format 2: packs beside single blobs, which stay what they are, and records in 16 folders
 * instead of 256.
 *
 * Method: records are moved, then the format is written: a death in between leaves the rest to the next start. An older
 *         Kahn refuses the store from then on, because it would collect around packs that it does not know.
 */
import type { FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import type { Publisher } from "./publish.ts";
import type { StoreLayout } from "./store-layout.ts";

/** What an upgrade needs. */
export interface UpgradeRequest {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  readonly publisher: Publisher;
  /** Contents of the new `format`. */
  readonly formatLine: string;
}

/** Upgrades in place; a store that may not be written to is left as it is, and its old records are misses. */
export function upgradeStore({ fs, layout, publisher, formatLine }: UpgradeRequest): void {
  try {
    for (const { name: fn } of fs.readDirectory(layout.records) ?? []) moveAll(fs, `${layout.records}/${fn}`);
    publisher.write(formatLine, { path: layout.format, mode: 0o644 });
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
  }
}

function moveAll(fs: FileSystem, top: string): void {
  for (const { name: shard } of fs.readDirectory(top) ?? []) if (shard.length === 2) moveRecords(fs, top, shard);
}

function moveRecords(fs: FileSystem, top: string, shard: string): void {
  const to = `${top}/${shard[0]}`;
  fs.makeDirectory(to);
  for (const { name } of fs.readDirectory(`${top}/${shard}`) ?? []) {
    try {
      fs.rename(`${top}/${shard}/${name}`, `${to}/${name}`);
    } catch (error) {
      // Another process is doing the same.
      if (!(error instanceof FileSystemError) || error.code !== "ENOENT") throw error;
    }
  }
  fs.remove(`${top}/${shard}`);
}
