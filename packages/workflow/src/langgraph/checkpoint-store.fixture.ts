/** Checkpoint stores without LangGraph's package: a plain serialiser, and the constants of the real one. */
import { openValueStore } from "@kahn/cas";
import type { MemoryFileSystem, MemoryJournalStore } from "@kahn/testing";
import { memoryFileSystem, memoryJournalStore, seededRandom, virtualClock } from "@kahn/testing";
import { CheckpointStore, type CheckpointStoreOptions } from "./checkpoint-store.ts";
import type { Checkpoint, CheckpointMetadata, CheckpointTuple, SaverConfig } from "./peer.ts";
import { type SaverStorage, saverStorage } from "./threads/storage.ts";

/** The channel of pending sends. */
export const TASKS = "__pregel_tasks";

/** What a store needs of LangGraph's package. */
export const peer: CheckpointStoreOptions["peer"] = {
  TASKS,
  WRITES_IDX_MAP: { __error__: -1, __interrupt__: -3 },
  maxChannelVersion: (...versions) => Math.max(...versions.map(Number)),
};

/** Values as JSON. */
export const saver: CheckpointStoreOptions["saver"] = {
  serde: {
    dumpsTyped: async (value) =>
      value instanceof Uint8Array ? ["bytes", value] : ["json", Buffer.from(JSON.stringify(value))],
    loadsTyped: async (type, bytes) => (type === "bytes" ? bytes : JSON.parse(Buffer.from(bytes).toString())),
  },
  getNextVersion: (version) => (version ?? 0) + 1,
};

/** Everything in memory. */
export interface MemoryWorld {
  readonly fs: MemoryFileSystem;
  readonly journals: MemoryJournalStore;
  readonly storage: SaverStorage;
  readonly clock: ReturnType<typeof virtualClock>;
}

let worlds = 0;

/** A world in memory; with parts of another one, what that one left. */
export function memoryWorld(parts: Partial<Omit<MemoryWorld, "storage">> = {}): MemoryWorld {
  const clock = parts.clock ?? virtualClock();
  const fs = parts.fs ?? memoryFileSystem({ clock });
  const journals = parts.journals ?? memoryJournalStore();
  const random = seededRandom(++worlds);
  const values = openValueStore({ fs, clock, random, root: "/values" });
  return { clock, fs, journals, storage: saverStorage({ journals, values, random }) };
}

/** A store on a storage. */
export function storeOn(storage: SaverStorage, options: Partial<CheckpointStoreOptions> = {}): CheckpointStore {
  return new CheckpointStore({ storage, peer, saver, ...options });
}

/** The id of the n-th checkpoint: ids grow with time. */
export function idOf(n: number): string {
  return `id-${String(n).padStart(6, "0")}`;
}

/** A configuration. */
export function at(thread: string, id?: string, ns = ""): SaverConfig {
  return { configurable: { thread_id: thread, checkpoint_ns: ns, ...(id === undefined ? {} : { checkpoint_id: id }) } };
}

/** A checkpoint of these values, all of version `n` unless told otherwise. */
export function checkpoint(
  n: number,
  values: Record<string, unknown>,
  versions: Record<string, number> = Object.fromEntries(Object.keys(values).map((name) => [name, n])),
): Checkpoint {
  return {
    v: 4,
    id: idOf(n),
    ts: "2026-01-01T00:00:00.000Z",
    channel_values: values,
    channel_versions: versions,
    versions_seen: {},
  };
}

/** What LangGraph notes of a step. */
export function metadata(step: number): CheckpointMetadata {
  return { source: "loop", step, parents: {} };
}

/** All of a list. */
export async function all(tuples: AsyncIterable<CheckpointTuple>): Promise<CheckpointTuple[]> {
  const found: CheckpointTuple[] = [];
  for await (const tuple of tuples) found.push(tuple);
  return found;
}
