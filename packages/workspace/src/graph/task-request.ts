/**
 * What a person asked for: from words on the command line to tasks.
 *
 * Owns:  the meaning of `build`, `pkg#build` and `//#build` among selected projects.
 */
import { closestName, err, ok, type Problem, problem, type Result, splitTaskId, type TaskId } from "@kahn/core";
import { suggest } from "../config/suggestion.ts";
import type { TaskDefinition, WorkspaceModel } from "../model.ts";
import type { TaskIndex } from "./task-index.ts";

/** A request for tasks. */
export interface TaskRequest {
  /** `build` means that task in every selected project that has it; `pkg#build` one task. */
  readonly tasks: readonly string[];
  /** Names of the selected projects; `undefined`: all. Restricts only names without a project. */
  readonly projects?: readonly string[] | undefined;
}

/** The tasks that a request names, in the order of the model; or every word that names none. */
export function requestedTasks(index: TaskIndex, request: TaskRequest): Result<Set<TaskId>, readonly Problem[]> {
  const selected = request.projects === undefined ? undefined : new Set(request.projects);
  const names = new Set<string>();
  const found = new Set<TaskId>();
  const problems: Problem[] = [];
  for (const word of request.tasks) {
    if (word.includes("#")) {
      const id = word as TaskId;
      if (index.tasks.has(id)) found.add(id);
      else problems.push(unknownId(index, id));
    } else names.add(word);
  }
  const missing = new Set(names);
  for (const task of meantByName(index.model)) {
    if (!names.has(task.task) || (selected !== undefined && !selected.has(task.project))) continue;
    missing.delete(task.task);
    found.add(task.id);
  }
  for (const name of missing) problems.push(unknownName(index, name, selected));
  return problems.length > 0 ? err(problems) : ok(found);
}

/** What a bare name reaches: Turborepo runs `build` wherever its table says so, and a turbo.json is read as it stands. */
function meantByName(model: WorkspaceModel): readonly TaskDefinition[] {
  return model.source === "turbo" ? model.tasks : withoutStandIns(model);
}

/**
 * The tasks of a model as people count them. Where a task does something somewhere, others that stand in for it without
 * a command are left out: `kahn run test` builds no package that has no tests. A pure group, which has no command
 * anywhere, is a task.
 */
export function withoutStandIns(model: WorkspaceModel): readonly TaskDefinition[] {
  const names = new Set(model.tasks.filter(({ command }) => command.kind !== "none").map(({ task }) => task));
  return model.tasks.filter(({ command, task }) => command.kind !== "none" || !names.has(task));
}

function unknownName(index: TaskIndex, name: string, selected: ReadonlySet<string> | undefined): Problem {
  const among = new Set<string>();
  const elsewhere: string[] = [];
  for (const task of withoutStandIns(index.model)) {
    if (task.task === name) elsewhere.push(task.project);
    if (selected?.has(task.project) ?? true) among.add(task.task);
  }
  if (elsewhere.length > 0) {
    return problem("task-not-selected", `No selected project has a task "${name}"`, {
      facts: [["it is in", shownList(elsewhere)]],
      next: `Select one of these projects with -p, or name it: ${elsewhere[0]}#${name}.`,
    });
  }
  return problem("task-unknown", `No project has a task "${name}"`, {
    next: suggest(name, [...among].sort(), "tasks"),
    ...causeOfAbsence(index.model),
  });
}

/** Why tasks are missing that one would expect: the projects themselves were not found. */
export function causeOfAbsence(model: WorkspaceModel): { readonly cause?: Problem } {
  const cause = model.warnings.find((each) => each.code === "workspace-empty");
  return cause === undefined ? {} : { cause };
}

function unknownId(index: TaskIndex, id: TaskId): Problem {
  const { project, task } = splitTaskId(id);
  if (!index.projects.has(project)) return unknownProject(index, project, id);
  const own = index.model.tasks.filter((each) => each.project === project).map((each) => each.task);
  return problem("task-unknown", `${project} has no task "${task}"`, {
    next: suggest(task, own, `tasks of ${project}`),
  });
}

/** The problem of a project's name that nobody has. @param mention where the name stands. */
export function unknownProject(index: TaskIndex, name: string, mention: string): Problem<"project-unknown"> {
  const closest = closestName(name, index.projects.keys());
  const task = mention.includes("#") ? mention.slice(mention.lastIndexOf("#")) : "";
  return problem("project-unknown", `There is no project "${name}" (in "${mention}")`, {
    next: closest === undefined ? "List the projects with `kahn ls`." : `Did you mean "${closest}${task}"?`,
  });
}

function shownList(names: readonly string[]): string {
  return `${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
}
