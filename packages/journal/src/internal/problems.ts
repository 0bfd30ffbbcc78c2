/** The problems of journals, each worded once, and the border where the file system's refusals become problems. */
import type { JournalProblem, Result } from "@kahn/core";
import { err, FileSystemError, problem } from "@kahn/core";

/** `journal-corrupt`: bytes that no crash can leave. */
export function corrupt(path: string, offset: number, what: string): JournalProblem {
  return problem("journal-corrupt", `${path} is damaged at byte ${offset}: ${what}.`, {
    where: { file: path },
    facts: [["offset", String(offset)]],
    next: "Restore the file from a backup, or remove the journal to start anew; nothing was changed.",
  });
}

/** `journal-format-newer`: written by a later version. */
export function formatNewer(path: string, found: string): JournalProblem {
  return problem("journal-format-newer", `${path} was written by a newer version of Kahn (${found}).`, {
    where: { file: path },
    next: "Use that version, or a later one, to read this journal.",
  });
}

/** `journal-missing`. */
export function missing(id: string, directory: string): JournalProblem {
  return problem("journal-missing", `There is no journal "${id}" in ${directory}.`, {
    next: "Check the id against the list of runs.",
  });
}

/** `journal-full` when the device has no room, else `journal-io`. */
export function refused(doing: string, error: FileSystemError): JournalProblem {
  const full = error.code === "ENOSPC" || error.code === "EDQUOT" || error.code === "EFBIG";
  return problem(full ? "journal-full" : "journal-io", `${doing} failed: ${error.message}.`, {
    where: { file: error.path },
    next: full
      ? "Free some space on that file system and resume."
      : "Check the device and its permissions, and resume.",
  });
}

/** Runs `action`; a refusal of the file system becomes a problem, anything else is thrown on. */
export function guarded<T>(doing: string, action: () => Result<T, JournalProblem>): Result<T, JournalProblem> {
  try {
    return action();
  } catch (error) {
    if (error instanceof FileSystemError) return err(refused(doing, error));
    throw error;
  }
}
