/** Paths of the work tree in their two forms: absolute for the file system, relative for everything else. */

/** Translates between the forms. Paths outside the tree stay absolute in both. */
export class TreePaths {
  readonly #root: string;
  readonly #prefix: string;

  /** @param root absolute path of the work tree. */
  constructor(root: string) {
    this.#root = root;
    this.#prefix = root === "/" ? "/" : `${root}/`;
  }

  absolute(path: string): string {
    if (path.charCodeAt(0) === 47 /* slash */) return path;
    return path === "" ? this.#root : this.#prefix + path;
  }

  relative(path: string): string {
    if (path.startsWith(this.#prefix)) return path.slice(this.#prefix.length);
    return path === this.#root ? "" : path;
  }
}

/** The directory of a path; empty for a name in the work tree itself. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === 0 ? "/" : path.slice(0, Math.max(slash, 0));
}

/** The last name of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
