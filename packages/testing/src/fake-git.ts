/** A `Git` that knows what the test told it. */
import type { Git } from "@kahn/core";

/** A repository as a test describes it. Everything may be changed between two questions. */
export interface FakeRepository {
  /** Absolute root of the work tree. */
  readonly workTree: string;
  /** Absolute root of the main work tree; default: the same. */
  readonly mainWorkTree?: string;
  /** What git tracks or would add, relative to the root; a function is asked each time. */
  files: readonly string[] | (() => readonly string[]);
  /** What differs from the merge base with each known base, relative to the root. */
  changes?: Readonly<Record<string, readonly string[]>>;
}

/** A git that answers from a description; without one it finds no repository anywhere. */
export function fakeGit(repository?: FakeRepository): Git {
  const holds = (directory: string): FakeRepository | undefined =>
    repository !== undefined && `${directory}/`.startsWith(`${repository.workTree}/`) ? repository : undefined;
  const below = ({ workTree }: FakeRepository, directory: string, paths: readonly string[]): string[] => {
    const prefix = directory === workTree ? "" : `${directory.slice(workTree.length + 1)}/`;
    const inside = paths.filter((path) => path.startsWith(prefix));
    return inside.map((path) => path.slice(prefix.length)).sort();
  };
  return {
    workTreeRoot: (directory) => holds(directory)?.workTree,
    mainWorkTreeRoot: (directory) => {
      const held = holds(directory);
      return held?.mainWorkTree ?? held?.workTree;
    },
    listFiles: (directory) => {
      const held = holds(directory);
      return held && below(held, directory, typeof held.files === "function" ? held.files() : held.files);
    },
    changedFiles: (directory, base) => {
      const held = holds(directory);
      if (held === undefined) return undefined;
      const changes = held.changes ?? {};
      return Object.hasOwn(changes, base) ? below(held, directory, changes[base]!) : "unknown-base";
    },
  };
}
