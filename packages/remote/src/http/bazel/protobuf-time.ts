/** Timestamps and durations of protobuf as JSON has them. Source: ProtoJSON; RFC 3339. */

/** `Timestamp` and `Duration` alike. */
export interface SecondsAndNanos {
  readonly seconds: number;
  readonly nanos: number;
}

/** From year 1 to 9999. */
const SECONDS_MIN = -62_135_596_800;
const SECONDS_MAX = 253_402_300_799;
const DURATION_MAX = 315_576_000_000;

/** `2024-01-31T12:00:00.500Z`; `undefined` for a time that has no such text. */
export function timestampText({ seconds, nanos }: SecondsAndNanos): string | undefined {
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX || nanos < 0 || nanos > 999_999_999) return undefined;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction(nanos)}Z`;
}

/** What a text means; `undefined` when it is none. Any offset is taken. */
export function timestampValue(text: unknown): SecondsAndNanos | undefined {
  if (typeof text !== "string") return undefined;
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i.exec(text);
  if (match === null) return undefined;
  const timeMs = Date.parse(`${match[1]}${match[3]!.toUpperCase()}`);
  if (Number.isNaN(timeMs)) return undefined;
  return { seconds: timeMs / 1000, nanos: Number((match[2] ?? "").padEnd(9, "0")) };
}

/** `1.500s`; `undefined` for a duration that has no such text. */
export function durationText({ seconds, nanos }: SecondsAndNanos): string | undefined {
  if (Math.abs(seconds) > DURATION_MAX || Math.abs(nanos) > 999_999_999) return undefined;
  if (seconds * nanos < 0) return undefined;
  return `${seconds < 0 || nanos < 0 ? "-" : ""}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`;
}

/** What a text means; `undefined` when it is none. */
export function durationValue(text: unknown): SecondsAndNanos | undefined {
  if (typeof text !== "string") return undefined;
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text);
  if (match === null || Number(match[2]) > DURATION_MAX) return undefined;
  const sign = match[1] === "-" ? -1 : 1;
  // Adding 0 makes 0 of -0, which the wire would not tell from 0 but a comparison does.
  return { seconds: sign * Number(match[2]) + 0, nanos: sign * Number((match[3] ?? "").padEnd(9, "0")) + 0 };
}

/** Three, six or nine digits, or nothing. */
function fraction(nanos: number): string {
  if (nanos === 0) return "";
  const digits = String(nanos).padStart(9, "0");
  return `.${digits.endsWith("000000") ? digits.slice(0, 3) : digits.endsWith("000") ? digits.slice(0, 6) : digits}`;
}
