/** A `TaskRunner` that runs nothing: tasks end as the test says, with the events of a real run. */
import type {
  Clock,
  NodeEnd,
  Random,
  RunCounts,
  RunEventBody,
  RunObserver,
  RunStatus,
  TaskRunner,
  TaskRunOutcome,
} from "@kahn/core";
import { err, newRunId, ok, problem, sleep } from "@kahn/core";
import { seededRandom } from "./seeded-random.ts";

/** How a task goes. `hangs` runs until it is cancelled. */
export interface FakeTask {
  readonly end: "succeeds" | "fails" | "hangs";
  /** In the clock's time; default 0: at once. */
  readonly durationMs?: number;
}

/** What a fake task runner works with. */
export interface FakeTaskRunnerOptions {
  readonly clock: Clock;
  readonly random?: Random;
  /** By reference, as it is passed to `run`; a function is asked at each run. Anything else is unknown. */
  readonly tasks: Readonly<Record<string, FakeTask["end"] | FakeTask | (() => FakeTask["end"] | FakeTask)>>;
}

/** A runner that remembers what it was asked. */
export interface FakeTaskRunner extends TaskRunner {
  /** Every call, in order. */
  readonly runs: readonly { readonly tasks: readonly string[]; readonly workspaceRoot: string }[];
}

/** A runner of tasks that are not there; they run one after the other, and after a failure the rest still runs. */
export function fakeTaskRunner(options: FakeTaskRunnerOptions): FakeTaskRunner {
  const random = options.random ?? seededRandom(1);
  const runs: { readonly tasks: readonly string[]; readonly workspaceRoot: string }[] = [];
  return {
    runs,
    run: async (tasks, { workspaceRoot, signal, observer }) => {
      runs.push({ tasks, workspaceRoot });
      const unknown = tasks.filter((task) => !Object.hasOwn(options.tasks, task));
      if (unknown.length > 0) return err(unknown.map((task) => problem("task-unknown", `there is no task ${task}`)));
      const run = new FakeRun(options.clock, random, observer);
      return ok(await run.all({ tasks, sources: options.tasks, workspaceRoot, signal }));
    },
  };
}

const STATUS = { succeeded: "succeeded", failed: "failed", cancelled: "cancelled" } as const;

class FakeRun {
  readonly #clock: Clock;
  readonly #observer: RunObserver | undefined;
  readonly #id;
  #seq = 0;

  constructor(clock: Clock, random: Random, observer: RunObserver | undefined) {
    this.#clock = clock;
    this.#observer = observer;
    this.#id = newRunId(clock, random);
  }

  async all(request: {
    readonly tasks: readonly string[];
    readonly sources: FakeTaskRunnerOptions["tasks"];
    readonly workspaceRoot: string;
    readonly signal: AbortSignal | undefined;
  }): Promise<TaskRunOutcome> {
    const { tasks, sources, workspaceRoot: workspace, signal } = request;
    const startedAtMs = this.#clock.monotonicMs();
    this.#emit({ kind: "run.started", version: "test", argv: ["run", ...tasks], workspace, concurrency: 1, pid: 1 });
    this.#emit({ kind: "run.planned", nodes: tasks.map((label, node) => ({ node, label, requires: [] })) });
    const counts = { executed: 0, cached: 0, failed: 0, errored: 0, skipped: 0, cancelled: 0 };
    let status: RunStatus = "succeeded";
    for (const [node, task] of tasks.entries()) {
      const source = sources[task]!;
      const end = await this.#one(node, typeof source === "function" ? source() : source, signal);
      counts[end === "succeeded" ? "executed" : end]++;
      if (end === "cancelled" || (end === "failed" && status === "succeeded")) status = STATUS[end];
    }
    this.#finish(status, counts, this.#clock.monotonicMs() - startedAtMs);
    return { run: this.#id, status, counts };
  }

  async #one(node: number, source: FakeTask["end"] | FakeTask, signal?: AbortSignal): Promise<NodeEnd> {
    const { end: way, durationMs = 0 } = typeof source === "string" ? { end: source } : source;
    const settle = (end: NodeEnd, more: { readonly source?: "executed"; readonly exitCode?: number } = {}): NodeEnd => {
      this.#emit({ kind: "node.settled", node, end, ...more });
      return end;
    };
    const isAborted = () => signal?.aborted === true;
    if (isAborted()) return settle("cancelled");
    this.#emit({ kind: "node.started", node, attempt: 1 });
    if (way === "hangs") await aborted(signal);
    else if (durationMs > 0) await sleep(this.#clock, durationMs, signal);
    if (isAborted()) return settle("cancelled");
    return way === "succeeds"
      ? settle("succeeded", { source: "executed", exitCode: 0 })
      : settle("failed", { source: "executed", exitCode: 1 });
  }

  #finish(status: RunStatus, counts: RunCounts, durationMs: number): void {
    this.#emit({ kind: "run.finished", status, counts, durationMs, savedMs: 0 });
  }

  #emit(body: RunEventBody): void {
    this.#seq++;
    this.#observer?.event({ run: this.#id, seq: this.#seq, atMs: this.#clock.nowMs(), ...body });
  }
}

/** Resolves when the signal aborts; never without one. */
function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    else signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
