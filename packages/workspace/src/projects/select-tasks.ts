/**
 * Chooses tasks: what `kahn run build test //#lint` means.
 *
 * Owns: `build` is that task of each chosen project, `pkg#build` and `//#build` are that one, whatever is chosen.
 */
import type { Problem, Result, TaskId } from "@kahn/core";
import { err, ok, problem, splitTaskId, taskId } from "@kahn/core";
import { suggest } from "../config/suggestion.ts";
import { parseTaskReference } from "../config/task-reference.ts";
import type { Project, TaskDefinition, WorkspaceModel } from "../model.ts";

/**
 * The tasks that requests name, in the order of the requests and then of the model, each once.
 *
 * @param projects those that plain names mean, from `selectProjects`.
 * @returns `task-unknown` for each request that names nothing, with the closest name there is.
 */
export function selectTasks(
  model: WorkspaceModel,
  requests: readonly string[],
  projects: readonly Project[],
): Result<readonly TaskId[], readonly Problem[]> {
  const problems: Problem[] = [];
  const chosen = new Set<TaskId>();
  const names = new Set(projects.map((project) => project.name));
  for (const request of requests) {
    const reference = parseTaskReference(request);
    if (!reference.ok || reference.value.kind === "dependencies") {
      problems.push(malformed(request));
      continue;
    }
    const found =
      reference.value.kind === "exact" ? exactTask(model, reference.value.id) : namedTasks(model, request, names);
    if (found.length === 0) problems.push(unknownTask(model, request, names));
    for (const task of found) chosen.add(task.id);
  }
  return problems.length > 0 ? err(problems) : ok([...chosen]);
}

function exactTask(model: WorkspaceModel, id: TaskId): readonly TaskDefinition[] {
  const { project, task } = splitTaskId(id);
  const isRoot = model.projects[0]?.manifestEnv.npm_package_name === project;
  const ids = isRoot && !model.projects.some((each) => each.name === project) ? [id, taskId("//", task)] : [id];
  return model.tasks.filter((each) => ids.includes(each.id));
}

/** Tasks of that name. One that only stands in for a missing script is not meant, unless nothing else is there. */
function namedTasks(model: WorkspaceModel, name: string, projects: ReadonlySet<string>): readonly TaskDefinition[] {
  const found = model.tasks.filter((task) => task.task === name && projects.has(task.project));
  // turbo starts from the stand-ins too: `turbo run test` builds a package that has no tests.
  const commands = model.source === "turbo" ? found : found.filter((task) => task.command.kind !== "none");
  return commands.length > 0 ? commands : found;
}

function malformed(request: string): Problem {
  return problem("task-unknown", `"${request}" is not the name of a task`, {
    next: 'Write "task", "project#task" or "//#task".',
  });
}

function unknownTask(model: WorkspaceModel, request: string, projects: ReadonlySet<string>): Problem {
  const isExact = request.includes("#");
  const elsewhere = isExact ? [] : model.tasks.filter((task) => task.task === request);
  if (elsewhere.length > 0) {
    const owners = elsewhere
      .slice(0, 5)
      .map((task) => task.project)
      .join(", ");
    return problem("task-unknown", `No chosen project has a task "${request}"`, {
      facts: [["it is in", `${owners}${elsewhere.length > 5 ? ", …" : ""}`]],
      next: `Name it with its project (${elsewhere[0]!.id}), or choose that project with -p.`,
    });
  }
  const known = isExact
    ? model.tasks.map((task) => task.id as string)
    : [...new Set(model.tasks.filter((task) => projects.has(task.project)).map((task) => task.task))].sort();
  return problem("task-unknown", `There is no task "${request}"`, { next: suggest(request, known, "tasks") });
}
