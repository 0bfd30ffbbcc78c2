/**
 * From a request to a plan: which projects, which tasks, which graph.
 *
 * Owns:      what a bare task means in a folder, `-p` and `--affected`.
 */
import { type ActionProvider, err, ok, type PlannedNode, type Problem, problem, type Result } from "@kahn/core";
import {
  affectedProjects,
  packagesOf,
  projectAt,
  selectProjects,
  type WorkspaceModel,
  workspaceProvider,
} from "@kahn/workspace";
import { recursionProblem } from "../nesting.ts";
import type { WorkspaceSession } from "../workspace-session.ts";

/** What is asked of the graph. */
export interface GraphRequest {
  readonly tasks: readonly string[];
  readonly projects: readonly string[];
  readonly affected: string | undefined;
  readonly passedArguments: readonly string[];
}

/** A request with its graph. */
export interface PlannedRequest {
  /** Answers `plan` from what was planned here. */
  readonly provider: ActionProvider;
  readonly nodes: readonly PlannedNode[];
  /** Labels of the tasks that were asked for by name, in the order of the plan. */
  readonly requested: readonly string[];
}

/** Plans a request; every problem at once. */
export async function planRequest(
  session: WorkspaceSession,
  request: GraphRequest,
): Promise<Result<PlannedRequest, readonly Problem[]>> {
  const projects = selectedProjects(session, request);
  if (!projects.ok) return projects;
  const { model, host, ports } = session;
  const wanted = request.affected === undefined ? request.tasks : affectedTasks(model, request.tasks, projects.value);
  const tasks = wanted.map((task) => rootOnly(model, task, projects.value) ?? task);
  const provider = workspaceProvider({
    model,
    states: session.states,
    fs: ports.fs,
    git: ports.git,
    request: { tasks, projects: projects.value, passedArguments: request.passedArguments },
    hostEnv: host.env,
    platform: host.platform,
    nodePath: host.nodePath,
    startDirectory: host.directory,
  });
  const planned = await provider.plan();
  if (!planned.ok) return planned;
  const recursion = recursionProblem(
    session.chain,
    model.root,
    planned.value.map((node) => node.label),
  );
  if (recursion !== undefined) return err([recursion]);
  const asked = new Set(tasks);
  const selected = new Set(projects.value);
  const requested = planned.value
    .map((node) => node.label)
    .filter((label) => {
      const at = label.lastIndexOf("#");
      return asked.has(label) || (asked.has(label.slice(at + 1)) && selected.has(label.slice(0, at)));
    });
  return ok({
    nodes: planned.value,
    requested,
    provider: { plan: async () => planned, resolve: (label) => provider.resolve(label) },
  });
}

function selectedProjects(
  session: WorkspaceSession,
  request: GraphRequest,
): Result<readonly string[], readonly Problem[]> {
  const { model, host } = session;
  const here = projectAt(model, host.directory);
  let names: readonly string[];
  if (request.projects.length > 0) {
    const chosen = selectProjects(model, request.projects, { directory: here?.directory ?? "" });
    if (!chosen.ok) return chosen;
    names = chosen.value.map((project) => project.name);
  } else if (here !== undefined && here.directory !== "") {
    names = [here.name];
  } else {
    // Of a workspace with packages the root is not one of them: its scripts usually start the runner itself.
    names = packagesOf(model).map((project) => project.name);
  }
  if (request.affected === undefined) return ok(names);
  const affected = changedProjects(session, request.affected);
  if (!affected.ok) return affected;
  const touched = new Set(affected.value);
  return ok(names.filter((name) => touched.has(name)));
}

function changedProjects(session: WorkspaceSession, base: string): Result<readonly string[], readonly Problem[]> {
  const { model, ports } = session;
  const candidates = base === "" ? ["origin/HEAD", "origin/main", "origin/master", "main", "master"] : [base];
  for (const candidate of candidates) {
    const changed = ports.git.changedFiles(model.root, candidate);
    if (changed === undefined) {
      return err([
        problem("affected-without-git", "--affected needs a git repository, and git", {
          next: "Leave --affected out.",
        }),
      ]);
    }
    if (changed !== "unknown-base") return ok(affectedProjects(model, changed).projects);
  }
  return err([
    problem("affected-base-unknown", `git knows no commit "${base || "main"}" to compare with`, {
      next: "Name one: --affected=origin/main.",
    }),
  ]);
}

/** Without the tasks that only projects have which nothing touched: then there is nothing to do, and nothing is wrong. */
function affectedTasks(model: WorkspaceModel, tasks: readonly string[], projects: readonly string[]): string[] {
  const selected = new Set(projects);
  return tasks.filter((task) => {
    const owners = model.tasks.filter((each) => each.task === task);
    return owners.every((each) => each.project === "//") || owners.some((each) => selected.has(each.project));
  });
}

/** A task that only the root has is meant there, although the root is not among the packages. */
function rootOnly(model: WorkspaceModel, task: string, projects: readonly string[]): string | undefined {
  if (task.includes("#") || projects.includes("//")) return undefined;
  const owners = model.tasks.filter((each) => each.task === task).map((each) => each.project);
  return owners.length === 1 && owners[0] === "//" ? `//#${task}` : undefined;
}
