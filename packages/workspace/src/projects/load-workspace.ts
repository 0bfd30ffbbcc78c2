/**
 * From a folder to the workspace it belongs to.
 *
 * Owns:      the way in: find the root, answer from the model cache, else read everything.
 * Invariant: loads nothing heavy when the model cache answers: reading is imported only when it is needed.
 */
import type { ConfigSection, FileSystem, Problem, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem } from "@kahn/core";
import type { ImportModule } from "../config/read-config.ts";
import type { Project, WorkspaceModel } from "../model.ts";
import { SourceReader } from "../source-reader.ts";
import { locateRoot } from "./locate-root.ts";
import { ModelCache } from "./model-cache.ts";

/** What a workspace is loaded with. */
export interface LoadOptions {
  readonly fs: FileSystem;
  /** Absolute path of the folder that Kahn was started in; symlinks resolved. */
  readonly startDirectory: string;
  /** What the concurrency `"auto"` means. */
  readonly processorCount: number;
  /** Evaluates `kahn.config.ts`; see `createModuleImporter`. */
  readonly importModule: ImportModule;
  /** Sections of the configuration that other packages own; asked for only when the files are read. */
  readonly sections?: () => Promise<readonly ConfigSection<unknown>[]>;
  /** Where the model is kept between starts: a file for each root; `version` is Kahn's own. */
  readonly modelCache?: { readonly file: (root: string) => string; readonly version: string };
}

/** Finds and reads the workspace that holds `startDirectory`; all problems at once. */
export async function loadWorkspace(options: LoadOptions): Promise<Result<WorkspaceModel, readonly Problem[]>> {
  try {
    return await locateAndLoad(options);
  } catch (error) {
    if (error instanceof FileSystemError) return err([unreadable(error)]);
    throw error;
  }
}

async function locateAndLoad(options: LoadOptions): Promise<Result<WorkspaceModel, readonly Problem[]>> {
  const location = locateRoot(new SourceReader(options.fs), options.startDirectory);
  if (location === undefined) {
    return err([
      problem("workspace-not-found", `There is no package.json in ${options.startDirectory} or above it`, {
        next: "Go to a project's folder, or make one with `npm init`.",
      }),
    ]);
  }
  const { root, nearest } = location;
  const outer = await loadAt(root, options);
  if (nearest === root || !outer.ok) return outer;
  const isMember = outer.value.projects.some((project) => `${root}/${project.directory}` === nearest);
  return isMember ? outer : loadAt(nearest, options);
}

function unreadable(error: FileSystemError): Problem {
  return problem("workspace-unreadable", `${error.path} cannot be read: ${error.code}`, {
    where: { file: error.path },
    next: "Check its permissions, or leave it out of the project globs.",
  });
}

async function loadAt(root: string, options: LoadOptions): Promise<Result<WorkspaceModel, readonly Problem[]>> {
  const { fs, processorCount, importModule, modelCache } = options;
  const cache =
    modelCache && new ModelCache({ fs, file: modelCache.file(root), stamp: `${modelCache.version} ${processorCount}` });
  const kept = cache?.load(root);
  if (kept !== undefined) return ok(kept);
  const begun = cache?.begin();
  const { readWorkspace } = await import("./read-workspace.ts");
  const reader = new SourceReader(fs);
  const sections = (await options.sections?.()) ?? [];
  const read = await readWorkspace({ reader, root, processorCount, importModule, sections });
  if (read.ok) cache?.save(read.value, reader, begun);
  return read;
}

/** The innermost project that holds an absolute folder; `undefined` outside the workspace. */
export function projectAt(model: WorkspaceModel, directory: string): Project | undefined {
  if (directory !== model.root && !directory.startsWith(`${model.root}/`)) return undefined;
  const relative = directory.slice(model.root.length + 1);
  let best: Project | undefined;
  for (const project of model.projects) {
    const holds =
      project.directory === "" || relative === project.directory || relative.startsWith(`${project.directory}/`);
    if (holds && (best === undefined || project.directory.length > best.directory.length)) best = project;
  }
  return best;
}
