/**
 * LangGraph's checkpoints as records of threads: what a saver does, apart from the class that it must extend.
 *
 * Owns:      the translation in both directions, and the rules of the saver interface: what replaces what, which
 *            checkpoint is meant, what `list` leaves out.
 * Never:     depends on LangGraph's package being installed; what is needed of it comes in with the options.
 */
import { isDeepStrictEqual } from "node:util";
import type { Durability } from "@kahn/core";
import { ProblemError } from "@kahn/core";
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
} from "./peer.ts";
import { addressOf, checkpointIdOf, configOf, namespaceOf, threadOf, threadWanted } from "./saver-config.ts";
import { allRecords, type ThreadLog, threadIds } from "./threads/log.ts";
import { OpenThreads } from "./threads/open-threads.ts";
import type { CheckpointRecord, StoredValue, ThreadRecord } from "./threads/record.ts";
import { digestsOf, storeValue, valueBytes } from "./threads/record.ts";
import { survivorsOf } from "./threads/retention.ts";
import type { NamespaceState, StoredWrite } from "./threads/state.ts";
import type { SaverStorage } from "./threads/storage.ts";

/** What a checkpoint store is made of. */
export interface CheckpointStoreOptions {
  readonly storage: SaverStorage;
  readonly durability?: Durability;
  readonly keepLast?: number;
  readonly peer: Pick<Peer, "TASKS" | "WRITES_IDX_MAP" | "maxChannelVersion">;
  /** Whose serialiser and versions are used. */
  readonly saver: Pick<BaseSaver, "serde" | "getNextVersion">;
}

/** What is saved at once. */
export interface NewCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly metadata: CheckpointMetadata;
  /** The channels that changed since the parent; only their values are stored. */
  readonly newVersions: Readonly<Record<string, ChannelVersion>>;
}

/** A write with the position that it has elsewhere. */
export interface ImportedWrite {
  readonly task: string;
  /** Negative for those that replace earlier ones. */
  readonly index: number;
  readonly channel: string;
  readonly value: unknown;
}

/** What `prune` removes. */
export interface PruneOptions {
  /** All threads if left out. */
  readonly thread?: string;
  /** How many checkpoints of each namespace stay, at least 1; those that they are made up from stay, too. */
  readonly keepLast: number;
}

/** How many checkpoints went and stayed. */
export interface Pruned {
  readonly removed: number;
  readonly kept: number;
}

/** Up to this format the sends of a step were kept as writes on top of the checkpoint before it. */
const SENDS_IN_CHANNEL_SINCE = 4;
/** A thread is pruned when it has this many times the checkpoints that it is to keep: rewriting costs what is kept. */
const PRUNE_AT = 2;

interface Candidate {
  readonly thread: string;
  readonly namespace: NamespaceState;
  readonly record: CheckpointRecord;
}

/** Checkpoints of threads. */
export class CheckpointStore {
  readonly #storage: SaverStorage;
  readonly #durability: Durability;
  readonly #threads: OpenThreads;
  readonly #keepLast: number;
  /** How many checkpoints of a namespace stayed when it was pruned last: those that others stand on cannot go. */
  readonly #stays = new WeakMap<ThreadLog, Map<string, number>>();
  readonly #peer: CheckpointStoreOptions["peer"];
  readonly #saver: CheckpointStoreOptions["saver"];

  constructor({ storage, durability = "process", keepLast, peer, saver }: CheckpointStoreOptions) {
    this.#storage = storage;
    this.#durability = durability;
    this.#threads = new OpenThreads(storage, durability);
    this.#keepLast = keepLast ?? Number.POSITIVE_INFINITY;
    this.#peer = peer;
    this.#saver = saver;
  }

  /** The checkpoint that is meant, or the newest one. */
  async get(config: SaverConfig): Promise<CheckpointTuple | undefined> {
    const thread = threadWanted(config);
    if (thread === undefined) return undefined;
    const namespace = this.#threads.log(thread).read().namespace(namespaceOf(config));
    const id = checkpointIdOf(config) ?? namespace.latestId;
    const record = id === undefined ? undefined : namespace.checkpoint(id);
    return record && this.#tuple({ thread, namespace, record });
  }

