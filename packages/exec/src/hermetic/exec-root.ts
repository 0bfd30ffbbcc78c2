/**
 * Exec roots: the folder that one action runs in, with its inputs and the parents of its outputs.
 *
 * Owns:      what is copied and what is mounted.
 * Never:     lets a command get at an inode of the store that it could write. Without a sandbox every input is a copy
 *            (a reflink where the file system has it): root is not stopped by a mode, and an owner may change it. In a
 *            sandbox, directories that hold no output are the staged trees, mounted read-only; the directories on the
 *            way to outputs are real, and the input files in them read-only copies, looked at again in the end.
 * Invariant: nothing is made before the whole action was judged.
 */
import { posix } from "node:path";
import { err, ok, type Problem, problem, type Result, type StoreProblem } from "@kahn/core";
import type { CheckedCommand, WantedOutput } from "./command-check.ts";
import type { InvalidActionCode } from "./hermetic-action.ts";
import type { InputTree } from "./input-tree.ts";
import type { CopiedInput } from "./internal/copied-inputs.ts";
import { plantedBytes } from "./internal/disk-watch.ts";
import { Planting, type PlantingPorts } from "./internal/planting.ts";
import { follow } from "./internal/tree-paths.ts";
import type { StagedTree, StagedTrees } from "./staged-trees.ts";

/** A staged tree to be mounted read-only at a place of the exec root. */
export interface InputMount {
  readonly from: string;
  /** Relative to the exec root; a directory is there. */
  readonly place: string;
}

/** Inputs that are ready. */
export interface StagedInputs {
  /** None inside another. */
  readonly mounts: readonly InputMount[];
  /** Read-only, and yet the command's own. None without a sandbox, where everything is. */
  readonly copies: readonly CopiedInput[];
  /** What was made takes so much of the disk, at most; mounted trees are not in it. */
  readonly bytes: number;
  /** Lets go of the staged trees. To be called once, when the command has ended. */
  release(): void;
}

/** What staging gave. */
export type StagingOutcome =
  | { readonly kind: "ready"; readonly inputs: StagedInputs }
  | { readonly kind: "missing" }
  | { readonly kind: "errored"; readonly problem: StoreProblem };

/** Where an action's files belong; see `planExecRoot`. */
export interface ExecRootPlan {
  readonly tree: InputTree;
  /** Without symlinks, relative to the exec root. */
  readonly workingDirectory: string;
  /** Directories that are real, parents first: the root, the working directory, and whatever an output is below of. */
  readonly open: ReadonlySet<string>;
  /** Input files and directories that are outputs as well: the command may write them. */
  readonly overwritten: ReadonlySet<string>;
}

/** Bubblewrap takes 9,000 arguments. */
const MOUNTS_MAX = 1000;

/** Judges the paths of a command against its input tree. Touches nothing. */
export function planExecRoot(
  tree: InputTree,
  command: CheckedCommand,
): Result<ExecRootPlan, Problem<InvalidActionCode>> {
  const directory = follow(tree, command.workingDirectory);
  if (directory.kind !== "directory" || directory.tree === undefined) {
    return err(
      problem(
        "working-directory-missing",
        `the working directory "${command.workingDirectory}" is not in the input tree`,
        {
          next: "Add it to the inputs, with an empty Directory if need be.",
        },
      ),
    );
  }
  const open = new Set([""]);
  // Tools put temporary files where they stand.
  addWithParents(open, directory.place);
  const overwritten = new Set<string>();
  for (const output of command.outputs) {
    const parent = follow(tree, output.place === "" ? "" : parentOf(output.place));
    if (parent.kind !== "directory") return blocked(output, parent.place);
    addWithParents(open, parent.place);
    const own = output.place === "" ? "" : posix.join(parent.place, posix.basename(output.place));
    overwritten.add(own);
  }
  return ok({ tree, workingDirectory: directory.place, open, overwritten });
}

