/**
 * The packages and their ranks, as ARCHITECTURE.md draws them.
 *
 * Invariant: this table is the only place where a rank is written down for a machine.
 */
import type { Repository, RepositoryFile } from "./repository.ts";

/** Rank of each package by folder name. A package imports lower ranks only. */
export const RANKS: ReadonlyMap<string, number> = new Map([
  ["core", 0],
  ["testing", 1],
  ["journal", 1],
  ["system", 1],
  ["scheduler", 2],
  ["cas", 2],
  ["exec", 3],
  ["workflow", 3],
  ["workspace", 4],
  ["cargo", 4],
  ["remote", 4],
  ["changes", 4],
  ["report", 4],
  ["kahn", 5],
]);

/** The parts of a package.json that rules read. */
export interface Manifest {
  readonly name?: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Folder names of the packages that exist. */
export function packagesOf(repository: Repository): readonly string[] {
  return repository.files.flatMap((file) => /^packages\/([^/]+)\/package\.json$/.exec(file.path)?.[1] ?? []);
}

/** The manifest of a package's folder, or the root's for `undefined`. */
export function manifestOf(repository: Repository, name: string | undefined): Manifest {
  const file = repository.file(name === undefined ? "package.json" : `packages/${name}/package.json`);
  return file === undefined ? {} : (JSON.parse(file.text) as Manifest);
}

/** The folder name of the package that a specifier like `@kahn/core` names. */
export function ownPackage(specifier: string): string | undefined {
  return /^@kahn\/([^/]+)/.exec(specifier)?.[1] ?? (/^kahn(\/|$)/.test(specifier) ? "kahn" : undefined);
}

/** The package part of a bare specifier: `@scope/name` or `name`; `undefined` for relative and `node:` ones. */
export function packageName(specifier: string): string | undefined {
  if (/^(\.|node:)/.test(specifier)) return undefined;
  return /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0];
}

/** The files that hold TypeScript or JavaScript of ours: sources, tests and tools. */
export function codeFiles(repository: Repository): readonly RepositoryFile[] {
  return repository.files.filter((file) => file.kind === "source" || file.kind === "test" || file.kind === "tool");
}
