/**
 * The stored form of a workspace model: what many tasks share is written once.
 *
 * Owns:      packing and unpacking. A model of 2000 tasks has a handful of different definitions, and reading them as
 *            2000 objects would cost more than everything else of a warm start.
 * Invariant: unpacking what was packed gives an equal model (absent members and `undefined` ones count as equal).
 */
import type { SourcePlace } from "@kahn/core";
import { taskId } from "@kahn/core";
import type { TaskCommand, TaskDefinition, WorkspaceModel } from "../model.ts";
import type { TaskTemplate } from "./task-definition.ts";
import { taskFrom } from "./task-definition.ts";

type Template = Omit<TaskTemplate, "declaredAt">;

/** A packed model. Numbers in `tasks` are indexes into the other tables, five for each task. */
export interface PackedModel {
  readonly model: Omit<WorkspaceModel, "tasks">;
  readonly names: readonly string[];
  readonly templates: readonly Template[];
  readonly commands: readonly TaskCommand[];
  readonly places: readonly SourcePlace[];
  /** Project, name, template, command, place; and again. */
  readonly tasks: readonly number[];
}

const NUMBERS_PER_TASK = 5;

/** Packs a model for storing as JSON. */
export function packModel(model: WorkspaceModel): PackedModel {
  const names = new Table<string>();
  const templates = new Table<Template>();
  const commands = new Table<TaskCommand>();
  const places = new Table<SourcePlace>();
  const projects = new Map(model.projects.map((project, index) => [project.name, index]));
  const tasks = model.tasks.flatMap(({ id: _, project, task, command, declaredAt, ...template }) => [
    projects.get(project)!,
    names.indexOf(task),
    templates.indexOf(template),
    commands.indexOf(command),
    places.indexOf(declaredAt),
  ]);
  const { tasks: _, ...rest } = model;
  return {
    model: rest,
    names: names.values,
    templates: templates.values,
    commands: commands.values,
    places: places.values,
    tasks,
  };
}

/** The model again. */
export function unpackModel(packed: PackedModel): WorkspaceModel {
  const { projects } = packed.model;
  const tasks: TaskDefinition[] = [];
  for (let at = 0; at < packed.tasks.length; at += NUMBERS_PER_TASK) {
    const project = projects[packed.tasks[at]!]!.name;
    const task = packed.names[packed.tasks[at + 1]!]!;
    const command = packed.commands[packed.tasks[at + 3]!]!;
    const declaredAt = packed.places[packed.tasks[at + 4]!]!;
    const template = packed.templates[packed.tasks[at + 2]!]!;
    tasks.push(taskFrom({ id: taskId(project, task), project, task, command, declaredAt }, template));
  }
  return { ...packed.model, tasks };
}

/** Different values in the order of their first appearance; equal when their JSON is. */
class Table<Value> {
  readonly values: Value[] = [];
  readonly #indexes = new Map<string, number>();

  indexOf(value: Value): number {
    const key = JSON.stringify(value);
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    this.#indexes.set(key, this.values.length);
    return this.values.push(value) - 1;
  }
}
