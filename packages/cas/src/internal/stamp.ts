/**
 * The mark in a stored file's modification time that says: nobody has written to this since the store did.
 *
 * A blob cannot be hashed at every use, so the store sets each blob's mtime to a whole second plus exactly 0.625 s.
 * Any write in place, by whatever means, sets the mtime to the time of that write, whose fraction is something else
 * (on a file system with nanoseconds it falls into the same quarter of a microsecond by chance once in four million).
 * A blob without the mark, or of another size, is hashed before it is used. The ctime cannot serve: every new hard
 * link changes it.
 *
 * Cost:  one `utimensat` per blob stored, about 3 µs; reading the mark is part of the `lstat` that is needed anyway.
 * Limit: a write that puts the old mtime back on purpose is found by `verifyStore` alone. Where the file system keeps
 *        whole seconds the mark is lost and every use hashes: slow, never wrong.
 * Note:  5/8 is exact in binary, so it survives the way through floating-point seconds. The whole seconds are those of
 *        the last known use, which is what garbage collection goes by. They are one second back, so that a stamp is
 *        never in the future: an index of file states distrusts files from the future.
 */
import type { FileStat } from "@kahn/core";

const MARK_MS = 625;

/** The stamp for a use at this time. Grows with it. */
export function stampMs(nowMs: number): number {
  return (Math.floor(nowMs / 1000) - 1) * 1000 + MARK_MS;
}

/** True when nothing has written to the file since it was stamped. */
export function isStamped(stat: Pick<FileStat, "mtimeMs">): boolean {
  return stat.mtimeMs % 1000 === MARK_MS;
}
