/** Declarations that cannot be right whatever is on the disk: an output of two tasks, an output that is an input. */
import { type Problem, problem, type SourcePlace, type TaskId } from "@kahn/core";
import { compilePatterns, coversTree, mayOverlap, type PatternList, rootOf } from "../inputs/index.ts";
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

/**
 * A problem for each task whose inputs take in a whole directory that is also an output of it.
 *
 * Said before the first run, which would make the files that the second one stumbles over. What only single files can
 * show is left to the moment when they are there.
 */
export function inputOutputConflicts(planned: readonly { readonly task: TaskDefinition }[]): Problem[] {
  const problems: Problem[] = [];
  for (const { task } of planned) {
    if (task.inputs === undefined || task.outputs === undefined) continue;
    const inputs = compilePatterns(task.inputs);
    const outputs = compilePatterns(task.outputs);
    if (!mayOverlap(inputs, outputs)) continue;
    const root = outputs.project.includes.map(rootOf).find((each) => takesIn(inputs, each));
    if (root === undefined) continue;
    problems.push(
      problem("input-is-output", `The inputs of ${task.id} take in its own output ${root}`, {
        where: task.declaredAt,
        facts: [
          ["inputs", task.inputs.join(", ")],
          ["outputs", task.outputs.join(", ")],
        ],
        next: `Add "!${root}" to its inputs, or leave them out: the default inputs hold no outputs.`,
      }),
    );
  }
  return problems;
}

function takesIn(inputs: PatternList, root: string): boolean {
  // Any exclusion may be the one that keeps the outputs out.
  return !inputs.hasExcludes && root !== "" && inputs.project.includes.some((each) => coversTree(each, root));
}
