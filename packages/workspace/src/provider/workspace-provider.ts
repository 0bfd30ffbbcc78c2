/**
 * The tasks of a workspace as a graph of actions.
 *
 * Owns:      what a task's key is made of, and how its command is run.
 * Never:     starts a process; hashes a file that has not changed; puts an absolute path of this machine into a key.
 * Invariant: equal files, declarations, declared variables and tools give equal actions, wherever the work tree lies
 *            and in whatever order things were declared.
 */
import {
  type ActionProvider,
  canonicalJson,
  type Digest,
  digestOf,
  err,
  type FileSystem,
  FileSystemError,
  type Git,
  type InputEntry,
  InvariantError,
  type KeyParts,
  ok,
  type PlannedNode,
  type Problem,
  type Property,
  problem,
  type ResolvedAction,
  type Result,
} from "@kahn/core";
import { type PlannedTask, planTasks, type TaskRequest } from "../graph/index.ts";
import { DefaultFiles, type InputRequest, OutputMask, TaskInputs } from "../inputs/index.ts";
import type { Project, WorkspaceModel } from "../model.ts";
import type { WorkTreeStates } from "../states/index.ts";
import { AbsentTools } from "./absent-tools.ts";
import { type HostEnvironment, TaskEnvironment } from "./environment.ts";
import { npmVariables, scriptShell } from "./npm-run.ts";
import { taskOutputs } from "./output-spec.ts";
import { differingPaths, LazyExecution, resolvedTask } from "./resolved-task.ts";
import { type CommandLine, commandLine } from "./script-line.ts";
import { ToolIdentities } from "./tool-identities.ts";

/** What is asked of a workspace. */
export interface WorkspaceRequest extends TaskRequest {
  /** Arguments after `--`, for the tasks that the request names. */
  readonly passedArguments?: readonly string[];
}

/** What the provider stands on. */
export interface WorkspaceProviderOptions {
  readonly model: WorkspaceModel;
  readonly states: WorkTreeStates;
  readonly fs: FileSystem;
  /** Asked at most for what it lists; without it, ignore files are read by Kahn alone. */
  readonly git?: Git;
  readonly request: WorkspaceRequest;
  /** The variables that Kahn itself was given. */
  readonly hostEnv: HostEnvironment;
  /** Operating system and architecture: `linux-x64`. */
  readonly platform: string;
  /** Absolute path of the Node that runs Kahn. */
  readonly nodePath: string;
  /** Absolute path of the folder that Kahn was started in. */
  readonly startDirectory: string;
}

/** Makes the provider of one run. */
export function workspaceProvider(options: WorkspaceProviderOptions): ActionProvider {
  return new WorkspaceProvider(options);
}

const NO_INPUTS = ok<readonly InputEntry[]>([]);

class WorkspaceProvider implements ActionProvider {
  readonly #options: WorkspaceProviderOptions;
  readonly #inputs: TaskInputs;
  readonly #environment: TaskEnvironment;
  readonly #tools: ToolIdentities;
  readonly #shell: string;
  readonly #projects: ReadonlyMap<string, Project>;
  #planned = new Map<string, PlannedTask>();
  /** Labels whose key matters to some cached task. */
  #keyed = new Set<string>();
  #absentTools = new AbsentTools([]);
  #external: { readonly revision: number; readonly parts: KeyParts["external"] } | undefined;
  readonly #contributions = new Map<string, { readonly revision: number; readonly digest: Digest }>();

  constructor(options: WorkspaceProviderOptions) {
    const { model, states, fs, git, hostEnv, nodePath } = options;
    this.#options = options;
    const outputs = new OutputMask(model);
    this.#inputs = new TaskInputs(states, new DefaultFiles({ model, states, fs, git, env: hostEnv, outputs }));
    this.#environment = new TaskEnvironment(hostEnv);
    const hostPath = hostEnv.PATH ?? "";
    this.#tools = new ToolIdentities({ fs, states, workspaceRoot: model.root, hostPath, nodePath });
    this.#shell = scriptShell(fs, model.root, hostEnv);
    this.#projects = new Map(model.projects.map((project) => [project.name, project]));
  }

