/**
 * The checkpoints of one thread: the fold of its journal, without values longer than a few KiB.
 *
 * Never:     reads or writes anything; `apply` is the only way in.
 * Invariant: applying the same record again changes nothing.
 */
import type { ChannelVersion } from "../peer.ts";
import type { CheckpointRecord, StoredValue, ThreadRecord, WritesRecord } from "./record.ts";

/** A write on top of a checkpoint. */
export interface StoredWrite {
  readonly task: string;
  readonly index: number;
  readonly channel: string;
  readonly value: StoredValue;
}

/** One place where a version of a channel was stored. Two branches of a fork may store one version each their own way. */
interface Place {
  readonly id: string;
  readonly value: StoredValue;
}

/** The checkpoints of one namespace: the graph itself (`""`), or one of its subgraphs. */
export class NamespaceState {
  readonly #checkpoints = new Map<string, CheckpointRecord>();
  readonly #places = new Map<string, Place[]>();
  readonly #writes = new Map<string, Map<string, StoredWrite>>();
  readonly #deltas = new Set<string>();
  #latestId: string | undefined;

  /** The greatest id, which is the newest. */
  get latestId(): string | undefined {
    return this.#latestId;
  }

  /** Channels that any checkpoint has named as made up from writes. */
  get deltas(): ReadonlySet<string> {
    return this.#deltas;
  }

  /** How many there are. */
  get size(): number {
    return this.#checkpoints.size;
  }

  /** Ids, newest first. */
  ids(): string[] {
    return [...this.#checkpoints.keys()].sort((a, b) => (a < b ? 1 : -1));
  }

  /** A checkpoint, if it is there. */
  checkpoint(id: string): CheckpointRecord | undefined {
    return this.#checkpoints.get(id);
  }

  /** Writes on top of a checkpoint, in the order in which they were first made. */
  writes(id: string): readonly StoredWrite[] {
    return [...(this.#writes.get(id)?.values() ?? [])];
  }

  /**
   * The value that a channel has at a checkpoint; `undefined` when it was never stored.
   *
   * After a fork two branches count the versions of a channel on their own, so that one version stands for two values:
   * then the nearest ancestor's counts, and what another branch stored does not.
   */
  value(id: string, channel: string, version: ChannelVersion): StoredValue | undefined {
    const places = this.#places.get(placeKey(channel, version));
    if (places === undefined || places.length === 1) return places?.[0]?.value;
    for (let at: string | null | undefined = id; at != null; at = this.#checkpoints.get(at)?.parent) {
      const place = places.find((each) => each.id === at);
      if (place !== undefined) return place.value;
    }
    return places.at(-1)?.value;
  }

  /** Takes a checkpoint in; one with the same id is replaced. */
  put(record: CheckpointRecord): void {
    this.#checkpoints.set(record.id, record);
    if (this.#latestId === undefined || record.id > this.#latestId) this.#latestId = record.id;
    for (const channel of record.deltas ?? []) this.#deltas.add(channel);
    for (const [channel, version, value] of record.changed) {
      const key = placeKey(channel, version);
      const others = (this.#places.get(key) ?? []).filter((each) => each.id !== record.id);
      this.#places.set(key, [...others, { id: record.id, value }]);
    }
  }

  /** Takes writes in. */
  putWrites({ id, task, writes }: WritesRecord): void {
    let kept = this.#writes.get(id);
    if (kept === undefined) this.#writes.set(id, (kept = new Map()));
    for (const [index, channel, value] of writes) {
      const key = `${index} ${task}`;
      if (index < 0 || !kept.has(key)) kept.set(key, { task, index, channel, value });
    }
  }
}

/** A thread: its namespaces by name. */
export class ThreadState {
  readonly #namespaces = new Map<string, NamespaceState>();

  /** A namespace; an empty one when nothing is in it. */
  namespace(name: string): NamespaceState {
    return this.#namespaces.get(name) ?? new NamespaceState();
  }

  /** Names, in the order in which they appeared. */
  names(): string[] {
    return [...this.#namespaces.keys()];
  }

  /** Takes a record in. */
  apply(record: ThreadRecord): void {
    if (record.kind === "thread") return;
    let namespace = this.#namespaces.get(record.ns);
    if (namespace === undefined) this.#namespaces.set(record.ns, (namespace = new NamespaceState()));
    if (record.kind === "checkpoint") namespace.put(record);
    else namespace.putWrites(record);
  }
}

function placeKey(channel: string, version: ChannelVersion): string {
  // The number 1 and the text "1" are different versions.
  return `${typeof version === "number" ? "n" : "s"}${version} ${channel}`;
}
