/**
 * The stored form of a workspace model: what many tasks share is written once.
 *
 * Owns:      packing and unpacking. A model of 2000 tasks has a handful of different definitions, and reading them as
 *            2000 objects would cost more than everything else of a warm start.
 * Invariant: unpacking what was packed gives an equal model (absent members and `undefined` ones count as equal).
 */
import type { SourcePlace } from "@kahn/core";
import { taskId } from "@kahn/core";
import type { Project, TaskCommand, TaskDefinition, WorkspaceModel } from "../model.ts";
import type { TaskTemplate } from "./task-definition.ts";
import { taskFrom } from "./task-definition.ts";

type Template = Omit<TaskTemplate, "declaredAt">;

/** A packed model. Numbers in `tasks` are indexes into the other tables, five for each task. */
export interface PackedModel {
  readonly model: Omit<WorkspaceModel, "tasks" | "projects">;
  readonly projects: readonly PackedProject[];
  /** `npm_package_*` variables without the name, which is the project's own nearly always. */
  readonly envs: readonly Project["manifestEnv"][];
  readonly scripts: readonly Project["scripts"][];
  readonly names: readonly string[];
  readonly templates: readonly Template[];
  readonly commands: readonly TaskCommand[];
  readonly places: readonly SourcePlace[];
  /** Project, name, template, command, place; and again. */
  readonly tasks: readonly number[];
}

type PackedProject = readonly [
  name: string,
  directory: string,
  /** The manifest's name: 0 for none, 1 for the project's, else itself. */
  packageName: string | 0 | 1,
  env: number,
  scripts: number,
  dependencies: readonly number[],
  tags: readonly string[],
];

const NUMBERS_PER_TASK = 5;
const PACKAGE_NAME = "npm_package_name";

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
  const envs = new Table<Project["manifestEnv"]>();
  const scripts = new Table<Project["scripts"]>();
  const packed = model.projects.map((project): PackedProject => {
    const { [PACKAGE_NAME]: packageName, ...env } = project.manifestEnv;
    return [
      project.name,
      project.directory,
      packageName === undefined ? 0 : packageName === project.name ? 1 : packageName,
      envs.indexOf(env),
      scripts.indexOf(project.scripts),
      project.dependencies.map((name) => projects.get(name)!),
      project.tags,
    ];
  });
  const { tasks: _tasks, projects: _projects, ...rest } = model;
  return {
    model: rest,
    projects: packed,
    envs: envs.values,
    scripts: scripts.values,
    names: names.values,
    templates: templates.values,
    commands: commands.values,
    places: places.values,
    tasks,
  };
}

/** The model again. */
export function unpackModel(packed: PackedModel): WorkspaceModel {
  const projects = packed.projects.map((project) => unpackProject(packed, project));
  const tasks: TaskDefinition[] = [];
  for (let at = 0; at < packed.tasks.length; at += NUMBERS_PER_TASK) {
    const project = projects[packed.tasks[at]!]!.name;
    const task = packed.names[packed.tasks[at + 1]!]!;
    const command = packed.commands[packed.tasks[at + 3]!]!;
    const declaredAt = packed.places[packed.tasks[at + 4]!]!;
    const template = packed.templates[packed.tasks[at + 2]!]!;
    tasks.push(taskFrom({ id: taskId(project, task), project, task, command, declaredAt }, template));
  }
  return { ...packed.model, projects, tasks };
}

function unpackProject(packed: PackedModel, project: PackedProject): Project {
  const [name, directory, packageName, env, scripts, dependencies, tags] = project;
  const own = packageName === 0 ? {} : { [PACKAGE_NAME]: packageName === 1 ? name : packageName };
  return {
    name,
    directory,
    manifestEnv: { ...own, ...packed.envs[env] },
    scripts: packed.scripts[scripts]!,
    dependencies: dependencies.map((index) => packed.projects[index]![0]),
    tags,
  };
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
