/**
 * The part of `@langchain/langgraph-checkpoint` that the saver stands on, and how it is loaded.
 *
 * Owns:      the types, written down here by their shape, so that Kahn compiles and installs without the package.
 * Never:     loads the package before somebody opens a saver.
 * Invariant: the shapes fit the real ones; the type check of test/langgraph holds them against the installed package.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";

/** What LangGraph calls a configuration; ids of thread, namespace and checkpoint are in `configurable`. */
export interface SaverConfig {
  configurable?: Record<string, unknown>;
}

/** A version of a channel: grows with each write to it. */
export type ChannelVersion = number | string;

/** A state of a graph between two steps. */
export interface Checkpoint {
  /** Format of the checkpoint; 4 at present. */
  v: number;
  /** A UUID of version 6, so that the order of ids is that of time. */
  id: string;
  /** When it was made, ISO 8601. */
  ts: string;
  channel_values: Record<string, unknown>;
  channel_versions: Record<string, ChannelVersion>;
  versions_seen: Record<string, Record<string, ChannelVersion>>;
}

/** What LangGraph notes beside a checkpoint. Callers may add keys of their own. */
export interface CheckpointMetadata {
  source: "input" | "loop" | "update" | "fork";
  step: number;
  parents: Record<string, string>;
  /** Names the channels whose value is not in the checkpoint, but made up from writes since an ancestor. */
  counters_since_delta_snapshot?: Record<string, [number, number]>;
}

/** A write of a task: channel and value. */
export type PendingWrite = [channel: string, value: unknown];

/** A checkpoint as it is read back. */
export interface CheckpointTuple {
  config: SaverConfig;
  checkpoint: Checkpoint;
  metadata?: CheckpointMetadata;
  parentConfig?: SaverConfig;
  pendingWrites?: [task: string, channel: string, value: unknown][];
}

/** Which checkpoints `list` gives. */
export interface ListOptions {
  /** At most so many, counted after `filter`. */
  limit?: number | undefined;
  /** Only checkpoints older than this one. */
  before?: SaverConfig | undefined;
  /** Values that the metadata must have. */
  filter?: Record<string, unknown> | undefined;
}

/** What one channel received on the way to a checkpoint. */
export interface DeltaHistory {
  /** Oldest first. */
  writes: [task: string, channel: string, value: unknown][];
  /** The value of the nearest ancestor that has one. */
  seed?: unknown;
}

/** How values become bytes. */
export interface Serializer {
  dumpsTyped(value: unknown): Promise<[type: string, bytes: Uint8Array]>;
  loadsTyped(type: string, bytes: Uint8Array | string): Promise<unknown>;
}

/** The saver that every other extends. */
export interface BaseSaver {
  serde: Serializer;
  toJSON(): string;
  get(config: SaverConfig): Promise<Checkpoint | undefined>;
  getNextVersion(current: number | undefined): number;
}

/** The module, as far as it is used. */
export interface Peer {
  readonly BaseCheckpointSaver: abstract new (serde?: Serializer) => BaseSaver;
  /** Positions of the writes that replace what the same task wrote before; all are negative. */
  readonly WRITES_IDX_MAP: Readonly<Record<string, number>>;
  /** The channel of pending sends. */
  readonly TASKS: string;
  readonly maxChannelVersion: (...versions: ChannelVersion[]) => ChannelVersion;
}

const PACKAGE = "@langchain/langgraph-checkpoint";

/** Loads the package; `langgraph-absent` when it cannot be found or is too old to be used. */
export async function loadPeer(): Promise<Result<Peer, Problem<"langgraph-absent">>> {
  let loaded: Partial<Peer>;
  try {
    // Not a literal: bundlers would look for it, and it is there only for those who use LangGraph.
    loaded = (await import(PACKAGE)) as Partial<Peer>;
  } catch (error) {
    return err(absent(`${PACKAGE} could not be loaded: ${(error as Error).message.split("\n", 1)[0]}`));
  }
  const { BaseCheckpointSaver, WRITES_IDX_MAP, TASKS, maxChannelVersion } = loaded;
  if (BaseCheckpointSaver && WRITES_IDX_MAP && TASKS && maxChannelVersion) {
    return ok({ BaseCheckpointSaver, WRITES_IDX_MAP, TASKS, maxChannelVersion });
  }
  return err(absent(`${PACKAGE} is installed, and lacks what a saver needs`));
}

function absent(message: string): Problem<"langgraph-absent"> {
  return problem("langgraph-absent", `${message}.`, {
    next: `Install it beside your graph: npm install ${PACKAGE}@^1.1.5 @langchain/core`,
  });
}
