/**
 * Segments of processes that are done: a server that runs for a year would gather one for each of its epochs, and one
 * for each server that was killed.
 *
 * Invariant: a segment goes only when its process is done or dead, its uses were told, and its blobs are on the device.
 *            One of an unclean end stays for the next whole collection, which hashes every blob; so does one of another
 *            machine that has not closed it.
 */
import { FileSystemError } from "@kahn/core";
import type { Segment, SegmentContent } from "../internal/segment.ts";
import { bootKey, hostKey, listSegments, readSegment } from "../internal/segment.ts";
import type { StoreContext } from "../internal/store-context.ts";

/** Tells the uses of all that are over, and removes them. @throws FileSystemError when a flush is refused. */
export async function removeOverSegments(
  context: StoreContext,
  told: (content: SegmentContent) => Promise<void>,
): Promise<void> {
  const { fs, layout } = context;
  const over: Segment[] = [];
  for (const segment of listSegments(fs, layout.uses)) {
    const content = readSegment(fs, `${layout.uses}/${segment.name}`);
    if (!isOver(segment, content, context)) continue;
    await told(content);
    over.push(segment);
  }
  if (over.some(({ state }) => state !== "closed")) await fs.syncAll(layout.root);
  for (const { name } of over) {
    try {
      fs.remove(`${layout.uses}/${name}`);
    } catch (error) {
      // A collection of another process was faster, or nothing can be removed now: later.
      if (!(error instanceof FileSystemError)) throw error;
    }
  }
}

function isOver(segment: Segment, { owner: by }: SegmentContent, { owner, livenessOf }: StoreContext): boolean {
  const { state, host, boot } = segment;
  if (state === "closed") return true;
  if (state === "unclean" || host !== hostKey(owner) || boot !== bootKey(owner)) return false;
  return state === "ended" || (by !== undefined && livenessOf(by) === "dead");
}
