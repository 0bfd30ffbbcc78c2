/** Success or a reason why not, as a value: what can be expected to go wrong is not thrown. */

/** Either a value, or why there is none. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

/** A success. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** A failure, with a reason for people. */
export function no(why: string): Result<never> {
  return { ok: false, why };
}

/** All values in order, or the first reason. */
export function all<T>(results: readonly Result<T>[]): Result<readonly T[]> {
  const values: T[] = [];
  for (const result of results) {
    if (!result.ok) return result;
    values.push(result.value);
  }
  return ok(values);
}