/** Makes an exec root at `path`, an absolute folder that is there and empty. @throws FileSystemError */
export async function stageExecRoot(
  plan: ExecRootPlan,
  path: string,
  { ports, trees }: { readonly ports: PlantingPorts; readonly trees: StagedTrees | undefined },
): Promise<StagingOutcome> {
  const planting = new Planting();
  const candidates = trees === undefined ? plantAll(plan, path, planting) : plantOpen(plan, path, planting);
  const mounted = chooseMounts(candidates);
  const acquired: StagedTree[] = [];
  const release = () => {
    for (const staged of acquired) staged.release();
  };
  try {
    const mounts: InputMount[] = [];
    for (const candidate of candidates) {
      planting.directory(`${path}/${candidate.place}`);
      if (trees === undefined || !mounted.has(candidate)) {
        planting.tree(candidate.tree, `${path}/${candidate.place}`, "read-only");
        continue;
      }
      const staged = await trees.acquire(candidate.tree);
      if (staged.kind !== "staged") {
        release();
        return staged;
      }
      acquired.push(staged.staged);
      mounts.push({ from: staged.staged.path, place: candidate.place });
    }
    const made = await planting.make(ports);
    if (made.ok && made.value.size === 0) {
      const bytes = plantedBytes(planting.sizes());
      return { kind: "ready", inputs: { mounts, copies: planting.readOnly, bytes, release } };
    }
    release();
    return made.ok ? { kind: "missing" } : { kind: "errored", problem: made.problem };
  } catch (error) {
    release();
    throw error;
  }
}

interface MountCandidate {
  readonly tree: InputTree;
  readonly place: string;
}

/** Everything as copies. */
function plantAll(plan: ExecRootPlan, path: string, planting: Planting): MountCandidate[] {
  planting.tree(plan.tree, path, "writable");
  for (const place of plan.open) planting.directory(place === "" ? path : `${path}/${place}`);
  return [];
}

/** The open directories as they are; what else is below them comes back. */
function plantOpen(plan: ExecRootPlan, path: string, planting: Planting): MountCandidate[] {
  const candidates: MountCandidate[] = [];
  if (plan.overwritten.has("")) return plantAll(plan, path, planting);
  const open: { readonly tree: InputTree; readonly place: string }[] = [{ tree: plan.tree, place: "" }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const { tree, place } = top;
    for (const { name, digest, executable } of tree.directory.files) {
      const own = below(place, name);
      planting.file({ path: `${path}/${own}`, digest, executable }, !plan.overwritten.has(own));
    }
    for (const { name, target } of tree.directory.symlinks) planting.symlink(`${path}/${below(place, name)}`, target);
    for (const [name, child] of tree.children) {
      const own = below(place, name);
      if (plan.overwritten.has(own)) {
        planting.directory(`${path}/${own}`);
        planting.tree(child, `${path}/${own}`, "writable");
      } else if (plan.open.has(own)) {
        planting.directory(`${path}/${own}`);
        open.push({ tree: child, place: own });
      } else candidates.push({ tree: child, place: own });
    }
  }
  for (const place of plan.open) planting.directory(place === "" ? path : `${path}/${place}`);
  return candidates;
}

/**
 * The largest ones, as long as a mount is cheaper than copies. A copy costs 0.14 ms; a mount costs 0.3 ms and, because
 * bubblewrap looks at all earlier ones for each, 6 µs for every mount before it (measured: 64 take 30 ms, 256 take 200).
 */
function chooseMounts(candidates: readonly MountCandidate[]): ReadonlySet<MountCandidate> {
  const largestFirst = [...candidates].sort((a, b) => b.tree.entries - a.tree.entries);
  return new Set(largestFirst.slice(0, MOUNTS_MAX).filter(({ tree }, before) => tree.entries > 2 + before / 20));
}

function addWithParents(open: Set<string>, place: string): void {
  const missing: string[] = [];
  for (let at = place; !open.has(at); at = parentOf(at)) missing.push(at);
  for (const each of missing.reverse()) open.add(each);
}

function parentOf(place: string): string {
  const parent = posix.dirname(place);
  return parent === "." ? "" : parent;
}

function below(place: string, name: string): string {
  return place === "" ? name : `${place}/${name}`;
}

function blocked(output: WantedOutput, place: string) {
  return err(
    problem("output-path-blocked" as const, `the output "${output.path}" cannot be made: "${place}" is in its way`, {
      next: "Its parents must be directories of the exec root, not input files and not symlinks that lead out of it.",
    }),
  );
}
