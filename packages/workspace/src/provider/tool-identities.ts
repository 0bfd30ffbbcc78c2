/**
 * What the programs are that a task runs: the digest of the file that PATH leads to.
 *
 * Owns:      the search along a task's PATH, and what belongs to a tool's identity: of a script also its interpreter,
 *            of a package manager's shim also the file that it starts.
 * Never:     starts the tool (`--version` would cost a process for each task).
 */

import {
  canonicalJson,
  type Digest,
  digestOf,
  err,
  type FileSystem,
  FileSystemError,
  ok,
  type Result,
} from "@kahn/core";
import type { WorkTreeStates } from "../states/index.ts";

/** What identities stand on. */
export interface ToolIdentitiesOptions {
  readonly fs: FileSystem;
  readonly states: WorkTreeStates;
  readonly workspaceRoot: string;
  /** The host's PATH. */
  readonly hostPath: string;
  /** Absolute path of the Node that runs Kahn, for hosts whose PATH has none. */
  readonly nodePath: string;
}

/** Tools by name, sorted. */
export type ToolList = readonly (readonly [name: string, digest: Digest])[];

/** A tool that PATH does not lead to. */
export interface MissingTool {
  readonly missing: string;
}

/** How much of a script is read to see what starts it. */
const HEAD_BYTES = 1024;
/** A script that is interpreted by a script that is interpreted… */
const INTERPRETERS_MAX = 4;

/** A tool that was looked for; `undefined` digest: it is not there. */
interface FoundTool {
  readonly digest: Digest | undefined;
  /** Lies in the workspace, where a task may make or change it: the answer holds for one revision of the states. */
  readonly isInside: boolean;
}

/**
 * Finds tools. One instance for each run: what lies outside of the workspace is looked at once, since no task of the
 * run is expected to install it.
 */
export class ToolIdentities {
  readonly #options: ToolIdentitiesOptions;
  readonly #hostDirectories: readonly string[];
  #moment = 0;
  #revision = 0;
  readonly #known = new Map<string, FoundTool>();
  readonly #lists = new Map<string, { readonly list: Result<ToolList, MissingTool>; readonly isInside: boolean }>();
  readonly #folders = new Map<string, readonly string[]>();
  readonly #heads = new Map<string, string>();

  constructor(options: ToolIdentitiesOptions) {
    this.#options = options;
    this.#hostDirectories = options.hostPath.split(":").filter((each) => each.startsWith("/"));
  }

