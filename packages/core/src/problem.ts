/**
 * Problems: what can go wrong that is not a bug in Kahn, as one serialisable shape.
 *
 * Owns:      the shape, and the one way to carry a problem through a `throw`.
 * Never:     prints; `report` renders problems, with the source line when `where` is known.
 * Invariant: a code is kebab-case, is stable across versions and has a section in docs/errors.md (tidy checks).
 */

/** A place in a file a person wrote. Lines and columns count from 1. */
export interface SourcePlace {
  /** Path as it should be shown: relative to the workspace where possible. */
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  /** The text of that line, without its newline. */
  readonly text?: string;
  /** How many characters from `column` on are meant. */
  readonly length?: number;
}

/** One problem: what, where, why and what to do next. JSON-serialisable. */
export interface Problem<Code extends string = string> {
  readonly code: Code;
  readonly severity: "error" | "warning";
  /** One sentence that names the thing. No trailing newline. */
  readonly message: string;
  readonly where?: SourcePlace;
  /** Aligned facts below the message, for example `["expected", "array of strings"]`. */
  readonly facts?: readonly (readonly [name: string, value: string])[];
  /** What the reader can do about it: one imperative sentence. */
  readonly next?: string;
  /** The problem beneath this one. */
  readonly cause?: Problem;
}

/** Everything about a problem but its code, severity and message. */
export type ProblemDetail = Pick<Problem, "where" | "facts" | "next" | "cause">;

/** An error: what was asked for cannot be done. */
export function problem<Code extends string>(code: Code, message: string, detail: ProblemDetail = {}): Problem<Code> {
  return { code, severity: "error", message, ...detail };
}

/** A warning: it was done, but not as one would expect. */
export function warning<Code extends string>(code: Code, message: string, detail: ProblemDetail = {}): Problem<Code> {
  return { code, severity: "warning", message, ...detail };
}

/**
 * Carries problems through code that cannot return a `Result` (callbacks, constructors, ports of the operating
 * system). Caught where a `Result` can be returned again; never matched by its message.
 */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problems: readonly Problem[];
  constructor(problems: Problem | readonly Problem[], options?: ErrorOptions) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map((each) => `${each.code}: ${each.message}`).join("; "), options);
    this.problems = list;
  }
}
