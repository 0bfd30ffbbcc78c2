/**
 * Deadlines on the wire: `grpc-timeout`.
 *
 * Source: "PROTOCOL-HTTP2": at most eight digits and one of H M S m u n.
 */

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Longer than any call lives (24.8 days), and more than timers can hold: as good as no deadline. */
export const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** What a `grpc-timeout` header asks for. */
export type ParsedTimeout =
  | { readonly kind: "none" }
  | { readonly kind: "within"; readonly timeoutMs: number }
  | { readonly kind: "malformed" };

const NONE: ParsedTimeout = { kind: "none" };

/** Reads a `grpc-timeout`; a fraction of a millisecond counts as a whole one, unless it is zero. */
export function parseTimeout(header: string | undefined): ParsedTimeout {
  if (header === undefined) return NONE;
  const match = /^(\d{1,8})([HMSmun])$/.exec(header);
  if (match === null) return { kind: "malformed" };
  const timeoutMs = Math.ceil(Number(match[1]) * UNIT_MS[match[2]!]!);
  return timeoutMs > TIMEOUT_MAX_MS ? NONE : { kind: "within", timeoutMs };
}

/** The header for a timeout in milliseconds, rounded up where eight digits do not suffice. */
export function formatTimeout(timeoutMs: number): string {
  const wholeMs = Math.max(0, Math.ceil(timeoutMs));
  if (wholeMs < 1e8) return `${wholeMs}m`;
  const seconds = Math.ceil(wholeMs / 1000);
  return seconds < 1e8 ? `${seconds}S` : `${Math.min(99_999_999, Math.ceil(seconds / 3600))}H`;
}