  /** The PATH of a project's tasks: its own `node_modules/.bin`, the root's, then the host's. */
  pathOf(projectDirectory: string): string {
    return [...this.#binDirectories(projectDirectory), this.#options.hostPath].join(":");
  }

  /** Identities by tool name, sorted, `node` always among them; or the first that is not there. */
  identify(tools: readonly string[], projectDirectory: string): Result<ToolList, MissingTool> {
    this.#dropStale();
    const folders = this.#foldersOf(projectDirectory);
    const key = tools.length + folders.length === 0 ? "" : `${tools.join("\0")}\0\0${folders.join("\0")}`;
    const known = this.#lists.get(key);
    if (known !== undefined) return known.list;
    const identities: (readonly [string, Digest])[] = [];
    let isInside = false;
    for (const name of tools.includes("node") ? tools : ["node", ...tools]) {
      const tool = this.#identity(name, folders);
      if (tool.digest === undefined) return err({ missing: name });
      identities.push([name, tool.digest]);
      isInside ||= tool.isInside;
    }
    const list = ok(identities.sort(([left], [right]) => (left < right ? -1 : 1)));
    this.#lists.set(key, { list, isInside });
    return list;
  }

  #dropStale(): void {
    const { moment, revision } = this.#options.states;
    if (this.#moment !== moment) this.#folders.clear();
    this.#moment = moment;
    if (this.#revision === revision) return;
    this.#revision = revision;
    for (const [key, { isInside }] of this.#known) if (isInside) this.#known.delete(key);
    for (const [key, { isInside }] of this.#lists) if (isInside) this.#lists.delete(key);
    for (const path of this.#heads.keys()) if (this.#isInside(path)) this.#heads.delete(path);
  }

  #isInside(path: string): boolean {
    return path.startsWith(`${this.#options.workspaceRoot}/`);
  }

  #binDirectories(projectDirectory: string): string[] {
    const { workspaceRoot } = this.#options;
    const root = `${workspaceRoot}/node_modules/.bin`;
    return projectDirectory === "" ? [root] : [`${workspaceRoot}/${projectDirectory}/node_modules/.bin`, root];
  }

  /** Those of a project's `node_modules/.bin` folders that are there. */
  #foldersOf(projectDirectory: string): readonly string[] {
    let folders = this.#folders.get(projectDirectory);
    if (folders === undefined) {
      const { fs, workspaceRoot } = this.#options;
      folders = projectDirectory === "" ? [] : this.#foldersOf("");
      const own = `${workspaceRoot}${projectDirectory === "" ? "" : `/${projectDirectory}`}/node_modules/.bin`;
      if (fs.lstat(own) !== undefined) folders = [own, ...folders];
      this.#folders.set(projectDirectory, folders);
    }
    return folders;
  }

  #identity(name: string, folders: readonly string[]): FoundTool {
    const key = `${name}\0${folders.join("\0")}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const files: string[] = [];
    const path = this.#find(name, folders);
    const isComplete = path !== undefined && this.#follow(path, folders, files);
    const digest = isComplete ? this.#digestOf(files) : undefined;
    // One that is not there yet may still be made.
    const found = { digest, isInside: digest === undefined || files.some((file) => this.#isInside(file)) };
    this.#known.set(key, found);
    return found;
  }

  #find(name: string, folders: readonly string[]): string | undefined {
    if (name.startsWith("/")) return this.#options.fs.realPath(name);
    for (const directory of [...folders, ...this.#hostDirectories]) {
      const real = this.#executable(`${directory}/${name}`);
      if (real !== undefined) return real;
    }
    return name === "node" ? this.#options.fs.realPath(this.#options.nodePath) : undefined;
  }

  #executable(path: string): string | undefined {
    const { fs } = this.#options;
    try {
      const stat = fs.lstat(path);
      if (stat === undefined) return undefined;
      const real = stat.kind === "symlink" ? fs.realPath(path) : path;
      const target = real === undefined ? undefined : fs.lstat(real);
      return target?.kind === "file" && (target.mode & 0o111) !== 0 ? real : undefined;
    } catch (error) {
      // A folder of PATH that may not be entered is passed over, as by a shell.
      if (error instanceof FileSystemError) return undefined;
      throw error;
    }
  }

  /** Adds the file and what it needs to start; false when some of it cannot be found. */
  #follow(path: string, folders: readonly string[], files: string[]): boolean {
    if (files.includes(path)) return true;
    if (files.length > INTERPRETERS_MAX) return true;
    files.push(path);
    const head = this.#head(path);
    const words = /^#!\s*(\S+)(?:[ \t]+([^\n]*))?/.exec(head);
    if (words === null) return true;
    const target = /"\$basedir\/([^"]+)"/.exec(head)?.[1];
    if (target !== undefined) {
      const real = this.#options.fs.realPath(`${path.slice(0, path.lastIndexOf("/"))}/${target}`);
      if (real !== undefined && !this.#follow(real, folders, files)) return false;
    }
    const interpreter = interpreterOf(words[1]!, words[2] ?? "");
    const found = interpreter === undefined ? undefined : this.#find(interpreter, folders);
    return found !== undefined && this.#follow(found, folders, files);
  }

  /** The first bytes of a script; empty for a program. */
  #head(path: string): string {
    let head = this.#heads.get(path);
    if (head === undefined) {
      const bytes = this.#options.fs.readRange(path, 0, HEAD_BYTES) ?? new Uint8Array();
      head = bytes[0] === 0x23 && bytes[1] === 0x21 ? Buffer.from(bytes).toString("latin1") : "";
      this.#heads.set(path, head);
    }
    return head;
  }

  #digestOf(files: readonly string[]): Digest | undefined {
    const digests: Digest[] = [];
    for (const outcome of this.#options.states.digests(files)) {
      if (outcome.kind !== "file") return undefined;
      digests.push(outcome.digest);
    }
    return digests.length === 1 ? digests[0] : digestOf(canonicalJson(digests));
  }
}

/** `#!/usr/bin/env -S node --flag` → `node`; `#!/bin/sh` → `/bin/sh`. */
function interpreterOf(program: string, rest: string): string | undefined {
  if (!program.endsWith("/env")) return program;
  return rest.split(/\s+/).find((word) => word !== "" && !word.startsWith("-") && !word.includes("="));
}
