/**
 * Opens a store on disk: blobs, action results, uses and epochs in one directory.
 *
 * Owns:      the format version, and the wiring of the parts.
 * Invariant: a store of a newer format is not touched at all; one whose format is damaged is a store of this one.
 */
import type {
  ActionCache,
  BlobStore,
  Clock,
  DigestFunction,
  FileSystem,
  Random,
  Result,
  StoreProblem,
} from "@kahn/core";
import { err, FileSystemError, invariant, ok, problem } from "@kahn/core";
import { DiskActionCache } from "./disk-action-cache.ts";
import { DiskBlobStore } from "./disk-blob-store.ts";
import { nativeEngine } from "./hasher.ts";
import { BlobCheck } from "./internal/blob-check.ts";
import type { BlobPackPorts } from "./internal/blob-packs.ts";
import { BlobPacks } from "./internal/blob-packs.ts";
import { Engines } from "./internal/engines.ts";
import { PACKED_MAX_BYTES } from "./internal/pack-format.ts";
import { PackSet } from "./internal/pack-set.ts";
import { Publisher } from "./internal/publish.ts";
import { RecordPacks } from "./internal/record-packs.ts";
import { StoreContext } from "./internal/store-context.ts";
import { StoreLayout } from "./internal/store-layout.ts";
import { storeProblem, storeResult } from "./internal/store-problem.ts";
import { upgradeStore } from "./internal/upgrade-store.ts";
import type { Liveness, ProcessOwner } from "./process-owner.ts";
import { UseLog } from "./use-log.ts";

/** The layout that this version writes. It reads format 1 too, which had no packs. */
export const STORE_FORMAT = 2;

const FORMAT_LINE = `kahn-cas ${STORE_FORMAT}\n`;

/** How a store is opened. */
export interface DiskStoreOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Absolute path of the store's directory; made when absent. */
  readonly root: string;
  /** This process; `system`'s `ownIdentity()`. */
  readonly owner: ProcessOwner;
  /** Whether the owner of a segment or lock still lives; `system`'s `livenessOf`. */
  readonly livenessOf: Liveness;
  /** Function of blobs that are ingested without an expected digest. Default: `sha256`. */
  readonly digestFunction?: DigestFunction;
  /** Blobs up to this size share files (`internal/pack-format.ts`): at most, and by default, 64 KiB. 0: each its own. */
  readonly packedMaxBytes?: number;
}

/** An open store. Any number of processes may have it open; none ever waits for another. */
export interface DiskStore {
  readonly root: string;
  readonly blobs: BlobStore;
  readonly actions: ActionCache;
  /**
   * Absolute path of the directory for files that are to be adopted: on the store's device, and swept of what dead
   * processes left. May not exist yet.
   */
  readonly temporary: string;
  /** Flushes what was written to the device, and begins a new epoch with the next write. */
  closeEpoch(): Promise<Result<void, StoreProblem>>;
  /**
   * Writes down uses and ends the epoch. The store may be used again afterwards; that begins a new epoch.
   *
   * @param options `sync: false` leaves flushing to the system (or to a later `closeEpoch` of any process): cheaper,
   *   and after a power loss the blobs of this epoch are hashed before they are used. Nothing is flushed either way
   *   when nothing was written.
   */
  close(options?: { readonly sync?: boolean }): Promise<Result<void, StoreProblem>>;
}

const contexts = new WeakMap<DiskStore, StoreContext>();

/** The inside of a store that `openDiskStore` gave. */
export function contextOf(store: DiskStore): StoreContext {
  const context = contexts.get(store);
  if (context === undefined) throw new TypeError("not a store that openDiskStore opened");
  return context;
}

/**
 * Opens a store, making it when there is none.
 *
 * @returns `store-format-newer` when a newer Kahn made it, `store-denied`, `store-full` or `store-io` when its
 *   directory cannot be made or read.
 */
