/** Turns refusals of the operating system into store problems. Bugs go on as they are. */
import type { Result, StoreProblem } from "@kahn/core";
import { err, FileSystemError, problem } from "@kahn/core";

/** What the operating system refused, as a problem that says what to do. */
export function storeProblem(error: FileSystemError): StoreProblem {
  const facts = [["operation", error.operation] as const, ["path", error.path] as const];
  switch (error.code) {
    case "ENOSPC":
    case "EDQUOT":
      return problem("store-full", `no space left for ${error.path} (${error.code})`, {
        facts,
        next: "Free some space, or lower cache.maxSize and run kahn cache gc.",
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return problem("store-denied", `no permission to ${error.operation} ${error.path} (${error.code})`, {
        facts,
        next: "Give this user the right to write there, or choose another place with cache.dir or KAHN_CACHE_DIR.",
      });
    default:
      return problem("store-io", `could not ${error.operation} ${error.path} (${error.code})`, {
        facts,
        next: "Check the disk; the cache directory may be deleted at the cost of time only.",
      });
  }
}

/** Runs `work`; a refusal of the operating system becomes a problem. */
export async function storeResult<T>(work: () => Promise<T> | T): Promise<Result<T, StoreProblem>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (error instanceof FileSystemError) return err(storeProblem(error));
    if (error instanceof StoreFailure) return err(error.problem);
    throw error;
  }
}

/** Carries a store problem out of nested calls to `storeResult`; nothing else sees it. */
export class StoreFailure extends Error {
  override readonly name = "StoreFailure";
  readonly problem: StoreProblem;
  constructor(problem: StoreProblem) {
    super(problem.message);
    this.problem = problem;
  }
}
