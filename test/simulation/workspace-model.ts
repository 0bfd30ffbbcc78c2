/** A simulated workspace in the form in which Kahn has read its configuration. */
import { type TaskId, taskId } from "@kahn/core";
import type { TaskDefinition, TaskReference, WorkspaceModel } from "@kahn/workspace";
import { outputGlobs } from "./command.ts";
import { folderOf, LOCK_FILE, type SimTask, type SimWorkspace } from "./sim-workspace.ts";

/** The model for a work tree at `root`. */
export function workspaceModel(workspace: SimWorkspace, root: string): WorkspaceModel {
  const ids = new Map(workspace.tasks.map((task) => [task.name, taskId(task.project, task.name)]));
  return {
    root,
    manager: "npm",
    lockFile: LOCK_FILE,
    source: "kahn",
    files: [],
    settings: {
      concurrency: workspace.limits.slots,
      pools: workspace.limits.pools,
      tagCaps: workspace.limits.tagCaps,
      cache: {},
      globalEnv: [],
      globalPassEnv: [],
      globalInputs: [],
      sections: {},
    },
    projects: workspace.projects.map((name) => ({
      name,
      directory: folderOf(name),
      manifestEnv: {},
      scripts: {},
      dependencies: [],
      tags: [],
    })),
    tasks: workspace.tasks.map((task) => definition(task, ids)),
    warnings: [],
  };
}

const INPUT_GLOBS: Readonly<Record<SimTask["inputs"], readonly string[] | undefined>> = {
  src: ["src/**"],
  "src-without-skip": ["src/**", "!src/skip/**"],
  "src-and-shared": ["src/**", "/shared/**"],
  default: undefined,
};

function definition(task: SimTask, ids: ReadonlyMap<string, TaskId>): TaskDefinition {
  const references = (names: readonly string[]) =>
    names.map((name): TaskReference => ({ kind: "exact", id: ids.get(name)! }));
  return {
    id: ids.get(task.name)!,
    project: task.project,
    task: task.name,
    description: undefined,
    command: task.kind === "group" ? { kind: "none" } : { kind: "argv", argv: ["sim", task.name] },
    dependsOn: references(task.requires),
    after: references(task.after),
    validates: references(task.validates),
    inputs: INPUT_GLOBS[task.inputs],
    outputs: outputGlobs(task),
    env: [],
    passEnv: [],
    tools: [],
    mutexes: task.mutexes,
    pools: task.pools,
    slots: task.slots,
    tags: task.tags,
    priority: 0,
    timeoutMs: task.timeoutMs,
    graceMs: 500,
    retries: task.retries,
    persistent: task.kind === "service",
    ready: task.ready,
    interactive: false,
    cache: task.kind === "group" || task.cached,
    uncachedBecause: task.kind === "group" || task.cached ? undefined : "declared so",
    outputMode: task.outputMode,
    deps: task.reach === "own" ? "direct" : "transitive",
    declaredAt: { file: "kahn.jsonc", line: 1 },
  };
}
