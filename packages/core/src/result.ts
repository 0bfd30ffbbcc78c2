/**
 * Expected failures as values.
 *
 * Owns:  `Result` and the two errors that are thrown on purpose.
 * Never: wraps a bug; a broken invariant throws `InvariantError` and nothing but `main` catches it.
 */

/** Either a value, or the problem that prevented it. */
export type Result<T, P> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: P };

/** A success. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

/** An expected failure. */
export function err<P>(problem: P): { readonly ok: false; readonly problem: P } {
  return { ok: false, problem };
}

/** A bug in this program, never a user's mistake. Nothing catches it but `main`. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Marks a branch that the types rule out; a new union arm does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new InvariantError(`unhandled case: ${JSON.stringify(value)}`);
}

/** Throws `InvariantError` unless the condition holds. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
