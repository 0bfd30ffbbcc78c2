/**
 * One simulated `kahn run`: from opening to the end of the process, with whatever goes wrong on the way.
 *
 * Owns:      the driving of virtual time, and the record of everything that is checked afterwards.
 * Invariant: it ends: finished, refused, crashed by the planted fault, or `stalled`, which is a finding.
 */
import {
  type FileSystem,
  FileSystemError,
  newRunId,
  type ProcessRunner,
  type ResolvedAction,
  type RunEvent,
  type RunId,
} from "@kahn/core";
import type { RunOutcome } from "@kahn/exec";
import { fileJournalStore } from "@kahn/journal";
import type { KernelLog } from "@kahn/scheduler/testing";
import {
  CrashError,
  type FakeProcess,
  type Fault,
  type FaultyFileSystem,
  fakeProcessRunner,
  faulty,
  type Recorder,
  recorder,
  settled,
} from "@kahn/testing";
import { workspaceProvider } from "@kahn/workspace";
import { ANSWERS_AFTER_MS, commandScript, type Mood } from "./fake-commands.ts";
import { labelOf, type SimTask, type Source } from "./sim-workspace.ts";
import { workspaceModel } from "./workspace-model.ts";
import { type Checkout, NODE_PATH, Refused, readJournal, type Session, type World } from "./world.ts";

/** Something that happens at a moment of the run. */
export interface Incident {
  readonly afterMs: number;
  readonly what: string;
  readonly happen: (run: { cancel(how: "term" | "kill"): void }) => void;
}

/** How a run is started. */
export interface RunSettings {
  readonly checkout: Checkout;
  /** Names of the tasks asked for. */
  readonly requested: readonly string[];
  readonly force: boolean;
  readonly failFast: boolean;
  /** Flushes at the end. */
  readonly sync: boolean;
  readonly moods: ReadonlyMap<string, readonly Mood[]>;
  readonly incidents: readonly Incident[];
  readonly faults: readonly Fault[];
}

/** How the process ended. */
export type RunEnd =
  | { readonly kind: "finished"; readonly outcome: RunOutcome }
  /** It never began, and said why. */
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "crashed" }
  | { readonly kind: "threw"; readonly error: unknown }
  | { readonly kind: "stalled" };

/** What was seen of one execution of a command. */
export interface Execution {
  readonly task: SimTask;
  /** What its key was made of, and the sources when its process had ended. */
  readonly keyed: ResolvedAction;
  readonly ended: ReadonlyMap<string, Source>;
}

/** All that is known of a run. */
export interface RunRecord {
  readonly settings: RunSettings;
  readonly run: RunId;
  readonly end: RunEnd;
  readonly recorder: Recorder;
  /** What a reader of the journal finds afterwards. */
  readonly journal: readonly RunEvent[];
  readonly fs: FaultyFileSystem;
  readonly kernel: KernelLog | undefined;
  readonly processes: readonly FakeProcess[];
  /** Still there when the run had ended by itself. */
  readonly leftAlive: readonly string[];
  readonly executions: readonly Execution[];
  /** Broken promises that only the moment shows. */
  readonly violations: string[];
  readonly cancelled: boolean;
}

/** Runs, to whatever end. */
export async function simulateRun(world: World, settings: RunSettings): Promise<RunRecord> {
  return new SimulatedRun(world, settings).run();
}

class SimulatedRun {
  readonly #world: World;
  readonly #settings: RunSettings;
  readonly #fs: FaultyFileSystem;
  readonly #recorder = recorder();
  readonly #run: RunId;
  readonly #violations: string[] = [];
  readonly #executions: Execution[] = [];
  readonly #keyed = new Map<string, ResolvedAction>();
  readonly #runner;
  #cancelled = false;
  #hasKernel = false;

