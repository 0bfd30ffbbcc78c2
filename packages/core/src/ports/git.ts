/** Port: the few questions that Kahn asks of git. Every answer is `undefined` where there is no repository or no git. */

/** Questions about the repository that holds a directory. */
export interface Git {
  /** Absolute path of the work tree's root. */
  workTreeRoot(directory: string): string | undefined;
  /** Absolute path of the main work tree's root, which linked work trees share; the same path in the main one. */
  mainWorkTreeRoot(directory: string): string | undefined;
  /** Files that git tracks or would add, below `directory` and relative to it, sorted. Deleted ones are left out. */
  listFiles(directory: string): string[] | undefined;
  /**
   * Files below `directory`, relative to it, sorted, that differ between the merge base of `base` and HEAD, and the
   * work tree: committed, staged, unstaged and untracked ones; deleted ones included.
   * `unknown-base` when `base` names no commit.
   */
  changedFiles(directory: string, base: string): string[] | "unknown-base" | undefined;
}
