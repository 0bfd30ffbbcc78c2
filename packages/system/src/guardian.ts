/**
 * The guardian: a small process that outlives Kahn's sudden death by just as long as it takes to end what Kahn had
 * started, and then lets go of the workspace lock.
 *
 * Owns:      the pipe to the shell that runs `GUARDIAN_SCRIPT`, and the numbers of processes.
 * Never:     ends anything while Kahn lives.
 * Invariant: a process is announced before it is started and known by its group before anything else happens, so
 *            at whatever instant Kahn is killed, the guardian can find every process. Where there is no /proc (macOS)
 *            one instant is left open: between the start of a process and the write after it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { GUARDIAN_SCRIPT } from "./internal/guardian-script.ts";

/** How to watch over a run. */
export interface GuardianOptions {
  /** Marks this run's processes among all others: `[A-Za-z0-9-]+`, for example the run id. */
  readonly token: string;
  /** How long processes may live on after TERM before KILL, once Kahn has died. Rounded up to tenths of a second. */
  readonly graceMs: number;
  /** A descriptor that the guardian holds open until it leaves: the listening socket of the workspace lock. */
  readonly lockFd?: number;
  /** The shell, default `/bin/sh`. */
  readonly shell?: string;
}

/** A process about to be started. `token` goes into its environment as `TOKEN_VARIABLE`. */
export interface Announcement {
  readonly number: number;
  readonly token: string;
}

/** Watches over the processes of one run. Messages are written before the call returns. */
export interface Guardian {
  /**
   * Says that a process is about to be started; starts the guardian itself at the first call.
   *
   * @returns `undefined` when there is no guardian and none can be started: then nothing must be started.
   */
  announce(): Announcement | undefined;
  /** It runs: as leader of its own group, or (`isLeader` false) as one process in the group of Kahn itself. */
  started(number: number, pid: number, isLeader: boolean): void;
  /** It could not be started. */
  notStarted(number: number): void;
  /** It and its group are gone; from now on the same number is somebody else's. */
  ended(number: number): void;
  /** Processes may bear marks of that runner from now on, so that it can find those that leave their group. */
  marked(runner: number): void;
  /** Lets the guardian go, which ends nothing. Resolves when it is gone, so the lock is free. */
  close(): Promise<void>;
}

const PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin";

/** A guardian that is killed is replaced, but not for ever: then something on this machine does not want it. */
const RESTARTS_MAX = 3;

type Started = { readonly kind: "group"; readonly pid: number } | { readonly kind: "single"; readonly pid: number };
type Registered = { readonly kind: "announced" } | Started;

/** Prepares a guardian; its process is started with the first announcement. */
export function startGuardian(options: GuardianOptions): Guardian {
  if (!/^[A-Za-z0-9-]+$/.test(options.token)) throw new TypeError(`not a token: ${options.token}`);
  return new ShellGuardian(options);
}

class ShellGuardian implements Guardian {
  readonly #options: GuardianOptions;
  readonly #registered = new Map<number, Registered>();
  readonly #marks = new Set<number>();
  #last = 0;
  #restartsLeft = RESTARTS_MAX;
  #process: ChildProcess | undefined;
  #closed = false;

  constructor(options: GuardianOptions) {
    this.#options = options;
  }

  announce(): Announcement | undefined {
    this.#process ??= this.#start();
    if (this.#process.pid === undefined) return undefined;
    const number = ++this.#last;
    this.#registered.set(number, { kind: "announced" });
    this.#write(`? ${number}\n`);
    return { number, token: `${this.#options.token}/${number}.` };
  }

  started(number: number, pid: number, isLeader: boolean): void {
    const registered: Started = { kind: isLeader ? "group" : "single", pid };
    this.#registered.set(number, registered);
    this.#write(startedMessage(number, registered));
  }

  notStarted(number: number): void {
    this.#registered.delete(number);
    this.#write(`! ${number}\n`);
  }

  ended(number: number): void {
    const registered = this.#registered.get(number);
    this.#registered.delete(number);
    if (registered?.kind === "group") this.#write(`- ${registered.pid}\n`);
    if (registered?.kind === "single") this.#write(`~ ${number} ${registered.pid}\n`);
  }

  marked(runner: number): void {
    if (this.#marks.has(runner)) return;
    this.#marks.add(runner);
    this.#write(`m ${runner}\n`);
  }

  async close(): Promise<void> {
    const child = this.#process;
    this.#closed = true;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.ref();
    (child.stdin as Writable).end("q\n");
    await gone;
  }

  #start(): ChildProcess {
    const { token, graceMs, lockFd, shell = "/bin/sh" } = this.#options;
    const child = spawn(shell, ["-c", GUARDIAN_SCRIPT, "kahn-guardian", String(Math.ceil(graceMs / 100)), token], {
      // A session of its own: neither Ctrl-C in the terminal nor a kill of Kahn's whole group reaches it.
      detached: true,
      cwd: "/",
      env: { PATH },
      stdio: lockFd === undefined ? ["pipe", "ignore", "ignore"] : ["pipe", "ignore", "ignore", lockFd],
    });
    // The guardian must not keep Kahn alive; nor does its pipe.
    child.unref();
    (child.stdin as Writable & { unref(): void }).unref();
    // A write that meets a dead guardian: `exit` follows and replaces it.
    child.stdin?.on("error", () => {});
    child.on("error", () => this.#lost(child));
    child.on("exit", () => this.#lost(child));
    return child;
  }

  /** Somebody ended the guardian: another one takes over what is registered. */
  #lost(child: ChildProcess): void {
    if (this.#closed || this.#process !== child) return;
    this.#process = undefined;
    if (this.#registered.size === 0 || this.#restartsLeft-- <= 0) return;
    this.#process = this.#start();
    for (const runner of this.#marks) this.#write(`m ${runner}\n`);
    for (const [number, registered] of this.#registered) {
      this.#write(registered.kind === "announced" ? `? ${number}\n` : startedMessage(number, registered));
    }
  }

  /** Handed to the kernel before this returns: Node tries a plain write first, and the pipe is never full. */
  #write(message: string): void {
    this.#process?.stdin?.write(message);
  }
}

function startedMessage(number: number, registered: Started): string {
  return `${registered.kind === "group" ? "+" : "="} ${number} ${registered.pid}\n`;
}
