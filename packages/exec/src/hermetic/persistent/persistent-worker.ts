/**
 * One persistent worker: a process that stays, its folder, and the pieces of work that it has at the moment.
 *
 * Invariant: every piece of work is answered once: by the worker, or by its end.
 */
import type { Clock, FileSystem, ProcessExit, ProcessRunner, RunningProcess } from "@kahn/core";
import type { CheckedCommand } from "../command-check.ts";
import { LOG_MAX_BYTES, lastBytes } from "../internal/last-bytes.ts";
import { removeFolder } from "../internal/remove-folder.ts";
import { launchWorker } from "../launch.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProtocolProblem, WorkDecoder, WorkerProtocol, WorkRequest, WorkResponse } from "./worker-protocol.ts";

/** Our ends of a worker's standard input and output: `openFifoPair` of `system`. */
export interface WorkerPipes {
  write(bytes: Uint8Array): void;
  /** Whether an answer is awaited: otherwise nobody looks for one. */
  listen(on: boolean): void;
  /** The worker then reads the end of its input. */
  close(): void;
}

/** Opens named pipes that are there. */
export type OpenWorkerPipes = (options: {
  readonly toProcess: string;
  readonly fromProcess: string;
  readonly onBytes: (bytes: Uint8Array) => void;
}) => WorkerPipes;

/** What a worker stands on. */
export interface WorkerPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly processes: ProcessRunner;
  readonly openPipes: OpenWorkerPipes;
}

/** What to start. */
export interface WorkerSpec {
  /** Absolute folder of this worker alone, not there yet. */
  readonly folder: string;
  readonly argv: readonly string[];
  readonly environment: CheckedCommand["environment"];
  /** Relative to `root`. */
  readonly workingDirectory: string;
  readonly protocol: WorkerProtocol;
  /** Undefined: without one. */
  readonly sandbox: Sandbox | undefined;
  readonly network: boolean;
  readonly graceMs: number;
  readonly label: string;
}

/** How a piece of work ended. */
export type WorkEnd =
  | { readonly kind: "answered"; readonly response: WorkResponse }
  /** The worker is gone; what it had said. */
  | { readonly kind: "died"; readonly said: Uint8Array }
  | { readonly kind: "garbled"; readonly problem: ProtocolProblem };

/** A worker. `prepare`, fill `root`, `start`, then any number of `work`. */
export class PersistentWorker {
  readonly #ports: WorkerPorts;
  readonly #spec: WorkerSpec;
  readonly #decoder: WorkDecoder;
  readonly #waiting = new Map<number, (end: WorkEnd) => void>();
  #pipes: WorkerPipes | undefined;
  #process: RunningProcess | undefined;
  #garbled: ProtocolProblem | undefined;
  #isGone = false;
  #hasWorked = false;

  constructor(ports: WorkerPorts, spec: WorkerSpec) {
    this.#ports = ports;
    this.#spec = spec;
    this.#decoder = spec.protocol.decoder();
  }

  /** Absolute: all that is its own. */
  get folder(): string {
    return this.#spec.folder;
  }

  /** Absolute: the folder that inputs go to. */
  get root(): string {
    return `${this.#spec.folder}/root`;
  }

  /** Absolute: a folder beside it that the worker does not see in a sandbox. Goes with the worker. */
  get privateFolder(): string {
    return `${this.#spec.folder}/private`;
  }

  /** False once it has ended, or will. */
  get isUsable(): boolean {
    return !this.#isGone;
  }

  /** Process id; 0 where it is not known. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Makes its folder and pipes. @returns why it could not. @throws FileSystemError */
  async prepare(): Promise<string | undefined> {
    const { fs, processes } = this.#ports;
    const { folder, label, graceMs } = this.#spec;
    fs.makeDirectory(this.root);
    fs.makeDirectory(`${folder}/tmp`);
    fs.makeDirectory(this.privateFolder);
    const maker = processes.start({
      argv: ["mkfifo", "-m", "600", `${folder}/in`, `${folder}/out`],
      ...{ cwd: folder, env: { PATH: "/usr/bin:/bin" }, graceMs, label: `pipes of ${label}` },
      ...this.#sinks(),
    });
    const exit = await maker.ended;
    return exit.kind === "exited" && exit.exitCode === 0 ? undefined : `mkfifo failed: ${wordsOf(this.said())}`;
  }

