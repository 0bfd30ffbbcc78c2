/**
 * Errors of the operating system, as `FileSystemError`.
 *
 * Owns:  the mapping from what Node throws.
 * Never: matches on message text; only `code`, the errno name, is looked at.
 */
import { FileSystemError } from "@kahn/core";

/** The errno name of what Node threw, or `undefined` for anything that is not a refused system call. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  // Node's own argument errors carry codes such as ERR_INVALID_ARG_VALUE: those are bugs of the caller.
  return typeof code === "string" && !code.startsWith("ERR_") ? code : undefined;
}

/** True for the two ways in which a path leads nowhere. */
export function isAbsent(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** The refusal of `operation` on `path` as a `FileSystemError`; anything else as it was. */
export function refusal(error: unknown, operation: string, path: string): unknown {
  const code = errnoOf(error);
  return code === undefined ? error : new FileSystemError(code, operation, path, { cause: error });
}

/** Runs one system call, turning a refusal into `FileSystemError`. */
export function guarded<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw refusal(error, operation, path);
  }
}

/** Like `guarded`, but a path that leads nowhere answers `undefined`. */
export function guardedOrAbsent<T>(operation: string, path: string, call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw refusal(error, operation, path);
  }
}

/** Closes what was given up while a call was under way. That a close is refused is told to nobody: whoever gave it up is gone. */
export function closedLate(close: () => void): void {
  try {
    close();
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
  }
}
