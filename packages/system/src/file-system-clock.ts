/**
 * Time as a file system stamps it.
 *
 * A file server's clock may differ from ours and a kernel stamps files with a coarser one, so "was this file changed
 * after we read it?" is only answered rightly by a stamp from the same file system.
 */
import type { FileSystem } from "@kahn/core";

const PROBE = ".clock";

/** Two files changed within this time may carry equal stamps, where the file system keeps fractions of a second. */
const FINE_GRANULARITY_MS = 20;
/** The same where it shows whole seconds (HFS+, ext3) or two (FAT). */
const COARSE_GRANULARITY_MS = 2000;

/**
 * "Now" by the clock of the file system that holds `directory`, in milliseconds with a fraction.
 *
 * Writes a file named `.clock` there; any number of processes may do so at once.
 *
 * @throws FileSystemError when the directory does not exist or cannot be written.
 */
export function fileSystemClockMs(fs: FileSystem, directory: string): number {
  const path = `${directory}/${PROBE}`;
  // One byte, not none: truncating an empty file to nothing need not touch its times.
  fs.writeFile(path, ".");
  const stat = fs.lstat(path);
  // Gone only when somebody empties the directory at this moment: once more, and then let it be refused.
  return stat === undefined ? fileSystemClockMs(fs, directory) : Math.max(stat.mtimeMs, stat.ctimeMs);
}

/**
 * How far apart two changes must be for their stamps to differ for certain: 20 ms, or 2000 ms where the file system
 * that holds `directory` drops the fraction.
 */
export function timestampGranularityMs(fs: FileSystem, directory: string): number {
  const path = `${directory}/${PROBE}`;
  fs.writeFile(path, ".");
  // An odd second and half a second: shown unchanged by neither one-second nor two-second stamps.
  const probeMs = 1_234_567_891_500;
  fs.setTimes(path, probeMs, probeMs);
  const shownMs = fs.lstat(path)?.mtimeMs ?? 0;
  return Math.abs(shownMs - probeMs) < 1 ? FINE_GRANULARITY_MS : COARSE_GRANULARITY_MS;
}
