/** The lock of a run: the port, and what its owner is told when it has lost it. */
import type { Problem, Result } from "@kahn/core";
import { problem } from "@kahn/core";

/** Keeps two processes from executing one run. */
export interface RunLocks {
  /** `lock-held` when another process executes the run. */
  acquire(run: string): Promise<Result<RunLock, Problem>>;
}

/** A run that this process executes, and no other. */
export interface RunLock {
  /** Names this process to others, such as `process 12 on host`. */
  readonly owner?: string;
  /** Lets go. May be repeated. */
  release(): void;
  /** Of a lock that can be lost while its owner lives: whether it is still ours. Asked before each append. */
  isHeld?(): boolean;
  /** Has `lost` called when it has been lost, once. */
  onLost?(lost: (problem: Problem) => void): void;
}

/** Somebody else executes a run that was executed here. */
export function takenOver(run: string, by?: string, epoch?: number): Problem {
  const who = by ?? "another process";
  return problem("flow-run-taken", `the run "${run}" is executed by ${who} now, and no longer here`, {
    facts: epoch === undefined ? [] : [["epoch", String(epoch)]],
    next: "Follow it there. What this process did last is not in the journal, and nothing has to be mended.",
  });
}