  /** Checkpoints, newest first. Those saved while it runs are not among them. */
  async *list(config: SaverConfig, { limit, before, filter }: ListOptions): AsyncGenerator<CheckpointTuple> {
    let left = limit ?? Number.POSITIVE_INFINITY;
    for (const candidate of this.#candidates(config, before)) {
      if (left <= 0) return;
      if (filter !== undefined && !matches(await this.#load(candidate.record.metadata), filter)) continue;
      left--;
      yield await this.#tuple(candidate);
    }
  }

  /** Saves a checkpoint, on top of the one that `config` names. */
  async put(config: SaverConfig, { checkpoint, metadata, newVersions }: NewCheckpoint): Promise<SaverConfig> {
    const thread = threadOf(config, "save a checkpoint");
    const ns = namespaceOf(config);
    const { channel_values: values, channel_versions: versions, ...body } = checkpoint;
    const changed = Object.entries(newVersions).filter(([channel]) => Object.hasOwn(values, channel));
    const deltas = Object.keys(metadata.counters_since_delta_snapshot ?? {});
    const record: CheckpointRecord = {
      kind: "checkpoint",
      ns,
      id: checkpoint.id,
      parent: checkpointIdOf(config) ?? null,
      format: checkpoint.v,
      body: await this.#dump(body),
      metadata: await this.#dump(metadata),
      versions: Object.entries(versions),
      changed: await Promise.all(
        changed.map(async ([channel, version]) => [channel, version, await this.#dump(values[channel])] as const),
      ),
      ...(deltas.length === 0 ? {} : { deltas }),
    };
    await this.#append(thread, record);
    await this.#keepToLimit(thread, ns);
    return configOf({ thread, ns, id: checkpoint.id });
  }

  /** Saves what a task wrote on top of a checkpoint. */
  async putWrites(config: SaverConfig, writes: readonly PendingWrite[], task: string): Promise<void> {
    const indexes = this.#peer.WRITES_IDX_MAP;
    const imported = writes.map(([channel, value], position) => {
      const index = Object.hasOwn(indexes, channel) ? indexes[channel]! : position;
      return { task, index, channel, value };
    });
    await this.putImportedWrites(config, imported);
  }

  /** Saves writes with the positions that they have elsewhere. */
  async putImportedWrites(config: SaverConfig, writes: readonly ImportedWrite[]): Promise<void> {
    const { thread, ns, id } = addressOf(config, "save writes");
    const byTask = new Map<string, ImportedWrite[]>();
    for (const write of writes) byTask.set(write.task, [...(byTask.get(write.task) ?? []), write]);
    const records = [...byTask].map(async ([task, own]): Promise<ThreadRecord> => {
      const stored = own.map(async ({ index, channel, value }) => [index, channel, await this.#dump(value)] as const);
      return { kind: "writes", ns, id, task, writes: await Promise.all(stored) };
    });
    await this.#append(thread, ...(await Promise.all(records)));
  }

  /** Removes a thread with everything in it. Its long values go with the next `freeValues`. */
  async deleteThread(thread: string): Promise<void> {
    await this.#threads.log(thread).delete();
  }

  /** What channels received on the way to a checkpoint, since the nearest ancestor that has their value. */
  async deltaHistory(config: SaverConfig, channels: readonly string[]): Promise<Record<string, DeltaHistory>> {
    const histories = new Map(channels.map((channel): [string, DeltaHistory] => [channel, { writes: [] }]));
    const open = new Set(channels);
    for (const { namespace, record } of this.#ancestors(config)) {
      if (open.size === 0) break;
      // From the newest ancestor to the oldest: turned round at the end.
      for (const { task, channel, value } of inTaskOrder(namespace.writes(record.id)).reverse()) {
        if (open.has(channel)) histories.get(channel)!.writes.push([task, channel, await this.#load(value)]);
      }
      for (const [channel, version] of record.versions) {
        const seed = open.has(channel) ? namespace.value(record.id, channel, version) : undefined;
        if (seed === undefined) continue;
        histories.get(channel)!.seed = await this.#load(seed);
        open.delete(channel);
      }
    }
    for (const history of histories.values()) history.writes.reverse();
    return Object.fromEntries(histories);
  }

  /** The ids of all threads, sorted. */
  threads(): string[] {
    return threadIds(this.#storage.journals).sort();
  }

  /** Removes old checkpoints. */
  async prune({ thread, keepLast }: PruneOptions): Promise<Pruned> {
    let removed = 0;
    let kept = 0;
    for (const each of thread === undefined ? this.threads() : [thread]) {
      await this.#threads.log(each).rewrite((state) => {
        const survivors = survivorsOf(state, Math.max(1, keepLast));
        removed += survivors.removed;
        kept += survivors.kept;
        return survivors.removed === 0 ? undefined : survivors.records;
      });
    }
    return { removed, kept };
  }

  /** Frees values that no thread names. */
  async freeValues(): Promise<{ readonly removed: number; readonly kept: number }> {
    const live = new Set([...allRecords(this.#storage.journals)].flatMap((record) => [...digestsOf(record)]));
    const swept = await this.#storage.values.sweep(live);
    if (!swept.ok) throw new ProblemError(swept.problem);
    return swept.value;
  }

  /** Lets go of files and locks. */
  close(): void {
    this.#threads.close();
    this.#storage.close();
  }

  #candidates(config: SaverConfig, before: SaverConfig | undefined): Candidate[] {
    const one = threadWanted(config);
    const id = checkpointIdOf(config);
    const end = before === undefined ? undefined : checkpointIdOf(before);
    const found = (one === undefined ? this.threads() : [one]).flatMap((thread) =>
      this.#namespaces(thread, config).flatMap((namespace) =>
        (id === undefined ? namespace.ids() : [id]).flatMap((each): Candidate[] => {
          const record = namespace.checkpoint(each);
          const isWanted = record !== undefined && (end === undefined || each < end);
          return isWanted ? [{ thread, namespace, record }] : [];
        }),
      ),
    );
    return found.sort((a, b) => (a.record.id < b.record.id ? 1 : a.record.id > b.record.id ? -1 : 0));
  }

  /** The namespaces of a thread that are meant: all, unless one is named. */
  #namespaces(thread: string, config: SaverConfig): readonly NamespaceState[] {
    const state = this.#threads.log(thread).read();
    const names = config.configurable?.checkpoint_ns === undefined ? state.names() : [namespaceOf(config)];
    return names.map((name) => state.namespace(name));
  }

  /** From the parent of the checkpoint that is meant to the root. */
  *#ancestors(config: SaverConfig): Generator<Pick<Candidate, "namespace" | "record">, void> {
    const thread = threadWanted(config);
    if (thread === undefined) return;
    const namespace = this.#threads.log(thread).read().namespace(namespaceOf(config));
    let id: string | null | undefined = checkpointIdOf(config) ?? namespace.latestId;
    for (;;) {
      id = id == null ? undefined : namespace.checkpoint(id)?.parent;
      const record = id == null ? undefined : namespace.checkpoint(id);
      if (record === undefined) return;
      yield { namespace, record };
    }
  }

  async #tuple({ thread, namespace, record }: Candidate): Promise<CheckpointTuple> {
    const { ns, id, parent } = record;
    const body = (await this.#load(record.body)) as Omit<Checkpoint, "channel_values" | "channel_versions">;
    const values = record.versions.map(async ([channel, version]): Promise<[string, unknown][]> => {
      const stored = namespace.value(id, channel, version);
      return stored === undefined ? [] : [[channel, await this.#load(stored)]];
    });
    const checkpoint: Checkpoint = {
      ...body,
      channel_values: Object.fromEntries((await Promise.all(values)).flat()),
      channel_versions: Object.fromEntries(record.versions),
    };
    if (record.format < SENDS_IN_CHANNEL_SINCE && parent !== null) {
      await this.#attachSends(checkpoint, namespace.writes(parent));
    }
    return {
      config: configOf({ thread, ns, id }),
      checkpoint,
      metadata: (await this.#load(record.metadata)) as CheckpointMetadata,
      pendingWrites: await this.#loadWrites(namespace.writes(id)),
      ...(parent === null ? {} : { parentConfig: configOf({ thread, ns, id: parent }) }),
    };
  }

  /** Gives an old checkpoint the form of the present one: pending sends are the value of a channel. */
  async #attachSends(checkpoint: Checkpoint, writes: readonly StoredWrite[]): Promise<void> {
    const { TASKS, maxChannelVersion } = this.#peer;
    const sends = await this.#loadWrites(writes.filter(({ channel }) => channel === TASKS));
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = sends.map(([, , value]) => value);
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.#saver.getNextVersion(undefined);
  }

  async #append(thread: string, ...records: readonly ThreadRecord[]): Promise<void> {
    if (this.#durability === "disk") {
      // Before the record that names them.
      const flushed = await this.#storage.values.flush();
      if (!flushed.ok) throw new ProblemError(flushed.problem);
    }
    await this.#threads.log(thread).append(records);
  }

  async #keepToLimit(thread: string, ns: string): Promise<void> {
    if (this.#keepLast === Number.POSITIVE_INFINITY) return;
    const log = this.#threads.log(thread);
    const size = () => log.read().namespace(ns).size;
    const stays = this.#stays.get(log) ?? new Map<string, number>();
    if (size() < PRUNE_AT * Math.max(this.#keepLast, stays.get(ns) ?? 0)) return;
    await this.prune({ thread, keepLast: this.#keepLast });
    this.#stays.set(log, stays.set(ns, size()));
  }

  #loadWrites(writes: readonly StoredWrite[]): Promise<[string, string, unknown][]> {
    return Promise.all(
      writes.map(async ({ task, channel, value }): Promise<[string, string, unknown]> => {
        return [task, channel, await this.#load(value)];
      }),
    );
  }

  async #dump(value: unknown): Promise<StoredValue> {
    return storeValue(this.#storage.values, await this.#saver.serde.dumpsTyped(value));
  }

  async #load(stored: StoredValue): Promise<unknown> {
    return this.#saver.serde.loadsTyped(stored.type, valueBytes(this.#storage.values, stored));
  }
}

/** Writes of one step count in the order of their tasks' ids, whichever task was faster. */
function inTaskOrder(writes: readonly StoredWrite[]): StoredWrite[] {
  return [...writes].sort((a, b) => (a.task < b.task ? -1 : a.task > b.task ? 1 : a.index - b.index));
}

function matches(metadata: unknown, filter: Readonly<Record<string, unknown>>): boolean {
  const own = metadata as Readonly<Record<string, unknown>>;
  return Object.entries(filter).every(([key, value]) => isDeepStrictEqual(own[key], value));
}
