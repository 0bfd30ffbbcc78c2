/**
 * Which projects a project depends on.
 *
 * Owns:   from specifiers to edges between projects of the workspace.
 * Source: npm, pnpm and yarn specifiers: a name of the workspace links to it unless the specifier points elsewhere.
 */
import type { Manifest } from "./manifest.ts";

/** How names and folders lead to projects. */
export interface ProjectIndex {
  /** Package names to project names. */
  readonly byName: ReadonlyMap<string, string>;
  /** Workspace-relative folders to project names. */
  readonly byDirectory: ReadonlyMap<string, string>;
}

/** Names of the projects that a manifest depends on, sorted, each once, without the project itself. */
export function workspaceDependencies(
  manifest: Manifest,
  own: { readonly name: string; readonly directory: string },
  index: ProjectIndex,
): string[] {
  const found = new Set<string>();
  for (const [name, specifier] of manifest.dependencies) {
    const target = dependencyTarget(name, specifier, { directory: own.directory, index });
    if (target !== undefined && target !== own.name) found.add(target);
  }
  return [...found].sort();
}

function dependencyTarget(
  name: string,
  specifier: string,
  from: { readonly directory: string; readonly index: ProjectIndex },
): string | undefined {
  const { byName, byDirectory } = from.index;
  const [, protocol, rest = ""] = /^([a-z+]+):(.*)$/.exec(specifier) ?? [];
  switch (protocol) {
    case undefined:
      // `owner/repository` is a repository on GitHub; a range never holds a slash.
      return specifier.includes("/") ? undefined : byName.get(name);
    case "workspace": {
      if (/^\.{1,2}(\/|$)/.test(rest)) return byDirectory.get(resolveFolder(from.directory, rest));
      const alias = /^(@?[^@]+)@/.exec(rest)?.[1];
      return byName.get(alias ?? name);
    }
    case "file":
    case "link":
    case "portal":
      return byDirectory.get(resolveFolder(from.directory, rest));
    case "catalog":
      return byName.get(name);
    default:
      return undefined;
  }
}

/** The workspace-relative folder; a text that is no project's folder when it is outside. */
function resolveFolder(directory: string, relative: string): string {
  if (relative.startsWith("/")) return relative;
  const segments = directory === "" ? [] : directory.split("/");
  for (const segment of relative.split("/")) {
    if (segment === "..") {
      if (segments.pop() === undefined) return relative;
    } else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  return segments.join("/");
}
