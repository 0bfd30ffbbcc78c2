/** Makes the names of new files durable: a directory is flushed, and what holds it too, once. */
import type { FileSystem } from "@kahn/core";
import { parentOf } from "../internal/store-layout.ts";

/** Flushes of directories of one store. */
export class NameFlushes {
  readonly #fs: FileSystem;
  readonly #flushedParents = new Set<string>();

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /** Resolves when the names in a directory are on the device, and its own. @throws FileSystemError */
  async flush(directory: string): Promise<void> {
    await this.#fs.syncDirectory(directory);
    if (this.#flushedParents.has(directory)) return;
    const parent = parentOf(directory);
    await this.#fs.syncDirectory(parent);
    await this.#fs.syncDirectory(parentOf(parent));
    this.#flushedParents.add(directory);
  }
}
