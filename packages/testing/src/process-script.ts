/** What a fake process does: the vocabulary of scripts for `fakeProcessRunner`. */
import type { ProcessSpec } from "@kahn/core";

/** A running process in the hand of a script or a test. */
export interface HeldProcess {
  readonly spec: ProcessSpec;
  /** Writes to one of its output streams. */
  write(stream: "stdout" | "stderr", content: string | Uint8Array): void;
  /** Writes a file, parents included; a relative path starts from its working directory. */
  writeFile(path: string, content: string | Uint8Array): void;
  /** The process ends by itself with this code (default 0). No effect once it has ended. */
  exit(exitCode?: number): void;
  /** The process dies of a signal that Kahn did not send, such as `SIGSEGV`. No effect once it has ended. */
  die(signal: string): void;
}

/** A fake process's life. Left out is: ends at once with exit code 0, writes nothing, dies of TERM, has no children. */
export interface ProcessScript {
  /** It never runs: the errno name, such as ENOENT or EACCES. */
  readonly notStarted?: string;
  /** Written at the start. */
  readonly stdout?: string;
  /** Written at the start. */
  readonly stderr?: string;
  /** Done at given moments of its life, in milliseconds after its start: write, edit an input, spawn trouble. */
  readonly steps?: readonly { readonly afterMs: number; readonly run: (process: HeldProcess) => void }[];
  /** Files written just before it ends by itself; paths relative to its working directory, or absolute. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** When it ends by itself, in the clock's time. 0 ends in a microtask, without the clock moving. */
  readonly durationMs?: number;
  /** How it ends by itself: an exit code, or the name of the signal it dies of. */
  readonly exit?: number | string;
  /** True: never ends by itself. */
  readonly hangs?: boolean;
  /** What TERM does to it. A number is the code it exits with. */
  readonly onTerm?: "dies" | "ignores" | number;
  /** A child of it in the same group, that lives on after it. */
  readonly grandchild?: "dies-on-term" | "needs-kill";
}

/** A script; `"held"`, a process that only the test ends; or a choice made at each start (counted from 1 by label). */
export type ScriptSource = ProcessScript | "held" | ((spec: ProcessSpec, nth: number) => ProcessScript | "held");
