/**
 * The workspace as Kahn sees it once every file is read and every problem is known.
 *
 * Owns:      the shapes between the reading of configuration and the making of the graph.
 * Invariant: a `WorkspaceModel` is complete and valid: names are unique, references resolve in form, durations are
 *            milliseconds, defaults are filled in. JSON-serialisable, so that it can be kept between starts.
 */
import type { MutexClaim, Problem, ReadyProbe, SourcePlace, TaskId } from "@kahn/core";

/** Who manages the workspace's packages. */
export type PackageManager = "npm" | "pnpm" | "yarn" | "yarn-pnp" | "none";

/** One project: a workspace package, or the root itself under the name `//`. */
export interface Project {
  /** The package's name; `//` for the root; the folder's path when the manifest has no name. */
  readonly name: string;
  /** Workspace-relative folder with `/`; empty for the root. */
  readonly directory: string;
  /** The `npm_package_*` variables that npm exports of the manifest, by their whole names. */
  readonly manifestEnv: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  /** Names of workspace projects it depends on: dependencies, dev, optional and peer ones; sorted. */
  readonly dependencies: readonly string[];
  readonly tags: readonly string[];
}

/** A reference in `dependsOn`, `after` or `validates`. */
export type TaskReference =
  /** `build`: the same project's task. */
  | { readonly kind: "same-project"; readonly task: string }
  /** `^build`: the task of every project it depends on, through projects that have none. */
  | { readonly kind: "dependencies"; readonly task: string }
  /** `pkg#build` or `//#build`. */
  | { readonly kind: "exact"; readonly id: TaskId };

/** What a task runs. */
export type TaskCommand =
  /** A package.json script with its pre and post scripts, run as npm would. */
  | {
      readonly kind: "script";
      readonly event: string;
      readonly script: string;
      readonly pre: string | undefined;
      readonly post: string | undefined;
    }
  /** `"command": "tsc -b"` of the configuration: one shell line. */
  | { readonly kind: "shell"; readonly script: string }
  /** `"command": ["tsc", "-b"]`: no shell. */
  | { readonly kind: "argv"; readonly argv: readonly string[] }
  /**
   * A task without a command: it groups its dependencies. Also stands in for a declared task in a project that has no
   * such script, where something reaches further through it; its inputs are then what the project contributes.
   */
  | { readonly kind: "none" };

/** A task of one project with everything decided but its inputs' contents. */
export interface TaskDefinition {
  readonly id: TaskId;
  readonly project: string;
  readonly task: string;
  readonly description: string | undefined;
  readonly command: TaskCommand;
  readonly dependsOn: readonly TaskReference[];
  readonly after: readonly TaskReference[];
  readonly validates: readonly TaskReference[];
  /**
   * Globs relative to the project (`/x` to the workspace, `!` excludes, `$default` the default set); `undefined` means
   * `["$default"]`. Normal: no `.` or `..` segments, no `/` at the end.
   */
  readonly inputs: readonly string[] | undefined;
  /** Globs relative to the project (`/x` to the workspace, `!` excludes); `undefined`: none declared. */
  readonly outputs: readonly string[] | undefined;
  /** Passed, and in the key. A trailing `*` matches names. */
  readonly env: readonly string[];
  /** Passed only. */
  readonly passEnv: readonly string[];
  readonly tools: readonly string[];
  readonly mutexes: readonly MutexClaim[];
  readonly pools: readonly (readonly [pool: string, amount: number])[];
  readonly slots: number;
  readonly tags: readonly string[];
  readonly priority: number;
  readonly timeoutMs: number | undefined;
  readonly graceMs: number;
  readonly retries: number;
  readonly persistent: boolean;
  readonly ready: ReadyProbe | undefined;
  readonly interactive: boolean;
  /** False: never cached, for the reason given. */
  readonly cache: boolean;
  readonly uncachedBecause: string | undefined;
  readonly outputMode: "copy" | "link";
  readonly deps: "transitive" | "direct";
  /** Where it was declared: the configuration, or the script's line in package.json. */
  readonly declaredAt: SourcePlace;
}

/** Settings of the whole workspace. */
export interface WorkspaceSettings {
  /** `auto` was replaced by the number of processors. */
  readonly concurrency: number;
  readonly pools: Readonly<Record<string, number>>;
  readonly tagCaps: Readonly<Record<string, number>>;
  /** Raw section `cache`, validated by its owner. */
  readonly cache: Readonly<Record<string, unknown>>;
  /** Variables and tools that enter every task's key. */
  readonly globalEnv: readonly string[];
  readonly globalPassEnv: readonly string[];
  /** Globs relative to the root whose files enter every task's key. */
  readonly globalInputs: readonly string[];
  /** Values of the sections that other packages own, by their keys, as their schemas gave them. */
  readonly sections: Readonly<Record<string, unknown>>;
}

/** Everything that the files of a workspace say. */
export interface WorkspaceModel {
  /** Absolute path. */
  readonly root: string;
  readonly manager: PackageManager;
  /** Workspace-relative path of the lock file, if there is one. */
  readonly lockFile: string | undefined;
  /** `kahn`, `turbo` or `none`: which configuration was read. */
  readonly source: "kahn" | "turbo" | "none";
  /** Workspace-relative paths of every file that was read, for cache validation and watching. */
  readonly files: readonly string[];
  readonly settings: WorkspaceSettings;
  readonly projects: readonly Project[];
  readonly tasks: readonly TaskDefinition[];
  readonly warnings: readonly Problem[];
}
