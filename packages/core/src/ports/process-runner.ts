/**
 * Port: processes. A process is always started in a group of its own; whatever way it ends, its whole group is ended
 * with it, and after the death of Kahn itself a guardian does so.
 */

/** Where one of the two output streams goes. */
export type OutputSink =
  /** Straight into a file by descriptor: Kahn never sees the bytes. The file is created or replaced. */
  | { readonly kind: "file"; readonly path: string }
  /** Into a file and, as they come, to a listener. */
  | { readonly kind: "tee"; readonly path: string; readonly onBytes: (bytes: Uint8Array) => void }
  /** The terminal of Kahn itself. */
  | { readonly kind: "inherit" };

/** What to start. Nothing is inherited but what is named here. */
export interface ProcessSpec {
  /** Program and arguments; a bare program name is sought in `env.PATH`. */
  readonly argv: readonly string[];
  /** Absolute working directory. */
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
  /** `true` hands Kahn's own standard input to the process; otherwise it reads from /dev/null. */
  readonly interactive?: boolean;
  /** How long the group may live on after TERM before KILL. */
  readonly graceMs: number;
  /** A name for messages, such as the task's id. */
  readonly label: string;
  /** What has left the group belongs to it all the same, and is ended with it. Default: only the group is. */
  readonly strays?: Strays;
}

/** How to know what has left a group: by a mark that its leader took on, or by the folder that it stands in. */
export interface Strays {
  /** `ProcessMark.number`; no other process has the same. */
  readonly mark: number;
  /** Absolute folder of this process alone. */
  readonly folder: string;
}

/** A mark that a process passes on to whatever it starts, also to what leaves its group and closes its descriptors. */
export interface ProcessMark {
  readonly number: number;
  /** Words for a POSIX shell, which then bears the mark. Where it cannot, they are without effect. */
  readonly shell: string;
}

/** How a process ended. */
export type ProcessExit =
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "signalled"; readonly signal: string }
  /** It never ran. `code` is the errno name, such as ENOENT. */
  | { readonly kind: "not-started"; readonly code: string; readonly message: string };

/** A started process. */
export interface RunningProcess {
  /** Process and group id; 0 when it never ran, or when another process starts it and has not answered yet. */
  readonly pid: number;
  /** Settles once, after the process has ended *and* its group is quiet, with its strays. Never rejects. */
  readonly ended: Promise<ProcessExit>;
  /** `term` sends TERM and, after the grace, KILL, to the whole group; `kill` sends KILL at once. May be repeated. */
  end(how: "term" | "kill"): void;
}

/** Starts processes. */
export interface ProcessRunner {
  start(spec: ProcessSpec): RunningProcess;
  /** A new mark; left out, or `undefined`, where processes cannot be found by one. */
  newMark?(): ProcessMark | undefined;
  /** Ends at once all that bears a mark of the runner which made this one, a dead one's too, or stands below the folder. */
  endMarked?(strays: Strays): void;
  /** Ends everything still running and lets go of the guardian. The runner cannot be used afterwards. */
  close(): Promise<void>;
}
