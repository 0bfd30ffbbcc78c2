/**
 * A check: one obligation of a REAPI server, and how to find out whether it is met.
 *
 * Invariant: a check says in its outcome what was asked, what was to come back and what came back.
 */
import type { CheckedServer } from "./checked-server.ts";
import type { Features } from "./features.ts";

/** How binding an obligation is. Only a failed `must` makes a server fail. */
export type Level = "must" | "should" | "optional";

/** One named check. */
export interface Check {
  /** `area/what`, stable: people write it after `--only`. */
  readonly name: string;
  /** Of the list of obligations, such as `2.4`. */
  readonly section: string;
  readonly level: Level;
  /** A sentence that is true of a server that passes. */
  readonly obligation: string;
  /** Why it does not apply to a server; `undefined` where it does. */
  readonly unless: (features: Features) => string | undefined;
  /** @throws CheckFailed, CheckSkipped */
  readonly run: (server: CheckedServer) => Promise<void>;
}

type Applies = Check["unless"];

/** Makes the checks of one section; `always` holds for all of them. */
export function section(number: string, checks: readonly Omit<Check, "section">[], always: Applies = applies): Check[] {
  return checks.map((check) => ({
    ...check,
    section: number,
    unless: (features) => always(features) ?? check.unless(features),
  }));
}

const applies: Applies = () => undefined;

type Made = Omit<Check, "section">;

const levelled =
  (level: Level) =>
  (name: string, obligation: string, run: Check["run"]): Made => ({ name, level, obligation, run, unless: applies });

/** The check, where there is no reason against it. */
export function given(unless: Applies, check: Made): Made {
  return { ...check, unless };
}

/** A check whose failure is a violation of the protocol. */
export const must = levelled("must");
/** A check of what clients may expect. */
export const should = levelled("should");
/** A check of what is good to have. */
export const optional = levelled("optional");
