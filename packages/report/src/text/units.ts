/** Numbers for people: durations, sizes and counts. */

/** `480 ms`, `3.2 s`, `2 m 05 s`, `1 h 02 m`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${pad(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
}

/** `12 bytes`, `3.4 kB`, `1.2 MB`: powers of 1000, as disks are sold. */
export function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  for (const [unit, divisor] of UNITS) if (bytes < divisor * 1000) return `${(bytes / divisor).toFixed(1)} ${unit}`;
  return `${(bytes / 1e12).toFixed(1)} TB`;
}

const UNITS = [
  ["kB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
] as const;

/** `1 task`, `3 tasks`. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
