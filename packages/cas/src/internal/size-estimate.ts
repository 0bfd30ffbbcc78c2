/** The estimated size of a store: the sum of the lines of one small file, to which each process appends what it wrote. */
import type { FileSystem } from "@kahn/core";
import type { StoreLayout } from "./store-layout.ts";

/** Estimated bytes in the store. Blobs written by two processes at once count twice, until the next collection. */
export function readSizeEstimate(fs: FileSystem, layout: StoreLayout): number {
  const bytes = fs.readFile(layout.size);
  if (bytes === undefined) return 0;
  let total = 0;
  for (const line of Buffer.from(bytes).toString("latin1").split("\n")) total += Number(line) || 0;
  return total;
}