  constructor(world: World, settings: RunSettings) {
    this.#world = world;
    this.#settings = settings;
    this.#fs = faulty(world.fs, settings.faults);
    this.#run = newRunId(world.clock, world.random);
    const { clock, fs, workspace } = world;
    const { checkout, moods } = settings;
    this.#runner = fakeProcessRunner({
      clock,
      fs,
      otherwise: (spec, nth) =>
        commandScript(
          { workspace, fs, root: checkout.root, litter: checkout.litter, moods, nowMs: () => clock.monotonicMs() },
          () => this.#runner,
          spec.label,
          nth,
        ),
    });
  }

  async run(): Promise<RunRecord> {
    const end = await this.#toTheEnd();
    const leftAlive = this.#runner.alive.map(({ spec }) => spec.label);
    // The guardian of a Kahn that died ends what it has started.
    await this.#runner.close();
    return {
      settings: this.#settings,
      run: this.#run,
      end,
      recorder: this.#recorder,
      journal: this.#journal(this.#world.fs),
      fs: this.#fs,
      kernel: this.#hasKernel ? this.#world.exec.kernelLog() : undefined,
      processes: this.#runner.started,
      leftAlive,
      executions: this.#executions,
      violations: this.#violations,
      cancelled: this.#cancelled,
    };
  }

  async #toTheEnd(): Promise<RunEnd> {
    try {
      const session = this.#world.open(this.#fs, this.#settings.checkout);
      const end = await this.#graph(session);
      if (this.#fs.crashed) return { kind: "crashed" };
      await session.close(this.#settings.sync);
      return this.#fs.crashed ? { kind: "crashed" } : end;
    } catch (error) {
      if (this.#fs.crashed || error instanceof CrashError) return { kind: "crashed" };
      if (error instanceof Refused) return { kind: "refused", why: error.message };
      if (error instanceof FileSystemError && !this.#hasKernel) return { kind: "refused", why: error.message };
      return { kind: "threw", error };
    }
  }

  async #graph(session: Session): Promise<RunEnd> {
    const { clock, exec, workspace } = this.#world;
    const { checkout, settings } = { checkout: this.#settings.checkout, settings: this.#settings };
    const journal = session.journals.create(this.#run);
    if (!journal.ok) return { kind: "refused", why: journal.problem.message };
    const provider = workspaceProvider({
      model: workspaceModel(workspace, checkout.root),
      states: session.states,
      fs: this.#fs,
      request: {
        tasks: workspace.tasks.filter(({ name }) => settings.requested.includes(name)).map(labelOf),
        projects: [...workspace.projects],
      },
      hostEnv: { PATH: "/usr/bin" },
      platform: "sim",
      nodePath: NODE_PATH,
      startDirectory: checkout.root,
    });
    const executor = exec.localExecutor({
      fs: this.#fs,
      clock,
      states: session.states,
      blobs: session.store.blobs,
      processes: this.#processes(),
      streamDirectory: `${session.stateFolder}/streams/1`,
      live: false,
      extraEnv: () => ({}),
    });
    this.#hasKernel = true;
    const graphRun = exec.runGraph({
      run: this.#run,
      provider: {
        plan: () => provider.plan(),
        resolve: async (label) => {
          const resolved = await provider.resolve(label);
          if (resolved.ok) this.#keyed.set(label, resolved.value);
          return resolved;
        },
      },
      executor,
      blobs: session.store.blobs,
      actions: session.store.actions,
      records: session.values,
      history: session.history,
      memo: session.memo,
      states: session.states,
      fs: this.#fs,
      clock,
      journal: journal.value,
      durability: "process",
      observers: [this.#recorder],
      limits: workspace.limits,
      failure: settings.failFast ? "fail-fast" : "keep-going",
      cache: { read: !settings.force, write: true },
      replay: { executed: true, failed: true, cached: true },
      header: { version: "sim", argv: [], workspace: checkout.root, pid: 1 },
      warnings: [],
    });
    const timers = settings.incidents.map(({ afterMs, happen }) =>
      clock.setTimer(afterMs, () =>
        happen({
          cancel: (how) => {
            this.#cancelled = true;
            graphRun.cancel(how, "SIGINT");
          },
        }),
      ),
    );
    const end = await this.#drive(graphRun.outcome);
    for (const timer of timers) timer.cancel();
    if (this.#fs.crashed) return end;
    journal.value.close();
    session.history.fold(this.#run, session.readRun(this.#run));
    return end;
  }

  async #drive(outcome: ReturnType<World["exec"]["runGraph"]>["outcome"]): Promise<RunEnd> {
    let end: RunEnd | undefined;
    outcome.then(
      (result) => {
        end = result.ok
          ? { kind: "finished", outcome: result.value }
          : { kind: "refused", why: result.problem.map(({ code, message }) => `${code}: ${message}`).join("; ") };
      },
      (error) => {
        end = { kind: "threw", error };
      },
    );
    for (let turns = 0; turns < 100_000; turns++) {
      await settled();
      if (end !== undefined) return end;
      if (this.#fs.crashed) return { kind: "crashed" };
      if (!this.#world.clock.advanceToNext()) return { kind: "stalled" };
    }
    return { kind: "stalled" };
  }

  /** Checks at each start what must be true at that moment. */
  #processes(): ProcessRunner {
    return {
      start: (spec) => {
        const task = this.#world.workspace.tasks.find((each) => labelOf(each) === spec.label);
        if (task !== undefined) this.#checkStart(task);
        const process = this.#runner.start(spec);
        if (task !== undefined) {
          const keyed = this.#keyed.get(spec.label)!;
          void process.ended.then(() => {
            this.#executions.push({ task, keyed, ended: new Map(this.#world.sources) });
          });
        }
        return process;
      },
      close: () => this.#runner.close(),
    };
  }

  #checkStart(task: SimTask): void {
    const label = labelOf(task);
    if (this.#cancelled) this.#violations.push(`P11: ${label} was started after the run was cancelled`);
    const isStarted = (events: readonly RunEvent[]) =>
      events.some((event) => event.kind === "node.started" && this.#recorder.labelOf(event.node) === label);
    if (!isStarted(this.#recorder.events)) this.#violations.push(`${label} runs, and nobody was told`);
    if (!isStarted(this.#journal(this.#world.fs))) this.#violations.push(`${label} runs before the journal says so`);
    const { limits, tasks } = this.#world.workspace;
    const alive = tasks.filter((each) => this.#runner.alive.some(({ spec }) => spec.label === labelOf(each)));
    for (const service of tasks.filter(({ name, kind }) => kind === "service" && task.requires.includes(name))) {
      this.#checkReady(task, service);
    }
    if (alive.includes(task)) this.#violations.push(`${label} runs twice at once`);
    this.#checkClaims([...alive, task], limits);
  }

  #checkReady(task: SimTask, service: SimTask): void {
    const process = this.#runner.alive.find(({ spec }) => spec.label === labelOf(service));
    const { ready } = service;
    const neededMs =
      ready === undefined ? 0 : ready.log === undefined ? ANSWERS_AFTER_MS.command : ANSWERS_AFTER_MS.log;
    const ageMs = process === undefined ? -1 : this.#world.clock.monotonicMs() - process.startedAtMs;
    if (ageMs < neededMs) this.#violations.push(`${task.name} was started before the service ${service.name} answered`);
  }

  #checkClaims(running: readonly SimTask[], limits: World["workspace"]["limits"]): void {
    const names = running.map(labelOf).join(", ");
    const over = (what: string) => this.#violations.push(`P7: ${names} together claim more than there is of ${what}`);
    const sum = (of: (task: SimTask) => number) => running.reduce((total, task) => total + of(task), 0);
    if (sum((task) => task.slots) > limits.slots) over("slots");
    if (sum(({ pools }) => pools.reduce((total, [, amount]) => total + amount, 0)) > limits.pools.db!) over("db");
    if (sum(({ tags }) => tags.length) > limits.tagCaps.heavy!) over("heavy");
    const holders = running.flatMap(({ mutexes }) => mutexes);
    if (holders.length > 1 && holders.some(({ mode }) => mode === "exclusive")) {
      this.#violations.push(`P8: ${names} share an exclusive mutex`);
    }
  }

  #journal(fs: FileSystem): RunEvent[] {
    return readJournal(
      fileJournalStore({ fs, directory: `${this.#settings.checkout.root}/.kahn/state/runs` }),
      this.#run,
    );
  }
}
