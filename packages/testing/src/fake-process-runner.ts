/**
 * A `ProcessRunner` that starts nothing: processes follow scripts in virtual time, or the test's own hand.
 *
 * Owns:      which script a process follows, and the record of everything started.
 * Invariant: the same scripts and the same clock give the same life, step by step.
 */
import type { Clock, FileSystem, ProcessRunner, ProcessSpec, RunningProcess } from "@kahn/core";
import { InvariantError } from "@kahn/core";
import { FakeProcess } from "./fake-process.ts";
import type { ProcessScript, ScriptSource } from "./process-script.ts";

/** What a fake runner works with. */
export interface FakeProcessRunnerOptions {
  readonly clock: Clock;
  /** Where processes write. Give the plain file system, not one with faults: faults are for the program under test. */
  readonly fs: FileSystem;
  /** Scripts by label, or by argv joined with spaces; a label wins. */
  readonly scripts?: Readonly<Record<string, ScriptSource>>;
  /** For every other process; default: ends at once with exit code 0, unless somebody waits for it in `nextStart`. */
  readonly otherwise?: ScriptSource;
}

/** Fake processes, and what became of them. */
export class FakeProcessRunner implements ProcessRunner {
  /** Everything started, in order; what never ran included. */
  readonly started: FakeProcess[] = [];
  /** The most processes that were alive together. */
  aliveMax = 0;
  readonly #options: FakeProcessRunnerOptions;
  readonly #scripts: Map<string, ScriptSource>;
  readonly #alive = new Set<FakeProcess>();
  readonly #unclaimed: FakeProcess[] = [];
  readonly #waiting: { readonly label: string | undefined; readonly resolve: (process: FakeProcess) => void }[] = [];
  #closed = false;

  /** See `fakeProcessRunner`. */
  constructor(options: FakeProcessRunnerOptions) {
    this.#options = options;
    this.#scripts = new Map(Object.entries(options.scripts ?? {}));
  }

  /** Processes with anything of their group still there. */
  get alive(): FakeProcess[] {
    return [...this.#alive];
  }

  /** Labels of everything started, in order. */
  get startedLabels(): string[] {
    return this.started.map(({ spec }) => spec.label);
  }

  /** From now on processes with this label, or this argv joined with spaces, follow that script. */
  script(name: string, source: ScriptSource): void {
    this.#scripts.set(name, source);
  }

  /**
   * The next process that was started and not yet claimed, of one label or of any; waits for its start. A process
   * that somebody waits for and that has no script is held: it lives until the test ends it.
   */
  nextStart(label?: string): Promise<FakeProcess> {
    const at = this.#unclaimed.findIndex(({ spec }) => label === undefined || spec.label === label);
    if (at >= 0) return Promise.resolve(this.#unclaimed.splice(at, 1)[0]!);
    return new Promise((resolve) => this.#waiting.push({ label, resolve }));
  }

  start(spec: ProcessSpec): RunningProcess {
    if (this.#closed) throw new InvariantError(`${spec.label} was started after the runner was closed`);
    const at = this.#waiting.findIndex(({ label }) => label === undefined || label === spec.label);
    const waiter = at >= 0 ? this.#waiting.splice(at, 1)[0] : undefined;
    const script = this.#scriptOf(spec, waiter !== undefined);
    const process = new FakeProcess(spec, script, {
      clock: this.#options.clock,
      fs: this.#options.fs,
      pid: 1001 + this.started.length,
      onQuiet: (quiet) => this.#alive.delete(quiet),
    });
    this.started.push(process);
    if (process.pid !== 0 && !process.isQuiet) this.#alive.add(process);
    this.aliveMax = Math.max(this.aliveMax, this.#alive.size);
    if (waiter === undefined) this.#unclaimed.push(process);
    else waiter.resolve(process);
    return process;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ending = this.alive;
    for (const process of ending) process.end("kill");
    await Promise.all(ending.map(({ ended }) => ended));
  }

  #scriptOf(spec: ProcessSpec, awaited: boolean): ProcessScript {
    const source = this.#scripts.get(spec.label) ?? this.#scripts.get(spec.argv.join(" ")) ?? this.#options.otherwise;
    const nth = this.started.filter(({ spec: { label } }) => label === spec.label).length + 1;
    const script = typeof source === "function" ? source(spec, nth) : source;
    if (script === "held" || (script === undefined && awaited)) return { hangs: true };
    return script ?? {};
  }
}

/** A runner of fake processes. */
export function fakeProcessRunner(options: FakeProcessRunnerOptions): FakeProcessRunner {
  return new FakeProcessRunner(options);
}
