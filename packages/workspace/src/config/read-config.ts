/**
 * Finds and reads a workspace's configuration file.
 *
 * Owns:  which file counts, and turning it into a value with positions.
 * Never: checks what the value says.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { SourceReader } from "../source-reader.ts";
import { DATA_CONFIGS, MODULE_CONFIGS, PROJECT_CONFIG } from "./config-files.ts";
import type { ConfigText, ValuePath } from "./config-text.ts";
import { moduleText, pathText, readJsonText } from "./config-text.ts";

/**
 * Evaluates a module and gives its default export. The text is the file's present contents: an implementation may
 * answer from a cache by its digest, and must not answer with an older version of the module.
 */
export type ImportModule = (path: string, text: string) => Promise<unknown>;

/** A configuration, or that there is none. */
export type FoundConfig = Result<ConfigText | undefined, readonly Problem[]>;

/** Reads a project's `kahn.jsonc`. `directory` is absolute, `prefix` its workspace-relative form with `/`. */
export function readProjectConfig(reader: SourceReader, directory: string, prefix: string): FoundConfig {
  const text = reader.readText(`${directory}/${PROJECT_CONFIG}`);
  return text === undefined ? ok(undefined) : readJsonText(prefix + PROJECT_CONFIG, text, "jsonc");
}

/** Reads the configuration at the root: data first, then a module. More than one file is a problem. */
export async function readRootConfig(
  reader: SourceReader,
  root: string,
  importModule: ImportModule,
): Promise<FoundConfig> {
  const present = [...DATA_CONFIGS, ...MODULE_CONFIGS].filter((name) => reader.exists(`${root}/${name}`));
  const [name, second] = present;
  if (name === undefined) return ok(undefined);
  if (second !== undefined) {
    return err([
      problem("config-ambiguous", `There is more than one configuration: ${present.join(" and ")}`, {
        where: { file: second },
        next: `Keep ${name} or ${second} and remove the other.`,
      }),
    ]);
  }
  const isData = (DATA_CONFIGS as readonly string[]).includes(name);
  if (isData) return readJsonText(name, reader.readText(`${root}/${name}`) ?? "", "jsonc");
  return readModule(reader, { root, name }, importModule);
}

async function readModule(
  reader: SourceReader,
  file: { readonly root: string; readonly name: string },
  importModule: ImportModule,
): Promise<FoundConfig> {
  const path = `${file.root}/${file.name}`;
  const text = reader.readText(path) ?? "";
  for (const imported of relativeImports(reader, path)) reader.readText(imported);
  try {
    const value: unknown = await importModule(path, text);
    const foreign = foreignPart(value, []);
    if (foreign !== undefined) return err([notJson(file.name, foreign)]);
    // Through JSON, so that a program's configuration means exactly what its JSON would mean.
    return ok(moduleText(file.name, value === undefined ? undefined : JSON.parse(JSON.stringify(value))));
  } catch (error) {
    return err([
      problem("config-module-failed", `${file.name} could not be evaluated: ${messageOf(error)}`, {
        where: { file: file.name },
        next: "Run it by itself to see the whole error, or write the configuration as kahn.jsonc.",
      }),
    ]);
  }
}

/** The first part that JSON has no form for and would leave out silently. Deeper than any configuration is not JSON. */
function foreignPart(value: unknown, path: ValuePath): ValuePath | undefined {
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint") return path;
  if (typeof value !== "object" || value === null) return undefined;
  if (path.length > 100) return path;
  for (const [key, member] of Object.entries(value)) {
    const found = foreignPart(member, [...path, Array.isArray(value) ? Number(key) : key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function notJson(file: string, path: ValuePath): Problem {
  const subject = path.length === 0 ? `The default export of ${file}` : `"${pathText(path.slice(0, 8))}" of ${file}`;
  return problem("config-wrong-value", `${subject} is not data`, {
    where: { file },
    next: "Write objects, lists, texts, numbers, true and false only.",
  });
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}

const EXTENSIONS = ["", ".ts", ".mts", ".js", ".mjs", ".json", "/index.ts", "/index.js"];

/**
 * Files that a module imports by relative path, and what those import: their change must be noticed too. Found in the
 * text, so an import that is computed is missed.
 */
function relativeImports(reader: SourceReader, entry: string): string[] {
  const found = new Set<string>();
  const pending = [entry];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const text = reader.readText(path) ?? "";
    for (const [, specifier] of text.matchAll(/(?:from|import|require)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g)) {
      const base = resolveFrom(folder, specifier!);
      const file = EXTENSIONS.map((extension) => base + extension).find((each) => reader.readText(each) !== undefined);
      if (file === undefined || found.has(file)) continue;
      found.add(file);
      pending.push(file);
    }
  }
  return [...found];
}

function resolveFrom(folder: string, specifier: string): string {
  const segments = folder.split("/");
  for (const segment of specifier.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== ".") segments.push(segment);
  }
  return segments.join("/");
}
