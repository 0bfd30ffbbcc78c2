/**
 * Which checkpoints of a thread may go.
 *
 * Invariant: each of the newest checkpoints reads exactly as before, and so does the history of its delta channels.
 */
import type { CheckpointRecord, ThreadRecord } from "./record.ts";
import type { NamespaceState, ThreadState } from "./state.ts";

/** What is left of a thread. */
export interface Survivors {
  readonly records: readonly ThreadRecord[];
  /** Checkpoints removed and kept. */
  readonly removed: number;
  readonly kept: number;
}

/** Before this format a checkpoint's pending sends are with its parent. */
const SENDS_WITH_PARENT_BELOW = 4;

/** The records of a thread of which each namespace keeps its newest checkpoints, and those that they stand on. */
export function survivorsOf(state: ThreadState, keepLast: number): Survivors {
  const records: ThreadRecord[] = [];
  let removed = 0;
  let kept = 0;
  for (const ns of state.names()) {
    const namespace = state.namespace(ns);
    const ids = keptIds(namespace, keepLast);
    removed += namespace.size - ids.size;
    kept += ids.size;
    for (const id of [...ids].sort()) records.push(...recordsOf(namespace, { ns, id, ids }));
  }
  return { records, removed, kept };
}

function keptIds(namespace: NamespaceState, keepLast: number): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const id of namespace.ids().slice(0, keepLast)) {
    ids.add(id);
    let record = namespace.checkpoint(id)!;
    if (record.format < SENDS_WITH_PARENT_BELOW && record.parent !== null) ids.add(record.parent);
    // Their value is made up from what was written on the way from an ancestor that has one.
    let wanted = deltasWithoutValue(namespace, record);
    for (let parent = parentOf(namespace, record); parent && wanted.length > 0; parent = parentOf(namespace, record)) {
      record = parent;
      ids.add(record.id);
      const versions = new Map(record.versions);
      // Also one that it does not have yet: what was written on it is where the value begins.
      wanted = wanted.filter((channel) => {
        const version = versions.get(channel);
        return version === undefined || namespace.value(parent.id, channel, version) === undefined;
      });
    }
  }
  // The parent that is named need not be there.
  return new Set([...ids].filter((id) => namespace.checkpoint(id) !== undefined));
}

function deltasWithoutValue(namespace: NamespaceState, record: CheckpointRecord): string[] {
  return record.versions
    .filter(([channel, version]) => namespace.deltas.has(channel) && !namespace.value(record.id, channel, version))
    .map(([channel]) => channel);
}

function parentOf(namespace: NamespaceState, record: CheckpointRecord): CheckpointRecord | undefined {
  return record.parent === null ? undefined : namespace.checkpoint(record.parent);
}

interface Kept {
  readonly ns: string;
  readonly id: string;
  /** All that are kept. */
  readonly ids: ReadonlySet<string>;
}

function* recordsOf(namespace: NamespaceState, { ns, id, ids }: Kept): Generator<ThreadRecord, void> {
  const record = namespace.checkpoint(id)!;
  const parent = record.parent !== null && ids.has(record.parent) ? namespace.checkpoint(record.parent) : undefined;
  const known = new Set(record.changed.map(([channel]) => channel));
  for (const [channel, version] of parent?.versions ?? []) {
    if (record.versions.some(([name, own]) => name === channel && own === version)) known.add(channel);
  }
  // What it has from ancestors that go becomes its own.
  const inherited = record.versions.flatMap(([channel, version]) => {
    const value = known.has(channel) ? undefined : namespace.value(id, channel, version);
    return value === undefined ? [] : [[channel, version, value] as const];
  });
  yield { ...record, changed: [...record.changed, ...inherited] };
  for (const { task, index, channel, value } of namespace.writes(id)) {
    yield { kind: "writes", ns, id, task, writes: [[index, channel, value]] };
  }
}
