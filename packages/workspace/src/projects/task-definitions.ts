/**
 * Which tasks each project has, and what each of them is.
 *
 * Owns:      from scripts and task tables to task definitions; hooks, lifecycle scripts, tasks without a command.
 * Invariant: tasks come sorted by project in the order of the projects, then by name; ids are unique. A declared task
 *            is in every project where something runs or reaches further through it.
 * Source:    the behaviour of npm (pre and post scripts) and of turbo (tasks that a project has no script for).
 */
import type { Problem, SourcePlace } from "@kahn/core";
import { closestName, taskId, warning } from "@kahn/core";
import type { TaskEntry } from "../config/task-entry.ts";
import type { Project, TaskCommand, TaskDefinition, TaskReference } from "../model.ts";
import type { TaskTemplate } from "./task-definition.ts";
import { taskFrom } from "./task-definition.ts";
import type { MergedTask } from "./task-template.ts";
import { TaskTemplates } from "./task-template.ts";

/** Entries of all task tables of a workspace. */
export interface TaskTables {
  readonly source: "kahn" | "turbo" | "none";
  /** Entries of the root's table that name no project. */
  readonly everywhere: ReadonlyMap<string, TaskEntry>;
  /** Entries for one project, by project then task, the most specific first. */
  readonly specific: ReadonlyMap<string, ReadonlyMap<string, readonly TaskEntry[]>>;
  /** Tasks that a project opts out of (`"extends": false` of a turbo.json), as task ids. */
  readonly removed: ReadonlySet<string>;
}

/** What tasks are made of. */
export interface TaskSources {
  readonly projects: readonly Project[];
  readonly tables: TaskTables;
  readonly outputMode: "copy" | "link";
  /** True where the package manager runs pre and post scripts. */
  readonly runsHooks: boolean;
  /** Where a project's script was written. */
  readonly scriptPlace: (project: Project, script: string) => SourcePlace;
  readonly report: (problem: Problem) => void;
}

/** Scripts that package managers start by themselves: tasks only when a table declares them. */
const LIFECYCLE = new Set([
  ..."preinstall install postinstall prepare preprepare postprepare prepublish prepublishOnly prepack postpack".split(
    " ",
  ),
  ..."publish postpublish preversion version postversion preuninstall uninstall postuninstall dependencies".split(" "),
]);

/** Scripts whose name says that they do not end; undeclared, they wait for no other project's. */
const ENDLESS = /^(dev|start|serve|watch)(:|$)|:(dev|watch|serve)$/;

/** Every task of a workspace. */
export function defineTasks(sources: TaskSources): TaskDefinition[] {
  const { projects, tables } = sources;
  const templates = new TaskTemplates(sources);
  const plans = projects.map((project) => planProject(project, sources, templates));
  const runnable = new Set(plans.flatMap((plan) => plan.tasks.map((task) => task.task)));
  for (const plan of plans) {
    for (const each of plan.commandless) {
      if (reachesFurther(each, tables, runnable)) plan.tasks.push(commandless(plan.project, each));
    }
  }
  const referenced = referencedTasks(plans.flatMap((plan) => plan.tasks));
  for (const plan of plans) {
    const present = new Set(plan.tasks.map((task) => task.id));
    for (const each of plan.commandless) {
      const id = taskId(plan.project.name, each.name);
      if (!present.has(id) && referenced.has(id)) plan.tasks.push(commandless(plan.project, each));
    }
    plan.tasks.sort((left, right) => (left.task < right.task ? -1 : 1));
  }
  const tasks = plans.flatMap((plan) => plan.tasks);
  if (tables.source === "kahn") warnOfIdleEntries(sources, tasks);
  return tasks;
}

/** An entry that no project has a script for and that leads nowhere is most likely misspelt. */
function warnOfIdleEntries({ projects, tables, report }: TaskSources, tasks: readonly TaskDefinition[]): void {
  const present = new Set(tasks.map((task) => task.task));
  for (const [name, entry] of tables.everywhere) {
    if (present.has(name)) continue;
    const scripts = [...new Set(projects.flatMap((project) => Object.keys(project.scripts)))].sort();
    const closest = closestName(name, scripts);
    report(
      warning("task-without-command", `No project has a script "${name}", and the task has no command`, {
        where: entry.place,
        next: closest === undefined ? 'Add a script or a "command", or remove the task.' : `Did you mean "${closest}"?`,
      }),
    );
  }
}

interface CommandlessTask {
  readonly project: string;
  readonly name: string;
  readonly merged: MergedTask;
}

interface ProjectPlan {
  readonly project: Project;
  readonly tasks: TaskDefinition[];
  /** Declared for this project, and nothing to run. */
  readonly commandless: readonly CommandlessTask[];
}

