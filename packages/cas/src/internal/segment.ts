/**
 * Use segments: what each process has used, and which epochs are closed.
 *
 * A segment is one file of `use/`, written by one process. Its name tells all that opening a store has to know:
 *
 *   <startMs>-<host>-<boot>-<random>.<state>
 *
 *   open      its process may live, and wrote blobs that no sync has covered
 *   ended     its process is done with it, no sync has covered its blobs
 *   closed    all its blobs are on the device, or it wrote none
 *   unclean-<foundMs>   the machine went down before a sync: blobs of its time are hashed before they are used
 *
 * Its content is a line of JSON with the owner, then lines `t <ms>` (a time) and `a <action digest>` (an action-cache
 * record used at the time above) and `b <digest>` (a packed blob used on its own). Other blobs need no lines: a record's
 * use counts for all it names, and a file used on its own gets a new stamp at once.
 *
 * Invariant: a torn or garbled line is passed over; uses are advice, losing one costs a re-run at most.
 */
import type { Digest, FileSystem } from "@kahn/core";
import { digestOf, parseDigest } from "@kahn/core";
import type { ProcessOwner } from "../process-owner.ts";
import { parseOwner } from "../process-owner.ts";

/** How far a segment has come. */
export type SegmentState = "open" | "ended" | "closed" | "unclean";

/** A segment as its name tells it. */
export interface Segment {
  readonly name: string;
  readonly startMs: number;
  /** Short digests of host and boot id: names must not hold what a host may be called. */
  readonly host: string;
  readonly boot: string;
  readonly state: SegmentState;
  /** Of an unclean one: when it was found. */
  readonly foundMs: number | undefined;
}

const NAME = /^(\d+)-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]+)\.(open|ended|closed|unclean-(\d+))$/;

/** Reads a segment's name; `undefined` for a file that is none. */
export function parseSegmentName(name: string): Segment | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const found = match[6];
  return {
    name,
    startMs: Number(match[1]),
    host: match[2]!,
    boot: match[3]!,
    state: found === undefined ? (match[5] as SegmentState) : "unclean",
    foundMs: found === undefined ? undefined : Number(found),
  };
}

/** The name that a segment has in another state. */
export function segmentNameAs(name: string, state: Exclude<SegmentState, "unclean"> | `unclean-${number}`): string {
  return `${name.slice(0, name.indexOf("."))}.${state}`;
}

/** How a host is called in names of segments. */
export function hostKey(owner: ProcessOwner): string {
  return shortDigest(owner.host);
}

/** How a boot is called in names of segments; containers of one boot share it. */
export function bootKey(owner: ProcessOwner): string {
  return shortDigest(owner.bootId.split("/")[0]!);
}

function shortDigest(text: string): string {
  return digestOf(text).slice("sha256:".length, "sha256:".length + 8);
}

/** The segments of a directory, oldest first. */
export function listSegments(fs: FileSystem, directory: string): Segment[] {
  return (fs.readDirectory(directory) ?? [])
    .map((entry) => parseSegmentName(entry.name))
    .filter((segment) => segment !== undefined)
    .sort((a, b) => a.startMs - b.startMs);
}

/** What a segment holds. */
export interface SegmentContent {
  readonly owner: ProcessOwner | undefined;
  /** Records used, with the time of their last use in this segment. */
  readonly uses: ReadonlyMap<Digest, number>;
  /** Packed blobs used on their own, likewise. */
  readonly blobUses: ReadonlyMap<Digest, number>;
}

/** Reads a segment; empty when it is gone. */
export function readSegment(fs: FileSystem, path: string): SegmentContent {
  const bytes = fs.readFile(path);
  const uses = new Map<Digest, number>();
  const blobUses = new Map<Digest, number>();
  if (bytes === undefined) return { owner: undefined, uses, blobUses };
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  let timeMs = 0;
  for (const line of lines) {
    if (line.startsWith("t ")) timeMs = Number(line.slice(2)) || timeMs;
    const times = line.startsWith("a ") ? uses : line.startsWith("b ") ? blobUses : undefined;
    const digest = times && parseDigest(line.slice(2));
    if (digest?.ok === true) times?.set(digest.value, Math.max(timeMs, times.get(digest.value) ?? 0));
  }
  return { owner: parseOwner(lines[0]!), uses, blobUses };
}
