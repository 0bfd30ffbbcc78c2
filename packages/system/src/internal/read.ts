/** Reading from a descriptor until there is enough. */
import { readSync } from "node:fs";
import { errnoOf } from "./refusal.ts";

/**
 * Reads until `into` is full; fewer bytes only at the end of the file.
 *
 * @param position where in the file; left out, the descriptor's own position is used and moved.
 */
export function fill(fd: number, into: Uint8Array, position?: number): number {
  const lengthBytes = into.byteLength;
  let filled = 0;
  while (filled < lengthBytes) {
    const at = position === undefined ? null : position + filled;
    const got = readRetrying(fd, into, { offset: filled, length: lengthBytes - filled, position: at });
    if (got === 0) break;
    filled += got;
  }
  return filled;
}

/** `read`, repeated when a signal interrupts it: libuv repeats every other call but this one. */
function readRetrying(
  fd: number,
  into: Uint8Array,
  range: { readonly offset: number; readonly length: number; readonly position: number | null },
): number {
  for (;;) {
    try {
      return readSync(fd, into, range.offset, range.length, range.position);
    } catch (error) {
      if (errnoOf(error) !== "EINTR") throw error;
    }
  }
}
