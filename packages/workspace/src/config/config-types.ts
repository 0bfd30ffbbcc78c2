/**
 * The configuration as people write it: the types behind `defineConfig`.
 *
 * Owns:      the written form. `config-schema.ts` checks the same form at run time; a type test keeps both equal.
 * Invariant: everything here is JSON: a configuration in TypeScript means what its JSON would mean.
 */

/** A mutual exclusion: `"port-3000"`, or with a mode; shared holders exclude exclusive ones only. */
export type MutexConfig = string | { name: string; mode?: "exclusive" | "shared" | undefined };

/** How a persistent task shows that it is ready. Set exactly one of `port`, `url`, `log`, `command`. */
export interface ReadyConfig {
  /** A TCP port on this machine that accepts connections. */
  port?: number | undefined;
  /** A URL that answers with a status below 400. */
  url?: string | undefined;
  /** A regular expression that a line of the output matches. */
  log?: string | undefined;
  /** A shell command that exits 0. */
  command?: string | undefined;
  /** How long to wait, `"30s"` or milliseconds; default one minute. */
  timeout?: string | number | undefined;
}

/** One task of the table `tasks`. */
export interface TaskConfig {
  /** Shown by `kahn ls`. */
  description?: string | undefined;
  /** A shell line, or an argument list run without a shell. Default: the package.json script of the same name. */
  command?: string | readonly string[] | undefined;
  /** Tasks that must succeed first: `"lint"`, `"^build"` (of its dependencies), `"pkg#build"`, `"//#codegen"`. */
  dependsOn?: readonly string[] | undefined;
  /** Order only: if both run, this one runs after. */
  after?: readonly string[] | undefined;
  /** When one of these runs, this task runs too; its failure fails the run and blocks nothing. */
  validates?: readonly string[] | undefined;
  /** Globs of what it reads, from the project's folder (`/x`: from the workspace's). Default `["$default"]`. */
  inputs?: readonly string[] | undefined;
  /** Globs of what it writes. None: the result is cached without files. */
  outputs?: readonly string[] | undefined;
  /** Variables that it receives and that enter its key; `VITE_*` matches names. */
  env?: readonly string[] | undefined;
  /** Variables that it receives and that do not enter its key. */
  passEnv?: readonly string[] | undefined;
  /** Programs whose identity enters its key, besides `node`. */
  tools?: readonly string[] | undefined;
  mutex?: MutexConfig | readonly MutexConfig[] | undefined;
  /** One unit of a pool, or amounts of several: `{ "db": 2 }`. */
  pool?: string | Record<string, number> | undefined;
  /** Of the run's concurrency; default 1. */
  slots?: number | undefined;
  /** Names for `tagCaps` and for people. */
  tags?: readonly string[] | undefined;
  /** Higher runs first; default 0. */
  priority?: number | undefined;
  /** `"5m"` or milliseconds; default none. */
  timeout?: string | number | undefined;
  /** Between asking it to end and killing it; default five seconds. */
  grace?: string | number | undefined;
  /** How often to run it again when it fails; default 0. */
  retries?: number | undefined;
  /** It does not end by itself (a server, a watcher). Never cached. */
  persistent?: boolean | undefined;
  ready?: ReadyConfig | undefined;
  /** It wants the terminal. Never cached. */
  interactive?: boolean | undefined;
  /** `false`: never cached. */
  cache?: boolean | undefined;
  /** How outputs come back: as copies, or as read-only hard links. */
  outputMode?: "copy" | "link" | undefined;
  /** `"direct"`: those who use its outputs reach nothing else through it (a bundler that inlines). */
  deps?: "transitive" | "direct" | undefined;
}

/** `kahn.jsonc` of one project, or `"kahn"` in its package.json: adds to the root's tasks, field by field. */
export interface ProjectConfig {
  $schema?: string | undefined;
  /** Names for `-p tag:x`. */
  tags?: readonly string[] | undefined;
  tasks?: Readonly<Record<string, TaskConfig>> | undefined;
}

/** The section `cache`; parts of it are checked by their owners too. */
export interface CacheConfig {
  /** For example `"10GB"`. */
  maxSize?: string | number | undefined;
  /** For example `"14d"`. */
  maxAge?: string | number | undefined;
  /** Folder of the local cache; relative to the workspace. */
  dir?: string | undefined;
  digest?: "sha256" | undefined;
  outputMode?: "copy" | "link" | undefined;
  remote?: Record<string, unknown> | undefined;
}

/** `kahn.jsonc` or `kahn.config.mts` at the root of the workspace. */
export interface KahnConfig {
  $schema?: string | undefined;
  /** Folders of the projects. Default: the package manager's workspaces. */
  projects?: readonly string[] | undefined;
  /** How many tasks at once; `"auto"`: the number of processors. */
  concurrency?: number | "auto" | undefined;
  /** Named pools and their size. */
  pools?: Readonly<Record<string, number>> | undefined;
  /** How many tasks with a tag may run at once. */
  tagCaps?: Readonly<Record<string, number>> | undefined;
  cache?: CacheConfig | undefined;
  /** Variables that every task receives and that enter every key. */
  globalEnv?: readonly string[] | undefined;
  /** Variables that every task receives. */
  globalPassEnv?: readonly string[] | undefined;
  /** Files, from the root, that enter every key. */
  globalInputs?: readonly string[] | undefined;
  /** Tasks by name: `build`, `pkg#build`, `//#build`. */
  tasks?: Readonly<Record<string, TaskConfig>> | undefined;
}

/** Gives a configuration in TypeScript its type; returns it as it is. */
export function defineConfig(config: KahnConfig): KahnConfig {
  return config;
}
