/**
 * Which projects a set of changed files may touch.
 *
 * Owns:      the answer to `--affected`.
 * Invariant: errs on the safe side: a file whose reach is unknown touches every project.
 */

import { compilePatterns, listMatches, type PatternList } from "../inputs/index.ts";
import type { Project, WorkspaceModel } from "../model.ts";

/** What is affected. Names are sorted. */
export interface AffectedProjects {
  readonly projects: readonly string[];
  /** The file that made it all of them. */
  readonly allBecauseOf?: string;
}

/**
 * Projects that own a changed file or read it, and everything that depends on these.
 *
 * A changed lock file, global input or configuration of the root touches all of them.
 *
 * @param changedFiles workspace-relative; deleted ones included.
 */
export function affectedProjects(model: WorkspaceModel, changedFiles: readonly string[]): AffectedProjects {
  const everything = changedFiles.find((file) => reachesAll(model, file));
  if (everything !== undefined) {
    return { projects: model.projects.map((project) => project.name).sort(), allBecauseOf: everything };
  }
  const touched = new Set<string>();
  for (const file of changedFiles) {
    const owner = ownerOf(model, file);
    if (owner !== undefined) touched.add(owner.name);
  }
  for (const name of readersFromOutside(model, changedFiles)) touched.add(name);
  const dependents = dependentsOf(model);
  for (const name of touched) for (const dependent of dependents.get(name) ?? []) touched.add(dependent);
  return { projects: [...touched].sort() };
}

function reachesAll(model: WorkspaceModel, file: string): boolean {
  if (file === model.lockFile) return true;
  const { globalInputs } = model.settings;
  if (globalInputs.length > 0 && listMatches(globalList(globalInputs), "", file)) return true;
  return model.files.includes(file) && ownerOf(model, file)?.directory === "" && model.projects.length > 1;
}

function globalList(patterns: readonly string[]): PatternList {
  return compilePatterns(patterns);
}

function ownerOf(model: WorkspaceModel, file: string): Project | undefined {
  let best: Project | undefined;
  for (const project of model.projects) {
    if (project.directory !== "" && !file.startsWith(`${project.directory}/`)) continue;
    if (best === undefined || project.directory.length > best.directory.length) best = project;
  }
  return best;
}

/** Projects with a task whose inputs name one of the files outside of its own folder. */
function readersFromOutside(model: WorkspaceModel, changedFiles: readonly string[]): Set<string> {
  const readers = new Set<string>();
  const directories = new Map(model.projects.map((project) => [project.name, project.directory]));
  for (const task of model.tasks) {
    if (task.inputs === undefined || readers.has(task.project)) continue;
    const list = compilePatterns(task.inputs);
    const directory = directories.get(task.project) ?? "";
    if (list.workspace.includes.length === 0 && directory !== "") continue;
    if (changedFiles.some((file) => listMatches(list, directory, file))) readers.add(task.project);
  }
  return readers;
}

function dependentsOf(model: WorkspaceModel): Map<string, string[]> {
  const dependents = new Map<string, string[]>();
  for (const project of model.projects) {
    for (const name of project.dependencies) {
      const known = dependents.get(name);
      if (known === undefined) dependents.set(name, [project.name]);
      else known.push(project.name);
    }
  }
  return dependents;
}
