/**
 * What npm would add to the environment of a script, and the shell it would use.
 *
 * Source: npm-run-script(1), npm's `scripts` and `config` pages.
 */
import type { FileSystem } from "@kahn/core";
import { optionalText } from "../internal/optional-text.ts";
import type { Project, WorkspaceModel } from "../model.ts";
import type { HostEnvironment } from "./environment.ts";

/** Variables of one project's scripts. */
export function npmVariables(from: {
  readonly model: WorkspaceModel;
  readonly project: Project;
  readonly nodePath: string;
  readonly startDirectory: string;
  readonly hostEnv: HostEnvironment;
}): Readonly<Record<string, string>> {
  const { model, project, nodePath, startDirectory, hostEnv } = from;
  const directory = project.directory === "" ? model.root : `${model.root}/${project.directory}`;
  return {
    ...project.manifestEnv,
    npm_package_json: `${directory}/package.json`,
    npm_command: "run-script",
    npm_node_execpath: nodePath,
    NODE: nodePath,
    INIT_CWD: startDirectory,
    // Scripts that call npm again find it as the one that started us; without npm above us there is none to name.
    ...(hostEnv.npm_execpath === undefined ? {} : { npm_execpath: hostEnv.npm_execpath }),
  };
}

/** The program that runs scripts: npm's `script-shell` of environment, workspace or user, else `sh`. */
export function scriptShell(fs: FileSystem, workspaceRoot: string, env: HostEnvironment): string {
  const given = env.npm_config_script_shell;
  if (given !== undefined && given !== "") return given;
  for (const directory of [workspaceRoot, env.HOME]) {
    if (directory === undefined || directory === "") continue;
    const text = optionalText(fs, `${directory}/.npmrc`);
    const value = /^\s*script-shell\s*=\s*"?([^"\n]+?)"?\s*$/m.exec(text)?.[1];
    if (value !== undefined) return value;
  }
  return "sh";
}
