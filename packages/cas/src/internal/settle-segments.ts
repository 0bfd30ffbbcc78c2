/**
 * Reads every segment, brings its uses into the stamps, and tells which segments are done with.
 *
 * Invariant: a segment is called settled only when its process is dead or done, its uses are in the stamps, and its
 *            blobs are on the device or have been hashed since: then nothing is lost with it.
 */
import { digestFunction } from "@kahn/core";
import { loadEngine } from "../hasher.ts";
import type { Segment } from "./segment.ts";
import { bootKey, hostKey, listSegments, readSegment } from "./segment.ts";
import type { StoreContext } from "./store-context.ts";
import { UseTimes } from "./use-times.ts";

/** A process of which nothing can be known counts as alive for this long. */
const UNKNOWN_LIVES_MS = 24 * 60 * 60 * 1000;

const FOREIGN_KEPT_MS = 30 * UNKNOWN_LIVES_MS;

/** What the segments say. */
export interface SettledSegments {
  /** When the oldest live process began to use the store; `undefined` when none lives. */
  readonly oldestLiveMs: number | undefined;
  /** Names of segments that may be removed once the collection is through. */
  readonly settled: readonly string[];
}

/** A segment of another machine that ended without a sync tells that machine, at its next start, what to doubt. */
function isOver({ state, host, startMs }: Segment, { owner, clock }: StoreContext): boolean {
  return state === "closed" || host === hostKey(owner) || clock.nowMs() - startMs > FOREIGN_KEPT_MS;
}

/** Settles all segments of a store. Doubtful blobs are hashed by the walk that follows, because it looks at all. */
export async function settleSegments(context: StoreContext): Promise<SettledSegments> {
  const { fs, layout, clock, livenessOf, owner } = context;
  const times = new UseTimes(context);
  const settled: Segment[] = [];
  let oldestLiveMs: number | undefined;
  for (const segment of listSegments(fs, layout.uses)) {
    const content = readSegment(fs, `${layout.uses}/${segment.name}`);
    for (const [action, timeMs] of content.uses) await times.settle(action, timeMs);
    for (const [blob, timeMs] of content.blobUses) {
      times.settleBlob(blob, await loadEngine(digestFunction(blob)), timeMs);
    }
    const liveness = content.owner === undefined ? "unknown" : livenessOf(content.owner);
    const mayLive =
      liveness === "alive" || (liveness === "unknown" && clock.nowMs() - segment.startMs < UNKNOWN_LIVES_MS);
    if (segment.state === "open" && mayLive) oldestLiveMs = Math.min(oldestLiveMs ?? segment.startMs, segment.startMs);
    else if (isOver(segment, context)) settled.push(segment);
  }
  times.finish();
  const unsynced = settled.some(
    ({ state, host, boot }) =>
      (state === "open" || state === "ended") && host === hostKey(owner) && boot === bootKey(owner),
  );
  if (unsynced) await fs.syncAll(layout.root);
  return { oldestLiveMs, settled: settled.map(({ name }) => name) };
}
