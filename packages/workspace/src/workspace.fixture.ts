/** Workspaces in memory for tests: files by path in, model or problems out. */
import type { ConfigSection, Problem, Result } from "@kahn/core";
import { memoryFileSystem } from "@kahn/testing";
import type { TaskDefinition, WorkspaceModel } from "./model.ts";
import { loadWorkspace } from "./projects/load-workspace.ts";

/** Texts by path below the root; other values are written as JSON. */
export type WorkspaceFiles = Readonly<Record<string, unknown>>;

/** How a fixture is loaded. */
export interface FixtureOptions {
  /** Absolute; default `/ws`, the root. */
  readonly startDirectory?: string;
  /** Default exports of modules by absolute path. */
  readonly modules?: Readonly<Record<string, unknown>>;
  readonly sections?: readonly ConfigSection<unknown>[];
}

/** Loads a workspace whose files are given relative to `/ws`; four processors. */
export function loadFiles(
  files: WorkspaceFiles,
  options: FixtureOptions = {},
): Promise<Result<WorkspaceModel, readonly Problem[]>> {
  const tree = Object.entries(files).map(([path, value]) => [`ws/${path}`, textOf(value)]);
  return loadWorkspace({
    fs: memoryFileSystem({ files: Object.fromEntries(tree) as Record<string, string> }),
    startDirectory: options.startDirectory ?? "/ws",
    processorCount: 4,
    sections: async () => options.sections ?? [],
    importModule: (path) => Promise.resolve(options.modules?.[path]),
  });
}

/** A file's text: JSON on several lines unless it is a text. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : `${JSON.stringify(value, null, 2)}\n`;
}

/** The model of a workspace that loads. */
export async function modelOf(files: WorkspaceFiles, options?: FixtureOptions): Promise<WorkspaceModel> {
  const result = await loadFiles(files, options);
  if (!result.ok) throw new Error(`the workspace does not load:\n${result.problem.map(rendered).join("\n")}`);
  return result.value;
}

/** The problems of a workspace that does not load, each as text. */
export async function problemsOf(files: WorkspaceFiles, options?: FixtureOptions): Promise<string[]> {
  const result = await loadFiles(files, options);
  if (result.ok) throw new Error("the workspace loads");
  return result.problem.map(rendered);
}

/** A problem as one text: all that a renderer would show. */
export function rendered(problem: Problem): string {
  const { where } = problem;
  const place = where === undefined ? "" : `${[where.file, where.line, where.column].filter(Boolean).join(":")} `;
  const lines = [`${place}${problem.code}: ${problem.message}`];
  if (where?.text !== undefined) {
    lines.push(`| ${where.text}`, `| ${" ".repeat(where.column! - 1)}${"^".repeat(where.length ?? 1)}`);
  }
  for (const [name, value] of problem.facts ?? []) lines.push(`${name}: ${value}`);
  if (problem.next !== undefined) lines.push(`-> ${problem.next}`);
  return lines.join("\n");
}

/** A task of a model by its id. */
export function taskOf(model: WorkspaceModel, id: string): TaskDefinition {
  const found = model.tasks.find((task) => task.id === id);
  if (found === undefined) throw new Error(`no ${id} among ${model.tasks.map((task) => task.id).join(", ")}`);
  return found;
}

/** Package.json files of an npm workspace: scripts and dependencies by package name, each in `packages/<name>`. */
export function npmWorkspace(
  packages: Readonly<Record<string, { scripts?: Record<string, string>; dependencies?: Record<string, string> }>>,
  root: Record<string, unknown> = {},
): Record<string, unknown> {
  const files: Record<string, unknown> = {
    "package.json": { name: "root", private: true, workspaces: ["packages/*"], ...root },
    "package-lock.json": "{}",
  };
  for (const [name, fields] of Object.entries(packages)) {
    files[`packages/${name.replace(/^@[^/]*\//, "")}/package.json`] = { name, version: "1.0.0", ...fields };
  }
  return files;
}
