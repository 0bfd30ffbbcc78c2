/**
 * The repository as tidy sees it: files with their texts and what kind each is.
 *
 * Invariant: rules read nothing but this, so that each can be shown failing on a repository of two files in memory.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * `source`: TypeScript of a package, published in the end. `test`: what runs in the test runner, contract suites
 * included. `tool`: what only developers run. `document`: Markdown.
 */
export type FileKind = "source" | "test" | "tool" | "manifest" | "document" | "other";

/** One text file. */
export interface RepositoryFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly kind: FileKind;
  /** Folder name of the package it is in, for example `core`. */
  readonly package: string | undefined;
}

/** All files that git tracks or would add. */
export interface Repository {
  readonly files: readonly RepositoryFile[];
  file(path: string): RepositoryFile | undefined;
}

const TEXT = /\.(ts|mts|mjs|js|json|jsonc|md|yml|yaml|sh|css|html)$|(^|\/)([^./]+|\.npmrc|\.gitignore)$/;
const MAX_BYTES = 2_000_000;

/** Reads a repository from disk. Needs git. */
export function loadRepository(root: string): Repository {
  const listing = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64_000_000,
  });
  const texts: Record<string, string> = {};
  for (const path of new Set(listing.split("\0"))) {
    const absolute = join(root, path);
    // Tracked files may be deleted in the working tree.
    if (!TEXT.test(path) || !existsSync(absolute) || statSync(absolute).size > MAX_BYTES) continue;
    texts[path] = readFileSync(absolute, "utf8");
  }
  return repositoryOf(texts);
}

/** A repository of these texts by path; the rules' tests use it. */
export function repositoryOf(texts: Readonly<Record<string, string>>): Repository {
  const files = new Map<string, RepositoryFile>();
  for (const path of Object.keys(texts).sort()) {
    files.set(path, { path, text: texts[path]!, kind: kindOf(path), package: /^packages\/([^/]+)\//.exec(path)?.[1] });
  }
  return { files: [...files.values()], file: (path) => files.get(path) };
}

function kindOf(path: string): FileKind {
  if (/(^|\/)fixtures\//.test(path)) return "other";
  // What a program wrote is judged by the program's own tests.
  if (/^packages\/[^/]+\/src\/([^/]+\/)*generated\//.test(path)) return "other";
  if (path.endsWith(".md")) return "document";
  // An example is a project of its own, with rules of its own.
  if (path.startsWith("examples/")) return "other";
  if (/(^|\/)package\.json$/.test(path)) return "manifest";
  if (!/\.(ts|mts|mjs)$/.test(path) || path.endsWith(".d.ts")) return "other";
  if (/\.(test|fixture)\.(ts|mjs)$/.test(path) || path.startsWith("test/")) return "test";
  if (/^packages\/[^/]+\/src\/(.*\/)?contract(\.ts|\/)/.test(path)) return "test";
  if (/^packages\/[^/]+\/test\//.test(path)) return "test";
  if (/^packages\/[^/]+\/src\//.test(path)) return "source";
  return /^(tools|bench)\//.test(path) || /^[^/]+\.config\.ts$/.test(path) ? "tool" : "other";
}
