/** Durations as people write them: `500ms`, `30s`, `5m`, `1h30m`; a plain number is milliseconds. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a written duration, or `undefined` when it is none. Zero and fractions of units are allowed. */
export function parseDurationMs(written: string | number): number | undefined {
  if (typeof written === "number") return Number.isFinite(written) && written >= 0 ? Math.round(written) : undefined;
  const text = written.trim();
  if (!/^(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * UNIT_MS[unit!]!;
  }
  return Math.round(totalMs);
}
