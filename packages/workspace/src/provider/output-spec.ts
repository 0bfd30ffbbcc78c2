/** A task's output globs as the executor and the key want them. */
import { compareUtf8, type OutputSpec } from "@kahn/core";
import { compilePatterns, listMatches, rootOf } from "../inputs/index.ts";
import type { TaskDefinition } from "../model.ts";

/** Outputs of one task. */
export interface TaskOutputs {
  readonly spec: OutputSpec;
  /** Workspace-relative, as declared. */
  readonly globs: readonly string[];
  /** The roots relative to the project's folder, sorted: REAPI's `output_paths`. */
  readonly paths: readonly string[];
}

/** Compiles a task's outputs. @param directory of its project, workspace-relative. */
export function taskOutputs(
  task: Pick<TaskDefinition, "outputs" | "outputMode">,
  directory: string,
  workspaceRoot: string,
): TaskOutputs {
  const patterns = task.outputs ?? [];
  if (patterns.length === 0) {
    return { spec: { workspaceRoot, roots: [], matches: () => false, mode: task.outputMode }, globs: [], paths: [] };
  }
  const list = compilePatterns(patterns);
  const prefix = directory === "" ? "" : `${directory}/`;
  const roots = [
    ...list.project.includes.map((each) => (rootOf(each) === "" ? directory : prefix + rootOf(each))),
    ...list.workspace.includes.map(rootOf),
  ];
  const outer = withoutNested(roots);
  return {
    spec: {
      workspaceRoot,
      roots: outer,
      matches: (path) => listMatches(list, directory, path),
      mode: task.outputMode,
    },
    globs: patterns.map((pattern) => inWorkspace(pattern, prefix)),
    paths: outer.map((root) => relativePath(directory, root)).sort(compareUtf8),
  };
}

/** Sorted, each once, none below another. */
function withoutNested(roots: string[]): string[] {
  if (roots.length === 1) return roots;
  const kept: string[] = [];
  for (const root of [...new Set(roots)].sort((left, right) => left.length - right.length)) {
    if (!kept.some((each) => each === "" || root.startsWith(`${each}/`))) kept.push(root);
  }
  return kept.sort(compareUtf8);
}

function inWorkspace(pattern: string, prefix: string): string {
  const bang = pattern.startsWith("!") ? "!" : "";
  const glob = pattern.slice(bang.length);
  return bang + (glob.startsWith("/") ? glob.slice(1) : prefix + glob);
}

/** `to` as seen from a directory; both workspace-relative. */
function relativePath(from: string, to: string): string {
  if (from === "") return to;
  if (to === from) return "";
  if (to.startsWith(`${from}/`)) return to.slice(from.length + 1);
  const left = from.split("/");
  const right = to === "" ? [] : to.split("/");
  let shared = 0;
  while (shared < left.length && left[shared] === right[shared]) shared++;
  return [...left.slice(shared).map(() => ".."), ...right.slice(shared)].join("/");
}
