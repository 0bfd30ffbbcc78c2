/** The border between code that throws what storage refuses, and code that answers with it. */
import type { Problem, Result } from "@kahn/core";
import { err, ProblemError } from "@kahn/core";

/** The result of the work, or the problem that it threw: a value that is gone, a segment that is damaged, no space. */
export function asResult<T>(work: () => Result<T, Problem>): Result<T, Problem> {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProblemError && error.problems[0] !== undefined) return err(error.problems[0]);
    throw error;
  }
}
