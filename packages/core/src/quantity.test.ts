import { expect, test } from "vitest";
import { parseDurationMs, parseSizeBytes } from "./quantity.ts";

test("sizes are read with decimal and binary units, in any case and with or without a space", () => {
  const written = ["10GB", "10 gb", "1.5MiB", "0", "12", "3kB", "1TiB", 4096];
  expect(written.map(parseSizeBytes)).toStrictEqual([1e10, 1e10, 1_572_864, 0, 12, 3000, 2 ** 40, 4096]);
});

test("durations are read with one or several units", () => {
  const written = ["30d", "1h30m", "500ms", "2w", "1.5s", 250];
  expect(written.map(parseDurationMs)).toStrictEqual([2_592_000_000, 5_400_000, 500, 1_209_600_000, 1500, 250]);
});

test("what is neither a size nor a duration is refused", () => {
  for (const text of ["", "GB", "-1GB", "10 G", "1e3", "ten", "1,5MB", "0x10", "1GBGB", "ib"]) {
    expect(parseSizeBytes(text), text).toBe(undefined);
  }
  for (const text of ["", "5", "-5m", "5 minutes", "m", "1h-5m"]) expect(parseDurationMs(text), text).toBe(undefined);
  for (const number of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect([parseSizeBytes(number), parseDurationMs(number)]).toStrictEqual([undefined, undefined]);
  }
});