export function openDiskStore(options: DiskStoreOptions): Result<DiskStore, StoreProblem> {
  const { fs, clock, random, owner, livenessOf } = options;
  const layout = new StoreLayout(options.root, random);
  try {
    const publisher = new Publisher(fs, layout);
    const format = checkFormat(fs, layout, publisher);
    if (!format.ok) return format;
    const uses = new UseLog({ fs, clock, random, layout, owner });
    const check = new BlobCheck({ fs, clock, layout, doubtful: uses.doubtfulSpans() });
    const packedMaxBytes = Math.min(options.packedMaxBytes ?? PACKED_MAX_BYTES, PACKED_MAX_BYTES);
    const parts = { fs, clock, random, layout, publisher, check, owner, livenessOf, uses };
    const context = new StoreContext({
      fs,
      clock,
      layout,
      publisher,
      check,
      packs: new BlobPacks({ ...parts, packedMaxBytes }),
      recordPacks: new RecordPacks({ livenessOf, uses, set: recordSet(parts) }),
      engines: new Engines(),
      uses,
      digestFunction: options.digestFunction ?? "sha256",
      owner,
      livenessOf,
    });
    return ok(storeOf(context));
  } catch (error) {
    if (error instanceof FileSystemError) return err(storeProblem(error));
    throw error;
  }
}

/** To a pack a record is a blob of SHA-256. */
function recordSet({
  fs,
  clock,
  random,
  publisher,
  owner,
  layout,
  check,
}: Omit<BlobPackPorts, "packedMaxBytes">): PackSet {
  const engine = nativeEngine("sha256");
  invariant(engine !== undefined, "SHA-256 is native");
  const isDoubtful = (mtimeMs: number) => check.isDoubtful(mtimeMs);
  const directory = layout.recordPacks;
  return new PackSet({ fs, clock, random, publisher, owner, engine, hashBytes: 32, directory, isDoubtful });
}

function storeOf(context: StoreContext): DiskStore {
  const store: DiskStore = {
    root: context.layout.root,
    blobs: new DiskBlobStore(context),
    actions: new DiskActionCache(context),
    temporary: context.layout.temporary,
    closeEpoch: () => endEpoch(context, true),
    close: (options) => endEpoch(context, options?.sync ?? true),
  };
  contexts.set(store, context);
  return store;
}

function endEpoch(context: StoreContext, sync: boolean): Promise<Result<void, StoreProblem>> {
  return storeResult(async () => {
    // Before the flush, which then covers the indexes too.
    await context.packs.close();
    await context.recordPacks.close();
    await context.uses.endEpoch(sync);
  });
}

function checkFormat(fs: FileSystem, layout: StoreLayout, publisher: Publisher): Result<void, StoreProblem> {
  const bytes = fs.readFile(layout.format);
  const text = bytes === undefined ? "" : Buffer.from(bytes).toString("latin1");
  if (isTorn(text)) {
    publisher.write(FORMAT_LINE, { path: layout.format, mode: 0o644 });
    return ok(undefined);
  }
  const version = /^kahn-cas (\d+)\n$/.exec(text)?.[1];
  // A damaged one costs no more than other damage. The upgrade, because it may have been 1; on format 2 it finds nothing.
  if (version === undefined && holdsStore(fs, layout)) {
    upgradeStore({ fs, layout, publisher, formatLine: FORMAT_LINE });
    return ok(undefined);
  }
  if (version === undefined) {
    return err(
      problem("store-io", `${layout.format} does not name the format of a store`, {
        next: "Check that this directory is a cache of Kahn; if it is, remove it.",
      }),
    );
  }
  if (Number(version) > STORE_FORMAT) {
    return err(
      problem(
        "store-format-newer",
        `${layout.root} was made by a newer Kahn (format ${version}; this one knows ${STORE_FORMAT})`,
        {
          next: "Update Kahn, or choose another directory with cache.dir or KAHN_CACHE_DIR.",
        },
      ),
    );
  }
  if (Number(version) < STORE_FORMAT) upgradeStore({ fs, layout, publisher, formatLine: FORMAT_LINE });
  return ok(undefined);
}

/** True when a directory has what only a store has, whatever its format says. */
function holdsStore(fs: FileSystem, { blobs, records }: StoreLayout): boolean {
  return [blobs, records].some((directory) => fs.lstat(`${directory}/sha256`)?.kind === "directory");
}

/** True for what is left of a line of ours, or of nothing, after a power loss: cut short, or zeros in places. */
function isTorn(text: string): boolean {
  return ["kahn-cas 1\n", FORMAT_LINE].some(
    (line) =>
      text !== line &&
      text.length <= line.length &&
      [...text].every((char, index) => char === "\0" || char === line[index]),
  );
}
