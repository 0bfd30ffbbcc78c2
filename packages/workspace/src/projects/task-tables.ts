/** Reads the task tables of all configuration files into entries. */
import type { Problem } from "@kahn/core";
import { problem, taskId, warning } from "@kahn/core";
import type { ConfigPart } from "../config/config-part.ts";
import { pathText } from "../config/config-text.ts";
import type { KahnConfig, ProjectConfig, TaskConfig } from "../config/config-types.ts";
import { suggest } from "../config/suggestion.ts";
import type { TaskEntry } from "../config/task-entry.ts";
import { readTaskEntry } from "../config/task-entry.ts";
import { parseTaskReference } from "../config/task-reference.ts";
import type { ProjectFiles } from "./project-files.ts";
import type { TaskTables } from "./task-definitions.ts";

/** What tables are read with. */
export interface TableSources {
  readonly source: TaskTables["source"];
  readonly root: ConfigPart<KahnConfig> | undefined;
  readonly files: readonly ProjectFiles[];
  readonly pools: Readonly<Record<string, number>>;
  readonly report: (problem: Problem) => void;
}

/** Reads every entry, reporting what is wrong with it. */
export function readTaskTables(sources: TableSources): TaskTables {
  const everywhere = new Map<string, TaskEntry>();
  const specific = new Map<string, Map<string, TaskEntry[]>>();
  const removed = new Set<string>();
  const add = (project: string, task: string, entry: TaskEntry) => {
    const table = specific.get(project) ?? new Map<string, TaskEntry[]>();
    specific.set(project, table);
    table.set(task, [...(table.get(task) ?? []), entry]);
  };
  const rootName = rootAlias(sources.files);
  for (const each of sources.files) {
    if (each.part === undefined) continue;
    for (const [key, config] of tasksOf(each.part)) {
      if (!isTaskKey(key)) sources.report(badKey(each.part, key));
      else if (key.includes("#")) sources.report(projectKey(each.part, key));
      else add(each.name, key, readEntry(each.part, { key, config, rootName }, sources));
    }
    for (const task of each.part.removed) removed.add(taskId(each.name, task));
  }
  const names = new Set(sources.files.map((file) => file.name));
  for (const [key, config] of sources.root === undefined ? [] : tasksOf(sources.root)) {
    const entry = readEntry(sources.root!, { key, config, rootName }, sources);
    const [project, task] = splitKey(key, rootName);
    if (!isTaskKey(key)) sources.report(badKey(sources.root!, key));
    else if (project === undefined) everywhere.set(task, entry);
    else if (names.has(project)) add(project, task, entry);
    else sources.report(unknownProject(sources, { key, project, names: [...names] }));
  }
  return { source: sources.source, everywhere, specific, removed };
}

/** The name of the root's own package, unless a project has it too. */
function rootAlias(files: readonly ProjectFiles[]): string | undefined {
  const name = files[0]?.manifest?.name;
  return files.some((each) => each.name === name) ? undefined : name;
}

function tasksOf(part: ConfigPart<ProjectConfig>): [string, TaskConfig][] {
  return Object.entries(part.config.tasks ?? {});
}

function readEntry(
  part: ConfigPart<ProjectConfig>,
  entry: { readonly key: string; readonly config: TaskConfig; readonly rootName: string | undefined },
  sources: TableSources,
): TaskEntry {
  return readTaskEntry(entry.config, {
    text: part.text,
    path: ["tasks", entry.key],
    pools: sources.pools,
    report: sources.report,
    onto: part.standalone.has(entry.key) ? "nothing" : "inherited",
    rootName: entry.rootName,
  });
}

function splitKey(key: string, rootName: string | undefined): [project: string | undefined, task: string] {
  const at = key.lastIndexOf("#");
  if (at === -1) return [undefined, key];
  return [key.slice(0, at) === rootName ? "//" : key.slice(0, at), key.slice(at + 1)];
}

function isTaskKey(key: string): boolean {
  const reference = parseTaskReference(key);
  return reference.ok && reference.value.kind !== "dependencies";
}

function badKey(part: ConfigPart<ProjectConfig>, key: string): Problem {
  return problem("config-bad-value", `"${pathText(["tasks", key])}" is not the name of a task`, {
    where: part.text.keyPlace(["tasks", key]),
    next: 'Write "task", "project#task" or "//#task".',
  });
}

function projectKey(part: ConfigPart<ProjectConfig>, key: string): Problem {
  return problem("config-bad-value", `"${pathText(["tasks", key])}" names a project in a project's own configuration`, {
    where: part.text.keyPlace(["tasks", key]),
    next: `Write "${key.slice(key.lastIndexOf("#") + 1)}", or move it to the configuration at the root.`,
  });
}

function unknownProject(
  sources: TableSources,
  found: { readonly key: string; readonly project: string; readonly names: readonly string[] },
): Problem {
  // turbo ignores such entries, so a turbo.json that works must go on working.
  const make = sources.source === "turbo" ? warning : problem;
  return make("config-unknown-project", `"${pathText(["tasks", found.key])}" is for a project that is not there`, {
    where: sources.root!.text.keyPlace(["tasks", found.key]),
    next: suggest(found.project, found.names, "projects"),
  });
}
