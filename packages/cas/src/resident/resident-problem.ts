/** Turns refusals of the operating system, and of the limit, into problems of a resident store. */
import type { Problem, Result, StoreProblem } from "@kahn/core";
import { err, FileSystemError, ok, problem } from "@kahn/core";
import { StoreFailure, storeProblem } from "../internal/store-problem.ts";

/** Trouble of a store that has a hard limit. */
export type ResidentProblem =
  | StoreProblem
  /** The limit is reached, and nothing that is left may be collected. */
  | Problem<"store-limit">;

/** Carries a refusal for the limit out of nested calls to `residentResult`. */
export class LimitFailure extends Error {
  override readonly name = "LimitFailure";
  readonly problem: Problem<"store-limit">;

  constructor(sizeBytes: number, maxSizeBytes: number) {
    const message = `no room for ${sizeBytes} bytes in a store of ${maxSizeBytes}, and nothing in it may be collected now`;
    super(message);
    this.problem = problem("store-limit", message, {
      next: "Try again when running actions have ended, or give the store a higher limit.",
    });
  }
}

/** What a caught error says, if it is an expected one. @throws the error itself when it is a bug. */
export function residentProblem(error: unknown): ResidentProblem {
  if (error instanceof FileSystemError) return storeProblem(error);
  if (error instanceof StoreFailure || error instanceof LimitFailure) return error.problem;
  throw error;
}

/** Runs `work`; what it expects to go wrong becomes a problem. */
export async function residentResult<T>(work: () => Promise<T> | T): Promise<Result<T, ResidentProblem>> {
  try {
    return ok(await work());
  } catch (error) {
    return err(residentProblem(error));
  }
}
