/** Two tasks that declare one and the same output: one would overwrite the other, whatever the order. */
import { type Problem, problem, type SourcePlace, type TaskId } from "@kahn/core";
import { compilePatterns } from "../inputs/index.ts";
import type { Project, TaskDefinition } from "../model.ts";

/**
 * A problem for each literal output path that two of the tasks declare.
 *
 * Overlapping globs are no error here: only the files that are really written can tell.
 */
export function literalOutputConflicts(
  planned: readonly { readonly task: TaskDefinition; readonly project: Project }[],
): Problem[] {
  const owners = new Map<string, TaskDefinition>();
  const problems: Problem[] = [];
  for (const { task, project } of planned) {
    if (task.outputs === undefined || task.outputs.length === 0) continue;
    const { project: own, workspace } = compilePatterns(task.outputs);
    const prefix = project.directory === "" ? "" : `${project.directory}/`;
    const paths = new Set<string>();
    for (const each of own.includes) if (each.kind === "literal") paths.add(prefix + each.path);
    for (const each of workspace.includes) if (each.kind === "literal") paths.add(each.path);
    for (const path of paths) {
      const other = owners.get(path);
      if (other === undefined) owners.set(path, task);
      else problems.push(conflict(path, other, task));
    }
  }
  return problems;
}

function conflict(path: string, first: TaskDefinition, second: TaskDefinition): Problem {
  const declared = (id: TaskId, place: SourcePlace): [string, string] => [
    id,
    `${place.file}${place.line === undefined ? "" : `:${place.line}`}`,
  ];
  return problem("output-claimed-twice", `${first.id} and ${second.id} both declare the output ${path}`, {
    where: second.declaredAt,
    facts: [declared(first.id, first.declaredAt), declared(second.id, second.declaredAt)],
    next: "Give one of them another output path, or let one task make the file.",
  });
}
