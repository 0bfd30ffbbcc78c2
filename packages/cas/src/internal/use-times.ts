/**
 * Brings use times from segments and records into the stamps of files, which is where garbage collection reads them.
 *
 * Invariant: after `settle`, every blob of a stamped record has a stamp at least as late as the record's: whatever
 *            cut-off is chosen later, a record that stays keeps all its blobs. A merge of packs that goes on meanwhile,
 *            and has read their indexes before, may lose the times of packed blobs: before any is dropped, the records
 *            that stay are settled again (`Sweep.renewPacked`).
 */
import type { ActionResult, Digest, FileStat } from "@kahn/core";
import { digestFunction, digestHash, digestSizeBytes, FileSystemError, TREE_MAX_BYTES } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import { loadEngine } from "../hasher.ts";
import { namedDigests, treeFileDigests } from "../result-digests.ts";
import { packedBytes, packTimeS } from "./pack-format.ts";
import type { PackedRecord } from "./packed-record.ts";
import { packedResult } from "./packed-record.ts";
import { decodeRecord } from "./record-bytes.ts";
import { isStamped, stampMs } from "./stamp.ts";
import type { StoreContext } from "./store-context.ts";
import { storedBytes } from "./store-context.ts";

/** So many records are stamped at once: before that, the index of each pack with a new time is written. */
const MARKED_MAX = 100_000;

/** What became of one record. */
export type RecordState = "settled" | "missing" | "corrupt" | "incomplete";

/** Marks records and what they stand on as used. */
export class UseTimes {
  /** Sizes of the files that got a later time, so far. */
  markedBytes = 0;
  readonly #context: StoreContext;
  /** Records whose blobs are all marked, with the times they get. */
  readonly #marked = new Map<string, number>();

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Writes down what `settle` has marked. To be called at the end; a death before it costs another settling. */
  finish(): void {
    this.#context.packs.saveTimes();
    // Last, and not before: a stamped record says that its blobs are marked.
    for (const [path, timeMs] of this.#marked) this.#stamp(path, timeMs);
    this.#marked.clear();
  }

  /** Notes the use of a packed blob on its own. One that is in no pack any more was stamped itself. */
  settleBlob(digest: Digest, engine: HashEngine, timeMs: number): void {
    this.#context.packs.of(engine).raiseTime(digest, packTimeS(timeMs));
  }

  /** Notes a use of a record at `timeMs`. */
  async settle(action: Digest, timeMs: number): Promise<RecordState> {
    const { fs, layout } = this.#context;
    const path = layout.record(action);
    const bytes = fs.readFile(path);
    const stat = fs.lstat(path);
    if (bytes === undefined || stat === undefined) return "missing";
    const content = decodeRecord(action, bytes);
    if (content.kind === "other-action") return "missing";
    if (content.kind === "corrupt") return "corrupt";
    const engine = await loadEngine(digestFunction(action));
    const usedMs = Math.max(timeMs, stat.mtimeMs, this.#marked.get(path) ?? 0);
    if (!this.#markAll(content.result, usedMs, engine)) return "incomplete";
    // A stamp never goes back: it is behind the time that it stands for.
    if (!isStamped(stat) || stat.mtimeMs < stampMs(usedMs)) this.#marked.set(path, usedMs);
    if (this.#marked.size >= MARKED_MAX) this.finish();
    this.markedBytes += storedBytes(stat.sizeBytes);
    return "settled";
  }

  /** The same for a record in a pack, which has no stamp to be set. */
  async settlePacked(packed: PackedRecord | undefined, timeMs: number): Promise<RecordState> {
    const result = packed && packedResult(packed);
    if (packed === undefined || result === undefined) return "corrupt";
    const engine = await loadEngine(digestFunction(packed.action));
    return this.#markAll(result, timeMs, engine) ? "settled" : "incomplete";
  }

  /** Marks all blobs of a result. False when one is not there. */
  #markAll(result: ActionResult, usedMs: number, engine: HashEngine): boolean {
    for (const digest of namedDigests(result)) if (!this.#mark(digest, usedMs, engine)) return false;
    for (const { tree } of result.outputDirectories) {
      const files = this.#treeFiles(tree, engine);
      if (files === undefined) return false;
      for (const digest of files) if (!this.#mark(digest, usedMs, engine)) return false;
    }
    return true;
  }

  #treeFiles(tree: Digest, engine: HashEngine): Digest[] | undefined {
    const { fs, layout, packs } = this.#context;
    if (digestSizeBytes(tree) > TREE_MAX_BYTES) return undefined;
    const packed = packs.of(engine).read(tree);
    const isPacked = packed !== undefined && packed !== "corrupt";
    const bytes = isPacked ? packed : (fs.readFile(layout.blob(tree)) ?? fs.readFile(layout.blob(tree, true)));
    if (bytes === undefined) return undefined;
    const files = treeFileDigests(bytes, { fn: engine.fn, digest: engine.digest });
    return files.ok ? files.value : undefined;
  }

  /** Marks whatever variants of a blob there are. False when there is none that is sound. */
  #mark(digest: Digest, timeMs: number, engine: HashEngine): boolean {
    const { layout, packs } = this.#context;
    const packed = packs.of(engine).raiseTime(digest, packTimeS(timeMs));
    if (packed === "later") this.markedBytes += packedBytes(digestSizeBytes(digest), digestHash(digest).length / 2);
    const plain = this.#markFile(digest, { path: layout.blob(digest), timeMs, engine });
    return this.#markFile(digest, { path: layout.blob(digest, true), timeMs, engine }) || plain || packed !== "missing";
  }

  #markFile(digest: Digest, { path, timeMs, engine }: { path: string; timeMs: number; engine: HashEngine }): boolean {
    const { fs, check } = this.#context;
    const stat: FileStat | undefined = fs.lstat(path);
    if (check.verdict(digest, path, { stat, engine }) !== "usable") return false;
    if (stat !== undefined && stat.mtimeMs < stampMs(timeMs)) {
      this.#stamp(path, timeMs);
      this.markedBytes += storedBytes(stat.sizeBytes);
    }
    return true;
  }

  #stamp(path: string, timeMs: number): void {
    const stamp = stampMs(timeMs);
    try {
      this.#context.fs.setTimes(path, stamp, stamp);
    } catch (error) {
      // Vanished, or another user's: it keeps its older time.
      if (!(error instanceof FileSystemError)) throw error;
    }
  }
}
