/** The folder that outputs of an action go to. */
import { resolve } from "node:path";
import { err, type FileSystem, ok, type Problem, problem, type Result } from "@kahn/core";

/** A folder somebody named. */
export interface NamedFolder {
  readonly name: string;
  /** Absolute; a relative name is meant from here. */
  readonly from: string;
  /** True for one that may have something in it. */
  readonly mayHold: boolean;
}

/** The absolute path of a folder that is not there, or empty. `action-outputs-blocked` for others. */
export function outputFolder(fs: FileSystem, { name, from, mayHold }: NamedFolder): Result<string, Problem> {
  const path = resolve(from, name);
  const names = fs.readDirectory(path);
  if (names === undefined && fs.lstat(path) !== undefined) {
    return err(
      problem("action-outputs-blocked", `${path} is no directory`, { next: "Name another one for the outputs." }),
    );
  }
  if (names === undefined || names.length === 0 || mayHold) return ok(path);
  return err(
    problem("action-outputs-blocked", `${path} is not empty`, {
      next: "Name an empty folder, or add --force: outputs then replace what has their names, and the rest stays.",
    }),
  );
}
