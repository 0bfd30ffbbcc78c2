/**
 * One process that is not there: what a test sees and holds of it.
 *
 * Owns:      the life of the leader and its grandchild, its output, and the signals it gets.
 * Invariant: `ended` settles once, after the leader has ended and its group is quiet.
 *
 * Life: running → (by itself | signal) → leader ended → (grandchild gone) → quiet.
 */
import type { Clock, FileSystem, OutputSink, ProcessExit, ProcessSpec, RunningProcess, Timer } from "@kahn/core";
import { invariant } from "@kahn/core";
import type { HeldProcess, ProcessScript } from "./process-script.ts";

/** What a fake process lives in. */
export interface FakeWorld {
  readonly clock: Clock;
  readonly fs: FileSystem;
  /** Told once, when the group is quiet. */
  readonly onQuiet: (process: FakeProcess) => void;
}

/** A fake process: the `RunningProcess` of the port, with handles for the test. */
export class FakeProcess implements RunningProcess, HeldProcess {
  readonly pid: number;
  readonly ended: Promise<ProcessExit>;
  readonly spec: ProcessSpec;
  /** The clock's monotonic time of its start. */
  readonly startedAtMs: number;
  /** Everything it was sent, in order: `SIGTERM`, `SIGKILL`. */
  readonly signals: string[] = [];
  /** What it wrote to a sink of kind `inherit`, as text. */
  inherited = "";
  readonly #script: ProcessScript;
  readonly #world: FakeWorld;
  readonly #timers: Timer[] = [];
  #settle: (exit: ProcessExit) => void = () => {};
  #exit: ProcessExit | undefined;
  #grandchildLives: boolean;
  #quiet = false;
  #killTimer: Timer | undefined;

  /** Starts it. Made by `fakeProcessRunner` only. */
  constructor(spec: ProcessSpec, script: ProcessScript, world: FakeWorld & { readonly pid: number }) {
    this.spec = spec;
    this.#script = script;
    this.#world = world;
    this.startedAtMs = world.clock.monotonicMs();
    this.#grandchildLives = script.grandchild !== undefined;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const refusal = script.notStarted ?? refusedBy(spec, world.fs);
    this.pid = refusal === undefined ? world.pid : 0;
    if (refusal === undefined) this.#live();
    else {
      this.#grandchildLives = false;
      const message = `${refusal}: spawn ${spec.argv[0]}`;
      queueMicrotask(() => this.#leaderEnded({ kind: "not-started", code: refusal, message }));
    }
  }

  /** True while the process itself runs. */
  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  /** True once nothing of its group is left. */
  get isQuiet(): boolean {
    return this.#quiet;
  }

  write(stream: "stdout" | "stderr", content: string | Uint8Array): void {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    const sink = this.spec[stream];
    if (sink.kind === "inherit") {
      this.inherited += Buffer.from(bytes).toString();
      return;
    }
    const file = this.#world.fs.openAppend(sink.path);
    file.append(bytes);
    file.close();
    if (sink.kind === "tee") sink.onBytes(bytes);
  }

  writeFile(path: string, content: string | Uint8Array): void {
    const absolute = path.startsWith("/") ? path : `${this.spec.cwd}/${path}`;
    this.#world.fs.makeDirectory(absolute.slice(0, absolute.lastIndexOf("/")) || "/");
    this.#world.fs.writeFile(absolute, content);
  }

  exit(exitCode = 0): void {
    this.#leaderEnded({ kind: "exited", exitCode });
  }

  die(signal: string): void {
    this.#leaderEnded({ kind: "signalled", signal });
  }

  end(how: "term" | "kill"): void {
    if (this.#quiet) return;
    if (how === "kill") this.#deliverKill();
    else this.#endGroup();
  }

  #live(): void {
    const { clock } = this.#world;
    // As with a real child, nothing is heard of it before `start` has answered.
    queueMicrotask(() => {
      for (const stream of ["stdout", "stderr"] as const) {
        const text = this.#script[stream];
        if (text !== undefined && this.isRunning) this.write(stream, text);
      }
    });
    for (const { afterMs, run } of this.#script.steps ?? []) {
      this.#timers.push(clock.setTimer(afterMs, () => run(this)));
    }
    if (this.#script.hangs === true) return;
    const durationMs = this.#script.durationMs ?? 0;
    if (durationMs === 0 && this.#script.steps === undefined) queueMicrotask(() => this.#finish());
    else this.#timers.push(clock.setTimer(durationMs, () => this.#finish()));
  }

  #finish(): void {
    if (this.#exit !== undefined) return;
    for (const [path, content] of Object.entries(this.#script.files ?? {})) this.writeFile(path, content);
    const exit = this.#script.exit ?? 0;
    if (typeof exit === "number") this.exit(exit);
    else this.die(exit);
  }

  #leaderEnded(exit: ProcessExit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    for (const timer of this.#timers) timer.cancel();
    if (this.#grandchildLives) this.#endGroup();
    else this.#becomeQuiet();
  }

  /** TERM to the whole group and, after the grace, KILL. */
  #endGroup(): void {
    this.signals.push("SIGTERM");
    if (this.#script.grandchild === "dies-on-term") this.#grandchildLives = false;
    this.#killTimer ??= this.#world.clock.setTimer(this.spec.graceMs, () => this.#deliverKill());
    const onTerm = this.#script.onTerm ?? "dies";
    if (this.#exit !== undefined) {
      if (!this.#grandchildLives) this.#becomeQuiet();
    } else if (onTerm === "dies") this.die("SIGTERM");
    else if (onTerm !== "ignores") this.exit(onTerm);
  }

  #deliverKill(): void {
    if (this.#quiet) return;
    this.signals.push("SIGKILL");
    this.#grandchildLives = false;
    if (this.#exit === undefined) this.die("SIGKILL");
    else this.#becomeQuiet();
  }

  #becomeQuiet(): void {
    if (this.#quiet) return;
    this.#quiet = true;
    this.#killTimer?.cancel();
    invariant(this.#exit !== undefined, "a quiet group has no leader");
    this.#world.onQuiet(this);
    this.#settle(this.#exit);
  }
}

/** Why it cannot start here: no working directory, or no place for its output. Makes the output files. */
function refusedBy(spec: ProcessSpec, fs: FileSystem): string | undefined {
  if (fs.readDirectory(spec.cwd) === undefined) return "ENOENT";
  const path = (sink: OutputSink) => (sink.kind === "inherit" ? [] : [sink.path]);
  for (const file of new Set([...path(spec.stdout), ...path(spec.stderr)])) fs.writeFile(file, "");
  return undefined;
}
