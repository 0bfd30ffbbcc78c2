/**
 * Makes the store of a server of files on disk.
 *
 * Owns:      the scopes of action results and the names of entries, as digests of their own.
 * Invariant: an action of one scope is never answered with a result of another one: what a record is kept under is the
 *            digest of scope and action together, never an action digest that a client could have sent.
 */
import type { Liveness, ProcessOwner } from "@kahn/cas";
import type { ResidentStore } from "@kahn/cas/resident";
import { openResidentStore } from "@kahn/cas/resident";
import type { Clock, FileSystem, PieceHashers, Random, Result } from "@kahn/core";
import { ok } from "@kahn/core";
import { namedEntries } from "./named-entries.ts";
import { serverActions } from "./server-actions.ts";
import type { ServerStore, ServerStoreProblem, StoreStatus } from "./server-store.ts";

/** How a server's store is opened. */
export interface ServerStoreOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Absolute path of the directory; made when absent. Others may have it open: a server, a command line. */
  readonly root: string;
  /** This process; `system`'s `ownIdentity()`. */
  readonly owner: ProcessOwner;
  /** Whether another process still lives; `system`'s `livenessOf`. */
  readonly livenessOf: Liveness;
  /** Never exceeded. Default: 10 GB. */
  readonly maxSizeBytes?: number;
  /** No larger blob is taken. Default: 16 GB, and never more than the whole store. */
  readonly maxBlobBytes?: number;
  /**
   * `batched` (default): a write resolves when it is on the device, flushed together with others. `strict`: flushed on
   * its own. `none`: when the kernel has it; after a power loss, but not after a death of the process, it may be gone.
   */
  readonly durability?: "strict" | "batched" | "none";
  /** Up to this size, and at most 64 KiB, blobs share files. Default: 64 KiB. */
  readonly packedMaxBytes?: number;
  /** Hash large uploads beside this thread; left out, it does. */
  readonly hashers?: PieceHashers | undefined;
  /** Memory for blobs that are asked for again, of which none takes more than half. Default: 256 MiB. */
  readonly memoryBytes?: number;
}

const MAX_SIZE_BYTES = 10_000_000_000;

/** Opens a store, making it when there is none; resolves when its blobs are known. */
export async function openServerStore(options: ServerStoreOptions): Promise<Result<ServerStore, ServerStoreProblem>> {
  const opened = await openResidentStore({ ...options, maxSizeBytes: options.maxSizeBytes ?? MAX_SIZE_BYTES });
  return opened.ok ? ok(serverStoreOf(opened.value)) : opened;
}

function serverStoreOf(resident: ResidentStore): ServerStore {
  return {
    blobs: resident.blobs,
    actions: serverActions(resident.records),
    entries: namedEntries(resident),
    files: resident.files,
    pin: (digests) => resident.pins.pin(digests),
    status: () => statusOf(resident),
    close: () => resident.close(),
  };
}

function statusOf(resident: ResidentStore): StoreStatus {
  let blobs = 0;
  for (const { index } of resident.blobs.shelves) blobs += index.count;
  const { usedBytes, maxSizeBytes, trouble } = resident;
  return { usedBytes, maxSizeBytes, blobs, records: resident.records.count, trouble };
}
