/**
 * An interactive shell where an action's command would have run: with its inputs, variables and working directory.
 *
 * Owns:      the exec root, which goes when the shell ends.
 * Never:     takes outputs in, or has a timeout.
 * Invariant: the shell gets what the command gets, but for the terminal and the variables that are named as added.
 */
import { loadEngine } from "@kahn/cas";
import { type Digest, digestFunction, type Problem, type ProcessExit, type Property } from "@kahn/core";
import { type CheckedCommand, checkCommand } from "./command-check.ts";
import { planExecRoot, type StagedInputs, stageExecRoot } from "./exec-root.ts";
import type { HermeticRequest, HermeticRunnerOptions, SandboxLevel, SandboxVerdict } from "./hermetic-action.ts";
import { InputTrees } from "./input-tree.ts";
import { removeFolder } from "./internal/remove-folder.ts";
import { launch } from "./launch.ts";
import { Sandbox } from "./sandbox.ts";
import { StagedTrees } from "./staged-trees.ts";

/** What is ready when the shell is about to start. */
export interface ShellPlace {
  readonly sandbox: SandboxLevel;
  /** Why it is lower than wanted. */
  readonly lowered?: Problem<"sandbox-lowered">;
  /** Absolute, as seen from outside of the sandbox. */
  readonly execRoot: string;
  /** Names of variables that the action does not have. */
  readonly added: readonly string[];
  readonly network: boolean;
}

/** What a shell is opened with. */
export interface ShellRequest {
  readonly action: HermeticRequest;
  /** Program and arguments. */
  readonly shell: readonly string[];
  /** Set where the action does not: a shell wants to know its terminal. */
  readonly variables: readonly Property[];
  /** Told right before the shell starts. */
  readonly onReady: (place: ShellPlace) => void;
}

/** How it ended. */
export type ShellOutcome =
  | { readonly kind: "ended"; readonly exit: ProcessExit }
  | { readonly kind: "missing-blobs"; readonly digests: readonly Digest[] }
  | { readonly kind: "refused"; readonly problem: Problem };

/** Stages the inputs, runs the shell on our own terminal until it ends, and removes everything. @throws FileSystemError */
export async function openStagedShell(options: HermeticRunnerOptions, request: ShellRequest): Promise<ShellOutcome> {
  const { fs, root, processes } = options;
  fs.makeDirectory(root);
  // Inputs may be private, and so are the command's variables.
  fs.chmod(root, 0o700);
  try {
    const command = checkCommand(request.action.command);
    if (!command.ok) return { kind: "refused", problem: command.problem };
    const sandbox = new Sandbox(fs, options.sandbox);
    const verdict = await sandbox.verdict(processes, root);
    if (verdict.kind === "refused") return verdict;
    const isSandboxed = verdict.level === "bubblewrap";
    const staged = await stage(options, { request, command: command.value, isSandboxed });
    if (staged.kind !== "staged") return staged;
    try {
      const exit = await runShell(options, {
        request,
        sandbox,
        verdict,
        staged,
        environment: command.value.environment,
      });
      return { kind: "ended", exit };
    } finally {
      staged.inputs.release();
    }
  } finally {
    await removeFolder(fs, root);
  }
}

interface Staged {
  readonly kind: "staged";
  readonly inputs: StagedInputs;
  readonly workingDirectory: string;
}

interface StageOptions {
  readonly request: ShellRequest;
  readonly command: CheckedCommand;
  readonly isSandboxed: boolean;
}

async function stage(
  options: HermeticRunnerOptions,
  { request, command, isSandboxed }: StageOptions,
): Promise<Staged | Exclude<ShellOutcome, { kind: "ended" }>> {
  const { fs, root, blobs, inputsMax = 1_000_000 } = options;
  const { inputRoot } = request.action;
  const trees = new InputTrees({ blobs, entriesMax: inputsMax, allowAbsoluteSymlinks: true });
  const loaded = await trees.load(inputRoot);
  if (loaded.kind === "missing-blobs") return loaded;
  if (loaded.kind !== "tree") return { kind: "refused", problem: loaded.problem };
  const plan = planExecRoot(loaded.tree, command);
  if (!plan.ok) return { kind: "refused", problem: plan.problem };
  await loadEngine(digestFunction(inputRoot));
  for (const folder of ["root", "tmp", "trees"]) fs.makeDirectory(`${root}/${folder}`);
  const shared = isSandboxed
    ? new StagedTrees(options, `${root}/trees`, { entriesMax: inputsMax, maxSizeBytes: Number.POSITIVE_INFINITY })
    : undefined;
  const staged = await stageExecRoot(plan.value, `${root}/root`, { ports: options, trees: shared });
  switch (staged.kind) {
    case "ready":
      return { kind: "staged", inputs: staged.inputs, workingDirectory: plan.value.workingDirectory };
    case "errored":
      return { kind: "refused", problem: staged.problem };
    case "missing": {
      const missing = await trees.missingFiles(loaded.tree);
      if (!missing.ok) return { kind: "refused", problem: missing.problem };
      return { kind: "missing-blobs", digests: missing.value };
    }
  }
}

interface RunShell {
  readonly request: ShellRequest;
  readonly sandbox: Sandbox;
  readonly verdict: Extract<SandboxVerdict, { kind: "level" }>;
  readonly staged: Staged;
  /** Of the action. */
  readonly environment: readonly Property[];
}

async function runShell(
  { fs, root, processes, graceMs = 1000 }: HermeticRunnerOptions,
  { request, sandbox, verdict, staged, environment: own }: RunShell,
): Promise<ProcessExit> {
  const { action, shell, variables, onReady } = request;
  const { inputs, workingDirectory } = staged;
  const isSandboxed = verdict.level === "bubblewrap";
  const execRoot = `${root}/root`;
  const added = variables.filter(({ name }) => own.every((each) => each.name !== name));
  const environment = [...own, ...added];
  const network = sandbox.allowsNetwork(action.network ?? false);
  const files = { times: `${root}/times`, arguments: `${root}/arguments`, status: `${root}/status` };
  if (isSandboxed) {
    const { mounts } = inputs;
    const spec = { execRoot, temporary: `${root}/tmp`, mounts, workingDirectory, environment, network };
    fs.writeFile(files.arguments, sandbox.arguments(spec), { mode: 0o600 });
  }
  onReady({
    sandbox: verdict.level,
    execRoot,
    added: added.map(({ name }) => name),
    network: network || !isSandboxed,
    ...(verdict.lowered === undefined ? {} : { lowered: verdict.lowered }),
  });
  const running = processes.start({
    ...launch({
      command: { arguments: shell, environment },
      files,
      sandbox: isSandboxed ? sandbox.program : undefined,
      cwd: workingDirectory === "" ? execRoot : `${execRoot}/${workingDirectory}`,
    }),
    stdout: { kind: "inherit" },
    stderr: { kind: "inherit" },
    interactive: true,
    graceMs,
    label: action.label,
  });
  return await running.ended;
}
