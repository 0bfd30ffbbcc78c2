/**
 * The task graph: everything that a request needs, with its edges.
 *
 * Owns:      selection (requirements and validators), edges, and the errors that only the whole graph shows.
 * Never:     touches files.
 * Invariant: a plan is acyclic, names each task once, and does not depend on the order of declarations: nodes and
 *            edges are sorted by id.
 */
import {
  err,
  findCycles,
  labelGraph,
  ok,
  type Problem,
  problem,
  type Result,
  type TaskId,
  topologicalOrder,
} from "@kahn/core";
import type { Project, TaskDefinition, TaskReference, WorkspaceModel } from "../model.ts";
import { inputOutputConflicts, literalOutputConflicts } from "./output-conflicts.ts";
import { TaskIndex } from "./task-index.ts";
import { causeOfAbsence, requestedTasks, type TaskRequest } from "./task-request.ts";
import { UnknownReferences } from "./unknown-references.ts";

/** A selected task with its edges. */
export interface PlannedTask {
  readonly task: TaskDefinition;
  readonly project: Project;
  readonly requires: readonly TaskId[];
  readonly after: readonly TaskId[];
  readonly validates: readonly TaskId[];
  /** Projects that a `^` reference passed through: their files are part of this task's key. */
  readonly contributors: readonly string[];
  /** Named by the request itself, not only needed by others. */
  readonly isRequested: boolean;
}

/** Selects tasks and ties them together, or names every problem. */
export function planTasks(
  model: WorkspaceModel,
  request: TaskRequest,
): Result<readonly PlannedTask[], readonly Problem[]> {
  const index = new TaskIndex(model);
  const requested = requestedTasks(index, request);
  if (!requested.ok) return requested;
  const planning: Planning = { index, unknown: new UnknownReferences(index) };
  const selected = select(planning, requested.value);
  const planned = [...selected.keys()].sort().map((id) => {
    const edges = selected.get(id)!;
    const task = index.tasks.get(id)!;
    return {
      task,
      project: index.projects.get(task.project)!,
      requires: edges.requires,
      after: targetsOf(planning, task, task.after).tasks.filter((each) => selected.has(each) && each !== id),
      validates: targetsOf(planning, task, task.validates).tasks.filter((each) => selected.has(each)),
      contributors: edges.contributors,
      isRequested: requested.value.has(id),
    };
  });
  const problems = [
    ...planning.unknown.problems(),
    ...cycleProblems(index, planned),
    ...literalOutputConflicts(planned),
    ...inputOutputConflicts(planned),
  ];
  if (problems.length > 0) return err(problems);
  const idle = nothingToRun(model, planned, request);
  return idle === undefined ? ok(planned) : err([idle]);
}

/** A run of nothing would succeed, and whoever asked for it would take that for a build. */
function nothingToRun(
  model: WorkspaceModel,
  planned: readonly PlannedTask[],
  { tasks, projects }: TaskRequest,
): Problem | undefined {
  const [first] = planned.filter((each) => each.isRequested);
  if (first === undefined || planned.some(({ task }) => task.command.kind !== "none")) return undefined;
  const words = tasks.map((each) => `"${each}"`).join(", ");
  const isPart = projects !== undefined && projects.length < model.projects.length;
  const among = isPart ? " in the selected projects" : "";
  const { cause } = causeOfAbsence(model);
  const next = `Add a script "${first.task.task}" to a package.json, or a "command" to the task.`;
  return problem("nothing-to-run", `Nothing runs for ${words}${among}: no script and no "command" is behind it`, {
    where: first.task.declaredAt,
    // Where the projects themselves are missing, its cause says what to do.
    ...(cause === undefined ? { next } : { cause }),
  });
}

interface RequiredEdges {
  readonly requires: readonly TaskId[];
  readonly contributors: readonly string[];
}

/** The requested tasks with all that they require and all that validates any of these. */
function select(planning: Planning, requested: Iterable<TaskId>): Map<TaskId, RequiredEdges> {
  const { index } = planning;
  const validators = validatorsByTask(index);
  const selected = new Map<TaskId, RequiredEdges>();
  const left = [...requested];
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    if (selected.has(id)) continue;
    const task = index.tasks.get(id)!;
    const { tasks, contributors } = targetsOf(planning, task, task.dependsOn);
    selected.set(id, { requires: tasks, contributors });
    left.push(...tasks, ...(validators.get(id) ?? []));
  }
  return selected;
}

function validatorsByTask(index: TaskIndex): Map<TaskId, TaskId[]> {
  const validators = new Map<TaskId, TaskId[]>();
  for (const task of index.model.tasks) {
    const targets = task.validates.flatMap((reference) => index.follow(reference, task.project).tasks);
    for (const target of targets) {
      const known = validators.get(target);
      if (known === undefined) validators.set(target, [task.id]);
      else known.push(task.id);
    }
  }
  return validators;
}

interface Planning {
  readonly index: TaskIndex;
  readonly unknown: UnknownReferences;
}

function targetsOf(
  { index, unknown }: Planning,
  task: TaskDefinition,
  references: readonly TaskReference[],
): { readonly tasks: readonly TaskId[]; readonly contributors: readonly string[] } {
  if (references.length === 1) {
    const only = index.follow(references[0]!, task.project);
    if (only.missing === undefined) return { tasks: only.tasks, contributors: only.passedThrough };
  }
  const tasks = new Set<TaskId>();
  const contributors = new Set<string>();
  for (const reference of references) {
    const targets = index.follow(reference, task.project);
    if (targets.missing !== undefined) unknown.add(task, reference, targets.missing);
    for (const each of targets.tasks) tasks.add(each);
    for (const each of targets.passedThrough) contributors.add(each);
  }
  return { tasks: [...tasks].sort(), contributors: [...contributors].sort() };
}

function cycleProblems(index: TaskIndex, planned: readonly PlannedTask[]): Problem[] {
  const edges = new Map(
    planned.map((each) => [each.task.id, each.after.length === 0 ? each.requires : [...each.requires, ...each.after]]),
  );
  const { graph, labels } = labelGraph(edges.keys(), (id) => edges.get(id)!);
  if (topologicalOrder(graph) !== undefined) return [];
  return findCycles(graph).map((cycle) => {
    const ids = cycle.map((node) => labels[node]!);
    const facts = ids.map((id, at): [string, string] => {
      const next = ids[(at + 1) % ids.length]!;
      const { declaredAt } = index.tasks.get(id)!;
      const place = `${declaredAt.file}${declaredAt.line === undefined ? "" : `:${declaredAt.line}`}`;
      return [id, `waits for ${next} (${place})`];
    });
    return problem("task-cycle", `Tasks wait for each other in a ring: ${[...ids, ids[0]].join(" → ")}`, {
      where: index.tasks.get(ids[0]!)!.declaredAt,
      facts,
      next: "Take one of these references out of `dependsOn` or `after`.",
    });
  });
}
