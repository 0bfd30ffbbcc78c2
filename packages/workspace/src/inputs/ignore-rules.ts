/**
 * What git ignores, by `.gitignore` files and their kin.
 *
 * Owns:   the order of rules: the deepest `.gitignore` that says anything about a name decides, then `info/exclude`,
 *         then the user's own excludes file. Within one file the last matching line decides.
 * Never:  knows what is tracked: see git-files.ts.
 * Source: gitignore(5).
 */
import { createHash } from "node:crypto";
import { type IgnorePattern, parseIgnoreFile } from "./ignore-pattern.ts";

/** The rules of one file. */
export interface IgnoreFile {
  /** Directory that the patterns are relative to, relative to the repository, with a trailing slash or empty. */
  readonly base: string;
  /** Identity of the text. */
  readonly identity: string;
  readonly text: () => string;
}

/** Rules that hold in one directory and, where nothing below says otherwise, in those below it. */
export class IgnoreRules {
  /** Identity of all rules that hold here: equal texts in equal places, equal identity. Never 0. */
  readonly id: number;
  readonly #parent: IgnoreRules | undefined;
  readonly #file: IgnoreFile;
  #patterns: readonly IgnorePattern[] | undefined;

  constructor(parent: IgnoreRules | undefined, file: IgnoreFile) {
    this.#parent = parent;
    this.#file = file;
    const hash = createHash("sha256")
      .update(`${parent?.id ?? 0}\0${file.base}\0${file.identity}`)
      .digest();
    this.id = hash.readUIntBE(0, 6) + 1;
  }

  /**
   * True when a name is ignored, its parents being not.
   *
   * @param path relative to the repository.
   */
  ignores(path: string, isDirectory: boolean): boolean {
    const { base } = this.#file;
    if (path.startsWith(base)) {
      this.#patterns ??= parseIgnoreFile(this.#file.text());
      const own = path.slice(base.length);
      const name = own.slice(own.lastIndexOf("/") + 1);
      for (let index = this.#patterns.length - 1; index >= 0; index--) {
        const pattern = this.#patterns[index]!;
        if (pattern.isForDirectories && !isDirectory) continue;
        if (pattern.test(pattern.isAnchored ? own : name)) return !pattern.isNegated;
      }
    }
    return this.#parent?.ignores(path, isDirectory) ?? false;
  }
}
