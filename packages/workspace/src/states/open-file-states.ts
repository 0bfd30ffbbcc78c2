/** Opens what is known of a work tree's files, and doubts what a power loss may have made untrue. */
import type { FileStatesOptions } from "./file-states-options.ts";
import { readIndex } from "./index-store.ts";
import { UNFLUSHED_MS } from "./trust.ts";
import { WorkTreeStates } from "./work-tree-states.ts";

/** Opens the index; a file that is missing, corrupt, newer or foreign counts as empty. Reads nothing else. */
export function openFileStates(options: FileStatesOptions): WorkTreeStates {
  const { fs, indexPath, digestFunction = "sha256", bootId } = options;
  const contents = readIndex(fs, indexPath, digestFunction);
  const { saved, table, directories } = contents;
  if (bootId !== undefined && bootId !== saved.bootId) {
    const sinceMs = saved.atMs - UNFLUSHED_MS;
    table.unsettleSince(sinceMs);
    // File systems with a journal keep names and times together; of others nothing is known.
    for (const directory of directories.values()) directory.unsettleSince(sinceMs);
  }
  return new WorkTreeStates(options, contents);
}
