/**
 * Where the workspace lies in a git repository, read from files alone: a git process would cost more than all the rest
 * of a run that finds everything cached.
 *
 * Source: gitrepository-layout(5), gitignore(5).
 */
import { digestOf, type FileSystem } from "@kahn/core";
import { optionalText } from "../internal/optional-text.ts";
import { IgnoreRules } from "./ignore-rules.ts";

/** The repository that holds a workspace. */
export interface Repository {
  /** The workspace's path within the repository: empty, or with a trailing slash. */
  readonly prefix: string;
  /** Rules that hold in the workspace, without its own `.gitignore` files. */
  readonly rules: IgnoreRules;
  /** Changes whenever git writes its index. */
  readonly indexStamp: string;
}

/** What is asked of the environment to find the user's own excludes file. */
export type GitEnvironment = Readonly<Record<string, string | undefined>>;

/** Finds the repository; `undefined` when there is none, or when it ignores the whole workspace. */
export function findRepository(fs: FileSystem, workspaceRoot: string, env: GitEnvironment): Repository | undefined {
  for (let root = workspaceRoot; ; root = parentOf(root)) {
    const gitDirectory = gitDirectoryOf(fs, root);
    if (gitDirectory !== undefined) return describe(fs, { root, workspaceRoot, gitDirectory, env });
    if (root === "" || root === "/") return undefined;
  }
}

function gitDirectoryOf(fs: FileSystem, root: string): string | undefined {
  const path = `${root}/.git`;
  const kind = fs.lstat(path)?.kind;
  if (kind === "directory") return path;
  if (kind !== "file") return undefined;
  // A linked work tree or a submodule: `gitdir: PATH`.
  const target = /^gitdir: (.+)$/m.exec(optionalText(fs, path))?.[1];
  return target === undefined ? undefined : joined(root, target);
}

interface Place {
  readonly root: string;
  readonly workspaceRoot: string;
  readonly gitDirectory: string;
  readonly env: GitEnvironment;
}

function describe(fs: FileSystem, place: Place): Repository | undefined {
  const { root, workspaceRoot, gitDirectory, env } = place;
  const common = optionalText(fs, `${gitDirectory}/commondir`).trim();
  const commonDirectory = common === "" ? gitDirectory : joined(gitDirectory, common);
  const excludes = userExcludesFile(fs, commonDirectory, env);
  let rules = rulesOf(undefined, "", excludes === undefined ? "" : optionalText(fs, excludes));
  rules = rulesOf(rules, "", optionalText(fs, `${commonDirectory}/info/exclude`));
  const prefix = workspaceRoot === root ? "" : `${workspaceRoot.slice(root.length + 1)}/`;
  let base = "";
  for (const name of prefix.split("/").slice(0, -1)) {
    rules = rulesOf(rules, base, optionalText(fs, `${root}/${base}.gitignore`));
    if (rules.ignores(base + name, true)) return undefined;
    base += `${name}/`;
  }
  const index = fs.lstat(`${gitDirectory}/index`);
  const indexStamp = index === undefined ? "none" : `${index.mtimeMs} ${index.ctimeMs} ${index.ino} ${index.sizeBytes}`;
  return { prefix, rules, indexStamp };
}

function rulesOf(parent: IgnoreRules | undefined, base: string, text: string): IgnoreRules {
  return new IgnoreRules(parent, { base, identity: digestOf(text), text: () => text });
}

/** The last `core.excludesFile` of the configuration files, or git's default place. */
function userExcludesFile(fs: FileSystem, commonDirectory: string, env: GitEnvironment): string | undefined {
  const home = env.HOME;
  const configHome = env.XDG_CONFIG_HOME ?? (home === undefined ? undefined : `${home}/.config`);
  const files = [`${commonDirectory}/config`];
  if (home !== undefined) files.push(`${home}/.gitconfig`);
  if (configHome !== undefined) files.push(`${configHome}/git/config`);
  for (const file of files) {
    const value = [...optionalText(fs, file).matchAll(/^\s*excludesfile\s*=\s*"?([^"\n]+?)"?\s*$/gim)].at(-1)?.[1];
    if (value !== undefined) return value.startsWith("~/") ? home && `${home}${value.slice(1)}` : value;
  }
  return configHome === undefined ? undefined : `${configHome}/git/ignore`;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function joined(base: string, path: string): string {
  if (path.startsWith("/")) return path;
  const parts = base.split("/");
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}
