/**
 * Starts processes from this very process: for the command line, whose memory is small.
 *
 * (`spawn` blocks in proportion to the parent's memory, 2 ms at 40 MB and 54 ms at 600 MB: what may grow starts its
 * processes through `spawnerRunner`.)
 *
 * Owns:      the life of each process from the opening of its log files to the quiet of its group.
 * Never:     inherits anything that the specification does not name; reads PATH or any other variable of its own.
 * Invariant: `ended` settles only when no process of the group lives; from then on its number is never used again.
 *
 * A process gets a session of its own, and so no controlling terminal; an *interactive* one must have it, so it stays
 * in Kahn's own group in the foreground of the terminal (Ctrl-C reaches it directly). A signal to that group would
 * hit Kahn too, so it is ended by its number, together, on Linux, with those of its descendants that bear its token
 * and have stayed in the group.
 *
 * A Kahn that another Kahn started (`groups: "shared"`) keeps all its processes in its own group in the same way: the
 * outer one ends that group, with KILL if need be, and must reach them too.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import type { Clock, ProcessExit, ProcessMark, ProcessRunner, ProcessSpec, RunningProcess, Strays } from "@kahn/core";
import { InvariantError, sleep } from "@kahn/core";
import type { Announcement, Guardian } from "./guardian.ts";
import { TOKEN_VARIABLE } from "./internal/guardian-script.ts";
import { areLive, endAllMarked, MarkedProcesses, markingRunner } from "./internal/marked-processes.ts";
import { type OpenSinks, openSinks } from "./internal/output-sinks.ts";
import { type OutputTail, OutputTails } from "./internal/output-tail.ts";
import { ProcessEnding } from "./internal/process-ending.ts";
import { processGroup, processKin } from "./internal/process-set.ts";
import { refusalExit } from "./internal/refusal-exit.ts";

/** What a direct runner stands on. */
export interface DirectRunnerOptions {
  readonly clock: Clock;
  /** Belongs to the runner from now on: `close` lets it go. */
  readonly guardian: Guardian;
  /**
   * `own` (the default): each process leads a group. `shared`: they stay in ours, for whoever ends that; what their
   * descendants do is then known on Linux only.
   */
  readonly groups?: "own" | "shared";
}

/** A runner that starts processes itself. */
export function directRunner(options: DirectRunnerOptions): ProcessRunner {
  return new DirectRunner(options);
}

class DirectRunner implements ProcessRunner {
  readonly #clock: Clock;
  readonly #guardian: Guardian;
  readonly #ownGroups: boolean;
  readonly #tails: OutputTails;
  readonly #running = new Set<RunningProcess>();
  readonly #marked: MarkedProcesses;
  #closed = false;

  constructor(options: DirectRunnerOptions) {
    this.#clock = options.clock;
    this.#guardian = options.guardian;
    this.#ownGroups = options.groups !== "shared";
    this.#tails = new OutputTails(options.clock);
    this.#marked = new MarkedProcesses(() => this.#clock.monotonicMs());
  }

  newMark(): ProcessMark | undefined {
    return this.#marked.newMark();
  }

  endMarked(strays: Strays): void {
    endAllMarked(strays);
  }

  start(spec: ProcessSpec): RunningProcess {
    if (this.#closed) throw new InvariantError(`started after close: ${spec.label}`);
    let sinks: OpenSinks;
    try {
      sinks = openSinks(spec);
    } catch (error) {
      return neverRan(refusalExit(spec, error));
    }
    const announced = this.#guardian.announce();
    if (announced === undefined) {
      sinks.abandon();
      return neverRan({
        kind: "not-started",
        code: "EAGAIN",
        message: `${spec.label}: the guardian cannot be started`,
      });
    }
    if (spec.strays !== undefined) this.#guardian.marked(markingRunner(spec.strays.mark));
    const leads = this.#ownGroups && spec.interactive !== true;
    let child: ChildProcess;
    try {
      child = spawnChild(spec, { sinks, announced, leads });
    } catch (error) {
      sinks.abandon();
      this.#guardian.notStarted(announced.number);
      return neverRan(refusalExit(spec, error));
    }
    const tails = sinks.handOver(this.#tails);
    if (child.pid === undefined) {
      this.#guardian.notStarted(announced.number);
      for (const tail of tails) tail.finish();
      return { pid: 0, ended: spawnRefusal(spec, child), end: () => {} };
    }
    this.#guardian.started(announced.number, child.pid, leads);
    return this.#watch({ spec, child, pid: child.pid, tails, announced, leads });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running];
    for (const each of running) each.end("term");
    await Promise.all(running.map((each) => each.ended));
    await this.#guardian.close();
  }

  #watch(started: {
    readonly spec: ProcessSpec;
    readonly child: ChildProcess;
    readonly pid: number;
    readonly tails: readonly OutputTail[];
    readonly announced: Announcement;
    readonly leads: boolean;
  }): RunningProcess {
    const { spec, child, pid, tails, announced, leads } = started;
    const isGone = () => child.exitCode !== null || child.signalCode !== null;
    const set = leads ? processGroup(pid) : processKin(pid, announced.token, isGone);
    const ending = new ProcessEnding(set, this.#clock, spec.graceMs);
    let isEnded = false;
    const finish = async (): Promise<ProcessExit> => {
      const exit = await leaderExit(child);
      await ending.settle();
      if (spec.strays !== undefined) await this.#endStrays(spec.strays, isEnded);
      this.#guardian.ended(announced.number);
      this.#running.delete(running);
      for (const tail of tails) tail.finish();
      return exit;
    };
    const end = (how: "term" | "kill") => {
      isEnded = true;
      ending.end(how);
    };
    const running: RunningProcess = { pid, ended: finish(), end };
    this.#running.add(running);
    return running;
  }

  /** Those of a process that was ended had most reason to stay: they are looked for among all. */
  async #endStrays(strays: Strays, isThorough: boolean): Promise<void> {
    const killed = this.#marked.end(strays, { isThorough });
    const startMs = this.#clock.monotonicMs();
    while (areLive(killed) && this.#clock.monotonicMs() - startMs < UNKILLABLE_MS) await sleep(this.#clock, 1);
  }
}

/** The kernel may take its time with a process in an uninterruptible call, and another user's cannot be killed. */
const UNKILLABLE_MS = 10_000;

function spawnChild(
  spec: ProcessSpec,
  { sinks, announced, leads }: { readonly sinks: OpenSinks; readonly announced: Announcement; readonly leads: boolean },
): ChildProcess {
  const [program, ...args] = spec.argv;
  const options: SpawnOptions = {
    cwd: spec.cwd,
    env: { ...spec.env, [TOKEN_VARIABLE]: announced.token },
    // /dev/null and not a closed or connected socket, for which bash would take itself to be a remote shell.
    stdio: [spec.interactive === true ? "inherit" : "ignore", sinks.stdout, sinks.stderr],
    detached: leads,
  };
  return spawn(program ?? "", args, options);
}

/** How the leader ended. Its streams are files, so there is nothing else to wait for. */
function leaderExit(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolve) => {
    child.on("exit", (exitCode, signal) => {
      resolve(exitCode !== null ? { kind: "exited", exitCode } : { kind: "signalled", signal: signal ?? "SIGKILL" });
    });
  });
}

/** Why a child without a pid was not started: Node tells it a moment later. */
function spawnRefusal(spec: ProcessSpec, child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolve) => child.on("error", (error) => resolve(refusalExit(spec, error))));
}

function neverRan(exit: ProcessExit): RunningProcess {
  return { pid: 0, ended: Promise.resolve(exit), end: () => {} };
}
