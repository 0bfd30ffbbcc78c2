/**
 * Starts processes through a spawner: for whatever may grow (a server, an orchestrator, a watch).
 *
 * Owns:      the spawner process, which is started with the first process and replaced when it is lost.
 * Never:     passes output through itself: a spawned process writes into its file, and a listener reads behind it.
 * Invariant: as for a direct runner; only `pid` is 0 until the spawner has answered, some two milliseconds.
 *
 * An interactive process needs the terminal, which a spawner in a session of its own has not: it is started directly.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type {
  Clock,
  OutputSink,
  ProcessExit,
  ProcessMark,
  ProcessRunner,
  ProcessSpec,
  RunningProcess,
  Strays,
} from "@kahn/core";
import { InvariantError } from "@kahn/core";
import { directRunner } from "./direct-runner.ts";
import { type GuardianOptions, startGuardian } from "./guardian.ts";
import { endAllMarked, MarkedProcesses } from "./internal/marked-processes.ts";
import { openSinks } from "./internal/output-sinks.ts";
import { type OutputTail, OutputTails } from "./internal/output-tail.ts";
import { ProcessEnding } from "./internal/process-ending.ts";
import { processGroup } from "./internal/process-set.ts";
import { refusalExit } from "./internal/refusal-exit.ts";
import {
  SPAWNER_LOCK_FD,
  type SpawnerReply,
  type SpawnerRequest,
  type SpawnerSettings,
  type SpawnerSink,
} from "./internal/spawner-protocol.ts";

/** What a spawner runner stands on. */
export interface SpawnerRunnerOptions {
  readonly clock: Clock;
  /** For the guardian, which the spawner starts. */
  readonly guardian: GuardianOptions;
  /** Program and arguments that run `spawner-main`, for example node and the bundled file. */
  readonly command: readonly string[];
}

/** A runner that has another process start the processes. */
export function spawnerRunner(options: SpawnerRunnerOptions): ProcessRunner {
  return new SpawnerRunner(options);
}

/** A process asked for and not yet ended. */
interface Pending {
  readonly spec: ProcessSpec;
  readonly tails: readonly OutputTail[];
  readonly settle: (exit: ProcessExit) => void;
  /** 0 until the spawner has answered. */
  pid: number;
}

class SpawnerRunner implements ProcessRunner {
  readonly #options: SpawnerRunnerOptions;
  readonly #tails: OutputTails;
  readonly #pending = new Map<number, Pending>();
  readonly #marked: MarkedProcesses;
  #last = 0;
  #spawner: ChildProcess | undefined;
  #direct: ProcessRunner | undefined;
  #closed = false;

  constructor(options: SpawnerRunnerOptions) {
    this.#options = options;
    this.#tails = new OutputTails(options.clock);
    this.#marked = new MarkedProcesses(() => options.clock.monotonicMs());
  }

  newMark(): ProcessMark | undefined {
    return this.#marked.newMark();
  }

  endMarked(strays: Strays): void {
    endAllMarked(strays);
  }

  start(spec: ProcessSpec): RunningProcess {
    if (this.#closed) throw new InvariantError(`started after close: ${spec.label}`);
    if (spec.interactive === true) return this.#startDirectly(spec);
    let tails: readonly OutputTail[];
    try {
      tails = openSinks({ stdout: listenedTo(spec.stdout), stderr: listenedTo(spec.stderr) }).handOver(this.#tails);
    } catch (error) {
      return { pid: 0, ended: Promise.resolve(refusalExit(spec, error)), end: () => {} };
    }
    this.#spawner ??= this.#startSpawner();
    const id = ++this.#last;
    let settle: (exit: ProcessExit) => void = () => {};
    const ended = new Promise<ProcessExit>((resolve) => {
      settle = resolve;
    });
    const pending: Pending = { spec, tails, settle, pid: 0 };
    this.#pending.set(id, pending);
    this.#spawner.channel?.ref();
    this.#send({ kind: "start", id, spec: { ...spec, stdout: unheard(spec.stdout), stderr: unheard(spec.stderr) } });
    return {
      get pid() {
        return pending.pid;
      },
      ended,
      end: (how) => {
        if (this.#pending.has(id)) this.#send({ kind: "end", id, how });
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const spawner = this.#spawner;
    const gone = spawner === undefined || hasEnded(spawner) ? undefined : once(spawner, "exit");
    spawner?.ref();
    spawner?.channel?.ref();
    this.#send({ kind: "close" });
    await Promise.all([gone, this.#direct?.close()]);
  }

  #startDirectly(spec: ProcessSpec): RunningProcess {
    const { clock, guardian } = this.#options;
    // Another token: the numbers of two guardians are not told apart otherwise.
    this.#direct ??= directRunner({
      clock,
      guardian: startGuardian({ ...guardian, token: `${guardian.token}-direct` }),
    });
    return this.#direct.start(spec);
  }

  #startSpawner(): ChildProcess {
    const { command, guardian } = this.#options;
    const { lockFd, ...rest } = guardian;
    const settings: SpawnerSettings = lockFd === undefined ? rest : { ...rest, lockFd: SPAWNER_LOCK_FD };
    const [program = "", ...args] = command;
    const spawner = spawn(program, [...args, JSON.stringify(settings)], {
      // A session of its own: Ctrl-C is for us, and we tell the spawner what to end.
      detached: true,
      cwd: "/",
      env: {},
      stdio: ["ignore", "inherit", "inherit", "ipc", ...(lockFd === undefined ? [] : [lockFd])],
    });
    spawner.unref();
    spawner.channel?.unref();
    spawner.on("message", (message) => this.#received(message as SpawnerReply));
    spawner.on("error", () => this.#lost(spawner));
    spawner.on("exit", () => this.#lost(spawner));
    return spawner;
  }

  #received(message: SpawnerReply): void {
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if (message.kind === "started") pending.pid = message.pid;
    else this.#settle(message.id, pending, message.exit);
  }

  #settle(id: number, pending: Pending, exit: ProcessExit): void {
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#spawner?.channel?.unref();
    for (const tail of pending.tails) tail.finish();
    pending.settle(exit);
  }

  /** Somebody ended the spawner. Its guardian ends what it had started; what we know of, we end ourselves, at once. */
  #lost(spawner: ChildProcess): void {
    if (this.#spawner !== spawner) return;
    this.#spawner = undefined;
    for (const [id, pending] of this.#pending) void this.#abandon(id, pending);
  }

  async #abandon(id: number, pending: Pending): Promise<void> {
    const { pid, spec } = pending;
    if (pid === 0) {
      const message = `${spec.label}: the process that starts processes has ended unexpectedly`;
      this.#settle(id, pending, { kind: "not-started", code: "EPIPE", message });
      return;
    }
    const ending = new ProcessEnding(processGroup(pid), this.#options.clock, spec.graceMs);
    ending.end("kill");
    await ending.settle();
    if (spec.strays !== undefined) this.#marked.end(spec.strays, { isThorough: true });
    this.#settle(id, pending, { kind: "signalled", signal: "SIGKILL" });
  }

  #send(request: SpawnerRequest): void {
    // A refused message is one to a spawner that is gone; `exit` says so and settles everything.
    if (this.#spawner?.connected === true) this.#spawner.send(request, () => {});
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

/** Only what is listened to is opened here. */
function listenedTo(sink: OutputSink): OutputSink {
  return sink.kind === "tee" ? sink : { kind: "inherit" };
}

function unheard(sink: OutputSink): SpawnerSink {
  return sink.kind === "inherit" ? sink : { kind: "file", path: sink.path };
}
