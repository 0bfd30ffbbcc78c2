/**
 * One command as a task that no file declares.
 *
 * Owns:      what the words of a command mean in a workspace: its folder, globs, variables.
 * Invariant: the action that comes of it is that of a declared task with the same words, so that one has the results of
 *            the other.
 */
import { err, ok, type Problem, problem, type Result, taskId } from "@kahn/core";
import type { CommandWork } from "@kahn/workflow";
import { normalizeGlob, type Project, type TaskDefinition, type WorkspaceModel } from "@kahn/workspace";

/** How long the command may live on after TERM; less than a flow gives its nodes. */
const GRACE_MS = 5000;

/** A model with one task more. */
export interface CommandModel {
  readonly model: WorkspaceModel;
  readonly label: string;
}

/**
 * Adds a command to a model, under `//#flow:<name>`.
 *
 * @param name what it is known by from run to run; every problem of its words at once.
 */
export function withCommand(
  model: WorkspaceModel,
  name: string,
  work: CommandWork,
): Result<CommandModel, readonly Problem[]> {
  const place = folderOf(model, work.cwd ?? "");
  if (place === undefined) return err([invalid(name, `the folder ${work.cwd} is not in the workspace ${model.root}`)]);
  const inputs = globsOf(work.inputs, place);
  const outputs = globsOf(work.outputs, place);
  const wrong = [...inputs.wrong, ...outputs.wrong].map((what) => invalid(name, what));
  if (wrong.length > 0) return err(wrong);
  const known = model.projects.find((project) => project.directory === place);
  const project = known ?? folderProject(place);
  const task = taskOf(taskId(project.name, `flow:${name}`), work, {
    project: project.name,
    inputs: inputs.globs,
    outputs: outputs.globs,
  });
  return ok({
    label: task.id,
    model: {
      ...model,
      projects: known === undefined ? [...model.projects, project] : model.projects,
      tasks: [...model.tasks, task],
    },
  });
}

function taskOf(
  id: TaskDefinition["id"],
  work: CommandWork,
  own: Pick<TaskDefinition, "project" | "inputs" | "outputs">,
): TaskDefinition {
  return {
    id,
    ...own,
    task: id.slice(id.lastIndexOf("#") + 1),
    description: undefined,
    command: { kind: "argv", argv: work.command },
    dependsOn: [],
    after: [],
    validates: [],
    env: Object.keys(work.env ?? {}),
    passEnv: work.passEnv ?? [],
    tools: work.tools ?? [],
    mutexes: [],
    pools: [],
    slots: 1,
    tags: [],
    priority: 0,
    timeoutMs: undefined,
    graceMs: GRACE_MS,
    retries: 0,
    persistent: false,
    ready: undefined,
    interactive: false,
    cache: own.inputs !== undefined,
    uncachedBecause: own.inputs === undefined ? "it declares no inputs" : undefined,
    outputMode: "copy",
    deps: "transitive",
    declaredAt: { file: "a workflow" },
  };
}

/** A folder that is no project's own: its own name in messages, none of a manifest's variables. */
function folderProject(directory: string): Project {
  return { name: `./${directory}`, directory, manifestEnv: {}, scripts: {}, dependencies: [], tags: [] };
}

/** Workspace-relative; `undefined` outside of it. */
function folderOf({ root }: WorkspaceModel, cwd: string): string | undefined {
  if (cwd !== root && cwd.startsWith("/") && !cwd.startsWith(`${root}/`)) return undefined;
  const segments: string[] = [];
  for (const segment of (cwd.startsWith("/") ? cwd.slice(root.length) : cwd).split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") segments.push(segment);
    else if (segments.pop() === undefined) return undefined;
  }
  return segments.join("/");
}

function globsOf(
  written: readonly string[] | undefined,
  base: string,
): { readonly globs: readonly string[] | undefined; readonly wrong: readonly string[] } {
  if (written === undefined) return { globs: undefined, wrong: [] };
  const globs: string[] = [];
  const wrong: string[] = [];
  for (const each of written) {
    const normal = normalizeGlob(each, base);
    if (normal.ok) globs.push(normal.value);
    else wrong.push(`the glob "${each}" ${normal.problem}`);
  }
  return { globs, wrong };
}

function invalid(name: string, what: string): Problem {
  return problem("flow-command-invalid", `${name}: ${what}`, { next: "Mend the work of that node." });
}
