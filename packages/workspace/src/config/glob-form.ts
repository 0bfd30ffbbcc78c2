/**
 * The form of a glob in a configuration, and its normal form.
 *
 * Owns:      what may be written in `inputs`, `outputs`, `globalInputs` and `projects`.
 * Invariant: a normal glob has no `.` or `..` segment, no trailing `/` and never leaves the workspace. It is relative
 *            to its base folder, or to the workspace when it starts with `/`; `!` in front of either excludes.
 */
import type { Result } from "@kahn/core";
import { err, ok } from "@kahn/core";

/** The default set of inputs: files that git knows of, minus outputs. */
export const DEFAULT_INPUTS = "$default";

/**
 * Normalises a glob.
 *
 * @param written as in the configuration.
 * @param base    workspace-relative folder that it starts from; empty for the root.
 * @returns the normal form, or a sentence part that says what is wrong with it.
 */
export function normalizeGlob(written: string, base: string): Result<string, string> {
  const bang = written.startsWith("!") ? "!" : "";
  const glob = written.slice(bang.length).trim();
  if (glob === "") return err("is empty");
  if (glob === DEFAULT_INPUTS) return bang === "" ? ok(glob) : err(`cannot leave out ${DEFAULT_INPUTS}`);
  if (/^[a-z][a-z0-9+.-]*:/i.test(glob)) return err("is not a path of the workspace");
  if (glob.startsWith("~")) return err('starts with "~", which is outside the workspace');
  if (/\$\{|\$[A-Za-z_]/.test(glob)) return err("names a variable; globs have none");
  const fromRoot = glob.startsWith("/");
  const needsBase = !fromRoot && /(^|\/)\.\.(\/|$)/.test(glob);
  const segments: string[] = needsBase && base !== "" ? base.split("/") : [];
  for (const segment of glob.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") segments.push(segment);
    else if (segments.pop() === undefined) return err("leaves the workspace");
  }
  const isFolder = glob.endsWith("/") || glob === "." || glob.endsWith("/.") || glob.endsWith("..");
  if (isFolder) segments.push("**");
  const prefix = fromRoot || needsBase ? "/" : "";
  return ok(`${bang}${prefix}${segments.join("/")}`);
}

/** True when the normal form depends on the base folder. */
export function dependsOnBase(written: string): boolean {
  return /(^!?|\/)\.\.(\/|$)/.test(written);
}
