/**
 * Action results as files, one per action.
 *
 * Invariant: a record is written whole (temporary file, rename) and reads back with its checksum or not at all.
 * Never:     looks at blobs: `completenessChecked` does, where that is wanted.
 */
import type { ActionCache, ActionResult, CacheLookup, Digest, Result, StoreProblem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import { decodeRecord, encodeRecord } from "./internal/record-bytes.ts";
import type { StoreContext } from "./internal/store-context.ts";
import { storedBytes } from "./internal/store-context.ts";
import { storeResult } from "./internal/store-problem.ts";

const RECORD_MODE = 0o644;

/** The action cache of an open disk store. Made by `openDiskStore`. */
export class DiskActionCache implements ActionCache {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  lookup(action: Digest): Promise<Result<CacheLookup, StoreProblem>> {
    return storeResult((): CacheLookup => {
      const bytes = this.#context.fs.readFile(this.#context.layout.record(action));
      if (bytes === undefined) return { kind: "miss", reason: "no-entry" };
      const content = decodeRecord(action, bytes);
      if (content.kind === "other-action") return { kind: "miss", reason: "no-entry" };
      if (content.kind === "corrupt") return { kind: "miss", reason: "corrupt-entry" };
      this.#context.uses.used(action);
      return { kind: "hit", result: content.result };
    });
  }

  record(action: Digest, result: ActionResult): Promise<Result<void, StoreProblem>> {
    return storeResult(() => {
      const bytes = encodeRecord(action, result);
      this.#context.uses.writing();
      this.#context.publisher.write(bytes, { path: this.#context.layout.record(action), mode: RECORD_MODE });
      this.#context.uses.wrote(storedBytes(bytes.length));
      this.#context.uses.used(action);
    });
  }

  recordToken(action: Digest): string | undefined {
    // Trouble of the file system shows in the look-up that follows; here it only means that nothing is known.
    const stat = refusedAsAbsent(() => this.#context.fs.lstat(this.#context.layout.record(action)));
    if (stat?.kind !== "file") return undefined;
    this.#context.uses.used(action);
    return `${stat.ino}/${stat.sizeBytes}/${stat.mtimeMs}`;
  }

  forget(action: Digest): Promise<Result<void, StoreProblem>> {
    return storeResult(() => void this.#context.fs.remove(this.#context.layout.record(action)));
  }
}

function refusedAsAbsent<T>(ask: () => T | undefined): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof FileSystemError) return undefined;
    throw error;
  }
}
