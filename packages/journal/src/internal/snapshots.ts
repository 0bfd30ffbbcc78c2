/**
 * Snapshot files `<seq>.snapshot`: a state that stands for all records up to `seq`.
 *
 * Owns:      their bytes, and which of them may be believed.
 * Invariant: a snapshot only saves time. One that is torn, of another format, or of a history that the log no longer
 *            holds (power was lost after the snapshot reached the device and before the records did) is passed over:
 *            it names the last frame it stands on by place and CRC, and is believed only if that frame is there.
 *
 *   0   8  "KAHNSNP\n"
 *   8   4  format version
 *  12   4  CRC-32 of everything after this field
 *  16   8  seq: a loss of power can leave an older snapshot's bytes under this one's name
 *  24  16  segment (4), offset (8) and CRC (4) of the last frame
 *  40   …  the state as JSON text
 */
import type { FileSystem, Json } from "@kahn/core";
import { crc32 } from "./crc32.ts";
import { FORMAT, FORMAT_OLDEST, view } from "./frame.ts";
import type { LogMark } from "./recovery.ts";
import { segmentPath } from "./segment.ts";

/** A state and the last record in it. */
export interface Snapshot {
  readonly seq: number;
  readonly state: Json;
}

const MAGIC = Buffer.from("KAHNSNP\n", "latin1");
const HEADER_BYTES = 40;
/** The newest may be torn by a loss of power, so the one before it is kept. */
const KEPT = 2;

/** Writes a snapshot and drops the oldest. Throws `FileSystemError`. */
export function writeSnapshotFile(fs: FileSystem, folder: string, snapshot: Snapshot & { mark: LogMark }): void {
  const text = Buffer.from(JSON.stringify(snapshot.state));
  const bytes = Buffer.alloc(HEADER_BYTES + text.length);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeBigUInt64LE(BigInt(snapshot.seq), 16);
  bytes.writeUInt32LE(snapshot.mark.segment, 24);
  bytes.writeBigUInt64LE(BigInt(snapshot.mark.offset), 28);
  bytes.writeUInt32LE(snapshot.mark.crc, 36);
  text.copy(bytes, HEADER_BYTES);
  bytes.writeUInt32LE(crc32(bytes.subarray(16)), 12);
  // One name for all: what a crash left there is overwritten by the next snapshot.
  const fresh = `${folder}/snapshot.new`;
  fs.writeFile(fresh, bytes);
  fs.rename(fresh, snapshotPath(folder, snapshot.seq));
  for (const seq of snapshotSeqs(fs, folder).slice(KEPT)) fs.remove(snapshotPath(folder, seq));
}

/** The newest snapshot that stands on the log as it is, up to `lastSeq`. */
export function readSnapshotFile(fs: FileSystem, folder: string, lastSeq: number): Snapshot | undefined {
  for (const seq of snapshotSeqs(fs, folder)) {
    const state = seq <= lastSeq ? readState(fs, folder, seq) : undefined;
    if (state !== undefined) return { seq, state };
  }
  return undefined;
}

/** Removes snapshots of records that the log has lost, before other records take those numbers. */
export function removeSnapshotsAfter(fs: FileSystem, folder: string, lastSeq: number): void {
  for (const seq of snapshotSeqs(fs, folder)) if (seq > lastSeq) fs.remove(snapshotPath(folder, seq));
}

function readState(fs: FileSystem, folder: string, seq: number): Json | undefined {
  const file = fs.readFile(snapshotPath(folder, seq));
  if (file === undefined || file.length < HEADER_BYTES) return undefined;
  const bytes = view(file);
  const format = bytes.readUInt32LE(8);
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC) || format < FORMAT_OLDEST || format > FORMAT) return undefined;
  if (bytes.readUInt32LE(12) !== crc32(bytes.subarray(16))) return undefined;
  if (Number(bytes.readBigUInt64LE(16)) !== seq) return undefined;
  const log = segmentPath(folder, bytes.readUInt32LE(24));
  const mark = fs.readRange(log, Number(bytes.readBigUInt64LE(28)), 4);
  if (mark?.length !== 4 || view(mark).readUInt32LE(0) !== bytes.readUInt32LE(36)) return undefined;
  return JSON.parse(bytes.toString("utf8", HEADER_BYTES)) as Json;
}

function snapshotPath(folder: string, seq: number): string {
  return `${folder}/${seq}.snapshot`;
}

/** Newest first. */
function snapshotSeqs(fs: FileSystem, folder: string): number[] {
  const seqs: number[] = [];
  for (const { name } of fs.readDirectory(folder) ?? []) {
    const match = /^(0|[1-9]\d*)\.snapshot$/.exec(name);
    if (match !== null) seqs.push(Number(match[1]));
  }
  return seqs.sort((a, b) => b - a);
}
