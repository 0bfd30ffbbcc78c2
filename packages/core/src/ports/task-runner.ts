/** Port: runs tasks by reference. How `changes` verifies and how workflow nodes build, without knowing the workspace. */
import type { RunCounts, RunObserver, RunStatus } from "../event.ts";
import type { RunId } from "../ids.ts";
import type { Problem } from "../problem.ts";
import type { Result } from "../result.ts";

/** What became of a run of tasks. */
export interface TaskRunOutcome {
  readonly run: RunId;
  readonly status: RunStatus;
  readonly counts: RunCounts;
}

/** Runs tasks of a workspace. */
export interface TaskRunner {
  /**
   * @param tasks references such as `build` or `package#test`.
   * @param options the work tree's root, a signal that cancels, and who follows.
   */
  run(
    tasks: readonly string[],
    options: { readonly workspaceRoot: string; readonly signal?: AbortSignal; readonly observer?: RunObserver },
  ): Promise<Result<TaskRunOutcome, readonly Problem[]>>;
}
