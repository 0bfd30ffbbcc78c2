/**
 * One server for each folder: a second one would clear the directories in which the first one's actions run.
 *
 * Note: locks a folder of its own inside, so that whoever else uses the store (the command line, on the same cache)
 *       is not kept out.
 */
import type { Problem, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem } from "@kahn/core";
import type { ServerConfig } from "../operation/server-settings.ts";
import type { FolderLock, ServerPorts } from "./ports.ts";

const FREE: FolderLock = { release: () => {} };

/** Takes the lock of the configuration's folder. @returns or `serve-dir-taken`, or why there can be none. */
export async function lockDir(
  { dir }: ServerConfig,
  { lock, fs, resolvePath }: ServerPorts,
): Promise<Result<FolderLock, Problem>> {
  if (lock === undefined) return ok(FREE);
  const folder = `${resolvePath(dir)}/server`;
  try {
    fs.makeDirectory(folder);
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    const next = "Give a folder that this user may write.";
    return err(problem("lock-io", `${folder} cannot be made (${error.code})`, { next }));
  }
  const taken = await lock(folder);
  if (taken.ok || taken.problem.code !== "lock-held") return taken;
  const { message, facts = [] } = taken.problem;
  const next = "Stop that server, or give this one a folder of its own (--dir).";
  return err(problem("serve-dir-taken", `there is a server on ${dir} already: ${message}`, { facts, next }));
}
