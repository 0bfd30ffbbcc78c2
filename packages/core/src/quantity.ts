/** Sizes and durations as people write them in configuration and options. */

const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Bytes of a size such as `10GB`, `512 MiB` or `1.5gb`; a plain number is bytes. `undefined` when it is none. */
export function parseSizeBytes(written: string | number): number | undefined {
  if (typeof written === "number") return Number.isFinite(written) && written >= 0 ? Math.round(written) : undefined;
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?$/.exec(written.trim().toLowerCase());
  const unit = match === null ? undefined : BYTES[match[2] ?? "b"];
  return unit === undefined ? undefined : Math.round(Number(match![1]) * unit);
}

/**
 * Milliseconds of a duration such as `500ms`, `30s`, `5m`, `1h30m`, `14d` or `2w`; a plain number is milliseconds.
 * `undefined` when it is none.
 */
export function parseDurationMs(written: string | number): number | undefined {
  if (typeof written === "number") return Number.isFinite(written) && written >= 0 ? Math.round(written) : undefined;
  const text = written.trim();
  if (!/^(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)/g)) {
    totalMs += Number(amount) * UNIT_MS[unit!]!;
  }
  return Math.round(totalMs);
}
