/**
 * A file of log lines: opened again when somebody has moved it away, and never the end of the server.
 *
 * Invariant: trouble with writing is told once until it works again; what could not be written is dropped.
 */
import type { FileHandle, FileSystem, Problem, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem, warning } from "@kahn/core";

/** Where a log is. */
export interface LogFileOptions {
  readonly fs: FileSystem;
  /** Absolute. */
  readonly path: string;
  /** Told of trouble. */
  readonly report: (problem: Problem) => void;
}

/** A log's file. */
export class LogFile {
  readonly #options: LogFileOptions;
  #file: FileHandle;
  #isInTrouble = false;

  private constructor(options: LogFileOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
  }

  /** @returns or `serve-log-unwritable`. */
  static open(options: LogFileOptions): Result<LogFile, Problem> {
    const file = opened(options);
    return file.ok ? ok(new LogFile(options, file.value)) : file;
  }

  /** Appends whole lines. Never throws. */
  write(lines: string): void {
    try {
      this.#file.append(Buffer.from(lines));
      this.#isInTrouble = false;
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      if (!this.#isInTrouble) this.#options.report(unwritable(this.#options.path, error));
      this.#isInTrouble = true;
    }
  }

  /** Goes on in a file of that name: after it was moved away, in a new one. @returns or why it goes on in the old one. */
  reopen(): Result<void, Problem> {
    const file = opened(this.#options);
    if (!file.ok) return file;
    this.#file.close();
    this.#file = file.value;
    return ok(undefined);
  }

  /** Lets go. */
  close(): void {
    this.#file.close();
  }
}

function opened({ fs, path }: LogFileOptions): Result<FileHandle, Problem> {
  try {
    return ok(fs.openAppend(path));
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    const next = "Name a file that this user may write, in telemetry.accessLog.";
    return err(problem("serve-log-unwritable", `${path} cannot be written (${error.code})`, { next }));
  }
}

function unwritable(path: string, { code }: FileSystemError): Problem {
  const next = "Calls go on without their lines. Make room, or let this user write there.";
  return warning("serve-log-unwritable", `${path} cannot be written (${code})`, { next });
}