function planProject(project: Project, sources: TaskSources, templates: TaskTemplates): ProjectPlan {
  const { tables } = sources;
  const takesShared = project.name !== "//" || sources.projects.length === 1;
  const specific = tables.specific.get(project.name);
  const declared = new Set([...(specific?.keys() ?? []), ...(takesShared ? tables.everywhere.keys() : [])]);
  const tasks: TaskDefinition[] = [];
  const commandlessTasks: CommandlessTask[] = [];
  for (const name of declared) {
    if (tables.removed.has(taskId(project.name, name))) continue;
    const shared = takesShared ? tables.everywhere.get(name) : undefined;
    const merged = templates.merge(chainOf(specific?.get(name), shared), project.directory);
    const command = declaredCommand(merged.command) ?? scriptCommand(project, name, sources);
    if (command === undefined) commandlessTasks.push({ project: project.name, name, merged });
    else tasks.push(definition(project, name, { template: merged.template, command }));
  }
  for (const name of Object.keys(project.scripts)) {
    if (declared.has(name) || LIFECYCLE.has(name) || isHook(project, name, sources)) continue;
    const command = scriptCommand(project, name, sources)!;
    tasks.push(definition(project, name, { template: undeclared(project, name, { sources, templates }), command }));
  }
  return { project, tasks, commandless: commandlessTasks };
}

/** Entries from the most specific on, up to the first that hides those beneath. */
function chainOf(specific: readonly TaskEntry[] = [], shared: TaskEntry | undefined): readonly TaskEntry[] {
  const all = shared === undefined ? specific : [...specific, shared];
  const last = all.findIndex((entry) => entry.onto === "nothing");
  return last === -1 ? all : all.slice(0, last + 1);
}

function definition(
  project: Project,
  task: string,
  parts: { readonly template: TaskTemplate; readonly command: TaskCommand },
): TaskDefinition {
  const { template, command } = parts;
  const { declaredAt } = template;
  return taskFrom({ id: taskId(project.name, task), project: project.name, task, command, declaredAt }, template);
}

function commandless(project: Project, { name, merged }: CommandlessTask): TaskDefinition {
  const template = { ...merged.template, cache: false, uncachedBecause: "it has no command" };
  return definition(project, name, { template, command: { kind: "none" } });
}

function declaredCommand(command: string | readonly string[] | undefined): TaskCommand | undefined {
  if (command === undefined) return undefined;
  return typeof command === "string" ? { kind: "shell", script: command } : { kind: "argv", argv: command };
}

function scriptCommand(project: Project, event: string, sources: TaskSources): TaskCommand | undefined {
  const script = ownScript(project, event);
  if (script === undefined) return undefined;
  const hook = (when: "pre" | "post") => (sources.runsHooks ? ownScript(project, when + event) : undefined);
  return { kind: "script", event, script, pre: hook("pre"), post: hook("post") };
}

function ownScript(project: Project, name: string): string | undefined {
  return Object.hasOwn(project.scripts, name) ? project.scripts[name] : undefined;
}

function isHook(project: Project, name: string, sources: TaskSources): boolean {
  const event = /^(?:pre|post)(.+)$/.exec(name)?.[1];
  return sources.runsHooks && event !== undefined && Object.hasOwn(project.scripts, event);
}

function undeclared(
  project: Project,
  name: string,
  from: { readonly sources: TaskSources; readonly templates: TaskTemplates },
): TaskTemplate {
  const isEndless = ENDLESS.test(name);
  const { source } = from.sources.tables;
  return from.templates.undeclared({
    dependsOn: isEndless ? [] : [{ kind: "dependencies", task: name }],
    persistent: isEndless,
    uncachedBecause:
      source === "none"
        ? "nothing declares what it reads and writes; `kahn init` proposes a configuration"
        : `${source === "turbo" ? "turbo.json" : "the configuration"} has no task "${name}"`,
    declaredAt: from.sources.scriptPlace(project, name),
  });
}

/**
 * True when a task without a command belongs into the graph by itself: it was declared for this very project, it leads
 * to other tasks than its own name in dependencies, or nothing anywhere runs under its name and it is a pure group.
 */
function reachesFurther(each: CommandlessTask, tables: TaskTables, runnable: ReadonlySet<string>): boolean {
  if (tables.specific.get(each.project)?.has(each.name)) return true;
  const { dependsOn, validates } = each.merged.template;
  const leads = [...dependsOn, ...validates];
  const isOwn = (reference: TaskReference) => reference.kind === "dependencies" && reference.task === each.name;
  return leads.some((reference) => !isOwn(reference)) || (leads.length > 0 && !runnable.has(each.name));
}

/** Ids that tasks name directly: in their own project, or by project. */
function referencedTasks(tasks: readonly TaskDefinition[]): Set<string> {
  const ids = new Set<string>();
  for (const task of tasks) {
    for (const reference of [...task.dependsOn, ...task.validates]) {
      if (reference.kind === "same-project") ids.add(taskId(task.project, reference.task));
      else if (reference.kind === "exact") ids.add(reference.id);
    }
  }
  return ids;
}
