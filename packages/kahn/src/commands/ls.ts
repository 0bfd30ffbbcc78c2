/** `kahn ls`: projects and tasks. */

import { closestName, type Problem, problem } from "@kahn/core";
import { countText, painter, textTable } from "@kahn/report";
import { type TaskDefinition, type WorkspaceModel, withoutStandIns } from "@kahn/workspace";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import { openSession } from "../session/workspace-session.ts";

/** The command. */
export const ls: Command = {
  usage: "ls [TASK] [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 1,
  options: [{ name: "json", help: "the whole model as JSON" }],
  description: `
Lists every project with its folder and its tasks; a star marks a task whose results are cached. With TASK, lists
where that task is and what it is made of.`,
  examples: [
    ["kahn ls", "all projects"],
    ["kahn ls build", "the task build in every project"],
  ],
  async run(host, given) {
    const session = await openSession(host);
    if (!session.ok) return refuse(host, session.problem);
    const { model } = session.value;
    const [task] = given.positionals;
    const unknown = task === undefined ? undefined : unknownTask(model, task);
    if (unknown !== undefined) return refuse(host, [unknown]);
    if (given.has("json")) host.stdout.write(`${JSON.stringify(model, null, 2)}\n`);
    else host.stdout.write(task === undefined ? projectTable(model) : taskTexts(model, task, host.stdout.colour));
    return EXIT.done;
  },
};

function projectTable(model: WorkspaceModel): string {
  const tasks = new Map<string, string[]>();
  for (const task of model.tasks) {
    if (task.command.kind === "none" && task.dependsOn.length === 0) continue;
    const list = tasks.get(task.project) ?? [];
    list.push(task.cache ? `${task.task}*` : task.task);
    tasks.set(task.project, list);
  }
  const rows = model.projects.map(({ name, directory }) => {
    return [name, directory === "" ? "." : directory, (tasks.get(name) ?? []).join(" ")];
  });
  const real = withoutStandIns(model);
  const cached = real.filter((task) => task.cache).length;
  const note =
    cached === 0 ? "No task is cached: `kahn init` writes a kahn.jsonc that changes that." : "* results are cached";
  return `${textTable(["PROJECT", "FOLDER", "TASKS"], rows)}\n${countText(model.projects.length, "project")}, ${countText(real.length, "task")}. ${note}\n`;
}

function tasksNamed(model: WorkspaceModel, name: string): TaskDefinition[] {
  return model.tasks.filter((task) => task.task === name || task.id === name);
}

function unknownTask(model: WorkspaceModel, name: string): Problem | undefined {
  if (tasksNamed(model, name).length > 0) return undefined;
  const closest = closestName(
    name,
    model.tasks.map((task) => (name.includes("#") ? task.id : task.task)),
  );
  return problem("task-unknown", `no project has a task "${name}"`, {
    next: closest === undefined ? "kahn ls lists all tasks." : `Did you mean "${closest}"?`,
  });
}

function taskTexts(model: WorkspaceModel, name: string, colour: boolean): string {
  const paint = painter(colour);
  return tasksNamed(model, name)
    .map((task) => `${paint(task.id, "bold")}\n${taskFacts(task)}`)
    .join("\n");
}

function taskFacts(task: TaskDefinition): string {
  const { declaredAt, uncachedBecause } = task;
  const facts: [string, string][] = [
    ["command", commandText(task)],
    ["inputs", (task.inputs ?? ["$default"]).join(" ")],
    ["outputs", (task.outputs ?? []).join(" ") || "(none)"],
    ["env", task.env.join(" ")],
    ["cached", task.cache ? "yes" : `no${uncachedBecause === undefined ? "" : `: ${uncachedBecause}`}`],
    ["declared", `${declaredAt.file}${declaredAt.line === undefined ? "" : `:${declaredAt.line}`}`],
  ];
  return facts
    .filter(([, value]) => value !== "")
    .map(([fact, value]) => `  ${fact.padEnd(10)}${value}\n`)
    .join("");
}

function commandText({ command }: TaskDefinition): string {
  switch (command.kind) {
    case "script":
      return command.script;
    case "shell":
      return command.script;
    case "argv":
      return command.argv.join(" ");
    case "none":
      return "(none: it groups its dependencies)";
  }
}