  async plan(): Promise<Result<readonly PlannedNode[], readonly Problem[]>> {
    const planned = planTasks(this.#options.model, this.#options.request);
    if (!planned.ok) return planned;
    this.#options.states.beginAgain();
    this.#planned = new Map(planned.value.map((each) => [each.task.id, each]));
    this.#keyed = this.#labelsWithKeys();
    this.#absentTools = new AbsentTools(planned.value.map((each) => each.task));
    return ok(planned.value.map(plannedNode));
  }

  async resolve(label: string): Promise<Result<ResolvedAction, Problem>> {
    const planned = this.#planned.get(label);
    if (planned === undefined) throw new InvariantError(`${label} is not in the plan`);
    this.#options.states.beginResolution();
    try {
      return this.#resolve(planned);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      return err(
        problem("input-unreadable", `${error.path}, of which ${label}'s key is made, cannot be read (${error.code})`, {
          where: planned.task.declaredAt,
          next: "Make it readable.",
        }),
      );
    }
  }

  #resolve(planned: PlannedTask): Result<ResolvedAction, Problem> {
    const { task, project } = planned;
    const request: InputRequest = { project, task, globalInputs: this.#options.model.settings.globalInputs };
    const inputs = this.#keyed.has(task.id) ? this.#inputs.of(request) : NO_INPUTS;
    if (!inputs.ok) return err(inputs.problem.problem);
    const tools = this.#tools.identify(task.tools, project.directory);
    if (!tools.ok) return err(this.#absentTools.problemOf(task, tools.problem.missing));
    const external = this.#externalParts();
    if (!external.ok) return external;
    const contributions = this.#contributionsOf(planned);
    if (!contributions.ok) return contributions;
    const { model, platform } = this.#options;
    const passedArguments = planned.isRequested ? (this.#options.request.passedArguments ?? []) : [];
    const declared = commandLine(task.command, this.#shell, []);
    const outputs = taskOutputs(task, project.directory, model.root);
    const env = this.#declaredVariables(planned, declared);
    const resolved = resolvedTask({
      task,
      command: {
        arguments: declared.argv,
        environment: presentVariables(env),
        outputPaths: outputs.paths,
        platform: [],
        workingDirectory: project.directory,
      },
      inputs: inputs.value,
      parts: {
        outputGlobs: outputs.globs,
        external: external.value,
        tools: tools.value,
        platform,
        env,
        passedArguments,
      },
      contributions: contributions.value,
      outputs: outputs.spec,
      run: this.#execution(planned, passedArguments, env),
      changedInputs: () => this.#changedInputs(request, resolved),
    });
    return ok(resolved);
  }

  /** Tasks that are cached, and all that their keys rest on. */
  #labelsWithKeys(): Set<string> {
    const keyed = new Set<string>();
    const left: string[] = [];
    for (const { task } of this.#planned.values()) if (task.cache) left.push(task.id);
    for (let label = left.pop(); label !== undefined; label = left.pop()) {
      if (keyed.has(label)) continue;
      keyed.add(label);
      left.push(...this.#planned.get(label)!.requires);
    }
    return keyed;
  }

  #declaredVariables({ task, project }: PlannedTask, line: CommandLine): KeyParts["env"] {
    const { globalEnv } = this.#options.model.settings;
    const declared = this.#environment.declared(globalEnv.length === 0 ? task.env : [...globalEnv, ...task.env]);
    if (!line.text.includes("npm_package_")) return declared;
    // The manifest need not be an input of a task that reads one field of it through its variable.
    const all = new Map(declared);
    for (const [name] of line.text.matchAll(/npm_package_\w+/g)) all.set(name, project.manifestEnv[name]);
    return [...all].sort(([left], [right]) => (left < right ? -1 : 1));
  }

  // ——— how it is run ———

  #execution(planned: PlannedTask, passed: readonly string[], env: KeyParts["env"]): LazyExecution {
    const { model } = this.#options;
    const { task, project } = planned;
    const line = commandLine(task.command, this.#shell, passed);
    const throughYarn = model.manager === "yarn-pnp" && task.command.kind === "script";
    return new LazyExecution({
      task,
      argv: throughYarn ? ["yarn", "run", task.task, ...passed] : line.argv,
      cwd: project.directory === "" ? model.root : `${model.root}/${project.directory}`,
      text: line.text,
      makeEnv: () => this.#runEnvironment(planned, line, env),
      hostValue: (name) => this.#environment.value(name),
    });
  }

  #runEnvironment({ task, project }: PlannedTask, line: CommandLine, env: KeyParts["env"]): Record<string, string> {
    const { model, states, nodePath, startDirectory, hostEnv } = this.#options;
    // A command is about to start: from here on no file is what it was a moment ago.
    states.disturb();
    const all: Record<string, string> = {
      ...this.#environment.passed([...model.settings.globalPassEnv, ...task.passEnv]),
      ...npmVariables({ model, project, nodePath, startDirectory, hostEnv }),
      ...line.lifecycle,
      PATH: this.#tools.pathOf(project.directory),
    };
    for (const [name, value] of env) if (value !== undefined && name !== "PATH") all[name] = value;
    return all;
  }

  // ——— what else is in the key ———

  #externalParts(): Result<KeyParts["external"], Problem> {
    const { model, states } = this.#options;
    const { lockFile } = model;
    if (lockFile === undefined) return ok([]);
    if (this.#external?.revision === states.revision) return ok(this.#external.parts);
    const [outcome] = states.digests([`${model.root}/${lockFile}`]);
    if (outcome?.kind === "absent") return ok([]);
    if (outcome?.kind !== "file") {
      return err(
        problem("lock-file-unreadable", `The lock file ${lockFile} cannot be read`, {
          next: "Make it a readable file: its content is part of every key.",
        }),
      );
    }
    const parts: KeyParts["external"] = [[lockFile, outcome.digest]];
    this.#external = { revision: states.revision, parts };
    return ok(parts);
  }

  #contributionsOf({ contributors, task }: PlannedTask): Result<ResolvedAction["contributions"], Problem> {
    if (contributors.length === 0 || !this.#keyed.has(task.id)) return ok([]);
    const { revision } = this.#options.states;
    const contributions: [string, Digest][] = [];
    for (const name of contributors) {
      const known = this.#contributions.get(name);
      if (known !== undefined && known.revision === revision) {
        contributions.push([name, known.digest]);
        continue;
      }
      const { id, declaredAt } = task;
      const project = this.#projects.get(name)!;
      const own = { id, declaredAt, inputs: undefined, outputs: undefined };
      const files = this.#inputs.of({ project, task: own, globalInputs: [] });
      if (!files.ok) return err(files.problem.problem);
      const digest = digestOf(canonicalJson(files.value.map(inputRecord)));
      this.#contributions.set(name, { revision, digest });
      contributions.push([name, digest]);
    }
    return ok(contributions);
  }

  #changedInputs(request: InputRequest, resolved: ResolvedAction): string[] {
    const { states } = this.#options;
    states.beginAgain();
    const now = this.#inputs.of(request);
    const changed = now.ok ? differingPaths(resolved.inputs, now.value) : [now.problem.path];
    const external = this.#externalParts();
    if (!external.ok || canonicalJson(external.value) !== canonicalJson(resolved.parts.external)) {
      changed.push(this.#options.model.lockFile ?? "");
    }
    const contributions = this.#contributionsOf(this.#planned.get(resolved.label)!);
    const before = new Map(resolved.contributions);
    for (const [name, digest] of contributions.ok ? contributions.value : []) {
      if (before.get(name) !== digest) changed.push(this.#projects.get(name)!.directory);
    }
    return changed;
  }
}

function plannedNode({ task, requires, after, validates, isRequested }: PlannedTask): PlannedNode {
  return {
    label: task.id,
    requires,
    after,
    validates,
    claim: {
      slots: task.command.kind === "none" ? 0 : task.slots,
      pools: task.pools,
      mutexes: task.mutexes,
      tags: task.tags,
      terminal: task.interactive,
    },
    priorityClass: task.priority,
    lifetime: task.persistent ? (isRequested ? "pinned" : "service") : "task",
  };
}

function presentVariables(env: KeyParts["env"]): Property[] {
  const present: Property[] = [];
  for (const [name, value] of env) if (value !== undefined) present.push({ name, value });
  return present;
}

function inputRecord(entry: InputEntry): string[] {
  if (entry.kind === "file") return [entry.path, entry.digest, entry.executable ? "x" : ""];
  return entry.kind === "symlink" ? [entry.path, "->", entry.target] : [entry.path, "/"];
}
