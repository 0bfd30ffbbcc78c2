/**
 * Which paths are declared outputs of any task: what `$default` leaves out.
 *
 * Invariant: depends on declarations alone, never on what is on the disk.
 */
import type { WorkspaceModel } from "../model.ts";
import { compilePatterns, coversTree, inProject, listMatches, type PatternList } from "./pattern-set.ts";

interface Declaration {
  readonly directory: string;
  readonly list: PatternList;
}

/** The declared outputs of a workspace. */
export class OutputMask {
  readonly #byProject = new Map<string, Declaration[]>();
  /** Those that may lie in any project: of the root, or starting at the workspace. */
  readonly #anywhere: Declaration[] = [];

  constructor(model: WorkspaceModel) {
    const directories = new Map(model.projects.map((project) => [project.name, project.directory]));
    const seen = new Set<string>();
    for (const task of model.tasks) {
      if (task.outputs === undefined || task.outputs.length === 0) continue;
      const directory = directories.get(task.project) ?? "";
      const list = compilePatterns(task.outputs);
      const declaration = { directory, list };
      const key = `${directory}\0${task.outputs.join("\0")}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (directory === "" || list.workspace.includes.length > 0) this.#anywhere.push(declaration);
      if (directory === "") continue;
      const own = this.#byProject.get(directory);
      if (own === undefined) this.#byProject.set(directory, [declaration]);
      else own.push(declaration);
    }
  }

  /** True when a workspace-relative path in the project at `directory` is an output. */
  isOutput(directory: string, path: string): boolean {
    const matches = (each: Declaration) => listMatches(each.list, each.directory, path);
    return (this.#byProject.get(directory)?.some(matches) ?? false) || this.#anywhere.some(matches);
  }

  /** True when everything below a directory is an output. */
  coversDirectory(directory: string, path: string): boolean {
    const covers = (each: Declaration) => coversWhole(each, path);
    return (this.#byProject.get(directory)?.some(covers) ?? false) || this.#anywhere.some(covers);
  }
}

function coversWhole({ directory, list }: Declaration, path: string): boolean {
  // An exclusion may bring back something below; then each file is asked.
  if (list.hasExcludes) return false;
  if (list.workspace.includes.some((each) => coversTree(each, path))) return true;
  const own = inProject(directory, path);
  return own !== undefined && list.project.includes.some((each) => coversTree(each, own));
}