  /** Starts it. To be called once, after `prepare`. @throws FileSystemError */
  start(): void {
    const { fs, processes } = this.#ports;
    const { folder, argv, environment, workingDirectory, sandbox, network, graceMs, label } = this.#spec;
    const [toProcess, fromProcess] = [`${folder}/in`, `${folder}/out`];
    const files = { toProcess, fromProcess, arguments: `${folder}/arguments` };
    if (sandbox !== undefined) {
      const inside = { execRoot: this.root, temporary: `${folder}/tmp`, mounts: [], workingDirectory };
      fs.writeFile(files.arguments, sandbox.arguments({ ...inside, environment, network }), { mode: 0o600 });
    }
    this.#pipes = this.#ports.openPipes({ toProcess, fromProcess, onBytes: (bytes) => this.#heard(bytes) });
    const cwd = workingDirectory === "" ? this.root : `${this.root}/${workingDirectory}`;
    const command = { arguments: argv, environment };
    const mark = sandbox === undefined ? processes.newMark?.() : undefined;
    const running = processes.start({
      ...launchWorker({ command, files, sandbox: sandbox?.program, cwd, mark }),
      ...{ ...this.#sinks(), graceMs, label },
      ...(mark === undefined ? {} : { strays: { mark: mark.number, folder } }),
    });
    this.#process = running;
    void running.ended.then((exit) => this.#ended(exit));
  }

  /** Gives it a piece of work. The id is none that it has at the moment. */
  work(request: WorkRequest): Promise<WorkEnd> {
    if (this.#isGone) return Promise.resolve(this.#lastEnd());
    // What it said about earlier work is of no use any more, and would grow for as long as it lives.
    if (this.#hasWorked && this.#waiting.size === 0) this.#forgetSaid();
    this.#hasWorked = true;
    return new Promise((resolve) => {
      this.#waiting.set(request.requestId, resolve);
      this.#pipes?.write(this.#spec.protocol.encode(request));
      this.#pipes?.listen(true);
    });
  }

  /** Says that an earlier piece of work is not wanted any more; its end still comes. */
  cancel(requestId: number): void {
    const request = { arguments: [], inputs: [], requestId, cancel: true, sandboxDir: "" };
    this.#pipes?.write(this.#spec.protocol.encode(request));
  }

  /** Ends it and all that it has; resolves when it is gone and its folder removed. */
  async end(how: "term" | "kill"): Promise<void> {
    this.#isGone = true;
    this.#process?.end(how);
    await this.#process?.ended;
    this.#pipes?.close();
    await removeFolder(this.#ports.fs, this.#spec.folder);
  }

  #sinks() {
    const path = this.#sayings;
    return { stdout: { kind: "file", path }, stderr: { kind: "file", path } } as const;
  }

  #heard(bytes: Uint8Array): void {
    if (this.#garbled !== undefined) return;
    const responses = this.#decoder.push(bytes);
    if (!responses.ok) {
      this.#garbled = responses.problem;
      this.#isGone = true;
      this.#process?.end("kill");
      return;
    }
    for (const response of responses.value) {
      // A late answer to what was cancelled: nobody waits any more.
      this.#waiting.get(response.requestId)?.({ kind: "answered", response });
      this.#waiting.delete(response.requestId);
    }
    if (this.#waiting.size === 0) this.#pipes?.listen(false);
  }

  #ended(_: ProcessExit): void {
    this.#isGone = true;
    this.#pipes?.close();
    const end = this.#lastEnd();
    for (const settle of this.#waiting.values()) settle(end);
    this.#waiting.clear();
  }

  #lastEnd(): WorkEnd {
    if (this.#garbled !== undefined) return { kind: "garbled", problem: this.#garbled };
    return { kind: "died", said: this.said() };
  }

  /** What it has said on standard error since it has had no break. */
  said(): Uint8Array {
    return lastBytes(this.#ports.fs, this.#sayings, LOG_MAX_BYTES);
  }

  get #sayings(): string {
    return `${this.#spec.folder}/stderr`;
  }

  #forgetSaid(): void {
    const { fs } = this.#ports;
    // It appends, so it goes on at the new end.
    if ((fs.lstat(this.#sayings)?.sizeBytes ?? 0) > 0) fs.writeFile(this.#sayings, "");
  }
}

/** The last words among what was said, for a message. */
export function wordsOf(said: Uint8Array): string {
  return Buffer.from(said).toString().trim().slice(-500);
}
