/**
 * The `Git` port through the git program.
 *
 * Owns:      the arguments, the environment and the parsing; every list of paths is read NUL-separated.
 * Never:     writes to a repository (not even to refresh its index), asks for a password, starts a pager, a diff
 *            driver, a file-system monitor or a hook, or follows the `GIT_DIR` of a hook that Kahn was started from.
 * Invariant: an answer is `undefined` when git is missing, there is no work tree, or git refuses to look at it
 *            (a repository that belongs to another user: `safe.directory`).
 *
 * A submodule that is checked out contributes its files to `listFiles` and its own path to `changedFiles`. A
 * repository that merely lies inside is not ours: git would not add its files.
 */
import { spawnSync } from "node:child_process";
import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Git } from "@kahn/core";
import { isAbsent } from "./internal/refusal.ts";

/** What the git program needs. */
export interface NodeGitOptions {
  /** PATH to find git, HOME for its user's configuration. What would point git elsewhere is left out. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs git in a directory; its output when it succeeded. */
type RunGit = (directory: string, args: readonly string[]) => Buffer | undefined;

const FIXED = ["--no-pager", "-c", "core.quotepath=off", "-c", "core.fsmonitor=false"];

/** `git rev-parse --local-env-vars`: set in hooks, and meant for the repository of the hook. */
const LOCAL_VARIABLES = new Set([
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_CONFIG",
  "GIT_CONFIG_PARAMETERS",
  "GIT_CONFIG_COUNT",
  "GIT_OBJECT_DIRECTORY",
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_GRAFT_FILE",
  "GIT_INDEX_FILE",
  "GIT_NO_REPLACE_OBJECTS",
  "GIT_REPLACE_REF_BASE",
  "GIT_PREFIX",
  "GIT_SHALLOW_FILE",
  "GIT_COMMON_DIR",
  "GIT_INTERNAL_SUPER_PREFIX",
  "GIT_LITERAL_PATHSPECS",
  "GIT_GLOB_PATHSPECS",
  "GIT_NOGLOB_PATHSPECS",
  "GIT_ICASE_PATHSPECS",
]);

/** Asks the git program. Each question starts it once or a few times: some 5 ms each. */
export function nodeGit(options: NodeGitOptions): Git {
  const kept = Object.entries(options.env).filter(([name]) => !LOCAL_VARIABLES.has(name));
  const env = { ...Object.fromEntries(kept), GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" };
  const run: RunGit = (directory, args) => {
    const { status, stdout } = spawnSync("git", [...FIXED, ...args], {
      cwd: directory,
      env,
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 2 ** 30,
    });
    return status === 0 ? stdout : undefined;
  };
  return {
    workTreeRoot: (directory) => oneLine(run(directory, ["rev-parse", "--show-toplevel"])),
    mainWorkTreeRoot: (directory) => mainRoot(run, directory),
    listFiles: (directory) => listFiles(run, directory)?.sort(),
    changedFiles: (directory, base) => changedFiles(run, directory, base),
  };
}

/** The output without its final newline: a path may well end in another one. */
function oneLine(output: Buffer | undefined): string | undefined {
  return output?.toString("utf8").replace(/\n$/, "");
}

function fields(output: Buffer): string[] {
  return output.toString("utf8").split("\0").slice(0, -1);
}

/**
 * In a linked work tree the common directory is that of the main one: its parent, when it is called `.git`; else
 * (a submodule's, `--separate-git-dir`) what it says itself. A bare repository has no main work tree: then the linked
 * one stands for itself.
 */
function mainRoot(run: RunGit, directory: string): string | undefined {
  const own = oneLine(run(directory, ["rev-parse", "--show-toplevel"]));
  const gitDirectory = oneLine(run(directory, ["rev-parse", "--git-dir"]));
  const shared = oneLine(run(directory, ["rev-parse", "--git-common-dir"]));
  if (own === undefined || gitDirectory === undefined || shared === undefined) return undefined;
  const common = realpathSync.native(resolve(directory, shared));
  if (common === realpathSync.native(resolve(directory, gitDirectory))) return own;
  if (basename(common) === ".git") return dirname(common);
  const configured = oneLine(run(directory, ["config", "--file", `${common}/config`, "core.worktree"]));
  return configured === undefined ? own : resolve(common, configured);
}

/** Tags of `ls-files -t`: `H` tracked, `M` unmerged, `S` left out of a sparse checkout, `R` deleted, `?` untracked. */
function listFiles(run: RunGit, directory: string): string[] | undefined {
  const output = run(directory, ["ls-files", "-z", "-t", "--cached", "--others", "--deleted", "--exclude-standard"]);
  // Within `.git` or a bare repository git lists nothing and is content: there is no work tree to list.
  if (output === undefined || output.length === 0) {
    return run(directory, ["rev-parse", "--show-toplevel"]) === undefined ? undefined : [];
  }
  const files = new Set<string>();
  const deleted: string[] = [];
  for (const entry of fields(output)) {
    const path = entry.slice(2);
    if (entry.startsWith("R ")) deleted.push(path);
    else if (path.endsWith("/")) continue;
    else if (!entry.startsWith("S ") || exists(directory, path)) files.add(path);
  }
  for (const path of deleted) files.delete(path);
  for (const path of submodules(run, directory)) {
    files.delete(path);
    // Not checked out: an empty directory, in which git would answer for the repository around it.
    if (!exists(directory, `${path}/.git`)) continue;
    for (const file of listFiles(run, `${directory}/${path}`) ?? []) files.add(`${path}/${file}`);
  }
  return [...files];
}

/** Paths below the directory that the index holds as commits of other repositories. */
function submodules(run: RunGit, directory: string): string[] {
  if (!exists(oneLine(run(directory, ["rev-parse", "--show-toplevel"])) ?? directory, ".gitmodules")) return [];
  const output = run(directory, ["ls-files", "-z", "--stage"]);
  const entries = output === undefined ? [] : fields(output);
  return entries.filter((entry) => entry.startsWith("160000 ")).map((entry) => entry.slice(entry.indexOf("\t") + 1));
}

function exists(directory: string, path: string): boolean {
  try {
    return lstatSync(`${directory}/${path}`, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/**
 * What is committed by comparing two trees, the rest by `status`: unlike `git diff` neither takes the lock of the
 * index. A file whose commits are undone in the work tree is therefore counted, by both.
 */
function changedFiles(run: RunGit, directory: string, base: string): string[] | "unknown-base" | undefined {
  if (run(directory, ["rev-parse", "--show-toplevel"]) === undefined) return undefined;
  if (base === "" || base.startsWith("-")) return "unknown-base";
  // No common ancestor (a shallow clone, a branch without a commit yet): the base itself is the best there is.
  const from =
    oneLine(run(directory, ["merge-base", `${base}^{commit}`, "HEAD"])) ??
    oneLine(run(directory, ["rev-parse", "--verify", "--quiet", `${base}^{commit}`]));
  if (from === undefined) return "unknown-base";
  const committed =
    run(directory, ["diff-tree", ...DIFF_OPTIONS, from, "HEAD", "--"]) ??
    run(directory, ["ls-tree", "-r", "--name-only", "-z", from]);
  const uncommitted = run(directory, ["status", ...STATUS_OPTIONS, "--", "."]);
  const prefix = oneLine(run(directory, ["rev-parse", "--show-prefix"]));
  if (committed === undefined || uncommitted === undefined || prefix === undefined) return undefined;
  // `XY path` from the root of the work tree; a repository that lies inside ends in a slash.
  const paths = fields(uncommitted).map((entry) => entry.slice(3 + prefix.length).replace(/\/$/, ""));
  return [...new Set([...fields(committed), ...paths])].sort();
}

const DIFF_OPTIONS = ["-r", "-z", "--name-only", "--no-renames", "--relative", "--ignore-submodules=none"];
const STATUS_OPTIONS = ["--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=none"];
