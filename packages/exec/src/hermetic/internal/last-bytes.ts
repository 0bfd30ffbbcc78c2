/** The end of a file that somebody writes to. */
import type { FileSystem } from "@kahn/core";

/** As much of a log as anybody reads. */
export const LOG_MAX_BYTES = 64 << 10;

/** Empty when it is not there. @throws FileSystemError */
export function lastBytes(fs: FileSystem, path: string, maxBytes: number): Uint8Array {
  const sizeBytes = fs.lstat(path)?.sizeBytes ?? 0;
  const from = Math.max(0, sizeBytes - maxBytes);
  return fs.readRange(path, from, sizeBytes - from) ?? new Uint8Array();
}
