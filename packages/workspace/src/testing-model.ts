/** Models for the tests of this package, with everything that a test does not speak of left at its default. */
import { taskId } from "@kahn/core";
import { parseTaskReference } from "./config/task-reference.ts";
import type { Project, TaskDefinition, WorkspaceModel, WorkspaceSettings } from "./model.ts";

/** A project in a workspace-relative folder. */
export function project(name: string, directory: string, dependencies: readonly string[] = []): Project {
  const manifestEnv = { npm_package_name: name, npm_package_version: "1.0.0" };
  return { name, directory, manifestEnv, scripts: {}, dependencies, tags: [] };
}

/** What a test may say of a task; references in their written form. */
export interface TaskFields extends Partial<Omit<TaskDefinition, "dependsOn" | "after" | "validates">> {
  readonly dependsOn?: readonly string[];
  readonly after?: readonly string[];
  readonly validates?: readonly string[];
}

/** A cached task whose script is `echo NAME`. */
export function task(owner: Project, name: string, fields: TaskFields = {}): TaskDefinition {
  const references = (written: readonly string[] = []) =>
    written.map((each) => {
      const parsed = parseTaskReference(each);
      if (!parsed.ok) throw new Error(`${each} ${parsed.problem}`);
      return parsed.value;
    });
  return {
    id: taskId(owner.name, name),
    project: owner.name,
    task: name,
    description: undefined,
    command: { kind: "script", event: name, script: `echo ${name}`, pre: undefined, post: undefined },
    inputs: undefined,
    outputs: undefined,
    env: [],
    passEnv: [],
    tools: [],
    mutexes: [],
    pools: [],
    slots: 1,
    tags: [],
    priority: 0,
    timeoutMs: undefined,
    graceMs: 5000,
    retries: 0,
    persistent: false,
    ready: undefined,
    interactive: false,
    cache: true,
    uncachedBecause: undefined,
    outputMode: "copy",
    deps: "transitive",
    declaredAt: { file: "kahn.jsonc", line: 1 },
    ...fields,
    dependsOn: references(fields.dependsOn),
    after: references(fields.after),
    validates: references(fields.validates),
  };
}

/** What a test may say of a workspace. */
export interface WorkspaceFields extends Partial<Pick<WorkspaceModel, "tasks" | "lockFile" | "files" | "manager">> {
  readonly settings?: Partial<WorkspaceSettings>;
}

/** A workspace at an absolute path. */
export function workspace(root: string, projects: readonly Project[], more: WorkspaceFields = {}): WorkspaceModel {
  const { tasks = [], lockFile, files = [], manager = "npm", settings } = more;
  return {
    root,
    manager,
    lockFile,
    source: "kahn",
    files,
    settings: {
      concurrency: 2,
      pools: {},
      tagCaps: {},
      cache: {},
      globalEnv: [],
      globalPassEnv: [],
      globalInputs: [],
      sections: {},
      ...settings,
    },
    projects,
    tasks,
    warnings: [],
  };
}
