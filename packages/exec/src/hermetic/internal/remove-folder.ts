/** Removing the folder of something that has ended. */
import { type FileSystem, FileSystemError } from "@kahn/core";

/**
 * Removes a folder and all in it. One that cannot be removed, because a process that has fled from its group still writes
 * to it, changes nothing about how its action ended: the next start of the runner removes it. Never rejects.
 */
export async function removeFolder(fs: FileSystem, path: string): Promise<void> {
  try {
    if (fs.removeTreeInTurns === undefined) fs.removeTree(path);
    else await fs.removeTreeInTurns(path);
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
  }
}
