/**
 * Expands project globs to folders.
 *
 * Owns:      `packages/*`, `packages/**`, `!packages/old`, plain folders; in the order given, exclusions last.
 * Invariant: never enters `node_modules` or a folder that starts with a dot unless the glob names it. Every folder
 *            that was listed and every manifest that was looked for is in the reader's evidence, so a project that
 *            appears later is noticed.
 */
import picomatch from "picomatch";
import { PROJECT_CONFIG } from "../config/config-files.ts";
import type { SourceReader } from "../source-reader.ts";
import { folderNames } from "../source-reader.ts";

/** Files that make a folder a project. */
const PROJECT_FILES = ["package.json", PROJECT_CONFIG] as const;

/** Workspace-relative folders that match the globs and hold a manifest, sorted; the root itself is left out. */
export function projectDirectories(reader: SourceReader, root: string, globs: readonly string[]): string[] {
  const cleaned = globs.map((glob) => glob.replace(/^(!?)(?:\.?\/)+/, "$1").replace(/\/+$/, ""));
  const excluded = cleaned.filter((glob) => glob.startsWith("!")).map((glob) => picomatch(glob.slice(1)));
  const found = new Set<string>();
  for (const glob of cleaned) {
    if (glob.startsWith("!") || glob === "" || glob === ".") continue;
    for (const expanded of braces(glob)) expand(reader, root, { directory: "", rest: expanded.split("/"), found });
  }
  return [...found].filter((directory) => !excluded.some((matches) => matches(directory))).sort();
}

/** `{a,b}/*` as its alternatives, because expansion goes segment by segment. */
function braces(glob: string): string[] {
  const match = /^(.*?)\{([^{}]*)\}(.*)$/.exec(glob);
  if (match === null) return [glob];
  return match[2]!.split(",").flatMap((choice) => braces(`${match[1]}${choice}${match[3]}`));
}

interface Expansion {
  readonly directory: string;
  readonly rest: readonly string[];
  readonly found: Set<string>;
}

function expand(reader: SourceReader, root: string, at: Expansion): void {
  const { directory, rest, found } = at;
  const absolute = directory === "" ? root : `${root}/${directory}`;
  const [segment, ...further] = rest;
  if (segment === undefined) {
    if (directory !== "" && isProject(reader, absolute)) found.add(directory);
    return;
  }
  if (segment === "." || segment === "") {
    expand(reader, root, { directory, rest: further, found });
  } else if (segment === "**") {
    expand(reader, root, { directory, rest: further, found });
    for (const child of folders(reader, absolute, "directory-only").map((name) => join(directory, name))) {
      expand(reader, root, { directory: child, rest, found });
    }
  } else if (!/[*?[\]()!]/.test(segment)) {
    expand(reader, root, { directory: join(directory, segment), rest: further, found });
  } else {
    const matches = picomatch(segment);
    for (const child of folders(reader, absolute, "with-links")) {
      if (matches(child)) expand(reader, root, { directory: join(directory, child), rest: further, found });
    }
  }
}

function folders(reader: SourceReader, directory: string, which: "directory-only" | "with-links"): string[] {
  return folderNames(reader.list(directory))
    .filter((name) => which === "with-links" || !name.endsWith("@"))
    .map((name) => name.replace(/@$/, ""));
}

function isProject(reader: SourceReader, directory: string): boolean {
  return PROJECT_FILES.some((file) => reader.exists(`${directory}/${file}`));
}

function join(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
