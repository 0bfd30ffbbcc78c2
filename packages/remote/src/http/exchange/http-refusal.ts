/**
 * Refusals: why a request is not answered with what it asked for. Protocols say each in their own way.
 *
 * Invariant: thrown by the parts of a handler and caught in one place, which answers; a bug is no refusal.
 */
import type { Result } from "@kahn/core";
import type { ServerStoreProblem } from "../../store/server-store.ts";

/** Kinds of refusal, each with the status that HTTP has for it. */
export const REFUSAL_STATUS = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  missing: 404,
  "method-unknown": 405,
  slow: 408,
  exists: 409,
  "too-large": 413,
  "encoding-unknown": 415,
  "range-impossible": 416,
  trouble: 500,
  unavailable: 503,
  full: 507,
} as const;

/** One kind. */
export type RefusalKind = keyof typeof REFUSAL_STATUS;

/** A refusal on its way to whoever answers. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly kind: RefusalKind;
  readonly headers: Readonly<Record<string, string>>;

  /** @param message one sentence for the person who reads the client's log. */
  constructor(kind: RefusalKind, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.kind = kind;
    this.headers = headers;
  }
}

/**
 * Nothing is there. The one refusal that is common, so it is made once: a stack costs more than the look-up before it.
 * Who asked knows what for.
 */
export const MISSING = new HttpRefusal("missing", "nothing is stored under this name");

/** The client went away: nobody is left to be answered. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/** The value, or the store's problem as a refusal. @throws HttpRefusal */
export function stored<T>(result: Result<T, ServerStoreProblem>): T {
  if (result.ok) return result.value;
  throw new HttpRefusal(kindOf(result.problem), result.problem.message);
}

function kindOf(problem: ServerStoreProblem): RefusalKind {
  switch (problem.code) {
    case "blob-mismatch":
      return "malformed";
    case "blob-too-large":
      return "too-large";
    case "store-limit":
    case "store-full":
      return "full";
    case "store-remote":
    case "store-refused":
      return "unavailable";
    case "store-denied":
    case "store-io":
    case "store-format-newer":
      return "trouble";
  }
}
