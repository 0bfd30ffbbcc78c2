/** Tasks and projects of a model by name, and what a reference means. */
import type { TaskId } from "@kahn/core";
import { splitTaskId, taskId } from "@kahn/core";
import type { Project, TaskDefinition, TaskReference, WorkspaceModel } from "../model.ts";

/** The tasks that a reference leads to. */
export interface ReferenceTargets {
  readonly tasks: readonly TaskId[];
  /** Projects that have no such task and are passed through: their files count instead. Sorted. */
  readonly passedThrough: readonly string[];
  /** What the reference names and nobody has. */
  readonly missing?: { readonly what: "project" | "task"; readonly name: string };
}

const NOTHING: ReferenceTargets = { tasks: [], passedThrough: [] };

/** Look-ups in a model; references are followed once. */
export class TaskIndex {
  readonly model: WorkspaceModel;
  readonly tasks: ReadonlyMap<TaskId, TaskDefinition>;
  readonly projects: ReadonlyMap<string, Project>;
  /** Every task name that some project has. */
  readonly taskNames: ReadonlySet<string>;
  readonly #upstream = new Map<string, ReferenceTargets>();

  constructor(model: WorkspaceModel) {
    this.model = model;
    this.tasks = new Map(model.tasks.map((task) => [task.id, task]));
    this.projects = new Map(model.projects.map((project) => [project.name, project]));
    this.taskNames = new Set(model.tasks.map((task) => task.task));
  }

  /** Follows a reference made by a task of a project. */
  follow(reference: TaskReference, project: string): ReferenceTargets {
    switch (reference.kind) {
      case "exact":
        return this.#exact(reference.id);
      case "same-project": {
        const id = taskId(project, reference.task);
        if (this.tasks.has(id)) return { tasks: [id], passedThrough: [] };
        // Shared task tables name what some projects have and others have not.
        return this.taskNames.has(reference.task) ? NOTHING : missingTask(reference.task);
      }
      case "dependencies":
        return this.taskNames.has(reference.task)
          ? this.#dependencies(reference.task, project)
          : missingTask(reference.task);
    }
  }

  #exact(id: TaskId): ReferenceTargets {
    if (this.tasks.has(id)) return { tasks: [id], passedThrough: [] };
    const { project } = splitTaskId(id);
    if (this.projects.has(project)) return missingTask(id);
    return { ...NOTHING, missing: { what: "project", name: project } };
  }

  /** The task in every dependency; a dependency without it leads on to its own dependencies. */
  #dependencies(task: string, project: string): ReferenceTargets {
    const key = taskId(project, task);
    const known = this.#upstream.get(key);
    if (known !== undefined) return known;
    const tasks: TaskId[] = [];
    const passedThrough: string[] = [];
    // Projects may depend on each other in a ring (a test-only dependency), so each is visited once.
    const seen = new Set([project]);
    const left = [...(this.projects.get(project)?.dependencies ?? [])];
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const id = taskId(name, task);
      if (this.tasks.has(id)) tasks.push(id);
      else {
        passedThrough.push(name);
        left.push(...(this.projects.get(name)?.dependencies ?? []));
      }
    }
    const targets = { tasks: tasks.sort(), passedThrough: passedThrough.sort() };
    this.#upstream.set(key, targets);
    return targets;
  }
}

function missingTask(name: string): ReferenceTargets {
  return { ...NOTHING, missing: { what: "task", name } };
}
