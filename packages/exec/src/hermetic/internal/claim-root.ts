/**
 * Taking over the folder of a runner that may have been killed.
 *
 * Invariant: what the one before left running is ended before what it stands in goes.
 */
import type { FileSystem, ProcessRunner } from "@kahn/core";

/** Makes `root` an empty folder that is nobody else's to read. @throws FileSystemError */
export function claimRoot({ fs, processes, root }: RootParts): void {
  fs.makeDirectory(root);
  // Inputs may be private, and so are the command's variables.
  fs.chmod(root, 0o700);
  const file = `${root}/mark`;
  const before = fs.readFile(file);
  if (before !== undefined) processes.endMarked?.({ mark: Number(Buffer.from(before).toString()), folder: root });
  for (const { name } of fs.readDirectory(root) ?? []) fs.removeTree(`${root}/${name}`);
  const mark = processes.newMark?.();
  if (mark !== undefined) fs.writeFile(file, String(mark.number));
}

interface RootParts {
  readonly fs: FileSystem;
  readonly processes: ProcessRunner;
  /** Absolute. */
  readonly root: string;
}
