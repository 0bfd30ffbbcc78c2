/** Guesses what a script writes, from the files around it. Only `kahn init` uses guesses. */
import type { FileSystem } from "@kahn/core";
import type { Project } from "../model.ts";
import { parseJsonTree, plainValue } from "./json-tree.ts";

/** What outputs are guessed from. */
export interface GuessOptions {
  readonly fs: FileSystem;
  /** Absolute path of the workspace. */
  readonly root: string;
  readonly task: string;
  /** Projects that have such a script. */
  readonly projects: readonly Project[];
}

/** Folders that tools write by convention, when git ignores them. */
const CONVENTIONAL = ["dist", "build", "lib", "out", "es", "esm", "cjs", "types"];

/** Frameworks by the program that the script starts. */
const FRAMEWORKS: readonly (readonly [program: RegExp, globs: readonly string[]])[] = [
  [/\bnext build\b/, [".next/**", "!.next/cache/**"]],
  [/\bnuxt(i)? build\b/, [".output/**", ".nuxt/**"]],
  [/\bsvelte-kit\b/, [".svelte-kit/**"]],
  [/\bremix (vite:)?build\b/, ["build/**"]],
  [/\b(vite|astro|tsup|unbuild|ng) build\b|\btsup\b|\bunbuild\b/, ["dist/**"]],
  [/\bstorybook build\b/, ["storybook-static/**"]],
];

/** Globs that hold what the script writes in some project, the most frequent first. */
export function guessOutputs(options: GuessOptions): string[] {
  const counts = new Map<string, number>();
  for (const project of options.projects) {
    const script = project.scripts[options.task] ?? "";
    const globs = /^(test|unit)/.test(options.task) ? guessOfTest(script) : guessOfBuild(project, script, options);
    for (const glob of globs) counts.set(glob, (counts.get(glob) ?? 0) + 1);
  }
  // Exclusions come last and keep their order.
  const rank = (glob: string) => (glob.startsWith("!") ? -1 : counts.get(glob)!);
  const globs = [...counts.keys()].sort((left, right) => rank(right) - rank(left));
  // A build that declares nothing would be "cached" without its files: better a guess that a warning can correct.
  return globs.length === 0 && /^(build|compile|bundle)$/.test(options.task) ? ["dist/**"] : globs;
}

function guessOfTest(script: string): string[] {
  return /--coverage\b|\b(c8|nyc)\b/.test(script) ? ["coverage/**"] : [];
}

function guessOfBuild(project: Project, script: string, { fs, root }: GuessOptions): Set<string> {
  const folder = project.directory === "" ? root : `${root}/${project.directory}`;
  const globs = new Set<string>();
  for (const [program, found] of FRAMEWORKS) if (program.test(script)) for (const glob of found) globs.add(glob);
  const compiler = record(record(readJson(fs, `${folder}/tsconfig.json`)).compilerOptions);
  if (/\btsc\b/.test(script) && typeof compiler.outDir === "string") add(globs, compiler.outDir);
  if (/\btsc\b/.test(script) && (compiler.composite === true || compiler.incremental === true)) {
    globs.add("*.tsbuildinfo");
  }
  const manifest = record(readJson(fs, `${folder}/package.json`));
  const ignored = ignoredFolders(fs, [root, folder]);
  for (const path of entryPaths(manifest)) {
    const [first, ...rest] = path.replace(/^\.\//, "").split("/");
    if (rest.length > 0 && (ignored.has(first!) || first === "dist")) add(globs, first!);
  }
  const isThere = (name: string) =>
    fs.lstat(`${folder}/${name}`)?.kind === "directory" && name !== "lib" && name !== "types";
  if (globs.size === 0) for (const name of CONVENTIONAL) if (ignored.has(name) || isThere(name)) add(globs, name);
  return globs;
}

function add(globs: Set<string>, directory: string): void {
  const clean = directory.replace(/^\.\//, "").replace(/\/+$/, "");
  if (clean !== "" && clean !== "." && !clean.startsWith("..") && !clean.startsWith("/")) globs.add(`${clean}/**`);
}

/** Paths that a manifest promises to its users. */
function entryPaths(manifest: Readonly<Record<string, unknown>>): string[] {
  const { main, module, types, typings, bin, exports } = manifest;
  return texts([main, module, types, typings, bin, exports]);
}

function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(texts) : [];
}

function ignoredFolders(fs: FileSystem, folders: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (const folder of folders) {
    for (const line of readText(fs, `${folder}/.gitignore`).split(/\r?\n/)) {
      const match = /^(?:\/|\*\*\/)?([\w.-]+)(?:\/|\/\*\*?)?$/.exec(line.trim());
      if (match !== null) names.add(match[1]!);
    }
  }
  return names;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function readText(fs: FileSystem, path: string): string {
  return new TextDecoder().decode(fs.readFile(path) ?? new Uint8Array());
}

function readJson(fs: FileSystem, path: string): unknown {
  const parsed = parseJsonTree(readText(fs, path), "jsonc");
  return parsed.ok ? plainValue(parsed.value) : undefined;
}
