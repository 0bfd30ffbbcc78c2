/**
 * Runs tasks from a program: the `TaskRunner` of this machine.
 *
 * Never: writes to the terminal; whoever wants to show something gives an observer.
 */
import { err, ok, type Problem, ProblemError, type Result, type TaskRunner, type TaskRunOutcome } from "@kahn/core";
import { libraryHost, type SessionHost } from "./cli/host.ts";
import { performRun } from "./session/run/perform.ts";
import { planRequest } from "./session/run/plan.ts";
import type { RunRequest } from "./session/run/request.ts";
import { openSession } from "./session/workspace-session.ts";

/** Makes a runner. Each run opens the workspace anew, waits for its lock, and leaves nothing running. */
export function taskRunner(): TaskRunner {
  return {
    async run(tasks, options) {
      const host = libraryHost(options.workspaceRoot);
      try {
        return await runTasks(host, tasks, options);
      } catch (cause) {
        if (cause instanceof ProblemError) return err(cause.problems);
        throw cause;
      }
    },
  };
}

async function runTasks(
  host: SessionHost,
  tasks: readonly string[],
  { observer, signal }: Parameters<TaskRunner["run"]>[1],
): Promise<Result<TaskRunOutcome, readonly Problem[]>> {
  const session = await openSession(host);
  if (!session.ok) return session;
  const planned = await planRequest(session.value, { tasks, projects: [], affected: undefined, passedArguments: [] });
  if (!planned.ok) return planned;
  const request: RunRequest = {
    argv: ["run", ...tasks],
    concurrency: undefined,
    failFast: false,
    force: false,
    live: false,
    replay: { executed: observer !== undefined, failed: observer !== undefined, cached: observer !== undefined },
    observers: observer === undefined ? [] : [observer],
    waiting: {
      signal: signal ?? new AbortController().signal,
      onWait: (text) => observer?.waiting?.(text),
    },
    onCancel(cancel) {
      const abort = () => cancel("term", "the caller");
      if (signal?.aborted === true) abort();
      signal?.addEventListener("abort", abort, { once: true });
      return () => signal?.removeEventListener("abort", abort);
    },
  };
  const outcome = await performRun(session.value, planned.value, request);
  return outcome.ok ? ok(outcome.value) : outcome;
}
