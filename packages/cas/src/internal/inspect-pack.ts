/** A look at every byte of a pack, for whoever rewrites it or wants to know whether it is sound. */
import type { Pack } from "./pack.ts";
import type { PackRecord } from "./pack-format.ts";
import { digestOfRecord, drained, scanPackInParts } from "./pack-format.ts";
import type { PackSet } from "./pack-set.ts";

/** What a look found. */
export interface PackInspection {
  readonly corrupt: readonly PackRecord[];
  /** No record of the pack is damaged. */
  readonly isWhole: boolean;
}

/**
 * Hashes a whole pack, and hands out every blob of it that is known and sound, its bytes for the time of the call. One
 * whose head is damaged is known by the index alone.
 *
 * @returns `undefined` when the pack is gone.
 */
export function inspectPack(
  set: PackSet,
  pack: Pack,
  onSound: (record: PackRecord, bytes: Uint8Array) => void,
): PackInspection | undefined {
  return drained(inspectPackInParts(set, pack, onSound));
}

/** The same, which can be left and gone on with after each piece. */
export function* inspectPackInParts(
  set: PackSet,
  pack: Pack,
  onSound: (record: PackRecord, bytes: Uint8Array) => void,
): Generator<void, PackInspection | undefined> {
  const { engine } = set.ports;
  const open = new Map<number, PackRecord>();
  for (const record of pack.records()) open.set(record.offset, record);
  const scan = yield* scanPackInParts({
    ...set.ports,
    path: pack.path,
    fromBytes: 0,
    onSound: ({ offset }, bytes) => {
      const record = open.get(offset);
      open.delete(offset);
      if (record !== undefined) onSound(record, bytes);
    },
  });
  if (scan === undefined) return undefined;
  const corrupt: PackRecord[] = [];
  for (const record of open.values()) {
    const bytes = set.rawBytes(pack, record);
    if (engine.digest(bytes) === digestOfRecord(engine.fn, record)) onSound(record, bytes);
    else corrupt.push(record);
  }
  const isWhole = open.size === 0 && scan.corrupt.length === 0;
  // Heads that nobody knew of say what was there.
  corrupt.push(...scan.corrupt.filter(({ offset, hash }) => !open.has(offset) && pack.find(hash) === undefined));
  return { corrupt, isWhole };
}
