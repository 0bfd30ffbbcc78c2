/**
 * `KahnSaver`: a checkpoint saver for LangGraph.js on Kahn's journals and values.
 *
 * Owns:      the class that extends LangGraph's own, made once its package is loaded.
 * Invariant: what `put` or `putWrites` has acknowledged is read back after the death of the process (durability
 *            `process`) or the loss of power (`disk`); a step costs what it changed, whatever the size of the state.
 * Source:    the conformance suite `@langchain/langgraph-checkpoint-validation`, run by `npm run test:langgraph`.
 */
import type { Durability, Problem, Result } from "@kahn/core";
import { ok } from "@kahn/core";
import { CheckpointStore, type ImportedWrite, type Pruned, type PruneOptions } from "./checkpoint-store.ts";
import type {
  BaseSaver,
  ChannelVersion,
  Checkpoint,
  CheckpointMetadata,
  CheckpointTuple,
  DeltaHistory,
  ListOptions,
  Peer,
  PendingWrite,
  SaverConfig,
  Serializer,
} from "./peer.ts";
import { loadPeer } from "./peer.ts";
import type { SaverStorage } from "./threads/storage.ts";

/** How a saver is opened. */
export interface KahnSaverOptions {
  readonly storage: SaverStorage;
  /** What a checkpoint survives once it is saved: `process` our death (default), `disk` the loss of power. */
  readonly durability?: Durability;
  /** How values become bytes; LangGraph's own serialiser if left out. */
  readonly serde?: Serializer;
  /**
   * Keeps the newest so many checkpoints of each namespace, and those that they stand on: a thread is pruned when it
   * has twice as many. Default: all are kept.
   */
  readonly keepLast?: number;
  /** The module `@langchain/langgraph-checkpoint`, where it cannot be found from Kahn's own place. */
  readonly peer?: Peer;
}

/** A checkpoint saver: what LangGraph asks of one, and what Kahn offers beyond. Refusals are thrown as `ProblemError`. */
export interface KahnSaver extends BaseSaver {
  getTuple(config: SaverConfig): Promise<CheckpointTuple | undefined>;
  list(config: SaverConfig, options?: ListOptions): AsyncGenerator<CheckpointTuple>;
  put(
    config: SaverConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: Record<string, ChannelVersion>,
  ): Promise<SaverConfig>;
  putWrites(config: SaverConfig, writes: PendingWrite[], taskId: string): Promise<void>;
  /** Takes over writes with the positions that they have elsewhere; for imports. */
  putImportedWrites(config: SaverConfig, writes: readonly ImportedWrite[]): Promise<void>;
  deleteThread(threadId: string): Promise<void>;
  getDeltaChannelHistory(options: { config: SaverConfig; channels: string[] }): Promise<Record<string, DeltaHistory>>;
  /** The ids of all threads, sorted. */
  threads(): string[];
  /** Removes old checkpoints and writes their threads anew, so that files shrink. */
  prune(options: PruneOptions): Promise<Pruned>;
  /** Frees values that no checkpoint names any more and that were not put within the last hour. */
  freeValues(): Promise<{ readonly removed: number; readonly kept: number }>;
  /** Lets go of files and locks. The saver may be used again. */
  close(): void;
}

/** Opens a saver; `langgraph-absent` when LangGraph's package is not installed. Touches no file. */
export async function openKahnSaver(
  options: KahnSaverOptions,
): Promise<Result<KahnSaver, Problem<"langgraph-absent">>> {
  const peer = options.peer === undefined ? await loadPeer() : ok(options.peer);
  if (!peer.ok) return peer;
  const Saver = saverClass(peer.value);
  return ok(new Saver(options));
}

/** Four, as LangGraph has it. */
type PutParameters = Parameters<KahnSaver["put"]>;

/** The class, made when the one that it extends is known. */
function saverClass(peer: Peer): new (options: KahnSaverOptions) => KahnSaver {
  return class KahnSaver extends peer.BaseCheckpointSaver {
    readonly #store: CheckpointStore;

    constructor(options: KahnSaverOptions) {
      super(options.serde);
      this.#store = new CheckpointStore({ ...options, peer, saver: this });
    }

    getTuple(config: SaverConfig) {
      return this.#store.get(config);
    }

    list(config: SaverConfig, options: ListOptions = {}) {
      return this.#store.list(config, options);
    }

    put(...[config, checkpoint, metadata, newVersions]: PutParameters) {
      return this.#store.put(config, { checkpoint, metadata, newVersions });
    }

    putWrites(config: SaverConfig, writes: PendingWrite[], taskId: string) {
      return this.#store.putWrites(config, writes, taskId);
    }

    putImportedWrites(config: SaverConfig, writes: readonly ImportedWrite[]) {
      return this.#store.putImportedWrites(config, writes);
    }

    deleteThread(threadId: string) {
      return this.#store.deleteThread(threadId);
    }

    getDeltaChannelHistory({ config, channels }: { config: SaverConfig; channels: string[] }) {
      return this.#store.deltaHistory(config, channels);
    }

    threads() {
      return this.#store.threads();
    }

    prune(options: PruneOptions) {
      return this.#store.prune(options);
    }

    freeValues() {
      return this.#store.freeValues();
    }

    close() {
      this.#store.close();
    }
  };
}
