/** The contract of `TaskRunner`. */
import assert from "node:assert/strict";
import type { RunCounts, TaskRunner, TaskRunOutcome } from "@kahn/core";
import { parseRunId } from "@kahn/core";
import { recorder } from "../recorder.ts";
import { checkRunEvents } from "../run-events-check.ts";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** A task runner under test. */
export interface TaskRunnerSubject extends ContractSubject {
  readonly runner: TaskRunner;
  readonly workspaceRoot: string;
  /** Tasks that exist, or do not. */
  readonly tasks: {
    readonly succeeding: string;
    readonly failing: string;
    /** Runs until it is ended. */
    readonly hanging: string;
    readonly unknown: string;
  };
}

async function outcomeOf(subject: TaskRunnerSubject, tasks: readonly string[]): Promise<TaskRunOutcome> {
  const result = await subject.runner.run(tasks, { workspaceRoot: subject.workspaceRoot });
  assert.ok(result.ok, result.ok ? "" : result.problem.map(({ message }) => message).join("; "));
  return result.value;
}

const total = (counts: RunCounts) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** The cases for a task runner. */
export function taskRunnerContract(make: MakeSubject<TaskRunnerSubject>): readonly ContractCase[] {
  return contractCases<TaskRunnerSubject>(make, {
    "tasks that succeed make a run that succeeded": async (subject) => {
      const { run, status, counts } = await outcomeOf(subject, [subject.tasks.succeeding]);
      assert.equal(status, "succeeded");
      assert.notEqual(parseRunId(run), undefined);
      assert.ok(total(counts) >= 1);
      assert.equal(counts.failed + counts.errored + counts.skipped + counts.cancelled, 0);
    },
    "a task that fails makes a run that failed, which is no problem of the runner": async (subject) => {
      const { status, counts } = await outcomeOf(subject, [subject.tasks.failing]);
      assert.equal(status, "failed");
      assert.ok(counts.failed >= 1);
    },
    "an unknown task is a problem that names it": async (subject) => {
      const { workspaceRoot, tasks } = subject;
      const result = await subject.runner.run([tasks.unknown], { workspaceRoot });
      assert.ok(!result.ok);
      const [first] = result.problem;
      assert.ok(first?.message.includes(tasks.unknown), first?.message);
    },
    "each run has an id of its own": async (subject) => {
      const first = await outcomeOf(subject, [subject.tasks.succeeding]);
      const second = await outcomeOf(subject, [subject.tasks.succeeding]);
      assert.notEqual(first.run, second.run);
    },
    "whoever follows sees a whole and orderly log of the same run": async (subject) => {
      const { runner, workspaceRoot, tasks } = subject;
      for (const task of [tasks.succeeding, tasks.failing]) {
        const observer = recorder();
        const result = await runner.run([task], { workspaceRoot, observer });
        assert.ok(result.ok);
        assert.deepEqual(checkRunEvents(observer.events), []);
        assert.equal(observer.finished?.run, result.value.run);
        assert.equal(observer.finished?.status, result.value.status);
        assert.deepEqual(observer.finished?.counts, result.value.counts);
      }
    },
    "aborting the signal cancels the run": async (subject) => {
      const controller = new AbortController();
      const watched = recorder();
      let started = () => {};
      const running = new Promise<void>((resolve) => {
        started = resolve;
      });
      const observer = {
        event: (event: Parameters<typeof watched.event>[0]) => {
          watched.event(event);
          if (event.kind === "node.started") started();
        },
        output: () => {},
      };
      const { workspaceRoot, tasks } = subject;
      const result = subject.runner.run([tasks.hanging], { workspaceRoot, signal: controller.signal, observer });
      await running;
      controller.abort();
      const ended = await result;
      assert.ok(ended.ok && ended.value.status === "cancelled", JSON.stringify(ended));
      assert.deepEqual(checkRunEvents(watched.events), []);
    },
    "a signal that has aborted before is obeyed": async (subject) => {
      const { workspaceRoot, tasks } = subject;
      const result = await subject.runner.run([tasks.hanging], { workspaceRoot, signal: AbortSignal.abort() });
      assert.ok(result.ok && result.value.status === "cancelled", JSON.stringify(result));
    },
  });
}
